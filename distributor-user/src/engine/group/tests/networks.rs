//! Finding each other, paths that come and go, and facts that arrive.

use super::simulation::*;
use super::*;

#[test]
fn stacks_find_each_other_by_multicast() {
    for count in 2..=8 {
        let mut simulation = Simulation::group(count.into(), CALM, count);
        let took = simulation.run_until_complete(ms(1_000));
        assert!(took <= ms(250), "{count} stacks: {took:?}");
        for stack in 1..=count {
            let events = simulation.take_events(stack);
            let joined = events
                .iter()
                .filter(|e| matches!(e, GroupEvent::Joined { .. }))
                .count();
            assert_eq!(
                joined,
                usize::from(count) - 1,
                "stack {stack}: {:?}",
                brief(&events)
            );
        }
    }
}

#[test]
fn stacks_find_each_other_by_seeds_in_any_weather() {
    for seed in 0..8 {
        let mut simulation = Simulation::new(seed, STORM);
        simulation.has_multicast = false;
        for stack in 1..=4 {
            let mut settings = settings(stack);
            // The first knows all, as the front end's DESTIP does; the last knows the third only.
            settings.seeds = match stack {
                1 => (1..=4)
                    .map(|other| SocketAddr::new(address(XCF, other), PORT))
                    .collect(),
                4 => vec![SocketAddr::new(address(LAN, 3), PORT)],
                _ => Vec::new(),
            };
            simulation.start(stack, settings, ring(&[1]));
        }
        simulation.run_for(ms(3_000));
        assert_eq!(simulation.members(1), [2, 3, 4], "seed {seed}");
        // The second learns of the third by gossip alone.
        assert!(!simulation.members(2).contains(&3), "seed {seed}");
        simulation.put(
            2,
            Input::Gossip {
                to: address(XCF, 3),
                bytes: b"rumour",
            },
        );
        simulation.run_until_true(ms(3_000), "a rumour leads to a member", |simulation| {
            simulation.members(2).contains(&3) && simulation.members(3).contains(&2)
        });
    }
}

#[test]
fn a_joined_member_has_its_addresses_and_working_paths() {
    let mut simulation = Simulation::group(1, CALM, 2);
    simulation.run_for(ms(500));
    let events = simulation.take_events(1);
    let expected = GroupEvent::Joined {
        name: "TCPIP2".to_owned(),
        xcf: address(XCF, 2).into(),
        addresses: vec![(address(XCF, 2), 24), (address(LAN, 2), 24)],
    };
    assert_eq!(events[0], expected);
    for (ifindex, network) in [(1, XCF), (2, LAN)] {
        let peer_address = address(network, 2);
        let expected = GroupEvent::PathUp {
            name: "TCPIP2".to_owned(),
            ifindex,
            peer_address,
        };
        assert!(events.contains(&expected), "{:?}", brief(&events));
    }
    assert_eq!(events.len(), 3, "{:?}", brief(&events));
}

/// Who has two networks need not wait for the fifth beat.
#[test]
fn a_lost_network_lags_behind_the_other_one_at_once() {
    let mut simulation = Simulation::group(2, CALM, 2);
    simulation.run_until_complete(ms(1_000));
    simulation.run_for(ms(2_000));
    simulation.cuts.insert((XCF, 2));
    let took = simulation.run_until_true(ms(1_000), "the path lags", |simulation| {
        let lagging = &simulation.stacks[&1].lagging;
        lagging.contains(&("TCPIP2".to_owned(), address(XCF, 2)))
    });
    // A beat and two fifths, and twice what the network takes.
    assert!(took <= ms(200 + 80 + 40), "{took:?}");
    let stack = &simulation.stacks[&1];
    assert!(
        !stack
            .lagging
            .contains(&("TCPIP2".to_owned(), address(LAN, 2)))
    );
    let is_down = |event: &GroupEvent| matches!(event, GroupEvent::PathDown { .. });
    assert!(!stack.events.iter().any(is_down));
}

