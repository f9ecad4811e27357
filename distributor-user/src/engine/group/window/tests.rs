use proptest::prelude::*;

use super::*;

#[test]
fn takes_each_counter_once() {
    let cases: &[(&str, &[(u64, bool)])] = &[
        ("in order", &[(0, true), (1, true), (2, true)]),
        ("twice", &[(5, true), (5, false), (6, true), (5, false)]),
        (
            "out of order",
            &[(9, true), (3, true), (3, false), (8, true)],
        ),
        (
            "oldest of the window",
            &[(WINDOW, true), (1, true), (0, false)],
        ),
        (
            "far jump forgets everything",
            &[(1, true), (1 << 40, true), (1, false), (2, false)],
        ),
        (
            "last counter there is",
            &[(u64::MAX, true), (u64::MAX, false), (u64::MAX - 1, true)],
        ),
    ];
    for (name, counters) in cases {
        let mut window = ReplayWindow::default();
        for (counter, expected) in *counters {
            assert_eq!(window.is_new(*counter), *expected, "{name}: {counter}");
            assert_eq!(window.take(*counter), *expected, "{name}: {counter}");
        }
    }
}

proptest! {
    /// Against a set that remembers everything.
    #[test]
    fn agrees_with_a_set(steps in prop::collection::vec((0_u64..200, any::<bool>()), 1..4_000)) {
        let mut window = ReplayWindow::default();
        let mut seen = std::collections::HashSet::new();
        let mut highest = 0;
        for (step, ahead) in steps {
            let counter = if ahead { highest + step } else { highest.saturating_sub(step * 17) };
            let expected = highest.max(counter) - counter < WINDOW && seen.insert(counter);
            prop_assert_eq!(window.take(counter), expected, "counter {} below {}", counter, highest);
            highest = highest.max(counter);
        }
    }
}
