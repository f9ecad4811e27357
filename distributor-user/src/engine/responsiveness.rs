//! How well the servers of a port take what reaches them.
//!
//! Both figures say of what waited at the beginning of an interval how much had
//! been served by its end; what comes in between has its chance in the next
//! one. So a server is never blamed for what it has had no time to do.
//!
//! ```text
//! SEF  accept queue:  ──▶ [waiting] ──accept()──▶   every look (a quarter of a second)
//! CER  handshakes:    SYN ──▶ [open] ──ACK──▶       every second: clients may be far away
//! ```
//!
//! One or two say little: any server may be held up for a moment, and any client
//! may give up. Connections that wait count once none has been accepted for three
//! looks.
//!
//! What is shown is (3 × the last interval + what was shown before) / 4, as z/OS
//! smooths.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a client has to complete its handshake before that counts against the server.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// Connections that are too few to say anything by themselves.
const FEW: u64 = 2;

/// Looks in a row after which even a few that wait say something.
const HELD_UP: u8 = 3;

pub(super) const PERFECT: u8 = 100;

/// A target that is less responsive than this, in percent, gets nothing while another is more so.
pub const UNRESPONSIVE: u8 = 10;

/// How connections to one DVIPA × port fare at their target, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Responsiveness {
    /// Connection establishment rate: handshakes that clients complete.
    pub cer: u8,
    /// Server accept efficiency fraction: connections that the servers accept.
    pub sef: u8,
}

impl Default for Responsiveness {
    /// Nothing is wrong as far as is known.
    fn default() -> Self {
        Self {
            cer: PERFECT,
            sef: PERFECT,
        }
    }
}

impl Responsiveness {
    /// Whether next to no connection is taken.
    #[must_use]
    pub fn is_lacking(self) -> bool {
        u16::from(self.cer) * u16::from(self.sef) < u16::from(UNRESPONSIVE) * u16::from(PERFECT)
    }

    /// Whether the difference is worth acting on.
    #[must_use]
    pub fn differs_from(self, before: Self) -> bool {
        differs(self.cer, before.cer) || differs(self.sef, before.sef)
    }
}

/// What has happened to one DVIPA × port so far, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were asked for, ever.
    pub requests: u64,
    /// Handshakes that were completed, ever.
    pub established: u64,
    /// Connections that no server has accepted yet.
    pub waiting: u32,
}

/// Turns the counts of one DVIPA × port into percentages.
#[derive(Clone, Debug)]
pub struct Gauge {
    last: Counts,
    /// Counts when handshakes were last looked at, and when that was.
    handshakes: (Counts, Duration),
    /// Handshakes that were open then.
    open: u64,
    /// Looks in a row between which connections waited and none was accepted.
    held_up: u8,
    shown: Responsiveness,
}

impl Gauge {
    /// Begins with the first counts, at a time of any clock.
    #[must_use]
    pub fn new(counts: Counts, now: Duration) -> Self {
        Self {
            last: counts,
            handshakes: (counts, now),
            open: 0,
            held_up: 0,
            shown: Responsiveness::default(),
        }
    }

    /// Takes the counts of a later time.
    pub fn take(&mut self, counts: Counts, now: Duration) -> Responsiveness {
        if counts.established < self.last.established || counts.requests < self.last.requests {
            // Who counts has begun anew.
            *self = Self {
                shown: self.shown,
                ..Self::new(counts, now)
            };
            return self.shown;
        }
        let waited = u64::from(self.last.waiting);
        let came = counts.established - self.last.established;
        let accepted = (waited + came).saturating_sub(counts.waiting.into());
        self.held_up = if waited > 0 && accepted == 0 {
            self.held_up.saturating_add(1)
        } else {
            0
        };
        let says_little = waited <= FEW && self.held_up < HELD_UP;
        let acceptance = if says_little {
            PERFECT
        } else {
            share(accepted, waited)
        };
        self.shown.sef = smoothed(acceptance, self.shown.sef);
        self.last = counts;
        if now.saturating_sub(self.handshakes.1) >= HANDSHAKE {
            let (before, _) = std::mem::replace(&mut self.handshakes, (counts, now));
            let came = counts.requests - before.requests;
            let completed = counts.established - before.established;
            let cer = if self.open <= FEW {
                PERFECT
            } else {
                share(completed, self.open)
            };
            self.shown.cer = smoothed(cer, self.shown.cer);
            // What is still open of the earlier ones is given up.
            self.open = came.saturating_sub(completed.saturating_sub(self.open));
        }
        self.shown
    }

    /// Whether nothing is wrong, and nothing waits that could turn out to be.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.last.waiting == 0 && self.open == 0 && self.shown == Responsiveness::default()
    }
}

