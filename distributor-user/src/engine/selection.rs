//! Selection: each service is compiled into a ring of its rows.
//!
//! The packet path takes `ring[cursor++ % n]` or `ring[hash % n]` whatever the
//! method; nothing here knows about packets. A ring contains only rows that may
//! receive a new connection, so an empty ring means that none may.
//!
//! Methods that are made of weights hand connections out in turn: nothing
//! measures weights yet, and z/OS does the same while it has none.

use std::net::IpAddr;

use super::config::{DistMethod, Standby, Terms};

/// Compiles the ring of one service.
///
/// `rows[row]` is the target of a row, `eligible[row]` says whether it may receive new
/// connections. The ring holds row numbers in the order in which connections are handed out.
#[must_use]
pub fn ring(terms: &Terms, rows: &[IpAddr], eligible: &[bool]) -> Vec<u16> {
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
        // Of equal ranks the first of the list is chosen; rows are not in its order.
        DistMethod::HotStandby { .. } => ready
            .filter_map(|row| {
                let target = rows[usize::from(row)];
                let list = terms.destinations.listed();
                let at = list.iter().position(|listed| listed.address == target)?;
                let precedence = list[at].standby.map_or(0, Standby::precedence);
                Some((std::cmp::Reverse(precedence), at, row))
            })
            .min()
            .map(|(_, _, row)| row)
            .into_iter()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::{Destination, Destinations, DistOptions};

    fn terms(method: DistMethod, list: Vec<Destination>) -> Terms {
        Terms {
            method,
            destinations: Destinations::List(list),
            options: DistOptions::default(),
        }
    }

    #[test]
    fn round_robin_takes_each_eligible_row_once_in_table_order() {
        let rows = [1, 2, 3].map(|host| IpAddr::from([172, 1, 1, host]));
        for method in [DistMethod::RoundRobin, DistMethod::BASE_WLM] {
            let terms = terms(method, rows.map(Destination::from).into());
            for (eligible, expected) in [
                (&[][..], &[][..]),
                (&[false, false], &[]),
                (&[true, true, true], &[0, 1, 2]),
                (&[true, false, true], &[0, 2]),
            ] {
                assert_eq!(ring(&terms, &rows, eligible), expected, "{eligible:?}");
            }
        }
    }

    #[test]
    fn hot_standby_takes_the_preferred_row_or_the_best_backup() {
        let rows = [4, 1, 2, 3].map(|host| IpAddr::from([172, 1, 1, host]));
        let target = |row: usize, standby| Destination {
            standby: Some(standby),
            ..rows[row].into()
        };
        let backup = |rank| Standby::Backup { rank };
        let list = vec![
            target(2, backup(50)),
            target(1, backup(50)),
            target(3, Standby::Preferred),
            target(0, backup(100)),
        ];
        let method = DistMethod::HotStandby {
            switches_back: true,
            minds_health: true,
        };
        let terms = terms(method, list);
        for (eligible, expected) in [
            ([true, true, true, true], &[3][..]),
            ([true, true, true, false], &[0]),
            ([false, true, true, false], &[2]),
            ([false, true, false, false], &[1]),
            ([false; 4], &[]),
        ] {
            assert_eq!(ring(&terms, &rows, &eligible), expected, "{eligible:?}");
        }
    }
}
