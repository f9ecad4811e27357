//! Clients that keep their targets.

use super::*;
use crate::abi::{Affinity, RingEntry};
use crate::stages::{affinity, parse, service};

/// Three targets in turn, all of them ready, that clients keep.
fn sticky() -> Bench {
    let mut bench = Bench::new(&[1, 2, 3]);
    bench.tables.set_affinity(0, 5, &[1, 2, 3]);
    bench
}

/// A SYN of a client of its own.
fn syn(client: u8, client_port: u16) -> Frame {
    Frame {
        client: [10, 1, 1, client],
        ..Frame::new(client_port, SYN)
    }
}

fn key(client: u8) -> FlowKey {
    FlowKey::tcp([10, 1, 1, client], 0, VIPA, 8443)
}

impl Bench {
    /// The slot in which it lies that a client keeps a target.
    fn affinity(&self, client: u8) -> Option<(&Slot, crate::flow::Tag)> {
        let buckets = self.tables.buckets().iter();
        let mut slots = buckets.flat_map(|bucket| &bucket.slots);
        slots.find_map(|slot| {
            let (found, tag) = slot.read()?;
            (found == key(client)).then_some((slot, tag))
        })
    }

    fn first(&mut self, client: u8, client_port: u16) -> u16 {
        self.target(syn(client, client_port), &[Event::FlowStored])
    }

    fn again(&mut self, client: u8, client_port: u16) -> u16 {
        let events = [Event::FlowStored, Event::AffinityKept];
        self.target(syn(client, client_port), &events)
    }

    /// Does what the daemon does when a client has no connection any more.
    fn idle(&self, client: u8) {
        let (slot, tag) = self.affinity(client).expect("it keeps a target");
        assert!(slot.replace(tag, tag.with_state(State::Ending)));
    }
}

#[test]
fn a_client_keeps_its_target_and_takes_no_turn() {
    let mut bench = sticky();
    assert_eq!(bench.first(100, 40_000), 1);
    for port in 40_001..40_010 {
        assert_eq!(bench.again(100, port), 1);
    }
    // Others are next in turn, and so is the next port of the same client.
    assert_eq!(bench.first(101, 40_000), 2);
    assert_eq!(bench.first(102, 40_000), 3);
    assert_eq!(bench.again(101, 40_001), 2);
    assert_eq!(bench.first(103, 40_000), 1);
    assert_eq!(bench.tables.connection_counts(0)[1..4], [11, 2, 1]);
    assert_eq!(
        bench.affinity(100).map(|(_, tag)| tag.target()),
        Some(1),
        "a slot of its own"
    );
}

#[test]
fn every_method_gives_way_to_what_a_client_keeps() {
    for choice in [Choice::Turn, Choice::Hash, Choice::Active] {
        let mut bench = sticky();
        bench.tables.set_choice(0, choice);
        bench.tables.set_weights(0, &[10; 3]);
        let kept = bench.first(100, 40_000);
        for port in 40_001..40_020 {
            assert_eq!(bench.again(100, port), kept, "{choice:?}");
        }
        assert_eq!(bench.tables.tally(0, kept).active(), 20, "{choice:?}");
    }
}

#[test]
fn services_are_apart_and_those_without_affinity_note_nothing() {
    let mut bench = sticky();
    bench.tables.add_service(VIPA, 9443, &[1, 2]);
    let other = |port| Frame {
        port: 9443,
        ..Frame::new(port, SYN)
    };
    assert_eq!(bench.first(100, 40_000), 1);
    for (port, target) in [(40_000, 1), (40_001, 2), (40_002, 1)] {
        assert_eq!(bench.target(other(port), &[Event::FlowStored]), target);
    }
    let noted = bench.flows().filter(|(key, ..)| key.is_affinity());
    assert_eq!(noted.count(), 1);
}

