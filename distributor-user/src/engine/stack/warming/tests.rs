use super::*;
use crate::engine::responsiveness::Responsiveness;

const OVER: Duration = Duration::from_secs(16);

fn key() -> ServiceKey {
    ServiceKey {
        dvipa: [10, 1, 3, 10].into(),
        port: 8443,
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets a service have these targets at a time; returns what they get, in percent.
fn percent(warming: &mut Warming, eligible: [bool; 3], now: Duration) -> [u16; 3] {
    let mut rows = [1, 2, 3].map(|host| Row {
        target: [172, 1, 1, host].into(),
        is_eligible: eligible[usize::from(host) - 1],
        load: None,
        responsiveness: Responsiveness::default(),
        tcsr: 100,
        weight: None,
        warmth: Warmth::FULL,
    });
    warming.warm(key(), &mut rows, now);
    rows.map(|row| row.warmth.percent())
}

#[test]
fn a_share_grows_linearly_from_when_the_target_is_back() {
    let mut warming = Warming::over(OVER);
    for (seconds, eligible, expected) in [
        (0, [true, true, false], [100, 100, 100]),
        // It was there before, and had not been heard yet.
        (2, [true, true, true], [100, 100, 100]),
        (10, [true, false, true], [100, 100, 100]),
        (20, [true, true, true], [100, 6, 100]),
        (21, [true, true, true], [100, 6, 100]),
        (24, [true, true, true], [100, 25, 100]),
        (28, [true, true, true], [100, 50, 100]),
        (35, [true, true, true], [100, 93, 100]),
        (36, [true, true, true], [100, 100, 100]),
        (40, [true, false, true], [100, 100, 100]),
        (41, [true, true, true], [100, 6, 100]),
        // Away again: it begins anew.
        (51, [true, false, true], [100, 100, 100]),
        (52, [true, true, true], [100, 6, 100]),
    ] {
        assert_eq!(
            percent(&mut warming, eligible, at(seconds)),
            expected,
            "{seconds}"
        );
    }
}

#[test]
fn nobody_is_spared_whose_work_nobody_does() {
    let mut warming = Warming::over(OVER);
    percent(&mut warming, [true, false, false], at(0));
    percent(&mut warming, [false; 3], at(10));
    let alone = percent(&mut warming, [false, true, false], at(20));
    assert_eq!(alone, [100; 3]);
    let second = percent(&mut warming, [true, true, false], at(21));
    assert_eq!(second, [6, 100, 100]);
    // The one that did its work is gone.
    let left = percent(&mut warming, [true, false, false], at(22));
    assert_eq!(left, [100; 3]);
    assert_eq!(warming.next(at(22)), None);
}

#[test]
fn the_next_step_is_named_until_all_are_warm() {
    let mut warming = Warming::over(OVER);
    percent(&mut warming, [true, true, true], at(0));
    assert_eq!(warming.next(at(0)), None);
    percent(&mut warming, [true, false, true], at(5));
    let mut now = at(10);
    percent(&mut warming, [true; 3], now);
    let mut steps = Vec::new();
    while let Some(next) = warming.next(now) {
        assert!(next > now, "{next:?}");
        now = next;
        steps.push(percent(&mut warming, [true; 3], now)[1]);
    }
    assert_eq!(now, at(26));
    assert_eq!(steps.len(), 16);
    assert!(steps.is_sorted(), "{steps:?}");
    assert_eq!(steps.last(), Some(&100));
}

#[test]
fn without_a_time_nothing_is_kept() {
    let mut warming = Warming::over(Duration::ZERO);
    percent(&mut warming, [true, false, false], at(0));
    let back = percent(&mut warming, [true, true, true], at(60));
    assert_eq!(back, [100; 3]);
    assert!(warming.services.is_empty());
    assert_eq!(warming.next(at(60)), None);
}

#[test]
fn what_is_not_distributed_any_more_is_forgotten() {
    let mut warming = Warming::over(OVER);
    percent(&mut warming, [true, false, false], at(0));
    percent(&mut warming, [true, true, false], at(60));
    assert!(warming.next(at(60)).is_some());
    warming.retain(|_| false);
    assert_eq!(warming.next(at(60)), None);
}
