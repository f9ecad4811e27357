//! What starts on this host, and what starts on another member.

use super::super::origin;
use super::*;
use crate::probe;
use crate::wire::{Be16, Be32};

/// The DYNAMICXCF addresses of this stack and of another.
const OWN: [u8; 4] = [172, 1, 1, 1];
const OTHER: [u8; 4] = [172, 1, 1, 2];

/// What this stack sends itself: its Ethernet addresses are empty.
fn own(client_port: u16, flags: u8) -> Frame {
    Frame {
        source: [0; 6],
        client: OWN,
        ..Frame::new(client_port, flags)
    }
}

/// A stack whose own packets come by; the others, and this one as slot 1, can be reached.
fn started(mut bench: Bench) -> Bench {
    introduce(&mut bench.tables);
    bench.tables.interfaces.insert(INGRESS);
    bench.tables.starts_here = true;
    bench.tables.set_path(1, Path::Local);
    bench.tables.set_identity(1, OWN);
    bench.tables.set_identity(2, OTHER);
    let identity = probe::identity(OWN.into());
    bench.tables.life().set_probe(identity, [0, 0], 0, &[]);
    bench
}

/// It owns the DVIPA and distributes it over these slots.
fn owner(ring: &[u16]) -> Bench {
    started(Bench::new(ring))
}

/// Slot 3 owns the DVIPA; this stack is a target of it.
fn target() -> Bench {
    let mut bench = Bench::new(&[]);
    bench.tables = HostTables::new(256, SEEDS);
    for slot in 0..16 {
        bench.tables.set_path(slot, link(slot, INGRESS));
    }
    let roles = Roles {
        owner: Some(3),
        place: Some(0),
        ..Roles::default()
    };
    bench.tables.set_vipa(VIPA, roles, &[1, 2]);
    started(bench)
}

/// Sends a segment that must leave this host, and returns to which slot.
fn sent(bench: &mut Bench, frame: Frame, events: &[Event]) -> u8 {
    let bytes = bench.send(frame.bytes(), Verdict::Redirected, events);
    bytes[5]
}

#[test]
fn the_owner_hands_out_its_own_connections_in_turn_with_all_others() {
    let mut bench = owner(&[2, 4]);
    assert_eq!(sent(&mut bench, own(40_000, SYN), &[Event::FlowStored]), 2);
    bench.tables.starts_here = false;
    let client = Frame::new(40_000, SYN);
    assert_eq!(bench.target(client, &[Event::FlowStored]), 4);
    bench.tables.starts_here = true;
    assert_eq!(sent(&mut bench, own(40_002, SYN), &[Event::FlowStored]), 2);
    assert_eq!(sent(&mut bench, own(40_000, ACK), &[]), 2);
    assert_eq!(sent(&mut bench, own(40_000, FIN | ACK), &[]), 2);
    assert_eq!(bench.tables.connection_counts(0)[..5], [0, 0, 2, 0, 1]);
}

#[test]
fn the_owner_is_a_target_of_its_own_connections() {
    let mut bench = owner(&[1, 2]);
    let frame = own(40_000, SYN).bytes();
    bench.send(frame, Verdict::LocalTarget, &[Event::FlowStored]);
    assert_eq!(sent(&mut bench, own(40_002, SYN), &[Event::FlowStored]), 2);
    bench.send(own(40_000, ACK).bytes(), Verdict::LocalTarget, &[]);
}

#[test]
fn what_nobody_else_could_answer_stays() {
    let mut bench = owner(&[2]);
    for client in [VIPA, [127, 0, 0, 1]] {
        let frame = Frame {
            client,
            ..own(40_000, SYN)
        };
        bench.send(frame.bytes(), Verdict::Unanswerable, &[]);
    }
    assert_eq!(bench.flows().count(), 0);
}

#[test]
fn what_concerns_no_dvipa_is_not_even_counted() {
    let bench = owner(&[2]);
    let elsewhere = Frame {
        dvipa: OWN,
        ..own(40_000, SYN)
    };
    let mut udp = own(40_000, SYN).bytes();
    udp[23] = 17;
    for mut bytes in [elsewhere.bytes(), udp, Vec::new()] {
        assert_eq!(origin_of(&mut bytes, &bench.tables), None);
    }
    assert_eq!(bench.totals().received(), 0);
    assert!(bench.totals().iter().all(|(_, count)| count == 0));
}

