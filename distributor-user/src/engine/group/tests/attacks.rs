//! What somebody without the key can do: count.

use proptest::prelude::*;
use rand::Rng;
use rand::seq::IndexedRandom;

use super::super::message::encode;
use super::super::seal::{Header, Kind, seal};
use super::simulation::*;
use super::*;

fn group() -> Simulation {
    let mut simulation = Simulation::group(1, CALM, 3);
    simulation.run_until_complete(ms(1_000));
    (0..20).for_each(|number| simulation.say(1, 2, number));
    simulation.run_for(ms(2_000));
    simulation.clear_events();
    simulation
}

fn assert_untouched(simulation: &mut Simulation, attack: &str) {
    for stack in 1..=3 {
        let events = simulation.take_events(stack);
        assert!(
            events.is_empty(),
            "{attack}, stack {stack}: {:?}",
            brief(&events)
        );
    }
    assert!(simulation.is_complete(), "{attack}");
}

#[test]
fn replays_change_nothing() {
    let mut simulation = group();
    let recorded = simulation.recorded.clone();
    for round in 0..3 {
        for packet in &recorded {
            // To whom it was for, and to everybody else, from where it came and from elsewhere.
            for stack in 1..=3 {
                let network = if round == 0 { XCF } else { LAN };
                let to = SocketAddr::new(address(network, stack), PORT);
                let from = SocketAddr::new(address(network, round + 1), PORT);
                simulation.send(&Packet {
                    from,
                    to,
                    ..packet.clone()
                });
                simulation.send(&Packet {
                    to,
                    ..packet.clone()
                });
            }
        }
        simulation.run_for(ms(1_700));
    }
    simulation.run_for(ms(3_000));
    assert_untouched(&mut simulation, "replays");
    let drops = simulation.stacks[&2].engine.drops();
    assert!(drops.of(DropReason::Repeated) > 100, "{drops:?}");
    assert!(drops.of(DropReason::Session) > 100, "{drops:?}");
}

#[test]
fn replays_do_not_keep_the_dead_alive_or_bring_them_back() {
    let mut simulation = group();
    // From now on what stack 3 sends is held back from stack 1, so it is new when it comes.
    simulation.recorded.clear();
    simulation.cuts = [(XCF, 1), (LAN, 1)].into();
    simulation.run_for(ms(300));
    let held: Vec<_> = simulation
        .recorded
        .iter()
        .filter(|packet| packet.from.ip() == address(XCF, 3) || packet.from.ip() == address(LAN, 3))
        .cloned()
        .collect();
    simulation.cuts.clear();
    simulation.crash(3);
    simulation.clear_events();
    for packet in &held {
        simulation.send(packet);
        simulation.run_for(ms(150));
    }
    simulation.run_for(ms(1_000));
    let events = brief(&simulation.take_events(1));
    let left = events
        .iter()
        .filter(|event| *event == "left TCPIP3 Silent")
        .count();
    let joined = events
        .iter()
        .filter(|event| event.starts_with("joined"))
        .count();
    assert_eq!((left, joined), (1, 0), "{events:?}");

    // Nor does all that it ever sent, to a stack that is started later.
    let mut simulation = group();
    let recorded = simulation.recorded.clone();
    simulation.crash(3);
    simulation.run_for(ms(2_000));
    simulation.start(4, settings(4), ring(&[1]));
    simulation.run_until_complete(ms(1_000));
    simulation.clear_events();
    for packet in recorded {
        simulation.send(&packet);
        simulation.send(&Packet {
            to: SocketAddr::new(address(XCF, 4), PORT),
            ..packet
        });
        simulation.run_for(ms(1));
    }
    simulation.run_for(ms(3_000));
    for stack in [1, 2, 4] {
        let events = brief(&simulation.take_events(stack));
        assert!(events.is_empty(), "stack {stack}: {events:?}");
    }
}

#[test]
fn changed_and_cut_datagrams_change_nothing() {
    let mut simulation = group();
    let recorded = simulation.recorded.clone();
    for _ in 0..20_000 {
        let mut packet = recorded
            .choose(&mut simulation.random)
            .expect("some")
            .clone();
        let at = simulation.random.random_range(0..packet.bytes.len());
        match simulation.random.random_range(0..4) {
            0 => packet.bytes[at] ^= 1 << simulation.random.random_range(0..8),
            1 => packet.bytes.truncate(at),
            2 => packet.bytes[2] = simulation.random.random(),
            _ => {
                // Another counter, as if it were new.
                packet.bytes[24..32].copy_from_slice(&simulation.random.random::<[u8; 8]>());
            }
        }
        simulation.send(&packet);
        if simulation.random.random_bool(0.05) {
            simulation.run_for(ms(1));
        }
    }
    simulation.run_for(ms(3_000));
    assert_untouched(&mut simulation, "changed datagrams");
    let drops = simulation.stacks[&2].engine.drops();
    for reason in [
        DropReason::Forged,
        DropReason::Malformed,
        DropReason::Version,
    ] {
        assert!(drops.of(reason) > 100, "{reason:?}: {drops:?}");
    }
}

