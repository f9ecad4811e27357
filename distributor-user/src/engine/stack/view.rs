//! What a stack shows of itself, for its reports.
//!
//! Nothing here changes anything.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Desired, Member, Phase, Stack};
use crate::engine::config::Config;
use crate::engine::definitions::Readiness;
use crate::engine::xcf::XcfAddresses;

impl Stack {
    /// Returns the stack's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says whether the daemon may give a sign of life: not while it does not know yet whether
    /// somebody else owns what its silent predecessor owned, or what it owned before it was cut off.
    #[must_use]
    pub fn may_live(&self) -> bool {
        let is_settling = matches!(self.phase, Phase::Settling { .. });
        let knows =
            !is_settling || !self.ownership.is_listening() || !self.owning.owned().is_empty();
        knows && !self.is_cut_off()
    }

    /// Whether this stack still hears what the others say before it claims anything.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.ownership.is_listening()
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
        if self.has_address(dynamic_xcf) {
            return Some(&self.name);
        }
        self.members
            .iter()
            .find(|(_, member)| member.xcf.contain(dynamic_xcf) && member.left_at.is_none())
            .map(|(name, _)| name.as_str())
    }

    /// Returns this stack's DYNAMICXCF addresses.
    #[must_use]
    pub fn xcf(&self) -> Option<XcfAddresses> {
        self.config.xcf()
    }

    /// Says whether this is a DYNAMICXCF address of this stack.
    #[must_use]
    pub fn has_address(&self, dynamic_xcf: IpAddr) -> bool {
        self.xcf().is_some_and(|own| own.contain(dynamic_xcf))
    }

    /// Returns the address by which this stack is a target of a DVIPA.
    #[must_use]
    pub fn as_target(&self, dvipa: IpAddr) -> Option<IpAddr> {
        self.xcf()?.as_target(dvipa)
    }
}
