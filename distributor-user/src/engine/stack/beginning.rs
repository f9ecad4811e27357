//! What a stack does not know in its first seconds.
//!
//! It may own a DVIPA before it has heard of all targets: a front end that was
//! rebooted has an empty flow table, and clients go on sending. What it would
//! refuse then may be a living connection, or a new one that a target would take.

use std::net::IpAddr;
use std::time::Duration;

use super::{Effect, SETTLE, Stack};
use crate::engine::config::Destinations;

/// How long a member that has said who it is may still say what listens there.
const HEARD: Duration = Duration::from_secs(1);

impl Stack {
    /// Ends the beginning, when it is time.
    pub(super) fn grow_up(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if !self.is_beginning {
            return;
        }
        // What is known of the targets counts for more, the later it is.
        self.is_dirty = true;
        if now >= self.began + SETTLE {
            self.is_beginning = false;
            self.confirm_keeping(effects);
        }
    }

    /// Whether some target of a DVIPA has not been heard that may be about to be.
    pub(super) fn misses_targets(&self, dvipa: IpAddr, now: Duration) -> bool {
        if self.is_unsure() && !self.inherited.is_empty() {
            return true;
        }
        if !self.is_beginning {
            return false;
        }
        let mut services = self.distribution(dvipa).iter();
        services.any(|service| match &service.terms.destinations {
            destinations @ Destinations::List(_) => destinations
                .addresses()
                .any(|target| !self.has_reported(target, now)),
            Destinations::All => now < self.began + HEARD,
        })
    }

    /// Whether a target has said what listens there, or has nothing to say.
    fn has_reported(&self, target: IpAddr, now: Duration) -> bool {
        if self.has_address(target) {
            return true;
        }
        let is_late = now >= self.began + HEARD;
        let mut members = self.members.values();
        members.any(|member| {
            member.xcf.contain(target)
                && member.left_at.is_none()
                && (member.readiness.revision > 0 || (is_late && member.edition.is_some()))
        })
    }
}