#[test]
fn a_target_that_is_not_ready_is_not_kept() {
    let mut bench = sticky();
    assert_eq!(bench.first(100, 40_000), 1);
    bench.tables.set_affinity(0, 5, &[2, 3]);
    bench.tables.set_ring(0, &[2, 3]);
    assert_eq!(bench.first(100, 40_001), 3);
    assert_eq!(bench.again(100, 40_002), 3);
    // The first is back, and the client stays where it is now.
    bench.tables.set_affinity(0, 5, &[1, 2, 3]);
    bench.tables.set_ring(0, &[1, 2, 3]);
    assert_eq!(bench.again(100, 40_003), 3);
    // One that weighs nothing at the moment is kept.
    bench.tables.set_ring(0, &[1, 2]);
    assert_eq!(bench.again(100, 40_004), 3);
    bench.tables.set_ring(0, &[]);
    assert_eq!(bench.again(100, 40_005), 3);
}

#[test]
fn a_new_connection_brings_back_what_was_about_to_end() {
    let mut bench = sticky();
    assert_eq!(bench.first(100, 40_000), 1);
    bench.idle(100);
    let (slot, seen) = bench.affinity(100).expect("it keeps a target");
    assert!(slot.replace(seen, seen), "it is still what was seen");
    bench.tables.set_now(2);
    assert_eq!(bench.again(100, 40_001), 1);
    let (slot, tag) = bench.affinity(100).expect("it keeps a target");
    assert_eq!(tag.state(), State::HalfOpen);
    // So the daemon, which has seen it end, does not remove it.
    assert!(!slot.replace(seen, seen.freed()));
    // What has ended is gone, and the next connection takes its turn.
    bench.idle(100);
    let (slot, tag) = bench.affinity(100).expect("it keeps a target");
    assert!(slot.replace(tag, tag.freed()));
    assert_eq!(bench.first(100, 40_002), 2);
}

#[test]
fn what_belongs_to_no_connection_stops_no_timer() {
    let mut bench = sticky();
    assert_eq!(bench.first(100, 40_000), 1);
    bench.idle(100);
    for flags in [ACK, RST, FIN | ACK] {
        // It goes where a connection of the client without a place would be.
        let stray = Frame::new(41_000, flags);
        assert_eq!(bench.target(stray, &[Event::FlowGuessed]), 1);
    }
    let state = bench.affinity(100).map(|(_, tag)| tag.state());
    assert_eq!(state, Some(State::Ending));
}

#[test]
fn a_retransmission_is_no_connection() {
    let mut bench = sticky();
    assert_eq!(bench.first(100, 40_000), 1);
    assert_eq!(bench.target(syn(100, 40_000), &[]), 1);
    assert_eq!(bench.tables.connection_counts(0)[1], 1);
}

#[test]
fn without_room_clients_are_distributed_and_it_is_counted() {
    let mut bench = Bench {
        tables: HostTables::new(1, SEEDS),
        ..Bench::new(&[])
    };
    bench.tables.add_service(VIPA, 8443, &[1, 2]);
    bench.tables.set_affinity(0, 5, &[1, 2]);
    for slot in 1..3 {
        bench.tables.set_path(slot, link(slot, INGRESS));
    }
    // Four clients and what they keep fill the only bucket.
    for client in 0..4 {
        let target = bench.first(client, 40_000);
        let ack = Frame {
            flags: ACK,
            ..syn(client, 40_000)
        };
        assert_eq!(bench.target(ack, &[]), target);
        let (slot, tag) = bench.affinity(client).expect("it keeps a target");
        assert!(slot.replace(tag, tag.with_state(State::Established)));
    }
    let events = [Event::TableFull, Event::AffinityUnnoted];
    let other = bench.target(syn(9, 40_000), &events);
    let ack = Frame {
        flags: ACK,
        ..syn(9, 40_000)
    };
    assert_eq!(bench.target(ack, &[Event::FlowGuessed]), other);
    // One that keeps a target goes there without a place too, and its segments find it.
    for port in 40_001..40_009 {
        let kept = bench.affinity(0).map(|(_, tag)| tag.target());
        let events = [Event::TableFull, Event::AffinityKept];
        let target = bench.target(syn(0, port), &events);
        assert_eq!(Some(target), kept);
        let ack = Frame {
            flags: ACK,
            ..syn(0, port)
        };
        assert_eq!(bench.target(ack, &[Event::FlowGuessed]), target);
    }
}

