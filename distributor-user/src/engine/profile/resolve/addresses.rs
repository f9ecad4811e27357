//! VIPAROUTE, VIPARANGE and VIPASMPARMS.

use std::net::IpAddr;

use super::super::super::config::{
    RangeMoveable, RangeUse, RouteEncapsulation, ServiceManager, VipaRange, VipaRoute,
};
use super::super::diagnostic::Diagnostic;
use super::super::grammar::Standing;
use super::super::message::{EZZ0312I, EZZ0318I, NOT_THERE, SAID_TWICE, TOO_MUCH};
use super::super::source::Span;
use super::super::table::vipadistribute::DELETE;
use super::super::table::vipadynamic::{
    DISRUPTIVE, MOVEABLE_RANGE, RANGE_SAF, ROUTE_IPIP, SMMCAST, SMPASS, SMPORT, ZCONT, ZCPA, ZCX,
};
use super::super::tree::Node;
use super::Resolver;
use super::distribute::masked;
use super::dvipa::unusable;

/// VIPARANGE statements of a stack, as on z/OS since V2R3.
const MAX_RANGES: usize = 4096;
/// VIPAROUTE statements of a stack: one for each other system of a sysplex is enough, and this
/// keeps a search through them short.
const MAX_ROUTES: usize = 1024;

