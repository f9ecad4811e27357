//! Selection: each service is compiled into a ring of its rows.
//!
//! The packet path takes `ring[cursor++ % n]`, with MAGLEV `ring[hash % n]`, or
//! with WEIGHTEDACTIVE the place whose target has the fewest connections for its
//! weight; nothing here knows about packets. A ring contains only rows that may
//! receive a new connection, so an empty ring means that none may.
//!
//! WLM's weights come from the free capacity that each target reports. SERVERWLM
//! and TARGCONTROLLED hand connections out in turn: nothing measures what they
//! need yet.

mod maglev;
mod standby;
mod weighted;

use std::net::IpAddr;

use super::config::{DistMethod, Terms};
use super::forwarding::Choice;
use super::load::Load;

/// What is known of one row of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The target.
    pub target: IpAddr,
    /// Whether it may receive new connections.
    pub is_eligible: bool,
    /// What it last said that it could do.
    pub load: Option<Load>,
}

/// Whether what the targets could still do decides how connections are handed out.
#[must_use]
pub fn is_weighted(terms: &Terms) -> bool {
    matches!(terms.method, DistMethod::BaseWlm { .. })
}

/// How a new connection gets its place in a ring of these rows.
#[must_use]
pub fn choice(terms: &Terms, rows: &[Row], ring: &[u16]) -> Choice {
    match terms.method {
        DistMethod::Maglev => Choice::Hash,
        DistMethod::WeightedActive => {
            let target = |row: &u16| rows[usize::from(*row)].target;
            let weights = ring.iter().map(target);
            let weights = weights.map(|target| terms.destinations.weight(target));
            Choice::Active {
                weights: weights.collect(),
            }
        }
        DistMethod::BaseWlm { .. }
        | DistMethod::RoundRobin
        | DistMethod::ServerWlm { .. }
        | DistMethod::HotStandby { .. }
        | DistMethod::TargControlled => Choice::Turn,
    }
}

/// The normalised weight of each row, 0–16, as far as the method distributes by one and it is known.
///
/// As long as one eligible target has not said what it can do, none has a weight.
#[must_use]
pub fn weights(terms: &Terms, rows: &[Row]) -> Vec<Option<u16>> {
    let eligible = rows.iter().filter(|row| row.is_eligible);
    let loads: Option<Vec<Load>> = eligible.map(|row| row.load).collect();
    let Some(loads) = loads.filter(|_| is_weighted(terms)) else {
        return vec![None; rows.len()];
    };
    let weights = weighted::normalised(&weighted::of_systems(&loads));
    let mut weights = weights.into_iter();
    rows.iter()
        .map(|row| row.is_eligible.then(|| weights.next()).flatten())
        .collect()
}

/// Compiles the ring of one service: row numbers in the order in which connections are handed out,
/// or in that of the hash; with WEIGHTEDACTIVE each once.
///
/// `active` is the target that HOTSTANDBY has sent them to so far.
#[must_use]
pub fn ring(terms: &Terms, rows: &[Row], active: Option<IpAddr>) -> Vec<u16> {
    let ready = (0..).zip(rows).filter(|(_, row)| row.is_eligible);
    match terms.method {
        DistMethod::BaseWlm { .. } => {
            let weights = weights(terms, rows);
            let weight = |row: u16| weights[usize::from(row)].unwrap_or_default();
            let rows: Vec<_> = ready.map(|(row, _)| (row, weight(row))).collect();
            weighted::smooth(&rows)
        }
        DistMethod::RoundRobin
        | DistMethod::ServerWlm { .. }
        | DistMethod::WeightedActive
        | DistMethod::TargControlled => ready.map(|(row, _)| row).collect(),
        DistMethod::Maglev => {
            let weighted = |(number, row): (u16, &Row)| {
                let weight = terms.destinations.weight(row.target);
                (number, row.target, weight)
            };
            maglev::table(ready.map(weighted).collect())
        }
        DistMethod::HotStandby { switches_back, .. } => {
            let list = terms.destinations.listed();
            let ready = ready.map(|(number, row)| (number, row.target));
            let chosen = standby::choose(list, ready, active, switches_back);
            chosen.into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::{Destination, Destinations, DistOptions};

    fn terms(method: DistMethod) -> Terms {
        Terms {
            method,
            destinations: Destinations::List([1, 2, 3].map(target).map(Destination::from).into()),
            options: DistOptions::default(),
        }
    }

    fn target(host: u8) -> IpAddr {
        IpAddr::from([172, 1, 1, host])
    }

    fn rows(known: &[(bool, Option<u32>)]) -> Vec<Row> {
        let row = |(host, (is_eligible, free)): (u8, &(bool, Option<u32>))| Row {
            target: target(host),
            is_eligible: *is_eligible,
            load: free.map(|free| Load {
                capacity: 1_000,
                free,
            }),
        };
        (1..).zip(known).map(row).collect()
    }

    #[test]
    fn round_robin_takes_each_eligible_row_once_in_table_order() {
        for (method, free) in [
            (DistMethod::RoundRobin, Some(500)),
            // Weights are not known.
            (DistMethod::BASE_WLM, None),
        ] {
            for (eligible, expected) in [
                (&[][..], &[][..]),
                (&[false, false], &[]),
                (&[true, true, true], &[0, 1, 2]),
                (&[true, false, true], &[0, 2]),
            ] {
                let known: Vec<_> = eligible.iter().map(|is| (*is, free)).collect();
                let ring = ring(&terms(method), &rows(&known), Some(target(2)));
                assert_eq!(ring, expected, "{eligible:?}");
            }
        }
    }

    #[test]
    fn weighted_active_has_each_eligible_row_once_with_its_weight() {
        let list = [(1, 10), (2, 20), (3, 30)].map(|(host, weight)| Destination {
            weight,
            ..target(host).into()
        });
        let terms = Terms {
            destinations: Destinations::List(list.into()),
            ..terms(DistMethod::WeightedActive)
        };
        let rows = rows(&[(true, None), (false, None), (true, None)]);
        let ring = ring(&terms, &rows, None);
        assert_eq!(ring, [0, 2]);
        let weights = [10, 30].into();
        assert_eq!(choice(&terms, &rows, &ring), Choice::Active { weights });
    }

    #[test]
    fn base_wlm_goes_by_free_capacity_once_every_eligible_target_has_said_it() {
        let terms = terms(DistMethod::BASE_WLM);
        for (known, expected, weights_of) in [
            (
                &[(true, Some(200)), (true, Some(400)), (true, Some(200))][..],
                &[1, 0, 2, 1][..],
                &[Some(16), Some(32), Some(16)].map(|raw| raw.map(|raw: u16| raw / 4))[..],
            ),
            (
                &[(true, Some(300)), (true, None), (true, Some(300))],
                &[0, 1, 2],
                &[None, None, None],
            ),
            (
                &[(true, Some(300)), (false, None), (true, Some(300))],
                &[0, 2],
                &[Some(8), None, Some(8)],
            ),
            (
                &[(true, Some(0)), (true, Some(900)), (false, Some(900))],
                &[1],
                &[Some(0), Some(16), None],
            ),
        ] {
            let rows = rows(known);
            assert_eq!(weights(&terms, &rows), weights_of, "{known:?}");
            assert_eq!(ring(&terms, &rows, None), expected, "{known:?}");
        }
    }
}
