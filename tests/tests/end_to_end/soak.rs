//! What nobody has thought of, for two minutes; `cargo xtask soak` goes on for longer.

use std::time::Duration;

use tests::soak::soak;

use crate::turn;

/// How long the lab is disturbed. What is put back and must be forgotten takes up to as long again.
const TIME: Duration = Duration::from_mins(2);

#[test]
fn whatever_happens_in_whatever_order_no_connection_is_lost() {
    let _turn = turn();
    // Another order each time: one that was harmless once shows nothing the second time.
    let seed = rand::random();
    eprintln!("`cargo xtask soak --seed {seed}` repeats this order");
    let outcome = soak(TIME, seed, &|line| eprintln!("{line}")).expect("a lab");
    assert_eq!(outcome.faults, Vec::<String>::new(), "seed {seed}");
    assert!(outcome.connections > 0, "nobody has connected");
}