impl Resolver<'_> {
    pub(super) fn viparoute(&mut self, node: &Node) {
        let mut addresses = node.addresses();
        let (Some((xcf, xcf_span)), Some((target, span))) = (addresses.next(), addresses.next())
        else {
            return;
        };
        let route = VipaRoute {
            dynamic_xcf: xcf,
            target,
            encapsulation: if node.child(&ROUTE_IPIP).is_some() {
                RouteEncapsulation::Ipip
            } else {
                RouteEncapsulation::Gre
            },
        };
        let known = self.routed.contains_key(&xcf).then(|| {
            let mut routes = self.config.routes.iter();
            routes.position(|route| route.dynamic_xcf == xcf)
        });
        let known = known.flatten();
        if node.child(&DELETE).is_some() {
            match known.filter(|&at| self.config.routes[at].target == target) {
                Some(at) => {
                    self.config.routes.remove(at);
                    self.routed.remove(&xcf);
                }
                None => self.found.push(
                    Diagnostic::error(
                        &NOT_THERE,
                        xcf_span.to(span),
                        format!("expected a VIPAROUTE that is there, found `{xcf} {target}`"),
                    )
                    .help("repeat the addresses of the VIPAROUTE that is taken back"),
                ),
            }
            return;
        }
        if let Some((message, span, help)) = self.wrong_route(route, xcf_span, span) {
            let report = Diagnostic::error(&EZZ0318I, span, message);
            return self.found.push(report.help(help));
        }
        if xcf.is_ipv6() {
            let until = "no outer header is IPv6, so packets take the DYNAMICXCF network";
            let report = Standing::Unsupported(until).report(xcf_span, "an IPv6 VIPAROUTE");
            if let Some(report) = report {
                self.found.push(report);
            }
        }
        if let Some(Some(first)) = self.routed.insert(xcf, Some(xcf_span)) {
            return self.found.push(
                Diagnostic::error(
                    &SAID_TWICE,
                    xcf_span,
                    format!("expected one VIPAROUTE for `{xcf}`, found another"),
                )
                .related(first, "the first one")
                .help("remove one of them"),
            );
        }
        match known {
            Some(at) => self.config.routes[at] = route,
            None if self.config.routes.len() == MAX_ROUTES => self.found.push(
                Diagnostic::error(
                    &TOO_MUCH,
                    node.span,
                    format!("expected at most {MAX_ROUTES} VIPAROUTE statements, found more"),
                )
                .help("a route for each target is enough; remove the others"),
            ),
            None => self.config.routes.push(route),
        }
    }

    fn wrong_route(
        &self,
        route: VipaRoute,
        xcf_span: Span,
        span: Span,
    ) -> Option<(String, Span, &'static str)> {
        let VipaRoute {
            dynamic_xcf,
            target,
            ..
        } = route;
        let own = "write a static address that only the target has, such as that of its interface";
        if target == dynamic_xcf {
            let message = format!("expected another address of the target, found `{target}` again");
            return Some((message, span, own));
        }
        if target.is_ipv4() != dynamic_xcf.is_ipv4() {
            let message =
                format!("expected an address of the family of `{dynamic_xcf}`, found `{target}`");
            return Some((message, span, "write two IPv4 or two IPv6 addresses"));
        }
        if self.is_dvipa(target) {
            let message =
                format!("expected an address that stays at the target, found the DVIPA `{target}`");
            return Some((message, span, own));
        }
        if self.is_dvipa(dynamic_xcf) {
            let message = format!(
                "expected the DYNAMICXCF address of a target, found the DVIPA `{dynamic_xcf}`"
            );
            return Some((
                message,
                xcf_span,
                "a route holds for every DVIPA of that target",
            ));
        }
        [(dynamic_xcf, xcf_span), (target, span)]
            .into_iter()
            .find_map(|(address, span)| {
                let problem = unusable(address, None)?;
                let message =
                    format!("expected the address of a host, found `{address}`, {problem}");
                Some((message, span, own))
            })
    }

    pub(super) fn viparange(&mut self, node: &Node) {
        let (Some((address, span)), Some((prefix_len, _))) =
            (node.addresses().next(), node.prefix())
        else {
            if let Some((address @ IpAddr::V6(_), span)) = node.addresses().next() {
                self.found.push(
                    Diagnostic::error(
                        &EZZ0312I,
                        span,
                        format!("expected a prefix length after `{address}`, found none"),
                    )
                    .help(format!(
                        "write `{address}/64`, with the length of the range"
                    )),
                );
            }
            return;
        };
        let network = masked(address, prefix_len);
        let key = (network, prefix_len);
        let known = self.ranged.contains_key(&key).then(|| {
            let mut ranges = self.config.ranges.iter();
            ranges.position(|range| (range.network, range.prefix_len) == key)
        });
        let known = known.flatten();
        if node.child(&DELETE).is_some() {
            match known {
                Some(at) => {
                    self.config.ranges.remove(at);
                    self.ranged.remove(&key);
                }
                None => self.found.push(
                    Diagnostic::error(
                        &NOT_THERE,
                        span,
                        format!(
                            "expected a VIPARANGE that is there, found `{network}/{prefix_len}`"
                        ),
                    )
                    .help("repeat mask and address of the VIPARANGE that is taken back"),
                ),
            }
            return;
        }
        if !self.is_range_right(node, address, span) {
            return;
        }
        if let Some(Some(first)) = self.ranged.insert(key, Some(span)) {
            return self.found.push(
                Diagnostic::error(
                    &SAID_TWICE,
                    span,
                    format!("expected one VIPARANGE of `{network}/{prefix_len}`, found another"),
                )
                .related(first, "the first one")
                .help("remove one of them"),
            );
        }
        let range = range(node, network, prefix_len);
        match known {
            Some(at) => self.config.ranges[at] = range,
            None if self.config.ranges.len() == MAX_RANGES => self.found.push(
                Diagnostic::error(
                    &TOO_MUCH,
                    node.span,
                    format!("expected at most {MAX_RANGES} VIPARANGE statements, found more"),
                )
                .help("write fewer and larger ranges"),
            ),
            None => self.config.ranges.push(range),
        }
    }

    fn is_range_right(&mut self, node: &Node, address: IpAddr, span: Span) -> bool {
        let moves = node.child(&MOVEABLE_RANGE);
        let disruptive = moves.and_then(|moves| moves.child(&DISRUPTIVE));
        let (problem, help) = match (address, node.named(), disruptive) {
            (IpAddr::V6(_), None, _) => (
                Some((
                    span,
                    format!("expected an interface name before `{address}`, found none"),
                )),
                "write `VIPARANGE RANGE1 2001:db8::/64`, without a mask",
            ),
            (IpAddr::V4(_), Some((name, span)), _) => (
                Some((
                    span,
                    format!(
                        "expected a subnet mask before `{address}`, found the interface `{name}`"
                    ),
                )),
                "an interface name belongs to an IPv6 range",
            ),
            (IpAddr::V6(_), Some(_), Some(disruptive)) => (
                Some((
                    disruptive.span,
                    "expected `NONDISRUPTIVE` for an IPv6 range, found `DISRUPTIVE`".to_owned(),
                )),
                "remove it",
            ),
            (IpAddr::V4(_), None, _) | (IpAddr::V6(_), Some(_), None) => (
                unusable(address, None).map(|problem| {
                    (
                        span,
                        format!("expected a network of hosts, found `{address}`, {problem}"),
                    )
                }),
                "write the network that applications may take addresses of",
            ),
        };
        let Some((span, message)) = problem else {
            return true;
        };
        let report = Diagnostic::error(&EZZ0318I, span, message);
        self.found.push(report.help(help));
        false
    }

    pub(super) fn vipasmparms(&mut self, node: &Node) {
        let multicast = node
            .child(&SMMCAST)
            .and_then(|group| group.addresses().next());
        let port = node.child(&SMPORT).and_then(Node::number);
        let (Some((IpAddr::V4(multicast), span)), Some((port, _))) = (multicast, port) else {
            return;
        };
        if !multicast.is_multicast() {
            self.found.push(
                Diagnostic::error(
                    &EZZ0318I,
                    span,
                    format!("expected a multicast address, found `{multicast}`"),
                )
                .help("write an address from 224.0.0.0 to 239.255.255.255"),
            );
        }
        self.config.service_manager = u16::try_from(port).ok().map(|port| ServiceManager {
            multicast,
            port,
            has_password: node.child(&SMPASS).is_some(),
        });
    }
}

fn range(node: &Node, network: IpAddr, prefix_len: u8) -> VipaRange {
    let has = |row| node.child(row).is_some();
    let moves = node.child(&MOVEABLE_RANGE);
    let is_disruptive = moves.is_some_and(|moves| moves.child(&DISRUPTIVE).is_some());
    let saf = node.child(&RANGE_SAF).and_then(Node::name);
    VipaRange {
        network,
        prefix_len,
        moveable: if is_disruptive {
            RangeMoveable::Disruptive
        } else {
            RangeMoveable::NonDisruptive
        },
        interface: node.name().map(ToOwned::to_owned),
        saf: saf.map(ToOwned::to_owned),
        used_by: if has(&ZCX) {
            RangeUse::Zcx
        } else if has(&ZCONT) {
            RangeUse::Zcont
        } else if has(&ZCPA) {
            RangeUse::Zcpa
        } else {
            RangeUse::Applications
        },
    }
}
