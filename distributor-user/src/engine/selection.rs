//! Selection: each service is compiled into a ring of its rows.
//!
//! The packet path takes `ring[cursor++ % n]` or `ring[hash % n]` whatever the
//! method; nothing here knows about packets. A ring contains only rows that may
//! receive a new connection, so an empty ring means that none may.

use super::config::DistMethod;

/// Compiles the ring of one service.
///
/// `eligible[row]` says whether the target of that row may receive new connections.
/// The ring holds row numbers in the order in which connections are handed out.
#[must_use]
pub fn ring(method: DistMethod, eligible: &[bool]) -> Vec<u16> {
    match method {
        DistMethod::RoundRobin => eligible
            .iter()
            .zip(0u16..)
            .filter_map(|(&eligible, row)| eligible.then_some(row))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_robin_takes_each_eligible_row_once_in_table_order() {
        for (eligible, expected) in [
            (&[][..], &[][..]),
            (&[false, false], &[]),
            (&[true, true, true], &[0, 1, 2]),
            (&[true, false, true], &[0, 2]),
        ] {
            assert_eq!(
                ring(DistMethod::RoundRobin, eligible),
                expected,
                "{eligible:?}"
            );
        }
    }
}
