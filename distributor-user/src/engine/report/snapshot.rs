//! A stack's services and targets at one moment.
//!
//! Reports over millions of connections are made from this, beside the daemon's
//! loop: the stack goes on meanwhile, and nothing of it is borrowed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::engine::config::Service;
use crate::engine::definitions::Readiness;
use crate::engine::fact::ReadyRow;
use crate::engine::forwarding::{Forwarding, ServiceKey};
use crate::engine::stack::Stack;

/// What VDPT and VCRT show of a stack besides the connections.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// This stack's DYNAMICXCF address.
    pub(super) own: Option<IpAddr>,
    /// What the profile distributes.
    pub(super) services: Vec<Service>,
    /// What the packet path was last asked to do.
    pub(super) forwarding: Forwarding,
    /// The present stacks, this one included, by their DYNAMICXCF addresses.
    present: BTreeMap<IpAddr, Present>,
}

/// A stack that is present.
#[derive(Clone, Debug)]
struct Present {
    name: String,
    readiness: Readiness,
}

/// The services of the profile, and those that the stack distributes as another's heir.
fn services(stack: &Stack) -> Vec<Service> {
    let own = &stack.config().services;
    let distributed = stack.applied().forwarding.services.keys();
    let inherited: BTreeSet<IpAddr> = distributed
        .map(|key| key.dvipa)
        .filter(|dvipa| own.iter().all(|service| service.dvipa != *dvipa))
        .collect();
    let inherited = inherited
        .iter()
        .flat_map(|dvipa| stack.own_distribution(*dvipa));
    own.iter().chain(inherited).cloned().collect()
}

impl Snapshot {
    /// Takes a copy of what `stack` knows now.
    #[must_use]
    pub fn of(stack: &Stack) -> Self {
        let members = stack.members().iter();
        let others = members
            .filter(|(_, member)| member.left_at.is_none() && !member.is_given_up)
            .map(|(name, member)| (member.dynamic_xcf, name.as_str(), &member.readiness));
        let own = stack.dynamic_xcf();
        let itself = own.map(|address| (address, stack.name(), stack.readiness()));
        let mut present = BTreeMap::new();
        for (address, name, readiness) in itself.into_iter().chain(others) {
            present.entry(address).or_insert_with(|| Present {
                name: name.to_owned(),
                readiness: readiness.clone(),
            });
        }
        Self {
            own,
            services: services(stack),
            forwarding: stack.applied().forwarding.clone(),
            present,
        }
    }

    /// Returns the name of the present stack with this DYNAMICXCF address.
    pub(super) fn name_of(&self, dynamic_xcf: IpAddr) -> Option<&str> {
        self.present
            .get(&dynamic_xcf)
            .map(|stack| stack.name.as_str())
    }

    /// Returns the name of a present target, and what listens there for a service.
    pub(super) fn target(
        &self,
        dynamic_xcf: IpAddr,
        key: ServiceKey,
    ) -> Option<(&str, Option<&ReadyRow>)> {
        let Present { name, readiness } = self.present.get(&dynamic_xcf)?;
        Some((name, readiness.row(key.dvipa, key.port)))
    }
}
