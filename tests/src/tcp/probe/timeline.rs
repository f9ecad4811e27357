//! What became of each probe, in the order in which they were sent.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;
use std::time::{Duration, Instant};

use super::INTERVAL;

/// So many gaps are told of one by one.
const TOLD: usize = 8;

/// One probe.
#[derive(Debug)]
pub struct Probe {
    /// When it was sent.
    pub at: Instant,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a probe.
#[derive(Debug)]
pub enum Outcome {
    /// It was answered within a second.
    Answered {
        /// By whom; empty for an echo.
        server: String,
        /// Time to the answer.
        after: Duration,
    },
    /// The kernel says that it was refused, reset, or could not be delivered.
    Failed(io::Error),
    /// Nothing came within a second.
    Silent,
}

impl Outcome {
    fn is_answered(&self) -> bool {
        matches!(self, Self::Answered { .. })
    }
}

/// All probes of a [`Probing`](super::Probing).
#[derive(Debug)]
pub struct Timeline(Vec<Probe>);

/// Consecutive probes without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When the first of them was sent.
    pub start: Instant,
    /// How many there were.
    pub probes: u32,
}

impl Gap {
    /// How long it was: so many probes, times the interval.
    #[must_use]
    pub fn duration(&self) -> Duration {
        INTERVAL * self.probes
    }
}

impl Timeline {
    pub(super) fn new(mut probes: Vec<Probe>) -> Self {
        probes.sort_by_key(|probe| probe.at);
        Self(probes)
    }

    /// The probes that were sent from one moment to another.
    pub fn between(&self, from: Instant, to: Instant) -> impl Iterator<Item = &Probe> {
        let probes = self.0.iter();
        probes.filter(move |probe| (from..to).contains(&probe.at))
    }

    /// Every run of unanswered probes that were sent from one moment to another.
    #[must_use]
    pub fn gaps(&self, from: Instant, to: Instant) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut gap: Option<Gap> = None;
        for probe in self.between(from, to) {
            if probe.outcome.is_answered() {
                gaps.extend(gap.take());
            } else {
                let start = probe.at;
                gap.get_or_insert(Gap { start, probes: 0 }).probes += 1;
            }
        }
        gaps.extend(gap);
        gaps
    }

    /// The length of the longest of these; zero if every probe was answered.
    #[must_use]
    pub fn longest_gap(&self, from: Instant, to: Instant) -> Duration {
        let gaps = self.gaps(from, to);
        let longest = gaps.iter().map(Gap::duration).max();
        longest.unwrap_or_default()
    }

    /// When the last unanswered probe after `event` was sent, as time since then.
    #[must_use]
    pub fn last_failure_after(&self, event: Instant) -> Option<Duration> {
        let mut from_end = self.0.iter().rev();
        let last = from_end.find(|probe| !probe.outcome.is_answered())?;
        last.at.checked_duration_since(event)
    }

    /// Who answered the probes that were sent from one moment to another, and how many.
    #[must_use]
    pub fn answered_by(&self, from: Instant, to: Instant) -> BTreeMap<&str, u32> {
        let mut by_server = BTreeMap::new();
        for probe in self.between(from, to) {
            if let Outcome::Answered { server, .. } = &probe.outcome {
                *by_server.entry(server.as_str()).or_default() += 1;
            }
        }
        by_server
    }

    /// Tells what happened around `event`, for people: every gap, when it began, and why.
    #[must_use]
    pub fn story(&self, event: Instant) -> String {
        let mut story = format!("{self}");
        let Some(last) = self.0.last() else {
            return story;
        };
        let end = last.at + INTERVAL;
        let gaps = self.gaps(self.0[0].at, end);
        for gap in gaps.iter().take(TOLD) {
            let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
            for probe in self.between(gap.start, end).take(gap.probes as usize) {
                let reason = match &probe.outcome {
                    Outcome::Failed(error) => error.to_string(),
                    Outcome::Silent | Outcome::Answered { .. } => "no answer".to_owned(),
                };
                *reasons.entry(reason).or_default() += 1;
            }
            // Writing to a string does not fail.
            let _ = write!(
                story,
                "; {} ms without answer from {:+} ms on ({reasons:?})",
                gap.duration().as_millis(),
                signed_ms(event, gap.start),
            );
        }
        if let (Some(last), true) = (gaps.last(), gaps.len() > TOLD) {
            let _ = write!(
                story,
                "; and {} more, the last one from {:+} ms on",
                gaps.len() - TOLD,
                signed_ms(event, last.start)
            );
        }
        story
    }
}

