//! Whom the owner asks about a flow that it does not know.

use super::*;
use crate::stages::offer::BUDGET;

/// This stack owns the DVIPA; unknown flows are offered to 2, 3 and 4. The owner before was 4.
fn bench(ring: &[u16]) -> Bench {
    let mut bench = Bench::new(ring);
    introduce(&mut bench.tables);
    let roles = Roles {
        owner: Some(1),
        former: Some(4),
        is_owned: true,
        is_distributed: true,
        ..Roles::default()
    };
    bench.tables.set_vipa(VIPA, roles, &[2, 3, 4]);
    bench.tables.set_path(1, Path::Local);
    bench
}

fn from(slot: u16, frame: Frame) -> Frame {
    Frame {
        source: member(slot),
        ..frame
    }
}

#[test]
fn an_unknown_flow_is_offered_to_the_first_target() {
    for (first, target) in [(0, 2), (1, 3), (2, 4)] {
        let mut bench = bench(&[]);
        let port = port_of_round(first, 3);
        for flags in [ACK, FIN | ACK, RST, SYN | ACK] {
            let frame = Frame::new(port, flags);
            assert_eq!(bench.target(frame, &[Event::FlowOffered]), target);
        }
        assert_eq!(bench.flows().count(), 0);
    }
}

#[test]
fn a_connection_without_a_place_is_looked_for_where_it_went() {
    let mut bench = bench(&[2, 3]);
    let first = bench.target(Frame::new(40_000, ACK), &[Event::FlowGuessed]);
    assert!([2, 3].contains(&first));
    // Not where nobody would get it.
    bench.tables.set_path(first, Path::Unreachable);
    let frame = Frame::new(40_000, ACK);
    let key = FlowKey::tcp([10, 1, 1, 100], 40_000, VIPA, 8443);
    let offered = [2, 3, 4][hash::place(key.offer_hash(), 3) as usize];
    if offered == first {
        bench.send(frame.bytes(), Verdict::Unreachable, &[Event::FlowOffered]);
    } else {
        assert_eq!(bench.target(frame, &[Event::FlowOffered]), offered);
    }
    // And not at this stack, which has no such socket.
    bench.tables.set_ring(0, &[1]);
    let frame = Frame::new(port_of_round(1, 3), ACK);
    bench.tables.set_path(3, link(3, INGRESS));
    assert_eq!(bench.target(frame, &[Event::FlowOffered]), 3);
}

#[test]
fn a_segment_that_a_target_hands_on_begins_no_second_round() {
    let ack = Frame::new(40_000, ACK);
    let mut bench = bench(&[]);
    for sender in [2, 3] {
        bench.send(from(sender, ack).bytes(), Verdict::Astray, &[]);
    }
    // The former owner relays, and a member that is no target is a client.
    for sender in [4, 7] {
        let frame = from(sender, Frame::new(port_of_round(0, 3), ACK));
        assert_eq!(bench.target(frame, &[Event::FlowOffered]), 2);
    }
    // New connections are distributed, whoever sends them.
    bench.tables.set_ring(0, &[2]);
    bench.target(from(3, Frame::new(40_000, SYN)), &[Event::FlowStored]);
}

#[test]
fn a_flow_whose_socket_is_here_is_offered_to_nobody() {
    let mut bench = bench(&[]);
    bench
        .tables
        .sockets
        .push(FlowKey::tcp([10, 1, 1, 100], 40_000, VIPA, 8443));
    bench.send(Frame::new(40_000, ACK).bytes(), Verdict::LocalSocket, &[]);
}

#[test]
fn offers_are_limited_in_each_unit_of_time() {
    let mut bench = bench(&[]);
    let frame = Frame::new(port_of_round(0, 3), ACK);
    let tables = &bench.tables;
    let offer = || distribute(&mut SlicePacket::new(&mut frame.bytes(), INGRESS), tables);
    for unit in [0, 1, 4095, 0] {
        bench.tables.set_now(unit);
        for _ in 0..BUDGET {
            assert_eq!(offer(), Verdict::Transmitted);
        }
        for _ in 0..3 {
            assert_eq!(offer(), Verdict::OfferLimit);
        }
    }
    let totals = bench.totals();
    assert_eq!(totals.event(Event::FlowOffered), 4 * u64::from(BUDGET));
    assert_eq!(totals.verdict(Verdict::OfferLimit), 12);
    bench.expected.clear();
}

#[test]
fn nothing_is_sent_back_to_where_it_came_from() {
    let mut bench = bench(&[2]);
    assert_eq!(establish(&mut bench, 40_000), 2);
    let returning = Frame {
        source: [2, 0, 0, 0, 0, 2],
        ..Frame::new(40_000, ACK)
    };
    bench.send(returning.bytes(), Verdict::Returning, &[]);
    // Who relays a SYN may be the target that it goes to.
    let relayed = Frame {
        source: [2, 0, 0, 0, 0, 2],
        ..Frame::new(40_000, SYN)
    };
    bench.send(relayed.bytes(), Verdict::Transmitted, &[]);
    // Addresses that differ in one byte are others.
    for at in 0..6 {
        let mut source = [2, 0, 0, 0, 0, 2];
        source[at] ^= 0x10;
        let frame = Frame {
            source,
            ..returning
        };
        bench.send(frame.bytes(), Verdict::Transmitted, &[]);
    }
}

#[test]
fn an_owner_that_does_not_know_its_targets_yet_refuses_nothing() {
    let mut bench = Bench::new(&[]);
    introduce(&mut bench.tables);
    let roles = |claimant| Roles {
        owner: Some(1),
        claimant,
        is_owned: true,
        is_distributed: true,
        ..Roles::default()
    };
    let frames = |bench: &mut Bench, syn, other| {
        bench.send(Frame::new(40_000, SYN).bytes(), syn, &[]);
        for flags in [ACK, FIN | ACK, RST] {
            bench.send(Frame::new(40_001, flags).bytes(), other, &[]);
        }
    };
    bench.tables.set_vipa(VIPA, roles(Some(1)), &[]);
    frames(&mut bench, Verdict::Unsettled, Verdict::Astray);
    bench.tables.set_vipa(VIPA, roles(None), &[]);
    frames(&mut bench, Verdict::NoReadyTarget, Verdict::UnknownFlow);
}