#[test]
fn a_target_sends_what_it_starts_to_the_owner() {
    let mut bench = target();
    for flags in [SYN, ACK, FIN | ACK, RST] {
        assert_eq!(
            sent(&mut bench, own(40_000, flags), &[Event::Relayed]),
            3,
            "{flags}"
        );
    }
    // The owner has handed it back to here.
    bench
        .tables
        .sockets
        .push(FlowKey::tcp(OWN, 40_002, VIPA, 8443));
    bench.send(own(40_002, ACK).bytes(), Verdict::LocalSocket, &[]);
}

#[test]
fn a_target_without_an_owner_serves_itself_or_waits() {
    for is_known in [false, true] {
        let mut bench = target();
        if is_known {
            bench.tables.set_path(3, Path::Unreachable);
        } else {
            bench.tables.set_vipa(VIPA, Roles::default(), &[1, 2]);
        }
        bench.send(own(40_000, SYN).bytes(), Verdict::OwnerAway, &[]);
        bench.send(own(40_000, ACK).bytes(), Verdict::Astray, &[]);
        bench.tables.listeners.insert((VIPA.into(), 8443));
        bench.send(own(40_000, SYN).bytes(), Verdict::KeptHere, &[]);
    }
}

#[test]
fn optlocal_keeps_what_starts_here_while_a_server_listens() {
    let mut bench = owner(&[2]);
    bench.tables.kept.insert((VIPA.into(), 8443), (1, 7));
    assert_eq!(sent(&mut bench, own(40_000, SYN), &[Event::FlowStored]), 2);
    bench.tables.listeners.insert((VIPA.into(), 8443));
    let frame = own(40_002, SYN).bytes();
    bench.send(frame, Verdict::LocalTarget, &[Event::FlowStored]);
    assert_eq!(bench.tables.connection_counts(0)[7], 1);
    // Nobody else's turn has passed, and clients' connections are not kept.
    bench.tables.starts_here = false;
    bench.target(Frame::new(40_000, SYN), &[Event::FlowStored]);

    let mut bench = target();
    bench.tables.kept.insert((VIPA.into(), 8443), (1, 0));
    assert_eq!(sent(&mut bench, own(40_000, SYN), &[Event::Relayed]), 3);
    bench.tables.listeners.insert((VIPA.into(), 8443));
    bench.send(own(40_000, SYN).bytes(), Verdict::KeptHere, &[]);
    let another_port = Frame {
        port: 22,
        ..own(40_000, SYN)
    };
    assert_eq!(sent(&mut bench, another_port, &[Event::Relayed]), 3);
}

#[test]
fn what_a_member_starts_is_a_clients() {
    let from_member = |flags| Frame {
        source: member(2),
        client: OTHER,
        ..Frame::new(40_000, flags)
    };
    // The owner does not drop a segment that it does not know as one that was offered before.
    let mut bench = owner(&[4]);
    bench.tables.starts_here = false;
    let roles = Roles {
        owner: Some(1),
        is_owned: true,
        ..Roles::default()
    };
    bench.tables.set_vipa(VIPA, roles, &[2, 4]);
    let handed_on = Frame {
        source: member(2),
        ..Frame::new(40_000, ACK)
    };
    bench.send(handed_on.bytes(), Verdict::Astray, &[]);
    let mut bytes = from_member(ACK).bytes();
    let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &bench.tables);
    assert_eq!(verdict, Verdict::Transmitted);

    // Another stack relays it, unless the sender owns the DVIPA and has handed it out.
    let mut bench = target();
    bench.tables.starts_here = false;
    for flags in [SYN, ACK] {
        assert_eq!(bench.target(from_member(flags), &[Event::Relayed]), 3);
    }
    let roles = Roles {
        owner: Some(2),
        ..Roles::default()
    };
    bench.tables.set_vipa(VIPA, roles, &[1]);
    bench.send(from_member(SYN).bytes(), Verdict::Accepted, &[]);
}

#[test]
fn a_connection_starts_from_an_address_that_can_be_answered() {
    let source = |bench: &Bench, dvipa, port| {
        let destination = Be32::from_bytes(dvipa);
        origin::source(destination, Be16::from_host(port), &&bench.tables).map(Be32::bytes)
    };
    let bench = owner(&[2]);
    assert_eq!(source(&bench, VIPA, 8443), Some(OWN));
    // What is not distributed is served where it is owned.
    assert_eq!(source(&bench, VIPA, 22), None);
    assert_eq!(source(&bench, OTHER, 8443), None);
    let bench = target();
    assert_eq!(source(&bench, VIPA, 8443), Some(OWN));
    assert_eq!(source(&bench, VIPA, 22), Some(OWN));
    // Before the daemon has said who it is.
    bench.tables.life().set_probe([0, 0], [0, 0], 0, &[]);
    assert_eq!(source(&bench, VIPA, 8443), None);
}
