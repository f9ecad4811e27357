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
            ..Load::default()
        }),
        responsiveness: Responsiveness::default(),
        tcsr: 100,
        weight: None,
        warmth: Warmth::FULL,
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
fn what_is_lost_on_the_way_counts_relative_to_the_best_way() {
    for (tcsr, expected) in [
        ([100, 50, 100], [100, 25, 50]),
        // Everything loses half.
        ([50, 50, 25], [100, 50, 25]),
        ([0, 0, 0], [100, 50, 50]),
    ] {
        let mut rows = with(&[(100, 100), (100, 50), (100, 50)]);
        for (row, tcsr) in rows.iter_mut().zip(tcsr) {
            row.tcsr = tcsr;
        }
        assert_eq!(responsiveness(&rows), expected, "{tcsr:?}");
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
fn who_comes_back_gets_part_of_its_share() {
    let coming_back = |steps| {
        let mut rows = rows(&[(true, Some(500)), (true, Some(500)), (true, Some(500))]);
        rows[1].warmth = Warmth::of(steps);
        rows
    };
    for method in [
        DistMethod::RoundRobin,
        DistMethod::BASE_WLM,
        DistMethod::TargControlled,
    ] {
        let terms = terms(method);
        for (steps, part) in [(0, 1), (1, 1), (4, 4), (12, 12), (16, 16), (99, 16)] {
            let ring = ring(&terms, &coming_back(steps), None);
            let of = |row| ring.iter().filter(|place| **place == row).count();
            assert_eq!(of(1) * 16, of(0) * part, "{method:?} {steps}");
            assert_eq!(of(0), of(2), "{method:?} {steps}");
        }
        assert_eq!(ring(&terms, &coming_back(16), None), [0, 1, 2]);
    }
    let terms = terms(DistMethod::WeightedActive);
    for (steps, weight) in [(0, 1), (4, 3), (8, 5), (16, 10)] {
        let rows = coming_back(steps);
        let ring = ring(&terms, &rows, None);
        let weights = [10, weight, 10].into();
        assert_eq!(choice(&terms, &rows, &ring), Choice::Active { weights });
    }
}

#[test]
fn a_hash_and_a_standby_know_no_slow_start() {
    let mut known = rows(&[(true, None), (true, None)]);
    let maglev = terms(DistMethod::Maglev);
    let full = ring(&maglev, &known, None);
    known[0].warmth = Warmth::of(1);
    assert_eq!(ring(&maglev, &known, None), full);
    let mut standby = terms(DistMethod::HotStandby {
        switches_back: true,
        minds_health: false,
    });
    let Destinations::List(list) = &mut standby.destinations else {
        unreachable!("a list");
    };
    for (destination, rank) in list.iter_mut().zip(1..) {
        destination.standby = Some(match rank {
            1 => Standby::Preferred,
            rank => Standby::Backup { rank },
        });
    }
    assert_eq!(ring(&standby, &known, None), [0]);
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

#[test]
fn servers_of_a_shared_port_are_ordered_by_what_they_could_do_and_how_they_accept() {
    let load = |free| Load {
        capacity: 1_000,
        free,
        ..Load::default()
    };
    for (free, acceptance, expected) in [
        (&[500, 500, 500][..], &[100, 100, 100][..], &[][..]),
        (&[300, 900], &[100, 100], &[1, 0, 1, 1]),
        // One that does not accept gets nothing, one that is slow less.
        (&[500, 500], &[100, 5], &[0]),
        (&[500, 500], &[50, 100], &[1, 0, 1]),
        // All are as bad as each other, or there is but one.
        (&[500, 500], &[0, 0], &[]),
        (&[500], &[50], &[]),
        (&[], &[], &[]),
    ] {
        let loads: Vec<Load> = free.iter().copied().map(load).collect();
        assert_eq!(
            order(&loads, acceptance),
            expected,
            "{free:?} {acceptance:?}"
        );
    }
}
