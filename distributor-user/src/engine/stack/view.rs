//! What a stack shows of itself, for its reports.
//!
//! Nothing here changes anything.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Desired, Member, Phase, Stack};
use crate::engine::config::{Config, DistMethod};
use crate::engine::definitions::Readiness;
use crate::engine::forwarding::ServiceKey;

impl Stack {
    /// Returns the stack's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says whether the daemon may give a sign of life: not while it does not know yet whether
    /// somebody else owns what its silent predecessor owned.
    #[must_use]
    pub fn may_live(&self) -> bool {
        let is_settling = matches!(self.phase, Phase::Settling { .. });
        !is_settling || !self.ownership.is_listening() || !self.owning.owned().is_empty()
    }

    /// Returns the stack's configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the other members, departed ones included, by name.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    /// Returns what was last asked of the kernel.
    #[must_use]
    pub fn applied(&self) -> &Desired {
        &self.applied
    }

    /// Returns this stack's own listeners on DVIPAs.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Returns the name of the present stack with this DYNAMICXCF address.
    #[must_use]
    pub fn name_of(&self, dynamic_xcf: IpAddr) -> Option<&str> {
        if Some(dynamic_xcf) == self.dynamic_xcf() {
            return Some(&self.name);
        }
        self.members
            .iter()
            .find(|(_, member)| member.dynamic_xcf == dynamic_xcf && member.left_at.is_none())
            .map(|(name, _)| name.as_str())
    }

    /// Returns the name and the listeners of a present target of a service.
    #[must_use]
    pub fn target(&self, dynamic_xcf: IpAddr, key: ServiceKey) -> Option<(&str, u16)> {
        let name = self.name_of(dynamic_xcf)?;
        let readiness = self
            .members
            .get(name)
            .map_or(&self.readiness, |member| &member.readiness);
        Some((name, readiness.listeners(key.dvipa, key.port)))
    }

    /// Returns the distribution method of one of this stack's services.
    #[must_use]
    pub fn method(&self, key: ServiceKey) -> DistMethod {
        self.own_distribution(key.dvipa)
            .iter()
            .find(|service| service.port == key.port)
            .map_or(DistMethod::RoundRobin, |service| service.terms.method)
    }

    /// Returns this stack's DYNAMICXCF address.
    #[must_use]
    pub fn dynamic_xcf(&self) -> Option<IpAddr> {
        self.config.dynamic_xcf.map(|xcf| xcf.address)
    }
}
