//! How flows end, and what may follow.

use super::*;

#[test]
fn a_client_that_ends_ends_its_flow() {
    for flags in [FIN | ACK, RST, RST | ACK] {
        for is_established in [false, true] {
            let mut bench = Bench::new(&[1, 2]);
            bench.target(Frame::new(40_000, SYN), &[Event::FlowStored]);
            if is_established {
                bench.target(Frame::new(40_000, ACK), &[]);
            }
            assert_eq!(bench.target(Frame::new(40_000, flags), &[]), 1);
            assert_eq!(bench.flow(40_000), Some((State::Ending, 1)));
            // The target may have more to say, and the client to acknowledge.
            assert_eq!(bench.target(Frame::new(40_000, ACK), &[]), 1);
            assert_eq!(bench.target(Frame::new(40_000, FIN | ACK), &[]), 1);
            assert_eq!(bench.flow(40_000), Some((State::Ending, 1)));
        }
    }
}

#[test]
fn a_syn_on_an_ending_flow_is_a_new_connection() {
    let mut bench = Bench::new(&[1, 2]);
    establish(&mut bench, 40_000);
    bench.target(Frame::new(40_000, FIN | ACK), &[]);
    let events = [Event::FlowStored, Event::FlowReopened];
    assert_eq!(bench.target(Frame::new(40_000, SYN), &events), 2);
    assert_eq!(bench.flow(40_000), Some((State::HalfOpen, 2)));
    assert_eq!(bench.target(Frame::new(40_000, ACK), &[]), 2);
    assert_eq!(bench.tables.connection_counts(0)[..3], [0, 1, 1]);
}

#[test]
fn a_syn_on_an_ending_flow_finds_nobody_ready() {
    let mut bench = Bench::new(&[1]);
    establish(&mut bench, 40_000);
    bench.target(Frame::new(40_000, RST), &[]);
    bench.tables.set_ring(0, &[]);
    bench.send(Frame::new(40_000, SYN).bytes(), Verdict::NoReadyTarget, &[]);
    assert_eq!(bench.flow(40_000), Some((State::Ending, 1)));
}

#[test]
fn an_idle_flow_is_remembered_when_it_was_seen() {
    let mut bench = Bench::new(&[1]);
    establish(&mut bench, 40_000);
    let stamp = |bench: &Bench| {
        let mut slots = bench
            .tables
            .buckets()
            .iter()
            .flat_map(|bucket| &bucket.slots);
        slots.find_map(Slot::read).expect("stored").1.stamp()
    };
    let first = stamp(&bench);
    bench.tables.set_now(100);
    bench.target(Frame::new(40_000, ACK), &[]);
    assert_ne!(stamp(&bench), first);
}
