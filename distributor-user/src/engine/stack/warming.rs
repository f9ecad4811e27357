//! Slow start: targets that have come back to a service, and how much of their share they get so far.
//!
//! ```text
//!  share │        ┌─ all of it
//!        │     ┌──┘
//!        │  ┌──┘              in sixteenths, the first at once
//!        │──┘
//!        └──┴──┴──┴──▶ time since it may receive new connections again
//! ```
//!
//! The distributing stack does it, by what it sees: why a target was away makes no
//! difference, be it that its stack, its server or its operator is back. A target
//! is spared only where others do its work meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::Stack;
use crate::engine::forwarding::ServiceKey;
use crate::engine::selection::{Row, Warmth};

/// Who reports within this time after a service has begun to be distributed here was there before.
const BEGINNING: Duration = Duration::from_secs(3);

/// The targets of all services that are distributed here; empty without slow start.
#[derive(Debug, Default)]
pub(super) struct Warming {
    /// Over which time a share grows; zero: not at all.
    over: Duration,
    services: BTreeMap<ServiceKey, Known>,
}

/// What was known of one service when its ring was last compiled.
#[derive(Debug)]
struct Known {
    /// Since when anybody could be sent new connections.
    began: Option<Duration>,
    eligible: BTreeSet<IpAddr>,
    /// Who has come back, and when.
    since: BTreeMap<IpAddr, Duration>,
}

impl Warming {
    pub(super) fn over(over: Duration) -> Self {
        Self {
            over,
            services: BTreeMap::new(),
        }
    }

    /// Says of each row of a service how warm it is, and takes note of those that come and go.
    pub(super) fn warm(&mut self, key: ServiceKey, rows: &mut [Row], now: Duration) {
        if self.over.is_zero() {
            return;
        }
        let eligible = rows.iter().filter(|row| row.is_eligible);
        let eligible: BTreeSet<IpAddr> = eligible.map(|row| row.target).collect();
        let known = self.services.entry(key).or_insert(Known {
            began: None,
            eligible: BTreeSet::new(),
            since: BTreeMap::new(),
        });
        if known.began.is_none() && !eligible.is_empty() {
            known.began = Some(now);
        }
        let is_beginning = known.began.is_none_or(|began| now < began + BEGINNING);
        // Where nobody else is, all goes to who comes.
        if !is_beginning && known.eligible.intersection(&eligible).next().is_some() {
            let back = eligible.difference(&known.eligible);
            known.since.extend(back.map(|target| (*target, now)));
        }
        let over = self.over;
        known.since.retain(|target, since| {
            eligible.contains(target) && steps(now.saturating_sub(*since), over) < Warmth::STEPS
        });
        if known.since.len() == eligible.len() {
            // Nobody is left to spare them.
            known.since.clear();
        }
        known.eligible = eligible;
        for row in rows {
            row.warmth = known.warmth(row.target, now, over);
        }
    }

    /// Forgets a service whose method knows no slow start.
    pub(super) fn forget(&mut self, key: &ServiceKey) {
        self.services.remove(key);
    }

    /// Forgets the services that are not distributed here any more.
    pub(super) fn retain(&mut self, is_distributed: impl Fn(&ServiceKey) -> bool) {
        self.services.retain(|key, _| is_distributed(key));
    }

    /// When the next share grows.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let since = self
            .services
            .values()
            .flat_map(|known| known.since.values());
        since.map(|since| self.grows_at(*since, now)).min()
    }

    fn grows_at(&self, since: Duration, now: Duration) -> Duration {
        let next = steps(now.saturating_sub(since), self.over) + 1;
        since + step(self.over) * next
    }
}

impl Known {
    fn warmth(&self, target: IpAddr, now: Duration, over: Duration) -> Warmth {
        let since = self.since.get(&target);
        since.map_or(Warmth::FULL, |since| {
            Warmth::of(steps(now.saturating_sub(*since), over))
        })
    }
}

/// How long a share stays as it is.
fn step(over: Duration) -> Duration {
    (over / Warmth::STEPS).max(Duration::from_nanos(1))
}

/// How many whole steps lie behind.
fn steps(age: Duration, over: Duration) -> u32 {
    let steps = age.as_nanos() / step(over).as_nanos();
    u32::try_from(steps).unwrap_or(u32::MAX)
}

impl Stack {
    /// Follows the shares that have grown.
    pub(super) fn warm_up(&mut self, now: Duration) {
        if self.warmed_at.is_some_and(|at| now >= at) {
            self.is_dirty = true;
        }
    }

    /// Lists the targets that do not get all of their share yet, as of when the rings were last compiled.
    pub fn warming(&self) -> impl Iterator<Item = ((ServiceKey, IpAddr), Warmth)> {
        let services = self.warming.services.iter();
        services.flat_map(|(key, known)| {
            let targets = known.since.keys();
            targets.map(|target| {
                let warmth = known.warmth(*target, self.compiled_at, self.warming.over);
                ((*key, *target), warmth)
            })
        })
    }
}

#[cfg(test)]
mod tests;