/// Whether two percentages are so different that it is worth telling.
pub(super) fn differs(now: u8, before: u8) -> bool {
    /// A smaller difference is not.
    const MATTERS: u8 = 10;
    let is_extreme = |percent| percent == PERFECT || percent < MATTERS;
    now.abs_diff(before) >= MATTERS || is_extreme(now) != is_extreme(before)
}

/// How much of `all` is done, in percent.
pub(super) fn share(done: u64, all: u64) -> u8 {
    let percent = (done.min(all) * u64::from(PERFECT)).checked_div(all);
    percent.map_or(PERFECT, |percent| u8::try_from(percent).unwrap_or(PERFECT))
}

pub(super) fn smoothed(now: u8, before: u8) -> u8 {
    let sum = 3 * u16::from(now) + u16::from(before);
    u8::try_from((sum + 2) / 4).unwrap_or(PERFECT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(250);

    /// Feeds counts at the pace of looks, and returns what was shown after each.
    fn shown(looks: &[(u64, u64, u32)]) -> Vec<Responsiveness> {
        let mut gauge = Gauge::new(Counts::default(), Duration::ZERO);
        let look = |(at, (requests, established, waiting)): (u32, &(u64, u64, u32))| {
            let counts = Counts {
                requests: *requests,
                established: *established,
                waiting: *waiting,
            };
            gauge.take(counts, LOOK * at)
        };
        (1..).zip(looks).map(look).collect()
    }

    #[test]
    fn a_server_that_stops_accepting_is_known_two_looks_after_its_queue_grows() {
        let looks = [
            (50, 50, 1),
            (100, 100, 0),
            // It stops: 30 wait, then 80.
            (150, 150, 30),
            (200, 200, 80),
            (250, 250, 130),
            (250, 250, 130),
            // It goes on.
            (250, 250, 0),
            (300, 300, 1),
            (350, 350, 0),
            (400, 400, 2),
        ];
        let sef: Vec<u8> = shown(&looks).iter().map(|shown| shown.sef).collect();
        assert_eq!(sef, [100, 100, 100, 25, 6, 2, 76, 94, 99, 100]);
    }

    #[test]
    fn a_queue_that_is_always_there_but_moves_is_no_fault() {
        let looks = [(90, 90, 40), (180, 180, 40), (270, 270, 41)];
        assert!(
            shown(&looks)
                .iter()
                .all(|shown| *shown == Responsiveness::default())
        );
    }

    #[test]
    fn a_queue_that_moves_too_slowly_counts_in_proportion() {
        // Of 100 that waited, 40 are accepted.
        let sef: Vec<u8> = shown(&[(100, 100, 100), (130, 130, 90)])
            .iter()
            .map(|shown| shown.sef)
            .collect();
        assert_eq!(sef, [100, (3 * 40 + 100 + 2) / 4]);
    }

    #[test]
    fn one_connection_that_waits_counts_after_three_looks() {
        let mut looks = vec![(1, 1, 1); 6];
        looks.push((1, 1, 0));
        let sef: Vec<u8> = shown(&looks).iter().map(|shown| shown.sef).collect();
        assert_eq!(sef, [100, 100, 100, 25, 6, 2, 76]);
    }

    #[test]
    fn handshakes_have_a_second_and_are_then_given_up() {
        let mut looks = vec![(0, 0, 0); 3];
        // At the first second ten are open; at the second, four of them are completed.
        looks.push((10, 0, 0));
        looks.extend([(10, 2, 0), (10, 4, 0), (10, 4, 0), (10, 4, 0)]);
        looks.extend([(10, 4, 0); 4]);
        let cer: Vec<u8> = shown(&looks).iter().map(|shown| shown.cer).collect();
        let second: u8 = (3 * 40 + 100 + 2) / 4;
        let third = smoothed(100, second);
        assert_eq!(cer[3], 100, "they have only come");
        assert_eq!(cer[7], second);
        assert_eq!(cer[11], third, "nothing was open any more");
    }

    #[test]
    fn counting_anew_says_nothing() {
        assert_eq!(
            shown(&[(90, 90, 5), (1, 1, 9), (2, 2, 0)]),
            [Responsiveness::default(); 3]
        );
    }

    #[test]
    fn z_os_smooths_so() {
        assert_eq!(smoothed(0, 100), 25);
        assert_eq!(smoothed(100, 25), 81);
    }

    #[test]
    fn what_matters_is_a_tenth_and_the_extremes() {
        let sef = |sef| Responsiveness { sef, cer: 100 };
        for (now, before, expected) in [
            (100, 100, false),
            (99, 100, true),
            (95, 99, false),
            (50, 59, false),
            (50, 60, true),
            (9, 12, true),
            (2, 6, false),
        ] {
            assert_eq!(
                sef(now).differs_from(sef(before)),
                expected,
                "{now} {before}"
            );
        }
    }
}