#[test]
fn a_lost_network_is_noticed_and_nobody_is_gone() {
    let mut simulation = Simulation::group(2, CALM, 2);
    simulation.run_until_complete(ms(1_000));
    simulation.run_for(ms(2_000));
    simulation.clear_events();
    simulation.cuts.insert((XCF, 2));
    let took = simulation.run_until_true(ms(2_000), "both paths are down", |simulation| {
        (1..=2).all(|stack| !simulation.stacks[&stack].events.is_empty())
    });
    assert!(took >= ms(600) && took <= ms(1_010), "{took:?}");
    assert_eq!(brief(&simulation.take_events(1)), ["down TCPIP2 xcf"]);
    assert_eq!(brief(&simulation.take_events(2)), ["down TCPIP1 xcf"]);

    simulation.say(1, 2, 7);
    simulation.run_for(ms(10));
    assert_eq!(brief(&simulation.take_events(2)), ["fact TCPIP1 7"]);

    simulation.cuts.clear();
    let took = simulation.run_until_true(ms(2_000), "both paths are up", |simulation| {
        (1..=2).all(|stack| !simulation.stacks[&stack].events.is_empty())
    });
    assert!(took <= ms(410), "{took:?}");
    assert_eq!(brief(&simulation.take_events(1)), ["up TCPIP2 xcf"]);
    assert_eq!(brief(&simulation.take_events(2)), ["up TCPIP1 xcf"]);
}

#[test]
fn a_fact_is_not_late_when_a_network_dies_under_it() {
    let mut simulation = Simulation::group(3, CALM, 2);
    simulation.run_until_complete(ms(1_000));
    for network in [XCF, LAN] {
        simulation.clear_events();
        simulation.cuts = [(network, 1)].into();
        simulation.say(1, 2, 1);
        simulation.run_for(ms(1));
        assert_eq!(simulation.heard(2, 1), [1], "without network {network}");
        simulation.cuts.clear();
        simulation.run_for(ms(3_000));
    }
}

#[test]
fn a_stack_without_a_network_is_gone_and_comes_back() {
    let mut simulation = Simulation::group(4, CALM, 3);
    simulation.run_until_complete(ms(1_000));
    simulation.run_for(ms(1_000));
    simulation.clear_events();
    simulation.cuts = [(XCF, 3), (LAN, 3)].into();
    simulation.say(1, 3, 1);
    simulation.run_for(ms(1_100));
    assert_eq!(
        brief(&simulation.take_events(1)).last().map(String::as_str),
        Some("left TCPIP3 Silent")
    );
    assert_eq!(
        (simulation.members(1), simulation.members(3)),
        (vec![2], vec![])
    );
    simulation.run_for(ms(20_000));
    simulation.clear_events();
    // The client network comes back first.
    simulation.cuts = [(XCF, 3)].into();
    simulation.run_for(ms(1_100));
    let expected = ["joined TCPIP3", "up TCPIP3 lan"];
    assert_eq!(brief(&simulation.take_events(1)), expected);
    simulation.cuts.clear();
    simulation.run_for(ms(500));
    assert_eq!(brief(&simulation.take_events(1)), ["up TCPIP3 xcf"]);
    simulation.say(1, 3, 2);
    simulation.run_for(ms(10));
    assert_eq!(
        simulation.heard(3, 1),
        [2],
        "what was lost with the member stays lost"
    );
}

#[test]
fn facts_arrive_once_and_in_order_in_a_storm() {
    for seed in 0..6 {
        let mut simulation = Simulation::group(seed, STORM, 3);
        simulation.run_until_complete(ms(8_000));
        let numbers: Vec<u64> = (0..200).collect();
        for number in &numbers {
            for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 2)] {
                simulation.say(from, to, *number);
            }
            simulation.run_for(ms(3));
        }
        simulation.run_for(ms(5_000));
        for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 2)] {
            assert_eq!(
                simulation.heard(to, from),
                numbers,
                "seed {seed}: {from} to {to}"
            );
        }
    }
}

