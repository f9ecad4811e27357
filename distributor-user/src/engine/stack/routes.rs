//! Targets with a VIPAROUTE: by which way they are reached, and whose packets come by one.
//!
//! A route of this stack's own profile comes before every path that the group
//! knows, as long as the kernel has one to that address. What others may send
//! here this way is what they have published as their routes to here: nothing
//! else is ever opened. No outer header of ours is IPv6, so a VIPAROUTE of IPv6
//! leads nowhere, and the DYNAMICXCF network stays the way to that target.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::desired::{Hop, NextHopKey};
use super::{Effect, Member, Stack};
use crate::engine::config::VipaRoute;
use crate::engine::forwarding::{Ends, Path, Tunnel};
use crate::engine::message::Message;
use crate::engine::xcf::XcfAddresses;

/// How long what an earlier daemon knew of the members' routes is believed.
const BELIEVE_TUNNELS: Duration = Duration::from_secs(10);

/// The way to an address, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// There is none, or it leads to no other host by Ethernet.
    None,
    /// The next hop does not answer.
    Unanswered,
    /// Packets can be sent.
    Open(OpenRoute),
}

/// A way on which packets can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRoute {
    /// Interface to send from.
    pub ifindex: u32,
    /// The Ethernet addresses.
    pub hop: Hop,
    /// The router that it begins with; absent when the address is on the link.
    pub gateway: Option<IpAddr>,
    /// The address of this stack that the kernel would send from.
    pub source: IpAddr,
    /// The longest packet that it takes, as far as the kernel knows.
    pub mtu: u16,
}

impl Stack {
    /// Takes note of how the next hop of a path is reached.
    pub(super) fn take_hop(&mut self, path: NextHopKey, hop: Option<Hop>) {
        self.is_dirty = true;
        match hop {
            Some(hop) => self.hops.insert(path, hop),
            None => self.hops.remove(&path),
        };
    }

    /// Takes note of a member's addresses.
    pub(super) fn take_addresses(&mut self, name: &str, addresses: Vec<IpAddr>) {
        self.is_dirty = true;
        if let Some(member) = self.members.get_mut(name) {
            member.addresses = addresses;
        }
    }

    /// Takes note of how the kernel would reach an address of a VIPAROUTE.
    pub(super) fn take_route(
        &mut self,
        destination: IpAddr,
        route: Route,
        effects: &mut Vec<Effect>,
    ) {
        self.is_dirty = true;
        let before = self.routes.insert(destination, route);
        let was_open = before.is_none_or(|before| before != Route::None);
        let targets = self.config.routes.iter();
        for target in targets.filter(|route| route.target == destination) {
            let (target, is_open) = (target.dynamic_xcf, route != Route::None);
            if is_open != was_open {
                effects.push(Effect::Tell(if is_open {
                    Message::Routed {
                        target,
                        destination,
                    }
                } else {
                    Message::NoRoute {
                        target,
                        destination,
                    }
                }));
            }
        }
    }

    /// Returns the addresses whose ways must be known.
    pub(super) fn routed(&self) -> BTreeSet<IpAddr> {
        let routes = self.config.routes.iter().filter(|route| is_usable(route));
        routes.map(|route| route.target).collect()
    }

    /// Forgets the ways to addresses that no VIPAROUTE names any more.
    pub(super) fn forget_routes(&mut self) {
        let routed = self.routed();
        self.routes
            .retain(|destination, _| routed.contains(destination));
    }

    /// Returns the VIPAROUTE of a target.
    #[must_use]
    pub fn route_of(&self, dynamic_xcf: IpAddr) -> Option<&VipaRoute> {
        let mut routes = self.config.routes.iter();
        routes.find(|route| route.dynamic_xcf == dynamic_xcf)
    }

    /// Returns what the kernel says of the way to an address of a VIPAROUTE; absent before it was asked.
    #[must_use]
    pub fn route(&self, destination: IpAddr) -> Option<Route> {
        self.routes.get(&destination).copied()
    }

    /// Says whether a target has a VIPAROUTE of which the kernel has said nothing yet.
    pub(super) fn may_be_routed(&self, dynamic_xcf: IpAddr) -> bool {
        let route = self.route_of(dynamic_xcf);
        route.is_some_and(|route| is_usable(route) && !self.routes.contains_key(&route.target))
    }

    /// The path by a target's VIPAROUTE, if it has one that is open.
    pub(super) fn path_by_route(&self, dynamic_xcf: IpAddr) -> Option<Path> {
        let route = self.route_of(dynamic_xcf)?;
        let Some(Route::Open(open)) = self.route(route.target) else {
            return None;
        };
        // The other side opens what comes from an address that it has heard of, and nothing else.
        let own = self.as_target(route.target);
        let source = [Some(open.source), own]
            .into_iter()
            .flatten()
            .find(|source| {
                source.is_ipv4() == route.target.is_ipv4()
                    && (self.addresses.contains(source) || Some(*source) == own)
            })?;
        Some(Path::Tunnel {
            ifindex: open.ifindex,
            source_mac: open.hop.source_mac,
            next_hop_mac: open.hop.next_hop_mac,
            tunnel: Tunnel {
                encapsulation: route.encapsulation,
                ends: Ends {
                    source,
                    destination: route.target,
                },
                mtu: open.mtu,
            },
        })
    }

    /// Says whether there is a way to a member, used or not, and its report, so that it could be handed
    /// connections.
    pub(super) fn is_ready_to_serve(&self, member: &Member) -> bool {
        let has_path = || member.has_path(&self.hops) || self.has_route(member);
        member.readiness.revision > 0 && has_path()
    }

    fn has_route(&self, member: &Member) -> bool {
        let mut addresses = member.xcf.iter();
        addresses.any(|address| self.path_by_route(address).is_some())
    }

    /// Says whether packets are sent to a member as a target, which it is by this address.
    pub(super) fn is_reached(&self, member: &Member, target: IpAddr) -> bool {
        member.chosen.is_some() || self.path_by_route(target).is_some()
    }

    /// Stops to believe what an earlier daemon knew of the members' routes.
    pub(super) fn forget_tunnels(&mut self, now: Duration) {
        if now >= self.began + BELIEVE_TUNNELS && !self.adopted_tunnels.is_empty() {
            self.adopted_tunnels.clear();
            self.is_dirty = true;
        }
    }

    /// Which member sends packets inside others between which addresses: from each of its own to each
    /// that it has in a VIPAROUTE for this stack.
    pub(super) fn tunnels(&self) -> BTreeMap<Ends, XcfAddresses> {
        let mut tunnels = BTreeMap::new();
        for member in self.members.values() {
            let routes = member.definitions.routes.iter();
            let to_here =
                |route: &&VipaRoute| is_usable(route) && self.has_address(route.dynamic_xcf);
            for route in routes.filter(to_here) {
                let sources = member.addresses.iter().copied();
                for source in sources.chain(member.xcf.iter()) {
                    if source.is_ipv4() == route.target.is_ipv4() {
                        let ends = Ends {
                            source,
                            destination: route.target,
                        };
                        tunnels.insert(ends, member.xcf);
                    }
                }
            }
        }
        for (ends, member) in &self.adopted_tunnels {
            tunnels.entry(*ends).or_insert(*member);
        }
        tunnels
    }
}

/// Says whether packets can take a VIPAROUTE at all.
fn is_usable(route: &VipaRoute) -> bool {
    route.target.is_ipv4()
}
