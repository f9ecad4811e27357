//! What happens when there is no room.

use super::*;

/// A bench with one bucket, and client ports whose flows all go there.
fn crowded() -> (Bench, impl Iterator<Item = u16>) {
    let mut tables = HostTables::new(1, SEEDS);
    tables.add_service(VIPA, 8443, &[1, 2, 3]);
    for slot in 0..16 {
        tables.set_path(slot, link(slot, INGRESS));
    }
    let bench = Bench {
        tables,
        ..Bench::new(&[])
    };
    (bench, 10_000..)
}

#[test]
fn a_bucket_of_established_flows_still_distributes() {
    let (mut bench, mut ports) = crowded();
    let known: Vec<_> = ports.by_ref().take(8).collect();
    let targets: Vec<_> = known
        .iter()
        .map(|port| establish(&mut bench, *port))
        .collect();
    assert_eq!(targets, [1, 2, 3, 1, 2, 3, 1, 2]);
    for port in ports.take(50) {
        let first = bench.target(Frame::new(port, SYN), &[Event::TableFull]);
        assert_eq!(
            bench.target(Frame::new(port, SYN), &[Event::TableFull]),
            first
        );
        // Not stored, and yet its segments go the same way.
        assert_eq!(
            bench.target(Frame::new(port, ACK), &[Event::FlowGuessed]),
            first
        );
        assert_eq!(
            bench.target(Frame::new(port, FIN | ACK), &[Event::FlowGuessed]),
            first
        );
    }
    for (port, target) in known.iter().zip(targets) {
        assert_eq!(bench.target(Frame::new(*port, ACK), &[]), target);
    }
}

#[test]
fn a_flood_of_syns_displaces_only_half_open_flows() {
    let (mut bench, mut ports) = crowded();
    let known: Vec<_> = ports.by_ref().take(5).collect();
    let targets: Vec<_> = known
        .iter()
        .map(|port| establish(&mut bench, *port))
        .collect();
    for port in ports.by_ref().take(3) {
        bench.target(Frame::new(port, SYN), &[Event::FlowStored]);
    }
    let displacing = [Event::FlowStored, Event::FlowDisplaced];
    let flood: Vec<_> = ports.take(100).collect();
    for port in &flood {
        bench.target(Frame::new(*port, SYN), &displacing);
    }
    for (port, target) in known.iter().zip(targets) {
        assert_eq!(bench.target(Frame::new(*port, ACK), &[]), target);
    }
    // A displaced flow was selected by hash, so its client's next segment finds the same target.
    let displaced = flood[flood.len() - 10];
    assert_eq!(bench.flow(displaced), None);
    let by_hash = bench.target(Frame::new(displaced, ACK), &[Event::FlowGuessed]);
    assert_eq!(
        bench.target(Frame::new(displaced, SYN), &displacing),
        by_hash
    );
}

#[test]
fn time_makes_room_for_turns() {
    let (mut bench, mut ports) = crowded();
    for port in ports.by_ref().take(8) {
        bench.target(Frame::new(port, SYN), &[Event::FlowStored]);
    }
    bench.tables.set_now(64);
    let displacing = [Event::FlowStored, Event::FlowDisplaced];
    bench.target(Frame::new(ports.next().expect("a port"), SYN), &displacing);
    bench.tables.set_now(65);
    // Eight turns were taken; the displacing flow took none.
    let next = ports.next().expect("a port");
    assert_eq!(bench.target(Frame::new(next, SYN), &[Event::FlowStored]), 3);
}

#[test]
fn a_held_lock_delays_nobody() {
    let (mut bench, mut ports) = crowded();
    let port = ports.next().expect("a port");
    let target = establish(&mut bench, port);
    let tag = &bench.tables.buckets()[0].slots[0].tag;
    assert!(tag.replace(tag.load(), tag.load() | 1));
    assert_eq!(bench.target(Frame::new(port, ACK), &[]), target);
    let other = ports.next().expect("a port");
    let first = bench.target(Frame::new(other, SYN), &[Event::TableBusy]);
    assert_eq!(
        bench.target(Frame::new(other, ACK), &[Event::FlowGuessed]),
        first
    );
}
