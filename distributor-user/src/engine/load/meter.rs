//! From what clocks and counters show to a [`Load`].

use std::time::Duration;

use super::{Load, Stall, StallCause, WHOLE};

/// Turns the time that processors have worked, and that work has waited, into a [`Load`].
#[derive(Clone, Debug)]
pub struct Meter {
    capacity: u32,
    last: Option<Reading>,
    free: Option<u32>,
}

/// What had happened at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How long processors had worked, all together.
    pub worked: Duration,
    /// How long work had waited.
    pub stalls: Stalls,
    /// The clock, from any beginning.
    pub at: Duration,
}

/// How long work had waited, for each thing that the kernel tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// For a processor.
    pub processor: Option<Duration>,
    /// For memory.
    pub memory: Option<Duration>,
    /// For the next period of a limit.
    pub limit: Option<Duration>,
}

impl Stalls {
    /// The longest wait since `before`, as a share of the time that has passed.
    fn longest_since(self, before: Self, took: Duration) -> Option<Stall> {
        let stall = |cause, now: Option<Duration>, before: Option<Duration>| {
            let stalled = now?.saturating_sub(before?).as_micros();
            let share = (stalled * u128::from(WHOLE)).checked_div(took.as_micros())?;
            let permille = u16::try_from(share.min(u128::from(WHOLE))).ok()?;
            Some(Stall { cause, permille })
        };
        let stalls = [
            stall(StallCause::Limit, self.limit, before.limit),
            stall(StallCause::Memory, self.memory, before.memory),
            stall(StallCause::Processor, self.processor, before.processor),
        ];
        let stalls = stalls.into_iter().flatten();
        stalls.max_by_key(|stall| stall.permille)
    }
}

impl Meter {
    /// Begins to measure something of this capacity, in thousandths of a processor.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        Self {
            capacity,
            last: None,
            free: None,
        }
    }

    /// Takes note of another capacity.
    pub fn set_capacity(&mut self, capacity: u32) {
        self.capacity = capacity;
    }

    /// Takes a reading of a stack, or of a server whose stack has `within` left; the first one says
    /// nothing yet.
    pub fn take(&mut self, reading: Reading, within: Option<u32>) -> Option<Load> {
        let last = self.last.replace(reading)?;
        let took = reading.at.saturating_sub(last.at);
        let worked = reading.worked.saturating_sub(last.worked).as_micros();
        let used = (worked * u128::from(WHOLE)).checked_div(took.as_micros())?;
        let mut load = Load {
            capacity: self.capacity,
            used: u32::try_from(used).unwrap_or(u32::MAX),
            stall: reading.stalls.longest_since(last.stalls, took),
            within,
            before: self.free,
            free: 0,
        };
        load.free = load.smoothed();
        self.free = Some(load.free);
        Some(load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at_ms: u64, worked_ms: u64) -> Reading {
        Reading {
            worked: Duration::from_millis(worked_ms),
            stalls: Stalls::default(),
            at: Duration::from_millis(at_ms),
        }
    }

    #[test]
    fn what_is_free_follows_the_last_interval_and_a_little_the_one_before() {
        let mut meter = Meter::new(2_000);
        let mut free = |at, worked| {
            let load = meter.take(reading(at, worked), None)?;
            assert_eq!(load.free, load.smoothed(), "it can be derived again");
            Some(load.free)
        };
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
    fn the_longest_wait_counts_and_what_is_not_told_does_not() {
        let ms = |ms: Option<u64>| ms.map(Duration::from_millis);
        let stalls = |processor, memory, limit| Stalls {
            processor: ms(processor),
            memory: ms(memory),
            limit: ms(limit),
        };
        for (before, after, expected) in [
            (stalls(None, None, None), stalls(None, None, None), None),
            // The kernel begins to tell.
            (stalls(None, None, None), stalls(Some(9), None, None), None),
            (
                stalls(Some(100), Some(0), None),
                stalls(Some(350), Some(100), None),
                Some((StallCause::Processor, 250)),
            ),
            (
                stalls(Some(0), Some(0), Some(0)),
                stalls(Some(400), Some(10), Some(900)),
                Some((StallCause::Limit, 900)),
            ),
            // No more than always, and a counter that went back.
            (
                stalls(Some(0), Some(50), None),
                stalls(Some(3_000), Some(0), None),
                Some((StallCause::Processor, 1_000)),
            ),
        ] {
            let longest = after.longest_since(before, Duration::from_secs(1));
            let expected = expected.map(|(cause, permille)| Stall { cause, permille });
            assert_eq!(longest, expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_burst_of_waiting_takes_capacity_away_and_gives_it_back() {
        let mut meter = Meter::new(1_000);
        let mut waited = 0;
        let mut free = |at_s: u64, more: u64| {
            waited += more;
            let stalls = Stalls {
                processor: Some(Duration::from_millis(waited)),
                ..Stalls::default()
            };
            let reading = Reading {
                stalls,
                ..reading(1_000 * at_s, 100 * at_s)
            };
            meter.take(reading, None).map(|load| load.free)
        };
        let shown = [
            free(0, 0),
            free(1, 0),
            free(2, 900),
            free(3, 900),
            free(4, 0),
        ];
        let expected = [
            None,
            Some(900),
            Some((3 * 90 + 900) / 4),
            Some((3 * 90 + 292) / 4),
            Some((3 * 900 + 140) / 4),
        ];
        assert_eq!(shown, expected);
    }
}
