//! Selection: each service is compiled into a ring of its rows.
//!
//! The packet path takes `ring[cursor++ % n]`, with MAGLEV `ring[hash % n]`, or
//! with WEIGHTEDACTIVE the place whose target has the fewest connections for its
//! weight; nothing here knows about packets. A ring contains only rows that may
//! receive a new connection, so an empty ring means that none may.
//!
//! WLM's weights come from the free capacity that each target reports, and a
//! target whose servers do not take connections as they should gets fewer, down
//! to none. TARGCONTROLLED goes by what targets say that they weigh. SERVERWLM hands
//! connections out in turn: nothing measures what it needs yet.

mod maglev;
mod standby;
mod weighted;

use std::net::IpAddr;

use super::config::{Destination, DistMethod, Terms};
use super::forwarding::{Affinity, Choice};
use super::load::Load;
use super::responsiveness::{Responsiveness, UNRESPONSIVE};

/// What is known of one row of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The target.
    pub target: IpAddr,
    /// Whether it may receive new connections.
    pub is_eligible: bool,
    /// What it last said that it could do.
    pub load: Option<Load>,
    /// How its servers take connections, as far as the method minds it.
    pub responsiveness: Responsiveness,
    /// What it says that it weighs.
    pub weight: Option<u8>,
}

/// What a target says of its servers for one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// How they take connections.
    pub responsiveness: Responsiveness,
    /// What its operator says that it weighs.
    pub weight: Option<u8>,
}

/// The largest weight that a target may say that it has, as of those that WLM computes.
pub const LARGEST_WEIGHT: u8 = 64;

impl Row {
    /// What is known of a target, as far as the method minds it; `ready` is what it says of its servers,
    /// if it may receive a connection.
    #[must_use]
    pub fn new(terms: &Terms, target: IpAddr, ready: Option<Ready>, load: Option<Load>) -> Self {
        let said = ready.unwrap_or_default();
        let minds = minds_responsiveness(terms);
        let is_controlled = terms.method == DistMethod::TargControlled;
        Self {
            target,
            is_eligible: ready.is_some(),
            load: load.filter(|_| is_weighted(terms)),
            responsiveness: Some(said.responsiveness)
                .filter(|_| minds)
                .unwrap_or_default(),
            weight: said.weight.filter(|_| is_controlled),
        }
    }
}

/// Whether what the targets could still do decides how connections are handed out.
#[must_use]
pub fn is_weighted(terms: &Terms) -> bool {
    matches!(terms.method, DistMethod::BaseWlm { .. })
}

/// Whether the method minds how the targets' servers take connections.
#[must_use]
pub fn minds_responsiveness(terms: &Terms) -> bool {
    match terms.method {
        DistMethod::BaseWlm { .. } | DistMethod::ServerWlm { .. } | DistMethod::WeightedActive => {
            true
        }
        DistMethod::HotStandby { minds_health, .. } => minds_health,
        DistMethod::RoundRobin | DistMethod::TargControlled | DistMethod::Maglev => false,
    }
}

/// Target server responsiveness of each row, in percent.
///
/// Handshakes are compared with the target where most are completed: what clients, or who pretends to
/// be many, leave open everywhere is not the servers' fault.
#[must_use]
pub fn responsiveness(rows: &[Row]) -> Vec<u8> {
    let eligible = rows.iter().filter(|row| row.is_eligible);
    let best = eligible.map(|row| u16::from(row.responsiveness.cer)).max();
    let of = |row: &Row| {
        let Responsiveness { cer, sef } = row.responsiveness;
        let cer = (u16::from(cer) * 100)
            .checked_div(best.unwrap_or_default())
            .unwrap_or(100);
        u8::try_from(cer.min(100) * u16::from(sef) / 100).unwrap_or(100)
    };
    rows.iter().map(of).collect()
}

/// How long clients of a service keep their targets, and which they can keep: any that may receive
/// connections, whether the method would give it one now or not.
#[must_use]
pub fn affinity(terms: &Terms, rows: &[Row]) -> Option<Affinity> {
    let seconds = terms.options.timed_affinity_s;
    let eligible = rows.iter().zip(0..).filter(|(row, _)| row.is_eligible);
    (seconds > 0).then(|| Affinity {
        seconds,
        ready: eligible.map(|(_, row)| row).collect(),
    })
}

