//! VIPADISTRIBUTE.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use super::super::super::config::Destinations;
use super::super::super::links::contains;
use super::super::diagnostic::Diagnostic;
use super::super::source::Span;
use super::super::table::vipadistribute::{
    ALL, DELETE, DESTINATION, DESTIP, DISTMETHOD, HOTSTANDBY, PORTS,
};
use super::super::tree::Node;
use super::Resolver;
use super::dvipa::unusable;
use super::services::MAX_TARGETS;

/// Ports in one statement, as on z/OS.
const MAX_PORTS: usize = 64;

impl Resolver<'_> {
    pub(super) fn vipadistribute(&mut self, node: &Node) {
        let is_delete = node.child(&DELETE).is_some();
        if !is_delete {
            self.distributes.get_or_insert(node.span);
            self.check_method(node);
        }
        let ports = self.ports(node);
        let destinations = self.destinations(node);
        let Some((dvipa, dvipa_span)) = node.addresses().next() else {
            return;
        };
        if !self.is_dvipa(dvipa.into()) {
            return self.not_defined(dvipa, dvipa_span);
        }
        let Some(destinations) = destinations else {
            return;
        };
        for (port, span) in ports {
            let done = if is_delete {
                self.services.take_back(dvipa, port, &destinations)
            } else {
                self.services.add(dvipa, port, &destinations)
            };
            if let Err(refusal) = done {
                // The other ports of the statement would be refused for the same reason.
                return self
                    .found
                    .push(Diagnostic::error(span, refusal.message).help(refusal.help));
            }
        }
    }

    fn ports(&mut self, node: &Node) -> Vec<(u16, Span)> {
        let Some(list) = node.child(&PORTS) else {
            if !node.has_error() {
                self.found.push(
                    Diagnostic::error(node.span, "expected `PORT` and the ports to distribute, found none")
                        .help("ports that servers choose are not supported yet: write `PORT 8443`, with yours"),
                );
            }
            return Vec::new();
        };
        let total: usize = list
            .ports()
            .map(|(first, last, _)| usize::from(last - first) + 1)
            .sum();
        if total > MAX_PORTS {
            self.found.push(
                Diagnostic::error(
                    list.span,
                    format!("expected at most {MAX_PORTS} ports in one statement, found {total}"),
                )
                .id("EZZ0318I")
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
                        span,
                        format!("expected each port once, found `{port}` again"),
                    )
                    .help("remove it"),
                );
            }
        }
        ports
    }

    fn destinations(&mut self, node: &Node) -> Option<Destinations> {
        let destip = node.child(&DESTIP)?;
        if let Some(all) = destip.child(&ALL) {
            if destip.children.len() > 1 {
                self.found.push(
                    Diagnostic::error(
                        all.span,
                        "expected either `ALL` or a list of targets, found both",
                    )
                    .id("EZZ0318I")
                    .help("`ALL` stands for every stack of the group: remove it or the list"),
                );
                return None;
            }
            return Some(Destinations::All);
        }
        let mut list: Vec<IpAddr> = Vec::new();
        let mut seen: HashSet<Ipv4Addr> = HashSet::new();
        for (address, span) in entries(node).filter_map(|entry| entry.addresses().next()) {
            if !seen.insert(address) {
                let is_hot_standby = node
                    .child(&DISTMETHOD)
                    .is_some_and(|method| method.child(&HOTSTANDBY).is_some());
                let report = Diagnostic::error(
                    span,
                    format!("expected each target once, found `{address}` again"),
                )
                .help("remove it");
                self.found.push(if is_hot_standby {
                    report.id("EZZ0830I")
                } else {
                    report
                });
                continue;
            }
            if list.len() == MAX_TARGETS {
                self.found.push(
                    Diagnostic::error(
                        span,
                        format!("expected at most {MAX_TARGETS} targets, found more"),
                    )
                    .id("EZZ0318I")
                    .help("remove some of them, or write `DESTIP ALL`"),
                );
                break;
            }
            self.destinations.push((address, span));
            list.push(address.into());
        }
        (!list.is_empty()).then_some(Destinations::List(list))
    }

    /// What is wrong with targets only shows when DVIPAs and DYNAMICXCF are known.
    pub(super) fn check_destinations(&mut self) {
        let xcf = self.dynamic_xcf;
        let mut outside: Vec<(Ipv4Addr, Span)> = Vec::new();
        let mut seen = HashSet::new();
        for (address, span) in std::mem::take(&mut self.destinations) {
            if !seen.insert(address) {
                continue;
            }
            let problem = if self.is_dvipa(IpAddr::V4(address)) {
                Some("a DVIPA of this profile")
            } else {
                unusable(address, None)
            };
            if let Some(problem) = problem {
                self.found.push(
                    Diagnostic::error(
                        span,
                        format!("expected the DYNAMICXCF address of a target, found `{address}`, {problem}"),
                    )
                    .help("DESTIP names target stacks by their `IPCONFIG DYNAMICXCF` addresses"),
                );
            } else if xcf
                .is_some_and(|(xcf, _)| !contains(xcf.address, xcf.prefix_len, address.into()))
            {
                outside.push((address, span));
            }
        }
        let (Some((xcf, xcf_span)), Some(&(first, span))) = (xcf, outside.first()) else {
            return;
        };
        let others = match outside.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        self.found.push(
            Diagnostic::warning(
                span,
                format!(
                    "expected targets in the DYNAMICXCF network of this stack, found `{first}`{others} outside"
                ),
            )
            .related(xcf_span, format!("the network is {}", network(xcf.address, xcf.prefix_len)))
            .help("DYNAMICXCF and DESTIP mean the same network on every stack: correct one of them"),
        );
    }
}

pub(super) fn entries(node: &Node) -> impl Iterator<Item = &Node> {
    let destip = node.child(&DESTIP);
    let children = destip.into_iter().flat_map(|destip| destip.children.iter());
    children.filter(|child| child.is(&DESTINATION))
}

fn masked(address: Ipv4Addr, prefix_len: u8) -> Ipv4Addr {
    let host = u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & !host)
}

fn network(address: IpAddr, prefix_len: u8) -> String {
    match address {
        IpAddr::V4(address) => format!("{}/{prefix_len}", masked(address, prefix_len)),
        IpAddr::V6(address) => format!("{address}/{prefix_len}"),
    }
}
