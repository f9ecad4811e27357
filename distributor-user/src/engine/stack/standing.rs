//! How each DVIPA is distributed, and whether this stack is among its targets.
//!
//! An owner distributes by its own VIPADISTRIBUTE statements for the DVIPA if
//! it has any, else by those of the stack that defines it, which every member
//! remembers when that stack is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ptr;
use std::sync::Arc;

use super::{Member, Stack};
use crate::engine::config::{Destinations, DvipaRole, Service};
use crate::engine::definitions::Distributions;
use crate::engine::ownership::{Awaits, Holding};
use crate::engine::xcf::XcfAddresses;

/// What follows from the definitions of all members, and from who owns what.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// How each DVIPA is distributed by its owner, or would be by this stack.
    distributions: Distributions,
    /// DVIPAs that their owners distribute to this stack.
    targeted: BTreeSet<IpAddr>,
    /// The targets of each DVIPA, its owner not among them, in the order of their addresses.
    pub(super) offers: BTreeMap<IpAddr, Arc<[IpAddr]>>,
    /// DVIPAs that another member could own.
    pub(super) shared: BTreeSet<IpAddr>,
}

/// What consecutive DVIPAs of a family have in common: the owner, the destinations, and so the offers.
type Shared = (IpAddr, Option<IpAddr>, *const Destinations, Arc<[IpAddr]>);

impl Stack {
    /// Derives everything from what the members define, this stack included.
    pub(super) fn take_stock(&mut self) {
        let mut shared = self.inherited.clone();
        for (name, member) in &self.members {
            if member.left_at.is_some() {
                // Who is cut off itself does not know whether they are gone.
                if self.is_cut_off() && member.is_unreachable {
                    let dvipas = member.definitions.dvipas.iter();
                    shared.extend(dvipas.map(|dvipa| dvipa.address));
                }
                continue;
            }
            for dvipa in &member.definitions.dvipas {
                shared.insert(dvipa.address);
                let is_definer = matches!(dvipa.role, DvipaRole::Define { .. });
                if is_definer && member.edition.is_some() {
                    remember(&mut self.heritage, dvipa.address, &member.distributions);
                }
            }
            debug_assert_ne!(*name, self.name, "a stack is no member of its own group");
        }
        for dvipa in &self.config.dvipas {
            if matches!(dvipa.role, DvipaRole::Define { .. }) {
                remember(&mut self.heritage, dvipa.address, &self.distributions);
            }
        }
        let mut standing = Standing {
            shared,
            ..Standing::default()
        };
        let own = self.xcf();
        let stacks: Vec<XcfAddresses> = self
            .members
            .values()
            .filter(|member| !member.is_lost())
            .map(|member| member.xcf)
            .chain(own)
            .collect();
        let targets_of = |dvipa: IpAddr| -> BTreeSet<IpAddr> {
            let targets = stacks.iter().filter_map(|stack| stack.as_target(dvipa));
            targets.collect()
        };
        let dvipas: Vec<IpAddr> = self.ownership.dvipas().collect();
        let mut last: Option<Shared> = None;
        for dvipa in dvipas {
            let holding = self.ownership.holding(dvipa);
            let owner = holding.owner.or(holding.vacated_by);
            let Some(services) = self.distribution_by(owner, dvipa) else {
                continue;
            };
            let target = own.and_then(|own| own.as_target(dvipa));
            if holding.owner.is_some() && target.is_some_and(|own| reaches(services, own)) {
                standing.targeted.insert(dvipa);
            }
            let owner = owner.and_then(|owner| self.address_of(owner, dvipa));
            let terms = services.first().map(|service| &service.terms.destinations);
            let terms = terms.map_or(ptr::null(), ptr::from_ref);
            let is_uniform = services
                .iter()
                .all(|service| ptr::eq(&raw const service.terms.destinations, terms));
            // A statement may name a thousand DVIPAs; what they have in common is kept once.
            let offers = match &last {
                Some((last_dvipa, last_owner, last_terms, offers))
                    if is_uniform
                        && last_dvipa.is_ipv4() == dvipa.is_ipv4()
                        && *last_owner == owner
                        && ptr::eq(*last_terms, terms) =>
                {
                    Arc::clone(offers)
                }
                _ => targets_of(dvipa)
                    .into_iter()
                    .filter(|stack| Some(*stack) != owner && reaches(services, *stack))
                    .collect(),
            };
            if is_uniform {
                last = Some((dvipa, owner, terms, Arc::clone(&offers)));
            }
            standing.offers.insert(dvipa, offers);
            standing.distributions.insert(dvipa, Arc::clone(services));
        }
        self.standing = standing;
    }

