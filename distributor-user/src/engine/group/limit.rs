//! Limits on how often something is done at somebody's request.
//!
//! Bounded memory: a source that there is no room for shares one allowance
//! with all the others of its kind.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Sources that have an allowance of their own.
const SOURCES_MAX: usize = 256;

/// An allowance: once per interval, and some more at once after a rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Time that one use costs.
    pub(super) interval: Duration,
    /// Uses possible at once after a rest.
    pub(super) burst: u32,
}

/// How much of an allowance is used: the generic cell rate algorithm (ITU-T I.371 annex A).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Use {
    /// When the allowance is whole again.
    whole_at: Duration,
}

impl Use {
    /// Uses the allowance once, if it is not used up.
    pub(super) fn take(&mut self, allowance: Allowance, now: Duration) -> bool {
        let from = self.whole_at.max(now);
        if from.saturating_sub(now) > allowance.interval * (allowance.burst - 1) {
            return false;
        }
        self.whole_at = from + allowance.interval;
        true
    }
}

/// An allowance for each source.
#[derive(Debug)]
pub(super) struct PerSource {
    allowance: Allowance,
    sources: BTreeMap<IpAddr, Use>,
    others: Use,
}

impl PerSource {
    /// Gives each source the same allowance.
    pub(super) fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            sources: BTreeMap::new(),
            others: Use::default(),
        }
    }

    /// Uses the allowance of `source` once, if it is not used up.
    pub(super) fn take(&mut self, source: IpAddr, now: Duration) -> bool {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            self.sources.retain(|_, used| used.whole_at > now);
            if self.sources.len() >= SOURCES_MAX {
                return self.others.take(self.allowance, now);
            }
        }
        self.sources
            .entry(source)
            .or_default()
            .take(self.allowance, now)
    }
}

#[cfg(test)]
mod tests;
