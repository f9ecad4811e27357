//! A stack's services and targets at one moment.
//!
//! Reports over millions of connections are made from this, beside the daemon's
//! loop: the stack goes on meanwhile, and nothing of it is borrowed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::engine::config::{Service, Terms};
use crate::engine::definitions::Readiness;
use crate::engine::forwarding::{Forwarding, Path, ServiceKey, ServiceTargets};
use crate::engine::load::Server;
use crate::engine::responsiveness::Responsiveness;
use crate::engine::selection::{Row, Warmth};
use crate::engine::stack::{Loads, Route, Stack};
use crate::engine::xcf::XcfAddresses;

/// What VDPT and VCRT show of a stack besides the connections.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// This stack's DYNAMICXCF addresses.
    pub(super) own: Option<XcfAddresses>,
    /// What the profile distributes.
    pub(super) services: Vec<Service>,
    /// What the packet path was last asked to do.
    pub(super) forwarding: Forwarding,
    /// The present stacks, this one included, by their DYNAMICXCF addresses.
    present: BTreeMap<IpAddr, Present>,
    /// What they could still do, as far as they have said so.
    loads: Loads,
    /// How many of a hundred SYNs that are sent to them arrive, as far as that is known.
    connectivity: BTreeMap<IpAddr, u8>,
    /// Whether the profile has a VIPAROUTE.
    pub(super) has_routes: bool,
    /// The first hops of those that are in use, by DYNAMICXCF address.
    pub(super) gateways: BTreeMap<IpAddr, IpAddr>,
    /// The targets that have come back and do not get all of their share yet.
    warming: BTreeMap<(ServiceKey, IpAddr), Warmth>,
}

/// A stack that is present.
#[derive(Clone, Debug)]
struct Present {
    name: String,
    readiness: Readiness,
}

/// One row of a service, with what is known of its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// The stack's name.
    pub(super) name: &'a str,
    /// Number of listeners.
    pub(super) listeners: u16,
    /// Whether the operator wants no new connection there.
    pub(super) is_quiesced: bool,
    /// How its servers take connections.
    pub(super) responsiveness: Responsiveness,
    /// How many of a hundred SYNs that are sent to it arrive, if that is known.
    pub(super) tcsr: Option<u8>,
    /// What its operator says that it weighs.
    pub(super) weight: Option<u8>,
    /// Whether a path to it answers.
    pub(super) is_reachable: bool,
}

impl Target<'_> {
    /// Whether it may be handed new connections.
    pub(super) fn is_eligible(&self) -> bool {
        self.listeners > 0 && !self.is_quiesced && self.is_reachable
    }
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

/// The first hops of the VIPAROUTEs that are in use.
fn gateways(stack: &Stack) -> BTreeMap<IpAddr, IpAddr> {
    let routes = stack.config().routes.iter();
    let open = routes.filter_map(|route| match stack.route(route.target) {
        Some(Route::Open(open)) => Some((route.dynamic_xcf, open.gateway.unwrap_or(route.target))),
        Some(Route::None | Route::Unanswered) | None => None,
    });
    open.collect()
}

impl Snapshot {
    /// Takes a copy of what `stack` knows now.
    #[must_use]
    pub fn of(stack: &Stack) -> Self {
        let members = stack.members().iter();
        let others = members
            .filter(|(_, member)| member.left_at.is_none() && !member.is_given_up)
            .map(|(name, member)| (member.xcf, name.as_str(), &member.readiness));
        let own = stack.xcf();
        let itself = own.map(|own| (own, stack.name(), stack.readiness()));
        let mut present = BTreeMap::new();
        for (xcf, name, readiness) in itself.into_iter().chain(others) {
            for address in xcf.iter() {
                present.entry(address).or_insert_with(|| Present {
                    name: name.to_owned(),
                    readiness: readiness.clone(),
                });
            }
        }
        Self {
            own,
            services: services(stack),
            forwarding: stack.applied().forwarding.clone(),
            present,
            loads: stack.loads(),
            warming: stack.warming().collect(),
            has_routes: !stack.config().routes.is_empty(),
            gateways: gateways(stack),
            connectivity: stack.connectivity(),
        }
    }

    /// How much of its share a target of a service gets.
    pub(super) fn warmth(&self, dynamic_xcf: IpAddr, key: ServiceKey) -> Warmth {
        let warmth = self.warming.get(&(key, dynamic_xcf)).copied();
        warmth.unwrap_or(Warmth::FULL)
    }

    /// Returns the name of the present stack with this DYNAMICXCF address.
    pub(super) fn name_of(&self, dynamic_xcf: IpAddr) -> Option<&str> {
        self.present
            .get(&dynamic_xcf)
            .map(|stack| stack.name.as_str())
    }

    /// The DYNAMICXCF addresses of all present stacks.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.present.keys().copied()
    }

    /// The servers of a service on one stack, as far as they are measured.
    pub(super) fn servers(&self, key: ServiceKey, target: IpAddr) -> &[Server] {
        let servers = self.loads.servers.get(&(key, target));
        servers.map_or(&[], Vec::as_slice)
    }

    /// Returns what is known of a present target of a service.
    pub(super) fn target(&self, dynamic_xcf: IpAddr, key: ServiceKey) -> Option<Target<'_>> {
        let Present { name, readiness } = self.present.get(&dynamic_xcf)?;
        let row = readiness.row(key.dvipa, key.port);
        let path = self.forwarding.targets.get(&dynamic_xcf);
        Some(Target {
            name,
            listeners: row.map_or(0, |row| row.listeners),
            is_quiesced: row.is_some_and(|row| row.is_quiesced),
            responsiveness: row.map(|row| row.responsiveness).unwrap_or_default(),
            tcsr: self.connectivity.get(&dynamic_xcf).copied(),
            weight: row.and_then(|row| row.weight),
            is_reachable: path.is_some_and(|path| *path != Path::Unreachable),
        })
    }

    /// Returns how a target is reached; the packet path need not have been asked to.
    pub(super) fn path(&self, dynamic_xcf: IpAddr) -> Path {
        let path = self.forwarding.targets.get(&dynamic_xcf);
        path.copied().unwrap_or(Path::Unreachable)
    }

    /// What selection knows of each row of a service.
    pub(super) fn rows(
        &self,
        key: ServiceKey,
        service: &ServiceTargets,
        terms: Option<&Terms>,
    ) -> Vec<Row> {
        let row = |target: &IpAddr| {
            let known = self.target(*target, key);
            Row {
                target: *target,
                is_eligible: known.is_some_and(|known| known.is_eligible()),
                load: terms.and_then(|terms| self.loads.of(terms, key, *target)),
                responsiveness: known.map(|known| known.responsiveness).unwrap_or_default(),
                tcsr: known.and_then(|known| known.tcsr).unwrap_or(100),
                weight: known.and_then(|known| known.weight),
                warmth: self.warmth(*target, key),
            }
        };
        service.rows.iter().map(row).collect()
    }
}
