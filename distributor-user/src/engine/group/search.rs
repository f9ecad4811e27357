//! Where members are looked for, and how often.
//!
//! The search never ends and never speeds up: an address without a member is
//! asked ten times in the first second, for members that start together listen no
//! longer before they claim, and a switch may let nothing through at first; then
//! less and less often, in the end once a second; by multicast, where everybody is
//! disturbed, every five.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How soon an address is asked again at first; later the wait doubles.
const WAIT_FIRST: Duration = Duration::from_millis(100);
/// After how many questions it does.
const EAGER: u32 = 9;
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// The longest wait of a search by multicast.
const MULTICAST_WAIT_MAX: Duration = Duration::from_secs(5);
/// Addresses that are searched for a while only, at most.
const PASSING_MAX: usize = 256;

/// The addresses where members are looked for.
#[derive(Debug, Default)]
pub(super) struct Search {
    targets: BTreeMap<SocketAddr, Target>,
}

#[derive(Clone, Copy, Debug)]
struct Target {
    next: Duration,
    wait: Duration,
    /// How often it was asked, as far as that matters.
    asked: u32,
    /// When the search ends; absent for a seed.
    until: Option<Duration>,
}

impl Search {
    /// Searches `seeds` without end.
    pub(super) fn new(seeds: impl IntoIterator<Item = SocketAddr>) -> Self {
        let target = Target {
            next: Duration::ZERO,
            wait: WAIT_FIRST,
            asked: 0,
            until: None,
        };
        Self {
            targets: seeds.into_iter().map(|seed| (seed, target)).collect(),
        }
    }

    /// Searches `seeds` without end instead of those before; what was searched already goes on.
    pub(super) fn replace(&mut self, seeds: impl IntoIterator<Item = SocketAddr>, now: Duration) {
        self.targets.retain(|_, target| target.until.is_some());
        for seed in seeds {
            let target = self.targets.entry(seed).or_insert(Target {
                next: now,
                wait: WAIT_FIRST,
                asked: 0,
                until: None,
            });
            target.until = None;
        }
    }

    /// Asks `address` at once, and again until `until`; if it is asked already, it stays so.
    pub(super) fn ask_until(&mut self, address: SocketAddr, until: Duration, now: Duration) {
        match self.targets.get_mut(&address) {
            Some(target) => target.until = target.until.map(|before| before.max(until)),
            None => self.insert(address, until, now),
        }
    }

    /// Asks `address` at once and from the shortest wait on, until `until` at least.
    pub(super) fn ask_anew(&mut self, address: SocketAddr, until: Duration, now: Duration) {
        self.ask_until(address, until, now);
        if let Some(target) = self.targets.get_mut(&address) {
            target.next = now;
            target.wait = WAIT_FIRST;
            target.asked = 0;
        }
    }

    fn insert(&mut self, address: SocketAddr, until: Duration, now: Duration) {
        if self
            .targets
            .values()
            .filter(|target| target.until.is_some())
            .count()
            < PASSING_MAX
        {
            let target = Target {
                next: now,
                wait: WAIT_FIRST,
                asked: 0,
                until: Some(until),
            };
            self.targets.insert(address, target);
        }
    }

    /// The addresses to ask now; not those where `is_found` says that a member is.
    pub(super) fn due(
        &mut self,
        now: Duration,
        is_found: impl Fn(&SocketAddr) -> bool,
    ) -> Vec<SocketAddr> {
        self.targets
            .retain(|_, target| target.until.is_none_or(|until| now < until));
        let mut due = Vec::new();
        for (address, target) in &mut self.targets {
            if now < target.next {
                continue;
            }
            if is_found(address) {
                target.next = now + WAIT_MAX;
                target.wait = WAIT_FIRST;
                target.asked = 0;
            } else {
                due.push(*address);
                target.next = now + target.wait;
                if target.asked < EAGER {
                    target.asked += 1;
                    continue;
                }
                let is_multicast = address.ip().is_multicast();
                let longest = if is_multicast {
                    MULTICAST_WAIT_MAX
                } else {
                    WAIT_MAX
                };
                target.wait = (target.wait * 2).min(longest);
            }
        }
        due
    }

    /// When [`due`](Self::due) will have something.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.targets.values().map(|target| target.next).min()
    }
}

#[cfg(test)]
mod tests;
