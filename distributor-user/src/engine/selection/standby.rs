//! HOTSTANDBY: one target gets every new connection, the others wait.
//!
//! ```text
//!           the preferred one can, and none is active or AUTOSWITCHBACK holds
//!        ┌────────────────────────────────────────────────────────────────────┐
//!        ▼                                                                    │
//!  preferred active ──it cannot any more──▶ best backup active ──it cannot──▶ the next best
//! ```
//!
//! A backup that is active stays so even when a better one can do it again:
//! only the preferred target is gone back to. Connections stay where they are.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::engine::config::{Destination, Standby};

/// Chooses the row that gets the new connections.
///
/// `list` are the destinations as the statement lists them, `ready` are the rows that could do it and
/// their targets, and `active` is the target that did it so far.
pub(super) fn choose(
    list: &[Destination],
    ready: impl Iterator<Item = (u16, IpAddr)>,
    active: Option<IpAddr>,
    switches_back: bool,
) -> Option<u16> {
    let precedence = |(row, target)| {
        let at = list.iter().position(|listed| listed.address == target)?;
        let standby = list[at].standby;
        let is_active = active == Some(target);
        let goes_first = if switches_back && standby == Some(Standby::Preferred) {
            2
        } else {
            u8::from(is_active)
        };
        let rank = standby.map_or(0, Standby::precedence);
        // Of equal ranks the first of the list is chosen; rows are not in its order.
        Some((Reverse((goes_first, rank)), at, row))
    };
    ready.filter_map(precedence).min().map(|(_, _, row)| row)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [u8; 4] = [4, 1, 2, 3];

    fn target(row: usize) -> IpAddr {
        IpAddr::from([172, 1, 1, ROWS[row]])
    }

    /// Rows in the order of the statement: two backups of rank 50, the preferred one, one of rank 100.
    fn list() -> [Destination; 4] {
        let backup = |rank| Standby::Backup { rank };
        [
            (2, backup(50)),
            (1, backup(50)),
            (3, Standby::Preferred),
            (0, backup(100)),
        ]
        .map(|(row, standby)| Destination {
            standby: Some(standby),
            ..target(row).into()
        })
    }

    fn chosen(ready: &[usize], active: Option<usize>, switches_back: bool) -> Option<u16> {
        let row = |row: &usize| (u16::try_from(*row).expect("few rows"), target(*row));
        choose(
            &list(),
            ready.iter().map(row),
            active.map(target),
            switches_back,
        )
    }

    #[test]
    fn the_preferred_one_comes_first_and_then_the_best_backup() {
        for switches_back in [true, false] {
            for (ready, expected) in [
                (&[0, 1, 2, 3][..], Some(3)),
                (&[0, 1, 2], Some(0)),
                (&[1, 2], Some(2)),
                (&[1], Some(1)),
                (&[], None),
            ] {
                assert_eq!(chosen(ready, None, switches_back), expected, "{ready:?}");
            }
        }
    }

    #[test]
    fn who_is_active_stays_so_until_the_preferred_one_may_come_back() {
        for (ready, active, back, stays) in [
            // The preferred one returns.
            (&[0, 1, 2, 3][..], 0, Some(3), Some(0)),
            // A better backup returns, or an equal one that stands before it.
            (&[0, 1, 2], 2, Some(2), Some(2)),
            (&[1, 2], 1, Some(1), Some(1)),
            // The active one is gone.
            (&[1, 2, 3], 0, Some(3), Some(3)),
            (&[1, 2], 0, Some(2), Some(2)),
            (&[0, 1], 3, Some(0), Some(0)),
            (&[3], 3, Some(3), Some(3)),
        ] {
            assert_eq!(
                chosen(ready, Some(active), true),
                back,
                "{ready:?} {active}"
            );
            assert_eq!(
                chosen(ready, Some(active), false),
                stays,
                "{ready:?} {active}"
            );
        }
    }
}
