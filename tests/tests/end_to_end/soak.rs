//! Two minutes of whatever may happen.

use std::time::Duration;

use tests::soak::soak;

use crate::turn;

/// `DISTRIBUTOR_SEED` repeats a run.
#[test]
fn nothing_that_happens_at_random_is_noticed() {
    let _turn = turn();
    let seed = std::env::var("DISTRIBUTOR_SEED").ok();
    let seed = seed.map_or_else(rand::random, |seed| seed.parse().expect("a seed"));
    let outcome = soak(Duration::from_mins(2), seed, &|_| {}).expect("a lab");
    assert!(
        outcome.faults.is_empty(),
        "DISTRIBUTOR_SEED={seed}: {:#?}\n{}",
        outcome.faults,
        outcome.log.join("\n")
    );
    assert!(outcome.deeds > 20, "{outcome:?}");
    assert!(outcome.connections > 500, "{outcome:?}");
}
