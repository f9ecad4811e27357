//! TIMEDAFFINITY on the side of a target: of which services clients keep their listeners here.
//!
//! The owner decides which target a client keeps. Which of several listeners it is
//! there, the target decides alone, by the same terms.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Effect, Stack};
use crate::engine::forwarding::ServiceKey;

impl Stack {
    /// Lists the services on these DVIPAs of which clients keep their listeners on this stack, and for
    /// how many seconds.
    pub(super) fn keeping<'a>(
        &self,
        dvipas: impl Iterator<Item = &'a IpAddr>,
    ) -> BTreeMap<ServiceKey, u16> {
        let services = dvipas.flat_map(|dvipa| self.distribution(*dvipa));
        let affine = services.filter_map(|service| {
            let seconds = service.terms.options.timed_affinity_s;
            let own = self.as_target(service.dvipa);
            let is_target = |own| service.terms.destinations.include(own);
            let is_here = seconds > 0 && own.is_some_and(is_target);
            is_here.then(|| (ServiceKey::of(service), seconds))
        });
        affine.collect()
    }

    /// Says which services these are, when the members have been heard: an earlier daemon may have left
    /// others.
    pub(super) fn confirm_keeping(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::KeepListeners(self.applied.keeping.clone()));
    }
}
