//! Weights, and the order in which they are served.

use crate::engine::load::Load;
use crate::engine::responsiveness::UNRESPONSIVE;

/// The sum of all targets' weights, as WLM gives them.
pub(super) const TOTAL: u64 = 64;
/// The largest weight that is distributed by.
pub(super) const LARGEST: u16 = 16;
/// How much of a system must be free somewhere for free capacity to count: one part in this many.
const SCARCE: u64 = 20;

/// What of systems or servers their weights go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// What is free of their capacity.
    Free,
    /// All of it: nobody has anything free to speak of, and there is no telling whose work could wait.
    Capacity,
}

impl Basis {
    pub(super) fn of(loads: &[Load]) -> Self {
        let is_free = |load: &Load| u64::from(load.free) * SCARCE >= u64::from(load.capacity);
        if loads.iter().any(is_free) {
            Self::Free
        } else {
            Self::Capacity
        }
    }

    /// What counts of one, in thousandths of a processor.
    pub(super) const fn units(self, load: &Load) -> u32 {
        match self {
            Self::Free => load.free,
            Self::Capacity => load.capacity,
        }
    }
}

/// WLM's weights of systems: how what they have free is spread over them, 0–64 each.
pub(super) fn of_systems(loads: &[Load]) -> Vec<u16> {
    let basis = Basis::of(loads);
    let units = loads.iter().map(|load| u64::from(basis.units(load)));
    let sum: u64 = units.clone().sum();
    let weight = |units: u64| (units * TOTAL).checked_div(sum).unwrap_or_default();
    units
        .map(|units| u16::try_from(weight(units)).unwrap_or(LARGEST))
        .collect()
}

/// Scales weights to 0–16, as z/OS does before it distributes: if one is larger, all are divided by
/// four. None is scaled to nothing.
pub(super) fn normalised(weights: &[u16]) -> Vec<u16> {
    let is_large = weights.iter().any(|weight| *weight > LARGEST);
    let scale = |weight: &u16| match (*weight, is_large) {
        (0, _) => 0,
        (weight, true) => (weight / 4).max(1),
        (weight, false) => weight,
    };
    weights.iter().map(scale).collect()
}

/// Reduces weights in proportion to how responsive their targets' servers are, in percent.
///
/// None is reduced to nothing but that of a target whose servers all but do not respond; and where
/// nobody responds, all are left as they are.
pub(super) fn reduced(weights: &[u16], responsiveness: &[u8]) -> Vec<u16> {
    let reduce = |(weight, percent): (&u16, &u8)| match (*weight, *percent) {
        (0, _) | (_, ..UNRESPONSIVE) => 0,
        (weight, percent) => ((weight * u16::from(percent) + 50) / 100).max(1),
    };
    let reduced: Vec<u16> = weights.iter().zip(responsiveness).map(reduce).collect();
    if reduced.iter().all(|weight| *weight == 0) {
        weights.to_vec()
    } else {
        reduced
    }
}

/// Puts rows into the order of smooth weighted round robin, for one period: each as often as its
/// weight says, and spread evenly. Without any weight all are alike.
pub(super) fn smooth(rows: &[(u16, u16)]) -> Vec<u16> {
    let divisor = rows
        .iter()
        .map(|(_, weight)| *weight)
        .fold(0, greatest_common_divisor);
    if divisor == 0 {
        return rows.iter().map(|(row, _)| *row).collect();
    }
    let weights: Vec<(u16, i32)> = rows
        .iter()
        .map(|(row, weight)| (*row, i32::from(weight / divisor)))
        .collect();
    let total: i32 = weights.iter().map(|(_, weight)| weight).sum();
    let mut credits = vec![0; weights.len()];
    let mut ring = Vec::new();
    for _ in 0..total {
        for (credit, (_, weight)) in credits.iter_mut().zip(&weights) {
            *credit += weight;
        }
        // Of equal credits the first is served, as in plain round robin.
        let most = credits.iter().copied().max().unwrap_or_default();
        let Some(next) = credits.iter().position(|credit| *credit == most) else {
            break;
        };
        credits[next] -= total;
        ring.push(weights[next].0);
    }
    ring
}

