//! What a stack could still do: its capacity, and how much of it is free.
//!
//! Capacity counts in thousandths of a processor, whatever the machine calls
//! one. Each stack measures its own, and tells all others.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a stack can do, and what of it nobody uses; in thousandths of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// All that there is.
    pub capacity: u32,
    /// What is free, at most the capacity.
    pub free: u32,
}

impl Load {
    /// A smaller part of the capacity than one in this many is no reason to distribute otherwise.
    const MATTERS: u32 = 16;

    /// Whether the difference is worth acting on.
    #[must_use]
    pub fn differs_from(self, before: Self) -> bool {
        self.capacity != before.capacity
            || self.free.abs_diff(before.free) >= (self.capacity / Self::MATTERS).max(1)
    }
}

/// Turns the time that processors have worked into a [`Load`].
///
/// What is shown is (3 × the last interval + what was shown before) / 4, as z/OS smooths.
#[derive(Clone, Debug)]
pub struct Meter {
    capacity: u32,
    last: Option<Reading>,
    free: Option<u32>,
}

/// How long processors have worked so far, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Time of processors, all together.
    pub worked: Duration,
    /// The clock, from any beginning.
    pub at: Duration,
}

impl Meter {
    /// Begins to measure a stack of this capacity, in thousandths of a processor.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        Self {
            capacity,
            last: None,
            free: None,
        }
    }

    /// Takes a reading; the first one says nothing yet.
    pub fn take(&mut self, reading: Reading) -> Option<Load> {
        let last = self.last.replace(reading)?;
        let took = reading.at.saturating_sub(last.at).as_micros();
        let worked = reading.worked.saturating_sub(last.worked).as_micros();
        let used = (worked * 1_000).checked_div(took)?;
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        let free = self.capacity.saturating_sub(used);
        let smoothed = match self.free {
            None => free,
            Some(before) => {
                let sum = 3 * u64::from(free) + u64::from(before);
                u32::try_from(sum / 4).unwrap_or(free)
            }
        };
        self.free = Some(smoothed);
        Some(Load {
            capacity: self.capacity,
            free: smoothed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at_ms: u64, worked_ms: u64) -> Reading {
        Reading {
            worked: Duration::from_millis(worked_ms),
            at: Duration::from_millis(at_ms),
        }
    }

    #[test]
    fn what_is_free_follows_the_last_interval_and_a_little_the_one_before() {
        let mut meter = Meter::new(2_000);
        let mut free = |at, worked| meter.take(reading(at, worked)).map(|load| load.free);
        assert_eq!(free(0, 700), None);
        // Half a processor of two.
        assert_eq!(free(1_000, 1_200), Some(1_500));
        // All of both, then nothing.
        assert_eq!(free(2_000, 3_200), Some(1_500 / 4));
        assert_eq!(free(3_000, 3_200), Some((3 * 2_000 + 375) / 4));
        // More than there is, and a counter that went back.
        assert_eq!(free(4_000, 9_200), Some(1_593 / 4));
        assert_eq!(free(5_000, 0), Some((3 * 2_000 + 398) / 4));
        // The clock stands.
        assert_eq!(free(5_000, 500), None);
    }

    #[test]
    fn a_sixteenth_of_the_capacity_matters() {
        let load = |capacity, free| Load { capacity, free };
        for (one, other, expected) in [
            (load(1_600, 800), load(1_600, 800), false),
            (load(1_600, 899), load(1_600, 800), false),
            (load(1_600, 900), load(1_600, 800), true),
            (load(1_600, 700), load(1_600, 800), true),
            (load(800, 800), load(1_600, 800), true),
            (load(1, 0), load(1, 1), true),
        ] {
            assert_eq!(one.differs_from(other), expected, "{one:?} {other:?}");
        }
    }
}
