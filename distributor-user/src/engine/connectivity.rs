//! Target connectivity success rate: how many of the SYNs that are sent to a target arrive there.
//!
//! The owner counts what it sends, the target what it takes, both in the packet
//! path, before anything else could refuse a SYN, and repeated ones as well. The
//! owner notes its own count, then asks for the target's:
//!
//! ```text
//! owner:   sent 100 ──ask──▶             ──answer──▶  lost ≥ 100 − 97
//! target:            taken 97
//! ```
//!
//! What is sent while the question is on its way can only make less seem lost, and
//! what is lost stays lost: so the loss is the most that any answer has shown, and
//! nobody is blamed for what was still on the wire. Of what was counted before the
//! first answer nothing is known.
//!
//! What is shown is (3 × the last interval + what was shown before) / 4, as z/OS
//! smooths. A target that gets no SYNs any more is tried again, and each time that it
//! is tried in vain later: see [`TRY_AGAIN`].

use std::time::Duration;

use super::responsiveness::{PERFECT, UNRESPONSIVE, differs, share, smoothed};

/// SYNs that are too few to say anything; they are added to the next ones.
const FEW: u64 = 3;

/// After so long without SYNs enough to tell, a target that seemed out of reach gets a few; after as long
/// again it counts as one of which nothing is known. Doubled each time that none of these few arrives, up to
/// [`TRY_SELDOM`]: with HOTSTANDBY a target that is tried is given all of them.
pub const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The longest time between two attempts.
pub const TRY_SELDOM: Duration = Duration::from_secs(160);

/// What both sides have counted, as of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// SYNs that the owner had sent when it asked.
    pub sent: u64,
    /// SYNs that the target had taken when it answered.
    pub taken: u64,
}

/// Turns the counts of the way to one target into a percentage.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// The first answer: what went before is not known.
    base: Counts,
    last: Counts,
    /// What was lost since, at least.
    lost: u64,
    /// What had been sent and lost when it was last told from these.
    judged: (u64, u64),
    judged_at: Duration,
    /// When it is tried again, after that.
    pause: Duration,
    /// Whether it is being tried.
    is_tried: bool,
    shown: Option<u8>,
}

impl Gauge {
    /// Begins with the first answer, at a time of any clock.
    #[must_use]
    pub fn new(counts: Counts, now: Duration) -> Self {
        Self {
            base: counts,
            last: counts,
            lost: 0,
            judged: (counts.sent, 0),
            judged_at: now,
            pause: TRY_AGAIN,
            is_tried: false,
            shown: None,
        }
    }

    /// What is known so far, in percent.
    #[must_use]
    pub fn shown(&self) -> Option<u8> {
        self.shown
    }

    /// Takes a later answer.
    pub fn take(&mut self, counts: Counts, now: Duration) -> Option<u8> {
        if counts.sent < self.last.sent || counts.taken < self.last.taken {
            // Who counts has begun anew.
            *self = Self {
                shown: self.shown,
                ..Self::new(counts, now)
            };
            return self.shown;
        }
        self.last = counts;
        if counts.taken == 0 {
            // Its packets come by a way on which nothing counts, or none has ever come.
            return self.shown;
        }
        let [sent, taken] = [counts.sent - self.base.sent, counts.taken - self.base.taken];
        self.lost = self.lost.max(sent.saturating_sub(taken));
        let (sent_before, lost_before) = self.judged;
        let sent = counts.sent - sent_before;
        if sent > FEW {
            let arrived = sent.saturating_sub(self.lost - lost_before);
            let before = self.shown.unwrap_or(PERFECT);
            let shown = smoothed(share(arrived, sent), before);
            if shown > UNRESPONSIVE {
                self.pause = TRY_AGAIN;
            } else if self.is_tried {
                self.pause = TRY_SELDOM.min(self.pause * 2);
            }
            self.is_tried = false;
            self.shown = Some(shown);
            self.judged = (counts.sent, self.lost);
            self.judged_at = now;
        }
        self.shown
    }

    /// Lets time pass: one of which nothing is heard is tried again.
    pub fn rest(&mut self, now: Duration) -> Option<u8> {
        let quiet = now.saturating_sub(self.judged_at);
        if let Some(shown) = self.shown.filter(|shown| *shown < PERFECT)
            && quiet >= self.pause
        {
            self.judged_at = now;
            self.is_tried = true;
            self.shown = (shown < UNRESPONSIVE).then_some(UNRESPONSIVE);
        }
        self.shown
    }
}