fn greatest_common_divisor(one: u16, other: u16) -> u16 {
    let (mut one, mut other) = (one, other);
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loads(loads: &[(u32, u32)]) -> Vec<Load> {
        let load = |(capacity, free): &(u32, u32)| Load {
            capacity: *capacity,
            free: *free,
            ..Load::default()
        };
        loads.iter().map(load).collect()
    }

    #[test]
    fn systems_weigh_as_wlm_says() {
        for (free, expected) in [
            (
                &[(1_000, 200), (1_000, 400), (1_000, 40)][..],
                &[20, 40, 4][..],
            ),
            (&[(1_000, 1_000), (1_000, 1_000)], &[32, 32]),
            (&[(1_000, 1_000), (1_000, 0)], &[64, 0]),
            // One has a twentieth to spare, and that is all that counts.
            (&[(1_000, 50), (4_000, 0)], &[64, 0]),
            // Nobody has: by capacity.
            (&[(1_000, 49), (3_000, 100)], &[16, 48]),
            (&[(0, 0), (0, 0)], &[0, 0]),
            (&[], &[]),
        ] {
            assert_eq!(of_systems(&loads(free)), expected, "{free:?}");
        }
    }

    #[test]
    fn weights_are_scaled_to_sixteen() {
        for (weights, expected) in [
            (&[20, 40, 4][..], &[5, 10, 1][..]),
            (&[64, 0], &[16, 0]),
            (&[63, 1], &[15, 1]),
            (&[16, 8], &[16, 8]),
        ] {
            assert_eq!(normalised(weights), expected, "{weights:?}");
        }
    }

    #[test]
    fn weights_are_reduced_by_responsiveness() {
        for (weights, percent, expected) in [
            (&[16, 16, 16][..], &[100, 75, 25][..], &[16, 12, 4][..]),
            (&[16, 1, 1], &[9, 10, 100], &[0, 1, 1]),
            (&[0, 3], &[100, 50], &[0, 2]),
            // Nobody responds, or those that could are not to get any.
            (&[5, 10], &[0, 6], &[5, 10]),
            (&[5, 0], &[0, 100], &[5, 0]),
            (&[], &[], &[]),
        ] {
            assert_eq!(
                reduced(weights, percent),
                expected,
                "{weights:?} {percent:?}"
            );
        }
    }

    #[test]
    fn four_eight_sixteen_is_one_two_four_without_bursts() {
        let ring = smooth(&[(0, 4), (1, 8), (2, 16)]);
        assert_eq!(ring.len(), 7);
        let handed: Vec<u16> = ring.iter().copied().cycle().take(280).collect();
        for window in handed.windows(28) {
            let count = |row| window.iter().filter(|handed| **handed == row).count();
            assert_eq!([count(0), count(1), count(2)], [4, 8, 16], "{window:?}");
        }
        assert!(
            handed
                .windows(3)
                .all(|three| three[0] != three[1] || three[1] != three[2]),
            "{handed:?}"
        );
    }

    #[test]
    fn equal_weights_are_plain_round_robin() {
        for weight in [0, 1, 16] {
            let rows = [(3, weight), (5, weight), (9, weight)];
            assert_eq!(smooth(&rows), [3, 5, 9], "{weight}");
        }
        assert_eq!(smooth(&[]), [0_u16; 0]);
        assert_eq!(smooth(&[(1, 0), (2, 7)]), [2]);
    }

    proptest! {
        #[test]
        fn every_row_gets_its_share_of_every_prefix(
            weights in prop::collection::vec(0_u16..=16, 1..=32),
        ) {
            let rows: Vec<(u16, u16)> = (0..).zip(weights.iter().copied()).collect();
            let ring = smooth(&rows);
            let total: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
            prop_assume!(total > 0);
            for (row, weight) in rows {
                let all = ring.iter().filter(|served| **served == row).count();
                prop_assert_eq!(all * total as usize, usize::from(weight) * ring.len());
                let mut served = 0_f64;
                for (position, next) in (1_u32..).zip(&ring) {
                    served += f64::from(u8::from(*next == row));
                    let due = f64::from(position) * f64::from(weight) / f64::from(total);
                    // Smooth weighted round robin is late or early by a few turns at most.
                    prop_assert!((served - due).abs() < 4.0, "{} {}", served, due);
                }
            }
        }
    }
}