#[test]
fn gossip_arrives_whole() {
    let mut simulation = Simulation::group(5, CALM, 2);
    simulation.run_until_complete(ms(1_000));
    for length in [1, 1_129, 65_507, GOSSIP_BYTES_MAX] {
        let bytes = vec![7; length];
        simulation.put(
            1,
            Input::Gossip {
                to: address(XCF, 2),
                bytes: &bytes,
            },
        );
        simulation.run_for(ms(5));
        let arrived = simulation
            .stacks
            .get_mut(&2)
            .map(|stack| std::mem::take(&mut stack.gossip));
        assert!(
            arrived == Some(vec![(address(XCF, 1), bytes)]),
            "{length} bytes"
        );
    }
    let too_long = vec![7; GOSSIP_BYTES_MAX + 1];
    simulation.put(
        1,
        Input::Gossip {
            to: address(XCF, 2),
            bytes: &too_long,
        },
    );
    simulation.put(
        1,
        Input::Gossip {
            to: address(XCF, 9),
            bytes: b"nobody",
        },
    );
    let drops = simulation.stacks[&1].engine.drops();
    assert_eq!(
        (
            drops.of(DropReason::Fragments),
            drops.of(DropReason::NoMember)
        ),
        (1, 1)
    );
}

#[test]
fn addresses_may_change() {
    let mut simulation = Simulation::group(6, CALM, 2);
    simulation.run_until_complete(ms(1_000));
    simulation.clear_events();
    let both = settings(2).locals;
    simulation.put(2, Input::Locals(vec![both[0].clone()]));
    simulation.run_for(ms(50));
    assert_eq!(brief(&simulation.take_events(2)), ["down TCPIP1 lan"]);
    assert_eq!(
        brief(&simulation.take_events(1)),
        ["down TCPIP2 lan", "addresses TCPIP2"]
    );
    simulation.put(2, Input::Locals(both));
    simulation.run_for(ms(500));
    assert_eq!(
        brief(&simulation.take_events(1)),
        ["addresses TCPIP2", "up TCPIP2 lan"]
    );
    simulation.put(2, Input::Locals(Vec::new()));
    assert!(
        simulation.is_complete(),
        "no address at all is not a change that can be followed"
    );
}

#[test]
fn a_second_address_of_an_interface_is_no_second_path() {
    let mut simulation = Simulation::new(9, CALM);
    let mut twofold = settings(1);
    let second = LocalAddress {
        address: address(LAN, 101),
        ..twofold.locals[1].clone()
    };
    twofold.locals.push(second);
    simulation.start(1, twofold, ring(&[1]));
    simulation.start(2, settings(2), ring(&[1]));
    simulation.run_for(ms(3_000));
    let mut events = brief(&simulation.take_events(1));
    events.sort();
    assert_eq!(events, ["joined TCPIP2", "up TCPIP2 lan", "up TCPIP2 xcf"]);
    simulation.cuts.insert((LAN, 2));
    simulation.run_for(ms(1_500));
    assert_eq!(brief(&simulation.take_events(1)), ["down TCPIP2 lan"]);
}

#[test]
fn facts_wait_while_they_are_not_wanted() {
    let mut simulation = Simulation::group(7, CALM, 2);
    simulation.run_until_complete(ms(1_000));
    simulation.put(2, Input::Pause(true));
    (0..100).for_each(|number| simulation.say(1, 2, number));
    simulation.run_for(ms(5_000));
    assert!(simulation.heard(2, 1).is_empty());
    assert!(simulation.stacks[&2].engine.drops().of(DropReason::Paused) > 0);
    simulation.put(2, Input::Pause(false));
    simulation.run_for(ms(1_000));
    assert_eq!(simulation.heard(2, 1), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_member_that_takes_nothing_is_started_anew() {
    let mut simulation = Simulation::group(8, CALM, 2);
    simulation.run_until_complete(ms(1_000));
    simulation.put(2, Input::Pause(true));
    simulation.clear_events();
    let flow = crate::engine::forwarding::FlowKey {
        client: address(LAN, 9),
        client_port: 9,
        dvipa: address(LAN, 200),
        port: 8443,
    };
    let fact = crate::engine::fact::Fact::FlowsEnding {
        flows: vec![flow; 3_000],
    };
    let fact = EncodedFact::new(&fact).expect("within the limit");
    for _ in 0..200 {
        simulation.put(
            1,
            Input::Fact {
                to: "TCPIP2",
                fact: fact.clone(),
            },
        );
    }
    assert_eq!(brief(&simulation.take_events(1)), ["left TCPIP2 Overrun"]);
    simulation.put(2, Input::Pause(false));
    simulation.run_until_complete(ms(3_000));
}