/// How a new connection gets its place in a ring of these rows.
#[must_use]
pub fn choice(terms: &Terms, rows: &[Row], ring: &[u16]) -> Choice {
    match terms.method {
        DistMethod::Maglev => Choice::Hash,
        DistMethod::WeightedActive => {
            let weights = configured(terms, rows);
            let weights = ring.iter().map(|row| weights[usize::from(*row)]);
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

/// The effective weight of each row, 0–16, as far as the method distributes by one and it is known.
///
/// As long as one eligible target has not said what it can do, none has a weight.
#[must_use]
pub fn weights(terms: &Terms, rows: &[Row]) -> Vec<Option<u16>> {
    let eligible = rows.iter().filter(|row| row.is_eligible);
    if terms.method == DistMethod::TargControlled {
        let said = eligible.map(|row| row.weight.unwrap_or(Destination::DEFAULT_WEIGHT).into());
        return effective(rows, &weighted::normalised(&said.collect::<Vec<_>>()));
    }
    let loads: Option<Vec<Load>> = eligible.map(|row| row.load).collect();
    let Some(loads) = loads.filter(|_| is_weighted(terms)) else {
        return vec![None; rows.len()];
    };
    effective(rows, &weighted::normalised(&weighted::of_systems(&loads)))
}

/// The profile's weight of each row, reduced by how its servers take connections; 0 where it gets none.
fn configured(terms: &Terms, rows: &[Row]) -> Vec<u8> {
    let eligible = rows.iter().filter(|row| row.is_eligible);
    let weights = eligible.map(|row| terms.destinations.weight(row.target).into());
    let effective = effective(rows, &weights.collect::<Vec<_>>()).into_iter();
    let weight = |weight: Option<u16>| u8::try_from(weight.unwrap_or_default()).unwrap_or(u8::MAX);
    effective.map(weight).collect()
}

/// The weights of the eligible rows, reduced by how their servers take connections.
fn effective(rows: &[Row], weights: &[u16]) -> Vec<Option<u16>> {
    let responsiveness = responsiveness(rows);
    let eligible = rows.iter().zip(responsiveness);
    let eligible = eligible.filter(|(row, _)| row.is_eligible);
    let responsiveness: Vec<u8> = eligible.map(|(_, percent)| percent).collect();
    let mut weights = weighted::reduced(weights, &responsiveness).into_iter();
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

/// Compiles the ring of one service: row numbers in the order in which connections are handed out,
/// or in that of the hash; with WEIGHTEDACTIVE each once.
///
/// `active` is the target that HOTSTANDBY has sent them to so far.
#[must_use]
pub fn ring(terms: &Terms, rows: &[Row], active: Option<IpAddr>) -> Vec<u16> {
    let ready = (0..).zip(rows).filter(|(_, row)| row.is_eligible);
    match terms.method {
        DistMethod::BaseWlm { .. } | DistMethod::TargControlled => {
            let mut weights = weights(terms, rows);
            if weights.iter().all(Option::is_none) {
                weights = effective(rows, &vec![weighted::LARGEST; rows.len()]);
            }
            let weight = |row: u16| weights[usize::from(row)].unwrap_or_default();
            let rows: Vec<_> = ready.map(|(row, _)| (row, weight(row))).collect();
            weighted::smooth(&rows)
        }
        DistMethod::RoundRobin | DistMethod::ServerWlm { .. } => {
            ready.map(|(row, _)| row).collect()
        }
        DistMethod::WeightedActive => {
            let weights = configured(terms, rows);
            let ready = ready.map(|(row, _)| row);
            ready.filter(|row| weights[usize::from(*row)] > 0).collect()
        }
        DistMethod::Maglev => {
            let weighted = |(number, row): (u16, &Row)| {
                let weight = terms.destinations.weight(row.target);
                (number, row.target, weight)
            };
            maglev::table(ready.map(weighted).collect())
        }
        DistMethod::HotStandby { switches_back, .. } => {
            let list = terms.destinations.listed();
            let responsiveness = responsiveness(rows);
            let responds = |row: u16| responsiveness[usize::from(row)] >= UNRESPONSIVE;
            let ready: Vec<_> = ready.map(|(row, known)| (row, known.target)).collect();
            let responsive = ready.iter().copied().filter(|(row, _)| responds(*row));
            let chosen = standby::choose(list, responsive, active, switches_back)
                .or_else(|| standby::choose(list, ready.iter().copied(), active, switches_back));
            chosen.into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::{Destinations, DistOptions, Standby};

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
            responsiveness: Responsiveness::default(),
            weight: None,
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

    fn with(known: &[(u8, u8)]) -> Vec<Row> {
        let mut rows = rows(&vec![(true, Some(500)); known.len()]);
        for (row, (cer, sef)) in rows.iter_mut().zip(known) {
            (row.responsiveness.cer, row.responsiveness.sef) = (*cer, *sef);
        }
        rows
    }

    #[test]
    fn handshakes_count_relative_to_the_best_and_acceptance_as_it_is() {
        for (known, expected) in [
            (&[(100, 100), (50, 100), (100, 25)][..], &[100, 50, 25][..]),
            // A flood leaves handshakes open everywhere.
            (&[(20, 100), (10, 100), (20, 50)], &[100, 50, 50]),
            (&[(0, 100), (0, 50), (0, 0)], &[100, 50, 0]),
        ] {
            assert_eq!(responsiveness(&with(known)), expected, "{known:?}");
        }
    }

    #[test]
    fn who_does_not_respond_gets_nothing_unless_nobody_does() {
        let standby = |minds_health| {
            let mut terms = terms(DistMethod::HotStandby {
                switches_back: true,
                minds_health,
            });
            let Destinations::List(list) = &mut terms.destinations else {
                unreachable!("a list");
            };
            for (at, destination) in list.iter_mut().enumerate() {
                destination.standby = Some(match at {
                    0 => Standby::Preferred,
                    _ => Standby::Backup { rank: 1 },
                });
            }
            terms
        };
        let base = terms(DistMethod::BASE_WLM);
        let (dead, dying, fine) = ((100, 0), (100, 50), (100, 100));
        for (terms, known, expected) in [
            (&base, [dead, fine, fine], &[1, 2][..]),
            (&base, [dead, dead, dead], &[0, 1, 2]),
            (&base, [dying, fine, dead], &[1, 0, 1, 0, 1, 1, 0, 1]),
            (&standby(true), [dead, fine, fine], &[1]),
            (&standby(true), [dying, fine, fine], &[0]),
            (&standby(true), [dead, dead, dead], &[0]),
            (
                &terms(DistMethod::RoundRobin),
                [fine, fine, fine],
                &[0, 1, 2],
            ),
        ] {
            assert_eq!(ring(terms, &with(&known), None), expected, "{known:?}");
        }
        for (terms, expected) in [
            (&base, true),
            (&standby(true), true),
            (&standby(false), false),
            (&terms(DistMethod::RoundRobin), false),
        ] {
            assert_eq!(minds_responsiveness(terms), expected, "{:?}", terms.method);
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

        for (known, expected, reduced) in [
            (
                [(100, 100), (100, 25), (100, 100)],
                &[0, 1, 2][..],
                &[10, 5, 30][..],
            ),
            ([(100, 100), (50, 100), (100, 5)], &[0, 1], &[10, 10]),
            ([(100, 0), (100, 0), (100, 0)], &[0, 1, 2], &[10, 20, 30]),
        ] {
            let rows = with(&known);
            let ring = super::ring(&terms, &rows, None);
            assert_eq!(ring, expected, "{known:?}");
            let weights = reduced.into();
            assert_eq!(choice(&terms, &rows, &ring), Choice::Active { weights });
        }
    }

    #[test]
    fn targets_control_their_weights_and_weigh_ten_if_they_say_nothing() {
        let terms = terms(DistMethod::TargControlled);
        for (said, weights, order) in [
            ([None, None, None], [10, 10, 10], &[0, 1, 2][..]),
            ([Some(1), Some(2), Some(1)], [1, 2, 1], &[1, 0, 2, 1]),
            ([Some(0), Some(5), None], [0, 5, 10], &[2, 1, 2]),
            // Above 16 all are divided by four, and none that weighs something weighs nothing then.
            ([Some(64), Some(32), Some(1)], [16, 8, 1], &[]),
            ([Some(0), Some(0), Some(0)], [0, 0, 0], &[0, 1, 2]),
        ] {
            let mut rows = rows(&[(true, None), (true, None), (true, None)]);
            for (row, said) in rows.iter_mut().zip(said) {
                row.weight = said;
            }
            let expected = weights.map(Some);
            assert_eq!(super::weights(&terms, &rows), expected, "{said:?}");
            let ring = ring(&terms, &rows, None);
            if order.is_empty() {
                let sum: u16 = weights.iter().sum();
                assert_eq!(ring.len(), usize::from(sum), "{said:?}");
            } else {
                assert_eq!(ring, order, "{said:?}");
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
