//! Selection: each service is compiled into a ring of its rows.
//!
//! The packet path takes `ring[cursor++ % n]` or `ring[hash % n]` whatever the
//! method; nothing here knows about packets. A ring contains only rows that may
//! receive a new connection, so an empty ring means that none may.
//!
//! WLM's weights come from the free capacity that each target reports. The other
//! methods with weights hand connections out in turn: nothing measures what they
//! need yet.

mod standby;
mod weighted;

use std::net::IpAddr;

use super::config::{DistMethod, Terms};
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

/// Whether a connection that starts on the target `own` stays there: what `OPTLOCAL` says.
///
/// With 0 always; with 1 unless the target has no weight; with more if no other weighs more than it
/// does that many times. Where the method has no weights, none is heavier. With HOTSTANDBY one target
/// gets everything, whoever starts it.
#[must_use]
pub fn keeps(terms: &Terms, rows: &[Row], own: IpAddr) -> bool {
    let is_own = |row: &Row| row.target == own && row.is_eligible;
    let (Some(factor), Some(place)) = (terms.options.opt_local, rows.iter().position(is_own))
    else {
        return false;
    };
    if factor == 0 {
        return true;
    }
    if matches!(terms.method, DistMethod::HotStandby { .. }) {
        return false;
    }
    let weights = weights(terms, rows);
    let Some(weight) = weights[place] else {
        return true;
    };
    let heaviest = weights.into_iter().flatten().max().unwrap_or_default();
    weight > 0 && (factor == 1 || u16::from(factor) * weight >= heaviest)
}

/// Compiles the ring of one service: row numbers in the order in which connections are handed out.
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
    fn optlocal_keeps_a_connection_where_it_starts() {
        let hot_standby = DistMethod::HotStandby {
            switches_back: true,
            minds_health: true,
        };
        for (method, opt_local, own, other, expected) in [
            (
                DistMethod::RoundRobin,
                None,
                Some(1_000),
                Some(1_000),
                false,
            ),
            (DistMethod::RoundRobin, Some(0), None, None, true),
            (DistMethod::RoundRobin, Some(1), None, None, true),
            (DistMethod::RoundRobin, Some(16), None, None, true),
            (hot_standby, Some(0), None, None, true),
            (hot_standby, Some(1), None, None, false),
            // Weights are not known.
            (DistMethod::BASE_WLM, Some(2), Some(100), None, true),
            (DistMethod::BASE_WLM, Some(0), Some(0), Some(1_000), true),
            (DistMethod::BASE_WLM, Some(1), Some(0), Some(1_000), false),
            (DistMethod::BASE_WLM, Some(1), Some(200), Some(1_000), true),
            (DistMethod::BASE_WLM, Some(2), Some(200), Some(800), false),
            (DistMethod::BASE_WLM, Some(4), Some(200), Some(800), true),
            (DistMethod::BASE_WLM, Some(16), Some(0), Some(1_000), false),
        ] {
            let mut terms = terms(method);
            terms.options.opt_local = opt_local;
            let rows = rows(&[(true, other), (true, own)]);
            assert_eq!(
                keeps(&terms, &rows, target(2)),
                expected,
                "{method:?} {opt_local:?} {own:?} {other:?}"
            );
        }
        let mut terms = terms(DistMethod::RoundRobin);
        terms.options.opt_local = Some(0);
        // Its server is gone, or it is no target at all.
        let rows = rows(&[(true, None), (false, None)]);
        assert!(!keeps(&terms, &rows, target(2)));
        assert!(!keeps(&terms, &rows, target(3)));
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
