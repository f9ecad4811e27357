//! MAGLEV: a table that spreads flows over targets by a hash, and hardly changes when a target comes
//! or goes.
//!
//! After Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016),
//! §3.4: each target has an order of its own in which it prefers the places, and the targets take
//! turns in claiming the best one that is left to them. Nothing in here depends on the order in which
//! targets are given, on their row numbers, or on the group's key: whoever has the same targets with
//! the same weights has the same table.

use std::net::IpAddr;

use distributor_common::{hash, probe, siphash};

/// Places of the table, a prime: a hundred for each of 32 targets.
///
/// It is the same for any number of targets. A table of another length would lead nearly every flow
/// elsewhere, and `DESTIP ALL` means another number whenever a stack joins.
pub(super) const PLACES: u32 = 3_203;

/// The largest weight, and so the rounds in which a target of that weight claims one place each.
const LARGEST: u8 = 99;

/// A row fills at least its weight's number of places: no target is left without any.
const _: () = assert!(PLACES > 32 * LARGEST as u32);

/// Keys of the two hashes of a target; known to everybody, as the addresses are.
const OFFSET_KEY: [u64; 2] = [0x4528_21e6_38d0_1377, 0xbe54_66cf_34e9_0c6c];
const SKIP_KEY: [u64; 2] = [0xc0ac_29b7_c97c_50dd, 0x3f84_d5b5_b547_0917];

/// A row that claims places.
struct Claimant {
    row: u16,
    weight: u8,
    credit: u8,
    /// The place that it prefers of those that it has not looked at.
    next: u32,
    /// From one preferred place to the one after it.
    skip: u32,
}

impl Claimant {
    fn new((row, target, weight): (u16, IpAddr, u8)) -> Self {
        let words = probe::identity(target).map(u64::from_be);
        let below = |key, limit| hash::place(siphash::hash(key, &words), limit);
        Self {
            row,
            weight,
            credit: 0,
            next: below(OFFSET_KEY, PLACES),
            skip: 1 + below(SKIP_KEY, PLACES - 1),
        }
    }

    /// Whether it is this one's turn in the round that begins. How often it is depends on its own
    /// weight only, so that a target that goes does not change the turns of the others.
    fn takes_turn(&mut self) -> bool {
        self.credit += self.weight.min(LARGEST);
        let is_due = self.credit >= LARGEST;
        if is_due {
            self.credit -= LARGEST;
        }
        is_due
    }

    /// Claims the free place that it prefers.
    fn claim(&mut self, places: &mut [Option<u16>]) {
        // The skip is prime to the number of places: the walk comes by each of them once.
        for _ in 0..PLACES {
            let place = &mut places[self.next as usize];
            self.next = (self.next + self.skip) % PLACES;
            if place.is_none() {
                *place = Some(self.row);
                return;
            }
        }
    }
}