    /// How `owner` distributes a DVIPA; how this stack would, if nobody owns it.
    fn distribution_by(&self, owner: Option<&str>, dvipa: IpAddr) -> Option<&Arc<[Service]>> {
        let own = match owner {
            Some(owner) if owner != self.name => {
                self.members.get(owner).map(|member| &member.distributions)
            }
            _ => Some(&self.distributions),
        };
        own.and_then(|distributions| distributions.get(&dvipa))
            .or_else(|| self.heritage.get(&dvipa))
    }

    /// How this stack distributes a DVIPA, or would.
    #[must_use]
    pub fn own_distribution(&self, dvipa: IpAddr) -> &[Service] {
        self.distribution_by(None, dvipa)
            .map_or(&[], |services| &**services)
    }

    /// The same, shared.
    pub(super) fn shared_distribution(&self, dvipa: IpAddr) -> Option<Arc<[Service]>> {
        self.distribution_by(None, dvipa).map(Arc::clone)
    }

    /// How the owner of a DVIPA distributes it.
    #[must_use]
    pub fn distribution(&self, dvipa: IpAddr) -> &[Service] {
        self.standing
            .distributions
            .get(&dvipa)
            .map_or(&[], |services| &**services)
    }

    /// Returns the name of the stack that owns `dvipa`, dead or alive.
    #[must_use]
    pub fn owner(&self, dvipa: IpAddr) -> Option<&str> {
        self.ownership.holding(dvipa).owner
    }

    /// Lists every DVIPA that this stack has heard of.
    pub fn known_dvipas(&self) -> impl Iterator<Item = IpAddr> {
        self.ownership.dvipas()
    }

    /// Whether a DVIPA is distributed by its owner, or would be.
    #[must_use]
    pub fn is_distributed(&self, dvipa: IpAddr) -> bool {
        let services = self.standing.distributions.get(&dvipa);
        services.is_some_and(|services| !services.is_empty())
    }

    /// Whether a DVIPA is distributed to a stack by its owner, or would be.
    #[must_use]
    pub fn is_distributed_to(&self, dvipa: IpAddr, stack: XcfAddresses) -> bool {
        let services = self.standing.distributions.get(&dvipa);
        let target = stack.as_target(dvipa);
        services
            .zip(target)
            .is_some_and(|(services, target)| reaches(services, target))
    }

    /// Returns who has `dvipa`, who is about to, and what this stack waits for.
    #[must_use]
    pub fn holding(&self, dvipa: IpAddr) -> Holding<'_> {
        self.ownership.holding(dvipa)
    }

    /// Says what this stack waits for before it takes back what it is entitled to.
    #[must_use]
    pub fn awaits(&self, dvipa: IpAddr) -> Option<Awaits> {
        self.ownership.holding(dvipa).awaits
    }

    /// Says whether the owner of `dvipa` distributes to this stack.
    #[must_use]
    pub fn is_target(&self, dvipa: IpAddr) -> bool {
        self.standing.targeted.contains(&dvipa)
    }

    /// The DYNAMICXCF addresses of a stack that is, or was, in the group.
    pub(super) fn addresses_of(&self, name: &str) -> Option<XcfAddresses> {
        if name == self.name {
            return self.xcf();
        }
        self.members.get(name).map(|member: &Member| member.xcf)
    }

    /// Which of them stands for it where it is about a DVIPA.
    pub(super) fn address_of(&self, name: &str, dvipa: IpAddr) -> Option<IpAddr> {
        Some(self.addresses_of(name)?.about(dvipa))
    }
}

fn remember(heritage: &mut Distributions, dvipa: IpAddr, distributions: &Distributions) {
    match distributions.get(&dvipa) {
        Some(services) => {
            heritage.insert(dvipa, Arc::clone(services));
        }
        None => {
            heritage.remove(&dvipa);
        }
    }
}

/// Whether any of the services goes to `stack`. The services of a statement share their terms.
pub(super) fn reaches(services: &[Service], stack: IpAddr) -> bool {
    let mut last = ptr::null();
    services.iter().any(|service| {
        let terms = ptr::from_ref(&*service.terms);
        !ptr::eq(std::mem::replace(&mut last, terms), terms)
            && service.terms.destinations.include(stack)
    })
}