/// Milliseconds from one moment to another, which may be the earlier one.
fn signed_ms(from: Instant, to: Instant) -> f64 {
    let ms = |duration: Duration| (duration.as_secs_f64() * 1e3).round();
    match to.checked_duration_since(from) {
        Some(later) => ms(later),
        None => -ms(from.duration_since(to)),
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut took: Vec<_> = self
            .0
            .iter()
            .filter_map(|probe| match probe.outcome {
                Outcome::Answered { after, .. } => Some(after),
                Outcome::Failed(_) | Outcome::Silent => None,
            })
            .collect();
        took.sort_unstable();
        let rank = |percent: usize| took.get(took.len().saturating_sub(1) * percent / 100);
        write!(
            formatter,
            "{} probes, {} answered, after {:?} (median), {:?} (99 %), {:?} at most",
            self.0.len(),
            took.len(),
            rank(50).copied().unwrap_or_default(),
            rank(99).copied().unwrap_or_default(),
            rank(100).copied().unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::{Duration, Instant};

    use super::{INTERVAL, Outcome, Probe, Timeline};

    /// A time line from letters: answered, failed, silent.
    fn timeline(letters: &str, start: Instant) -> Timeline {
        let probes = (0..).zip(letters.chars()).map(|(number, letter)| Probe {
            at: start + INTERVAL * number,
            outcome: match letter {
                'a' => Outcome::Answered {
                    server: "TCPIP2".to_owned(),
                    after: Duration::from_micros(300),
                },
                'f' => Outcome::Failed(io::ErrorKind::ConnectionRefused.into()),
                _ => Outcome::Silent,
            },
        });
        // Answers come in any order.
        let mut probes: Vec<_> = probes.collect();
        probes.reverse();
        Timeline::new(probes)
    }

    #[test]
    fn a_gap_is_the_longest_run_of_unanswered_probes() {
        let start = Instant::now();
        let end = start + Duration::from_secs(1);
        for (letters, gaps_ms, last_ms) in [
            ("", vec![], None),
            ("aaaa", vec![], None),
            ("sasafa", vec![2, 2, 2], Some(8)),
            ("assfaasa", vec![6, 2], Some(12)),
            ("aasss", vec![6], Some(8)),
            ("fff", vec![6], Some(4)),
        ] {
            let timeline = timeline(letters, start);
            let gaps: Vec<_> = timeline
                .gaps(start, end)
                .iter()
                .map(|gap| gap.duration().as_millis())
                .collect();
            assert_eq!(gaps, gaps_ms, "{letters}");
            let longest = gaps_ms.iter().max().copied().unwrap_or_default();
            assert_eq!(timeline.longest_gap(start, end).as_millis(), longest);
            let last = timeline.last_failure_after(start);
            assert_eq!(last.map(|last| last.as_millis()), last_ms, "{letters}");
        }
    }

    #[test]
    fn only_the_probes_of_a_time_are_looked_at() {
        let start = Instant::now();
        let timeline = timeline("ssaass", start);
        let (from, to) = (start + INTERVAL, start + 5 * INTERVAL);
        let gaps = timeline.gaps(from, to);
        assert_eq!(gaps.len(), 2);
        assert!(gaps.iter().all(|gap| gap.probes == 1), "{gaps:?}");
        assert_eq!(timeline.answered_by(from, to), [("TCPIP2", 2)].into());
        let story = timeline.story(start + 4 * INTERVAL);
        assert!(story.contains("6 probes, 2 answered"), "{story}");
        assert!(
            story.contains("4 ms without answer from -8 ms on"),
            "{story}"
        );
        assert!(
            story.contains("4 ms without answer from +0 ms on"),
            "{story}"
        );
    }
}
