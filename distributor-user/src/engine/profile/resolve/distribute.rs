//! VIPADISTRIBUTE.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use super::super::super::config::{Destination, Destinations, XcfNetwork};
use super::super::super::links::contains;
use super::super::diagnostic::Diagnostic;
use super::super::message::{
    EZZ0318I, EZZ0783I, EZZ0830I, NO_TARGET, NOT_SUPPORTED, OTHER_NETWORK, SAID_TWICE,
};
use super::super::source::Span;
use super::super::table::vipadistribute::{
    ALL, DELETE, DESTINATION, DESTIP, DISTMETHOD, ENCAP, GRE, HOTSTANDBY, PORTS, TIER1,
};
use super::super::tree::Node;
use super::Resolver;
use super::dvipa::unusable;
use super::services::{Change, DYNAMIC, MAX_TARGETS};
use super::terms::{standby, terms, weight};

/// Ports in one statement, as on z/OS.
const MAX_PORTS: usize = 64;

impl Resolver<'_> {
    pub(super) fn vipadistribute(&mut self, node: &Node) {
        let is_delete = node.child(&DELETE).is_some();
        if !is_delete {
            self.distributes.get_or_insert(node.span);
            self.check_method(node);
        }
        let ports = self.port_list(node);
        let destinations = self.targets(node);
        let Some(dvipa) = self.dvipa(node) else {
            return;
        };
        if !is_delete {
            self.places.distributed.entry(dvipa).or_insert(node.span);
            let distributes = match dvipa {
                IpAddr::V4(_) => &mut self.distributes_ipv4,
                IpAddr::V6(_) => &mut self.distributes_ipv6,
            };
            distributes.get_or_insert(node.span);
        }
        let Some(destinations) = destinations else {
            return;
        };
        if !self.is_one_family(node, dvipa) {
            return;
        }
        let mut change = Change::new(terms(node, destinations));
        for (port, span) in ports {
            let done = if is_delete {
                self.services.take_back(dvipa, port, &mut change)
            } else {
                self.services.add(dvipa, port, &mut change)
            };
            if let Err(refusal) = done {
                // The other ports of the statement would be refused for the same reason.
                let report =
                    Diagnostic::error(refusal.about, span, refusal.message).help(refusal.help);
                return self.found.push(report);
            }
        }
    }

    fn port_list(&mut self, node: &Node) -> Vec<(u16, Span)> {
        let Some(list) = node.child(&PORTS) else {
            return self.no_ports(node);
        };
        let total: usize = list
            .ports()
            .map(|(first, last, _)| usize::from(last - first) + 1)
            .sum();
        if total > MAX_PORTS {
            self.found.push(
                Diagnostic::error(
                    &EZZ0318I,
                    list.span,
                    format!("expected at most {MAX_PORTS} ports in one statement, found {total}"),
                )
                .help("write another VIPADISTRIBUTE for the others"),
            );
            return Vec::new();
        }
        let mut seen = HashSet::new();
        let mut ports = Vec::new();
        for (first, last, span) in list.ports() {
            let mut repeated = None;
            for port in first..=last {
                if seen.insert(port) {
                    ports.push((port, span));
                } else {
                    repeated = Some(port);
                }
            }
            if let Some(port) = repeated {
                self.found.push(
                    Diagnostic::warning(
                        &SAID_TWICE,
                        span,
                        format!("expected each port once, found `{port}` again"),
                    )
                    .help("remove it"),
                );
            }
        }
        ports
    }

    /// Without PORT every port is distributed on which a server binds the DVIPA.
    fn no_ports(&mut self, node: &Node) -> Vec<(u16, Span)> {
        if node.has_error() {
            return Vec::new();
        }
        let tier = node.child(&TIER1);
        let encapsulation = tier.and_then(|tier| tier.child(&GRE).or(tier.child(&ENCAP)));
        if let Some(encapsulation) = encapsulation {
            self.found.push(
                Diagnostic::error(
                    &EZZ0783I,
                    encapsulation.span,
                    format!(
                        "expected `PORT` with `{}`, found none",
                        encapsulation.row.keyword()
                    ),
                )
                .help("write `PORT` and the ports behind the DVIPA"),
            );
        } else if node.child(&DELETE).is_none() {
            self.found.push(
                Diagnostic::warning(
                    &NOT_SUPPORTED,
                    node.span,
                    "VIPADISTRIBUTE without `PORT` is not supported yet: nothing is distributed \
                     for ports that servers choose",
                )
                .help("write `PORT 8443`, with the ports to distribute"),
            );
        }
        vec![(DYNAMIC, node.span)]
    }

    fn targets(&mut self, node: &Node) -> Option<Destinations> {
        let destip = node.child(&DESTIP)?;
        if let Some(all) = destip.child(&ALL) {
            if destip.children.len() > 1 {
                self.found.push(
                    Diagnostic::error(
                        &EZZ0318I,
                        all.span,
                        "expected either `ALL` or a list of targets, found both",
                    )
                    .help("`ALL` stands for every stack of the group: remove it or the list"),
                );
                return None;
            }
            return Some(Destinations::All);
        }
        let tier = node.child(&TIER1);
        let is_outside = tier.is_some_and(|tier| !tier.children.is_empty());
        let mut list: Vec<Destination> = Vec::new();
        let mut seen: HashSet<IpAddr> = HashSet::new();
        for (entry, address, span) in entries(node).filter_map(addressed) {
            if !seen.insert(address) {
                let is_hot_standby = node
                    .child(&DISTMETHOD)
                    .is_some_and(|method| method.child(&HOTSTANDBY).is_some());
                let about = if is_hot_standby {
                    &EZZ0830I
                } else {
                    &SAID_TWICE
                };
                let report = Diagnostic::error(
                    about,
                    span,
                    format!("expected each target once, found `{address}` again"),
                );
                self.found.push(report.help("remove it"));
                continue;
            }
            if list.len() == MAX_TARGETS {
                self.found.push(
                    Diagnostic::error(
                        &EZZ0318I,
                        span,
                        format!("expected at most {MAX_TARGETS} targets, found more"),
                    )
                    .help("remove some of them, or write `DESTIP ALL`"),
                );
                break;
            }
            // Targets behind GRE or ENCAP are no stacks of the group.
            if !is_outside {
                let places = &mut self.places.destinations;
                if let std::collections::hash_map::Entry::Vacant(place) = places.entry(address) {
                    place.insert(span);
                    self.destinations.push((address, span));
                }
            }
            list.push(Destination {
                address,
                weight: weight(entry),
                standby: standby(entry),
            });
        }
        (!list.is_empty()).then_some(Destinations::List(list))
    }

    /// Whether the targets are of the family of the DVIPA; reports the first that is not.
    fn is_one_family(&mut self, node: &Node, dvipa: IpAddr) -> bool {
        let other = entries(node)
            .filter_map(addressed)
            .find(|(_, address, _)| address.is_ipv4() != dvipa.is_ipv4());
        let Some((_, address, span)) = other else {
            return true;
        };
        let family = if dvipa.is_ipv4() { "IPv4" } else { "IPv6" };
        self.found.push(
            Diagnostic::error(
                &EZZ0318I,
                span,
                format!(
                    "expected {family} targets of the {family} DVIPA `{dvipa}`, found `{address}`"
                ),
            )
            .help("name each target by its DYNAMICXCF address of the same family"),
        );
        false
    }

    /// What is wrong with targets only shows when DVIPAs and DYNAMICXCF are known.
    pub(super) fn check_destinations(&mut self) {
        let networks: Vec<XcfNetwork> = self.config.xcf_networks().collect();
        let network_for = |address: IpAddr| {
            let mut networks = networks.iter();
            networks.find(|xcf| xcf.address.is_ipv4() == address.is_ipv4())
        };
        let mut outside: Vec<(IpAddr, Span)> = Vec::new();
        for (address, span) in std::mem::take(&mut self.destinations) {
            let problem = if self.is_dvipa(address) {
                Some("a DVIPA of this profile")
            } else {
                unusable(address, None)
            };
            if let Some(problem) = problem {
                self.found.push(
                    Diagnostic::error(
                        &NO_TARGET,
                        span,
                        format!("expected the DYNAMICXCF address of a target, found `{address}`, {problem}"),
                    )
                    .help("DESTIP names target stacks by their `IPCONFIG DYNAMICXCF` addresses"),
                );
            } else if network_for(address)
                .is_some_and(|xcf| !contains(xcf.address, xcf.prefix_len, address))
            {
                outside.push((address, span));
            }
        }
        for xcf in &networks {
            let is_of_family =
                |(address, _): &&(IpAddr, Span)| address.is_ipv4() == xcf.address.is_ipv4();
            self.report_outside(*xcf, outside.iter().filter(is_of_family));
        }
    }

    /// Targets that are not on this stack's DYNAMICXCF network.
    fn report_outside<'o>(
        &mut self,
        xcf: XcfNetwork,
        mut outside: impl Iterator<Item = &'o (IpAddr, Span)>,
    ) {
        let Some(&(first, span)) = outside.next() else {
            return;
        };
        let others = match outside.count() {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let network = network(xcf.address, xcf.prefix_len);
        let report = Diagnostic::warning(
            &OTHER_NETWORK,
            span,
            format!(
                "expected targets in the DYNAMICXCF network of this stack, found `{first}`{others} outside"
            ),
        )
        .help("DYNAMICXCF and DESTIP mean the same network on every stack: correct one of them");
        self.found.push(match self.places.xcf_for(xcf.address) {
            Some(place) => report.related(place, format!("the network is {network}")),
            None => report,
        });
    }
}

pub(super) fn entries(node: &Node) -> impl Iterator<Item = &Node> {
    let destip = node.child(&DESTIP);
    let children = destip.into_iter().flat_map(|destip| destip.children.iter());
    children.filter(|child| child.is(&DESTINATION))
}

fn addressed(entry: &Node) -> Option<(&Node, IpAddr, Span)> {
    let (address, span) = entry.addresses().next()?;
    Some((entry, address, span))
}

/// The address of the network that `address` is in.
pub(super) fn masked(address: IpAddr, prefix_len: u8) -> IpAddr {
    let length = u32::from(prefix_len);
    match address {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & !host).into()
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            std::net::Ipv6Addr::from_bits(address.to_bits() & !host).into()
        }
    }
}

/// `address/bits` of the network that `address` is in.
pub(in super::super::super) fn network(address: IpAddr, prefix_len: u8) -> String {
    format!("{}/{prefix_len}", masked(address, prefix_len))
}
