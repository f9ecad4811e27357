//! New connections go where the fewest are for the target's weight.

use std::collections::VecDeque;

use super::*;

const TARGETS: [u16; 3] = [1, 2, 3];
const WEIGHTS: [u8; 3] = [10, 20, 30];

/// Three targets with their weights, and room for all flows.
fn weighted() -> Bench {
    let mut bench = Bench {
        tables: HostTables::new(1 << 12, SEEDS),
        ..Bench::new(&[])
    };
    let service = bench.tables.add_service(VIPA, 8443, &TARGETS);
    bench.tables.set_choice(service, Choice::Active);
    bench.tables.set_weights(service, &WEIGHTS);
    for slot in 0..16 {
        bench.tables.set_path(slot, link(slot, INGRESS));
    }
    bench
}

impl Bench {
    fn open(&mut self, client_port: u16) -> u16 {
        self.target(Frame::new(client_port, SYN), &[Event::FlowStored])
    }

    /// Does what the daemon does when a target has reported the end of a connection.
    fn end(&self, client_port: u16) {
        let slots = self
            .tables
            .buckets()
            .iter()
            .flat_map(|bucket| &bucket.slots);
        let mut found = slots.filter_map(|slot| Some((slot, slot.read()?)));
        let (slot, (_, tag)) = found
            .find(|(_, (key, _))| key.client_port().host() == client_port)
            .expect("a flow");
        assert!(slot.replace(tag, tag.freed()));
        self.tables.tally(0, tag.target()).ended.fetch_add(1);
    }

    fn active(&self) -> [u64; 3] {
        TARGETS.map(|slot| self.tables.tally(0, slot).active())
    }

    /// By how much the target that is furthest from its share is off it.
    fn error(&self) -> f64 {
        let active = self
            .active()
            .map(|count| f64::from(u32::try_from(count).expect("few")));
        let sum: f64 = active.iter().sum();
        let shares = active.iter().zip([1.0, 2.0, 3.0]);
        shares
            .map(|(count, parts)| (count / sum - parts / 6.0).abs())
            .fold(0.0, f64::max)
    }
}

#[test]
fn the_first_go_to_the_larger_weights() {
    let mut bench = weighted();
    let targets: Vec<_> = (0..6).map(|n| bench.open(40_000 + n)).collect();
    assert_eq!(targets, [3, 2, 1, 3, 2, 3]);
    assert_eq!(bench.active(), [1, 2, 3]);
}

#[test]
fn of_equals_the_first_in_the_table_is_taken() {
    let mut bench = weighted();
    bench.tables.set_weights(0, &[10; 3]);
    let targets: Vec<_> = (0..6).map(|n| bench.open(40_000 + n)).collect();
    assert_eq!(targets, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn long_and_short_connections_keep_to_the_weights() {
    const CONNECTIONS: u16 = 2_000;
    let mut bench = weighted();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut due: VecDeque<Vec<u16>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    let mut worst: f64 = 0.0;
    for number in 0..CONNECTIONS {
        for ended in due.pop_front().into_iter().flatten() {
            bench.end(ended);
        }
        bench.open(10_000 + number);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Every other lives for up to 8 more, the rest for up to 1,000 more.
        let life = if random & 1 == 0 { 8 } else { 1_000 };
        let life = (random >> 32) as usize % life;
        if let Some(at) = due.get_mut(life) {
            at.push(10_000 + number);
        }
        if number > CONNECTIONS / 2 {
            worst = worst.max(bench.error());
        }
    }
    let active = bench.active();
    std::println!(
        "active {active:?}, at worst {worst:.4} off, at last {:.4}",
        bench.error()
    );
    assert!(worst < 0.03, "{worst}");
    // It is what lives that counts: by what was handed out the shares are others.
    assert!(active.iter().sum::<u64>() < u64::from(CONNECTIONS) / 4);
}

#[test]
fn a_target_whose_connections_end_gets_the_next_ones() {
    let mut bench = weighted();
    let targets: Vec<_> = (0..60).map(|n| (n, bench.open(40_000 + n))).collect();
    assert_eq!(bench.active(), [10, 20, 30]);
    for (n, _) in targets.iter().filter(|(_, target)| *target == 2) {
        bench.end(40_000 + n);
    }
    for n in 60..80 {
        assert_eq!(bench.open(40_000 + n), 2);
    }
    assert_eq!(bench.active(), [10, 20, 30]);
}

#[test]
fn a_tally_below_nothing_counts_as_nothing() {
    let mut bench = weighted();
    bench.tables.tally(0, 1).ended.store(5);
    bench.tables.tally(0, 3).handed.store(1);
    assert_eq!(bench.active(), [0, 0, 1]);
    assert_eq!(bench.open(40_000), 2);
    assert_eq!(bench.open(40_001), 1);
}

#[test]
fn what_finds_no_place_goes_by_hash_and_is_found_there() {
    let mut bench = Bench::new(&TARGETS);
    bench.tables.set_choice(0, Choice::Active);
    bench.tables.set_weights(0, &WEIGHTS);
    for bucket in bench.tables.buckets() {
        bucket.slots[0].tag.store(1);
    }
    for port in 40_000..40_030 {
        let target = bench.target(Frame::new(port, SYN), &[Event::TableBusy]);
        assert_eq!(
            bench.target(Frame::new(port, ACK), &[Event::FlowGuessed]),
            target
        );
    }
}