#[test]
fn nothing_is_pushed_out_for_what_a_client_keeps() {
    let mut bench = Bench {
        tables: HostTables::new(1, SEEDS),
        ..Bench::new(&[])
    };
    bench.tables.add_service(VIPA, 8443, &[1]);
    bench.tables.set_path(1, link(1, INGRESS));
    for port in 40_000..40_008 {
        bench.target(Frame::new(port, SYN), &[Event::FlowStored]);
    }
    bench.tables.set_affinity(0, 5, &[1]);
    // The connection itself may push out the oldest that is half-open.
    let events = [
        Event::FlowStored,
        Event::FlowDisplaced,
        Event::AffinityUnnoted,
    ];
    bench.target(syn(101, 40_000), &events);
    assert_eq!(
        bench.flows().filter(|(key, ..)| key.is_affinity()).count(),
        0
    );
}

#[test]
fn what_stays_where_it_starts_neither_asks_nor_notes() {
    let mut bench = sticky();
    bench.tables.set_path(4, Path::Local);
    bench.tables.starts_here = true;
    bench.tables.listeners.insert((VIPA.into(), 8443));
    bench.tables.kept.insert((VIPA.into(), 8443), (4, 4));
    let own = syn(50, 40_000).bytes();
    bench.send(own, Verdict::LocalTarget, &[Event::FlowStored]);
    assert!(bench.affinity(50).is_none());
    // What does not stay is a client's like any other.
    bench.tables.kept.clear();
    bench.tables.interfaces.insert(INGRESS);
    for (port, event) in [(40_001, None), (40_002, Some(Event::AffinityKept))] {
        let events: Vec<_> = [Event::FlowStored].into_iter().chain(event).collect();
        let sent = bench.send(syn(50, port).bytes(), Verdict::Redirected, &events);
        assert_eq!(sent[5], 1);
    }
}

#[test]
fn of_two_first_connections_at_once_the_later_goes_where_the_other_went() {
    let mut bench = sticky();
    // Another CPU has noted a target between this one's two looks.
    let find = |tables: &HostTables, port| {
        let mut bytes = syn(100, port).bytes();
        let mut packet = SlicePacket::new(&mut bytes, INGRESS);
        parse::segment(&mut packet, &tables).expect("a segment")
    };
    assert_eq!(bench.first(100, 40_000), 1);
    let tables = &bench.tables;
    let segment = find(tables, 40_000);
    let service = service::find(&segment.key, &tables).expect("a service");
    let settled = affinity::settle(&segment, &service, RingEntry::new(2, 2), &tables);
    assert_eq!((settled.target(), settled.row()), (1, 1));
    assert_eq!(bench.flow(40_000), Some((State::HalfOpen, 1)));
    // A flow that went the wrong way first is put right before anything is sent.
    let buckets = bench.tables.buckets().iter();
    let mut slots = buckets.flat_map(|bucket| &bucket.slots);
    let slot = slots.find(|slot| slot.read().is_some_and(|(found, _)| found == segment.key));
    let slot = slot.expect("a flow");
    let (_, tag) = slot.read().expect("a flow");
    assert!(slot.replace(tag, tag.with_target(3)));
    affinity::settle(&segment, &service, RingEntry::new(3, 3), &tables);
    assert_eq!(bench.flow(40_000), Some((State::HalfOpen, 1)));
}

#[test]
fn rows_are_found_by_their_slots() {
    for slot in [0_u16, 1, 3, 4, 30, 31] {
        let mut tables = HostTables::new(1, SEEDS);
        let service = tables.add_service(VIPA, 8443, &[]);
        tables.set_affinity(service, 9_999, &[slot]);
        let tables = &tables;
        let found = service::find(&FlowKey::tcp([0; 4], 1, VIPA, 8443), &tables);
        let found = found.expect("a service");
        assert_eq!(found.service.row_among(u32::MAX, slot), Some(slot));
        assert_eq!(found.service.row_among(!(1 << slot), slot), None);
        // Rows that differ in one bit are others.
        for other in (0..16).map(|bit| slot ^ 1 << bit) {
            assert_eq!(found.service.row_among(u32::MAX, other), None);
        }
        let affinity = found.affinity();
        assert_eq!(affinity, Affinity::from_word(affinity.word()));
        assert_eq!((affinity.seconds, affinity.ready), (9_999, 1 << slot));
        assert!(affinity.is_on() && affinity.is_ready(slot) && !affinity.is_ready(slot ^ 1));
    }
}
