//! Selection: each service is compiled into a ring of its rows.
//!
//! The packet path takes `ring[cursor++ % n]` or `ring[hash % n]` whatever the
//! method; nothing here knows about packets. A ring contains only rows that may
//! receive a new connection, so an empty ring means that none may.
//!
//! Methods that are made of weights hand connections out in turn: nothing
//! measures weights yet, and z/OS does the same while it has none.

mod standby;

use std::net::IpAddr;

use super::config::{DistMethod, Terms};

/// Compiles the ring of one service.
///
/// `rows[row]` is the target of a row, `eligible[row]` says whether it may receive new
/// connections, and `active` is the target that HOTSTANDBY has sent them to so far. The ring holds row
/// numbers in the order in which connections are handed out.
#[must_use]
pub fn ring(terms: &Terms, rows: &[IpAddr], eligible: &[bool], active: Option<IpAddr>) -> Vec<u16> {
    let ready = eligible
        .iter()
        .zip(0u16..)
        .filter_map(|(&eligible, row)| eligible.then_some(row));
    match terms.method {
        DistMethod::BaseWlm { .. }
        | DistMethod::RoundRobin
        | DistMethod::ServerWlm { .. }
        | DistMethod::WeightedActive
        | DistMethod::TargControlled => ready.collect(),
        DistMethod::HotStandby { switches_back, .. } => {
            let list = terms.destinations.listed();
            let ready = ready.map(|row| (row, rows[usize::from(row)]));
            let chosen = standby::choose(list, ready, active, switches_back);
            chosen.into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::{Destination, Destinations, DistOptions};

    #[test]
    fn round_robin_takes_each_eligible_row_once_in_table_order() {
        let rows = [1, 2, 3].map(|host| IpAddr::from([172, 1, 1, host]));
        for method in [DistMethod::RoundRobin, DistMethod::BASE_WLM] {
            let terms = Terms {
                method,
                destinations: Destinations::List(rows.map(Destination::from).into()),
                options: DistOptions::default(),
            };
            for (eligible, expected) in [
                (&[][..], &[][..]),
                (&[false, false], &[]),
                (&[true, true, true], &[0, 1, 2]),
                (&[true, false, true], &[0, 2]),
            ] {
                let ring = ring(&terms, &rows, eligible, Some(rows[1]));
                assert_eq!(ring, expected, "{eligible:?}");
            }
        }
    }
}