#[test]
fn a_flood_of_old_hellos_does_not_keep_a_stack_out() {
    let mut simulation = Simulation::group(1, CALM, 3);
    simulation.run_until_complete(ms(1_000));
    // A stack that is started often leaves many hellos, all genuine.
    for _ in 0..50 {
        simulation.start(3, settings(3), ring(&[1]));
        simulation.run_for(ms(120));
    }
    simulation.crash(3);
    let hellos: Vec<_> = simulation
        .recorded
        .iter()
        .filter(|packet| {
            packet.bytes[3] == Kind::Hello as u8 && packet.from.ip() == address(XCF, 3)
        })
        .cloned()
        .collect();
    assert!(hellos.len() > 50);
    simulation.run_for(ms(2_000));
    simulation.start(4, settings(4), ring(&[1]));
    let start = simulation.now;
    while !simulation.is_complete() {
        assert!(simulation.now < start + ms(2_000), "stack 4 is kept out");
        for packet in &hellos {
            simulation.send(packet);
        }
        simulation.run_for(ms(1));
    }
    let drops = simulation.stacks[&1].engine.drops();
    assert!(drops.of(DropReason::Rate) > 100, "{drops:?}");
}

#[test]
fn a_hello_from_elsewhere_is_not_answered() {
    let mut simulation = group();
    let hello = simulation.recorded[0].clone();
    assert_eq!(hello.bytes[3], Kind::Hello as u8);
    simulation.crash(1);
    simulation.run_for(ms(2_000));
    simulation.recorded.clear();
    let victim = SocketAddr::new(address(LAN, 77), PORT);
    let to = SocketAddr::new(address(LAN, 2), PORT);
    simulation.send(&Packet {
        from: victim,
        to,
        bytes: hello.bytes,
    });
    simulation.run_for(ms(500));
    assert_eq!(
        simulation.stacks[&2].engine.drops().of(DropReason::Source),
        1
    );
    assert!(simulation.recorded.iter().all(|packet| packet.to != victim));
}

#[test]
fn what_a_newer_release_says_is_skipped() {
    let mut simulation = group();
    let ids = *simulation.stacks[&2]
        .engine
        .sessions
        .keys()
        .next()
        .expect("a session");
    let header = Header {
        kind: Kind::Session,
        sender: ids.remote,
        receiver: ids.local,
        counter: 1_000_000,
    };
    let newer = encode(&(99_u32, "a message of a newer release"));
    let mut datagrams = vec![seal(&ring(&[1]), header, &newer)];
    datagrams.push(datagrams[0].clone());
    datagrams[1][2] = 2;
    for bytes in datagrams {
        let from = SocketAddr::new(address(XCF, 9), PORT);
        simulation.put(
            2,
            Input::Datagram {
                local: address(XCF, 2),
                from,
                bytes: &bytes,
            },
        );
    }
    let running = &simulation.stacks[&2];
    let drops = running.engine.drops();
    assert_eq!(
        (drops.of(DropReason::Kind), drops.of(DropReason::Version)),
        (1, 1)
    );
    assert_eq!(
        running.notices,
        [Notice::ForeignVersion {
            from: address(XCF, 9)
        }]
    );
    assert_untouched(&mut simulation, "newer messages");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_bytes_are_dropped(mut bytes in prop::collection::vec(any::<u8>(), 0..1_300), fix in 0_usize..=4) {
        let mut engine = GroupEngine::new(settings(1), ring(&[1]), [7; 32]).expect("settings");
        let good = [b'S', b'D', 1, 1 + bytes.first().map_or(0, |byte| byte % 3)];
        for (byte, good) in bytes.iter_mut().zip(good).take(fix) {
            *byte = good;
        }
        let from = SocketAddr::new(address(XCF, 2), PORT);
        let outputs = engine.handle(Input::Datagram { local: address(XCF, 1), from, bytes: &bytes }, ms(5));
        prop_assert!(outputs.iter().all(|output| matches!(output, Output::Notice(_))));
        prop_assert_eq!(engine.drops().iter().map(|(_, count)| count).sum::<u64>(), 1);
    }

    /// A member gone mad: its seal is right, and what is in it is anything.
    #[test]
    fn any_sealed_message_is_survived(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..400),
        variant in 0_u8..7,
    ) {
        let mut simulation = Simulation::group(1, CALM, 2);
        simulation.run_until_complete(ms(1_000));
        let ids = *simulation.stacks[&2].engine.sessions.keys().next().expect("a session");
        for (counter, message) in (1_000..).zip(&messages) {
            let header = Header { kind: Kind::Session, sender: ids.remote, receiver: ids.local, counter };
            let message: Vec<u8> = [variant].into_iter().chain(message.iter().copied()).collect();
            let bytes = seal(&ring(&[1]), header, &message);
            let from = SocketAddr::new(address(XCF, 1), PORT);
            simulation.put(2, Input::Datagram { local: address(XCF, 2), from, bytes: &bytes });
        }
        simulation.run_for(ms(50));
    }
}