/// Whether a change of what is shown is worth acting on.
#[must_use]
pub fn matters(now: Option<u8>, before: Option<u8>) -> bool {
    let [of_now, of_before] = [now, before].map(|shown| shown.unwrap_or(PERFECT));
    differs(of_now, of_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What is shown after each answer, a second apart; the first answer is that nothing happened yet
    /// but ten SYNs of which nothing is known.
    fn shown(answers: &[(u64, u64)]) -> Vec<Option<u8>> {
        let base = Counts { sent: 10, taken: 4 };
        let mut gauge = Gauge::new(base, Duration::ZERO);
        let take = |(at, (sent, taken)): (u32, &(u64, u64))| {
            let counts = Counts {
                sent: 10 + sent,
                taken: 4 + taken,
            };
            gauge.take(counts, SECOND * at)
        };
        (1..).zip(answers).map(take).collect()
    }

    #[test]
    fn what_arrives_is_told_from_both_counts() {
        for (answers, expected) in [
            // All, and some that were sent while the question was on its way.
            (
                &[(100, 100), (200, 205), (300, 300)][..],
                &[Some(100), Some(100), Some(100)][..],
            ),
            // Half, though new ones make up for it at every answer.
            (
                &[(100, 55), (200, 105), (300, 155)],
                &[Some(66), Some(54), Some(51)],
            ),
            // Nothing any more, then all again.
            (
                &[(100, 100), (150, 100), (200, 100), (300, 200)],
                &[Some(100), Some(25), Some(6), Some(77)],
            ),
            // One or two at a time say nothing by themselves, and are not forgotten.
            (
                &[(1, 0), (2, 0), (3, 0), (4, 0)],
                &[None, None, None, Some(25)],
            ),
            // The target has begun to count anew, then the owner.
            (
                &[(100, 100), (110, 0), (200, 90)],
                &[Some(100), Some(100), Some(100)],
            ),
            (
                &[(100, 100), (3, 120), (103, 220)],
                &[Some(100), Some(100), Some(100)],
            ),
        ] {
            assert_eq!(shown(answers), expected, "{answers:?}");
        }
    }

    #[test]
    fn a_target_that_has_never_counted_is_not_blamed() {
        let mut gauge = Gauge::new(Counts { sent: 7, taken: 0 }, Duration::ZERO);
        for second in 1..9 {
            let counts = Counts {
                sent: 7 + 100 * u64::from(second),
                taken: 0,
            };
            assert_eq!(gauge.take(counts, SECOND * second), None);
        }
    }

    #[test]
    fn one_that_gets_nothing_is_tried_again_after_a_while() {
        let mut gauge = Gauge::new(Counts { sent: 0, taken: 1 }, Duration::ZERO);
        for (at, sent) in [(1, 50), (2, 90)] {
            gauge.take(Counts { sent, taken: 1 }, SECOND * at);
        }
        assert_eq!(gauge.shown(), Some(6));
        let mut seen = Vec::new();
        for at in 3..20 {
            seen.push(gauge.rest(SECOND * at));
        }
        let expected = [(4, Some(6)), (5, Some(UNRESPONSIVE)), (8, None)];
        let expected: Vec<_> = expected
            .into_iter()
            .flat_map(|(times, shown)| std::iter::repeat_n(shown, times))
            .collect();
        assert_eq!(seen, expected);
        // What it is given then arrives, or does not.
        assert_eq!(
            gauge.take(
                Counts {
                    sent: 100,
                    taken: 11
                },
                SECOND * 20
            ),
            Some(100)
        );
    }

    #[test]
    fn whoever_is_tried_in_vain_is_tried_less_and_less() {
        let mut gauge = Gauge::new(Counts { sent: 0, taken: 1 }, Duration::ZERO);
        let mut sent = 0;
        let mut lose = |gauge: &mut Gauge, at| {
            sent += 10;
            gauge.take(Counts { sent, taken: 1 }, SECOND * at);
        };
        lose(&mut gauge, 1);
        lose(&mut gauge, 2);
        let mut tried = Vec::new();
        for at in 3..900 {
            if gauge.rest(SECOND * at) == Some(UNRESPONSIVE) {
                tried.push(at);
                lose(&mut gauge, at);
            }
        }
        assert_eq!(tried, [7, 17, 37, 77, 157, 317, 477, 637, 797]);
    }
}
