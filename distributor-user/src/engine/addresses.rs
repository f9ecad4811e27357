//! The addresses that a stack should have, and what must change to get there.
//!
//! Nothing in here touches an address that the distributor did not add, and
//! no list of changes takes an address away from a stack before it has it in
//! its new place.

use std::collections::BTreeSet;
use std::net::IpAddr;

#[cfg(test)]
mod tests;

/// Marks the addresses that a distributor added (`IFA_PROTO`, shown as `proto 83` by
/// `ip address`), for routing daemons to filter on and for a restart to recognise.
pub const ADDRESS_PROTOCOL: u8 = 83;

/// Where one address should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement {
    /// The address.
    pub address: IpAddr,
    /// The interface that should have it.
    pub ifindex: u32,
    /// Why it should be there.
    pub role: Role,
}

/// What an address is to this stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The stack's identity in the group. An address that is already
    /// configured, on whatever interface, is left where it is.
    DynamicXcf {
        /// Length of its network's prefix in bits.
        prefix_len: u8,
    },
    /// A DVIPA that this stack owns: it answers for it on that interface.
    Owned,
    /// A DVIPA that this stack serves as a target: packets to it are accepted, nobody is told.
    Hidden,
}

/// An address that an interface has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Configured {
    /// The address.
    pub address: IpAddr,
    /// Length of its network's prefix in bits.
    pub prefix_len: u8,
    /// The interface that has it.
    pub ifindex: u32,
    /// Whether it is valid inside the host only; IPv6 knows no such addresses but the loopback one.
    pub is_host_scope: bool,
    /// Whether a distributor added it.
    pub is_ours: bool,
}

/// One step towards the wanted addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Give the address to its interface.
    Add(Placement),
    /// Take the address, which is ours, from its interface.
    Remove(Configured),
}

impl Placement {
    /// The address as its interface will have it.
    ///
    /// A DVIPA never gets the mask of the profile: on `lo` that would make the
    /// whole subnet local, elsewhere it would add a route to it.
    #[must_use]
    pub fn configured(&self) -> Configured {
        let host_prefix_len = if self.address.is_ipv4() { 32 } else { 128 };
        let prefix_len = match self.role {
            Role::DynamicXcf { prefix_len } => prefix_len,
            Role::Owned | Role::Hidden => host_prefix_len,
        };
        Configured {
            address: self.address,
            prefix_len,
            ifindex: self.ifindex,
            is_host_scope: self.role == Role::Hidden && self.address.is_ipv4(),
            is_ours: true,
        }
    }

    /// The address in `configured` that makes this placement unnecessary, if there is one.
    #[must_use]
    pub fn satisfied_by(&self, configured: &[Configured]) -> Option<Configured> {
        let wanted = self.configured();
        configured
            .iter()
            .find(|present| {
                let is_same_place = present.address == wanted.address
                    && present.prefix_len == wanted.prefix_len
                    && present.ifindex == wanted.ifindex;
                match self.role {
                    Role::DynamicXcf { .. } if !present.is_ours => {
                        present.address == wanted.address
                    }
                    // The kernel allows no second one there, whatever the scope of the first.
                    Role::Owned | Role::Hidden if !present.is_ours => is_same_place,
                    Role::DynamicXcf { .. } | Role::Owned | Role::Hidden => {
                        is_same_place && present.is_host_scope == wanted.is_host_scope
                    }
                }
            })
            .copied()
    }
}

/// Returns what leads from the addresses that the stack has to those that it should have.
///
/// First everything that is missing, then everything of ours that is wanted
/// no more: an address that moves is in its new place before it leaves the
/// old one.
#[must_use]
pub fn changes(configured: &[Configured], wanted: &[Placement]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut satisfying = BTreeSet::new();
    for placement in wanted {
        match placement.satisfied_by(configured) {
            Some(by) => {
                satisfying.insert(by);
            }
            None => changes.push(Change::Add(*placement)),
        }
    }
    let unwanted = configured
        .iter()
        .filter(|present| present.is_ours && !satisfying.contains(present));
    changes.extend(unwanted.copied().map(Change::Remove));
    changes
}