/// Fills the table: which row each place leads to. Rows are given with their targets and weights,
/// 1–99; without any the table is empty.
pub(super) fn table(mut rows: Vec<(u16, IpAddr, u8)>) -> Vec<u16> {
    rows.sort_unstable_by_key(|(_, target, _)| *target);
    let mut claimants: Vec<Claimant> = rows.into_iter().map(Claimant::new).collect();
    if claimants.iter().all(|claimant| claimant.weight == 0) {
        return Vec::new();
    }
    let mut places = vec![None; PLACES as usize];
    let mut left = PLACES;
    while left > 0 {
        for claimant in &mut claimants {
            if left > 0 && claimant.takes_turn() {
                claimant.claim(&mut places);
                left -= 1;
            }
        }
    }
    places.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const TUPLES: u32 = 100_000;
    const KEY: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];

    fn target(host: u8) -> IpAddr {
        IpAddr::from([172, 1, 1, host])
    }

    fn rows(weights: &[u8]) -> Vec<(u16, IpAddr, u8)> {
        let row = |(host, weight): (u8, &u8)| (u16::from(host), target(host), *weight);
        (0..).zip(weights).map(row).collect()
    }

    /// Which row each of many flows leads to, under a group's key.
    fn choices(table: &[u16], key: [u64; 2]) -> Vec<u16> {
        let len = u32::try_from(table.len()).expect("a short table");
        let chosen = |tuple: u32| {
            let addresses = u64::from(0x0a01_0000 + tuple / 1_000) | 0x0a01_030a << 32;
            let hash = hash::choice(addresses, 0x20fb_0000 + 30_000 + tuple % 1_000, 6, key);
            table[hash::place(hash, len) as usize]
        };
        (0..TUPLES).map(chosen).collect()
    }

    fn shares(chosen: &[u16]) -> BTreeMap<u16, f64> {
        let mut shares = BTreeMap::new();
        for row in chosen {
            *shares.entry(*row).or_default() += 1.0 / f64::from(TUPLES);
        }
        shares
    }

    #[test]
    fn a_target_that_goes_takes_only_its_own_flows_along() {
        for weights in [&[10; 10][..], &[1, 2, 3, 5, 8, 13, 21, 34, 55, 89]] {
            let all = rows(weights);
            let before = choices(&table(all.clone()), KEY);
            for gone in 0..10 {
                let left: Vec<_> = all.iter().copied().filter(|row| row.0 != gone).collect();
                let after = choices(&table(left), KEY);
                assert!(!after.contains(&gone));
                let others = before.iter().zip(&after).filter(|(row, _)| **row != gone);
                let (mut flows, mut moved) = (0.0, 0.0);
                for (one, other) in others {
                    flows += 1.0;
                    moved += f64::from(u8::from(one != other));
                }
                let part = moved / flows;
                println!("weights {weights:?}, {gone} gone: {part:.4} of the others' moved");
                assert!(part <= 0.12, "{weights:?} {gone}: {part}");
            }
        }
    }

    #[test]
    fn two_front_ends_choose_alike() {
        let all = rows(&[10, 20, 30, 40, 50, 60, 70, 80, 90, 99]);
        let expected = choices(&table(all.clone()), KEY);
        // The other one has heard of the targets in another order, so its rows have other numbers.
        let mut others: Vec<_> = all.iter().copied().rev().collect();
        others.rotate_left(3);
        for (row, number) in others.iter_mut().zip(0..) {
            row.0 = number;
        }
        let name = |rows: &[(u16, IpAddr, u8)], number: u16| {
            rows.iter().find(|row| row.0 == number).map(|row| row.1)
        };
        let found = choices(&table(others.clone()), KEY);
        let differ = expected.iter().zip(&found);
        let differ = differ.filter(|(one, two)| name(&all, **one) != name(&others, **two));
        assert_eq!(differ.count(), 0);

        let elsewhere = choices(&table(all), [KEY[1], KEY[0]]);
        let moved = expected
            .iter()
            .zip(&elsewhere)
            .filter(|(one, two)| one != two);
        assert!(moved.count() > TUPLES as usize / 2, "the key decides, too");
    }

    #[test]
    fn flows_keep_to_the_weights() {
        for weights in [&[10; 10][..], &[10, 20, 30], &[1, 99], &[99; 32]] {
            let sum: f64 = weights.iter().copied().map(f64::from).sum();
            let found = shares(&choices(&table(rows(weights)), KEY));
            for (row, weight) in (0..).zip(weights) {
                let (share, part) = (found[&row], f64::from(*weight) / sum);
                assert!((share - part).abs() < 0.01, "{weights:?} {row}: {share}");
            }
        }
    }

    #[test]
    fn without_targets_there_is_nothing_to_choose() {
        assert!(table(Vec::new()).is_empty());
    }

    proptest! {
        #[test]
        fn every_place_is_filled_and_every_target_has_some(
            weights in prop::collection::vec(1..=LARGEST, 1..=32),
        ) {
            let table = table(rows(&weights));
            prop_assert_eq!(table.len(), PLACES as usize);
            for row in (0..).take(weights.len()) {
                prop_assert!(table.contains(&row));
            }
        }
    }
}
