//! Makes a configuration of statements, and finds what is wrong between them.
//!
//! Nothing here reads text. What a statement that was reported as broken would
//! have said is never missed in another one.

mod distribute;
mod dvipa;
mod method;
mod services;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use super::super::config::{Config, DynamicXcf, PortProtocol, PortReservation, PortShare};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::Span;
use super::table::{ipconfig, port, vipadistribute, vipadynamic};
use super::tree::Node;
use dvipa::Defined;
use services::Services;

/// What the statements of a profile amount to.
pub(super) struct Resolved {
    /// Worth something only if nothing was reported as an error.
    pub(super) config: Config,
    /// Where the address of DYNAMICXCF stands.
    pub(super) dynamic_xcf: Option<Span>,
}

/// Resolves `statements`; `is_incomplete` tells that more was there than could be read.
pub(super) fn resolve(
    statements: &[Node],
    is_incomplete: bool,
    found: &mut Diagnostics,
) -> Resolved {
    let mut resolver = Resolver::new(statements, is_incomplete, found);
    // VIPADYNAMIC is processed after the ordinary statements, wherever these stand.
    resolver.each(statements, &ipconfig::IPCONFIG, Resolver::ipconfig);
    resolver.each(statements, &port::PORT, Resolver::port);
    resolver.each(statements, &vipadynamic::VIPADYNAMIC, Resolver::vipadynamic);
    resolver.check_requirements();
    resolver.finish()
}

struct Resolver<'a> {
    found: &'a mut Diagnostics,
    /// Something that could have defined DYNAMICXCF was not understood.
    misses_ipconfig: bool,
    /// Something that could have defined a DVIPA was not understood.
    misses_dvipas: bool,
    dynamic_xcf: Option<(DynamicXcf, Span)>,
    sysplex_routing: bool,
    no_forwarding: Option<Span>,
    ports: Vec<PortReservation>,
    dvipas: Vec<Option<Defined>>,
    dvipa_index: HashMap<Ipv4Addr, usize>,
    /// Where a DVIPA is defined first, whether or not the resolver has come to it.
    defined_at: HashMap<Ipv4Addr, Span>,
    services: Services,
    /// The first VIPADISTRIBUTE that defines something.
    distributes: Option<Span>,
    /// Where each DESTIP address stands first.
    destinations: Vec<(Ipv4Addr, Span)>,
}

impl<'a> Resolver<'a> {
    fn new(statements: &[Node], is_incomplete: bool, found: &'a mut Diagnostics) -> Self {
        let broken = |rows: &[&'static super::grammar::Row]| {
            any(statements, &|node| {
                rows.iter().any(|row| node.is(row)) && node.has_error()
            })
        };
        let defines = [&vipadynamic::VIPADEFINE, &vipadynamic::VIPABACKUP];
        let mut defined_at = HashMap::new();
        collect_definitions(statements, &mut defined_at);
        Self {
            misses_ipconfig: is_incomplete || broken(&[&ipconfig::IPCONFIG]),
            misses_dvipas: is_incomplete || broken(&defines),
            found,
            dynamic_xcf: None,
            sysplex_routing: false,
            no_forwarding: None,
            ports: Vec::new(),
            dvipas: Vec::new(),
            dvipa_index: HashMap::new(),
            defined_at,
            services: Services::default(),
            distributes: None,
            destinations: Vec::new(),
        }
    }

    /// Calls `read` for each statement `row`, those in a wrong place too.
    fn each(
        &mut self,
        nodes: &[Node],
        row: &'static super::grammar::Row,
        read: fn(&mut Self, &Node),
    ) {
        for node in nodes {
            if node.is(row) {
                read(self, node);
            } else {
                self.each(&node.children, row, read);
            }
        }
    }

    fn ipconfig(&mut self, node: &Node) {
        for keyword in &node.children {
            if keyword.is(&ipconfig::DYNAMICXCF) {
                self.dynamic_xcf(keyword);
            } else if keyword.is(&ipconfig::NODYNAMICXCF) {
                self.dynamic_xcf = None;
            } else if keyword.is(&ipconfig::SYSPLEXROUTING) {
                self.sysplex_routing = true;
            } else if keyword.is(&ipconfig::NOSYSPLEXROUTING) {
                self.sysplex_routing = false;
            } else if keyword.is(&ipconfig::NODATAGRAMFWD) {
                self.no_forwarding = Some(keyword.span);
            }
        }
    }

    fn dynamic_xcf(&mut self, node: &Node) {
        let Some((address, span)) = node.addresses().next() else {
            return;
        };
        let prefix_len = node.prefix().map(|(bits, _)| bits);
        if let Some(problem) = dvipa::unusable(address, prefix_len) {
            self.found.push(
                Diagnostic::error(
                    span,
                    format!("expected the address of a host, found `{address}`, {problem}"),
                )
                .id("EZZ0318I")
                .help("write an address that belongs to this stack alone"),
            );
        }
        let metric = node
            .number()
            .and_then(|(metric, _)| u8::try_from(metric).ok());
        let (Some(prefix_len), Some(cost_metric)) = (prefix_len, metric) else {
            self.misses_ipconfig = true;
            return;
        };
        let new = DynamicXcf {
            address: address.into(),
            prefix_len,
            cost_metric,
        };
        if let Some((old, first)) = self.dynamic_xcf.filter(|(old, _)| *old != new) {
            self.found.push(
                Diagnostic::warning(
                    span,
                    format!(
                        "expected one `DYNAMICXCF`, found another; this replaces `{}`",
                        old.address
                    ),
                )
                .related(first, "the one that is replaced")
                .help("remove one of them"),
            );
        }
        self.dynamic_xcf = Some((new, span));
    }

    fn port(&mut self, node: &Node) {
        for entry in node
            .children
            .iter()
            .filter(|child| child.is(&port::RESERVATION))
        {
            let number = entry
                .number()
                .and_then(|(number, _)| u16::try_from(number).ok());
            let (Some(port), Some(user)) = (number, entry.name()) else {
                continue;
            };
            let bind = entry
                .child(&port::BIND)
                .and_then(|bind| bind.addresses().next());
            let is_udp = entry.child(&port::UDP).is_some();
            self.ports.push(PortReservation {
                port,
                protocol: if is_udp {
                    PortProtocol::Udp
                } else {
                    PortProtocol::Tcp
                },
                user: user.to_owned(),
                bind: bind.map(|(address, _)| IpAddr::V4(address)),
                share: match (
                    entry.child(&port::SHAREPORT),
                    entry.child(&port::SHAREPORTWLM),
                ) {
                    (_, Some(_)) => PortShare::ShareportWlm,
                    (Some(_), None) => PortShare::Shareport,
                    (None, None) => PortShare::No,
                },
            });
        }
    }

    fn vipadynamic(&mut self, node: &Node) {
        for statement in &node.children {
            if statement.is(&vipadynamic::VIPADEFINE) {
                self.vipadefine(statement);
            } else if statement.is(&vipadynamic::VIPABACKUP) {
                self.vipabackup(statement);
            } else if statement.is(&vipadynamic::VIPADELETE) {
                self.vipadelete(statement);
            } else if statement.is(&vipadistribute::VIPADISTRIBUTE) {
                self.vipadistribute(statement);
            }
        }
    }

    /// What only the whole profile shows.
    fn check_requirements(&mut self) {
        self.check_dvipas_against_xcf();
        self.check_destinations();
        if self.misses_ipconfig {
            return;
        }
        let moves = self
            .dvipas
            .iter()
            .flatten()
            .next()
            .map(|defined| defined.span);
        match (self.dynamic_xcf, self.distributes, moves) {
            (None, Some(span), _) => self.found.push(
                Diagnostic::error(
                    span,
                    "expected `IPCONFIG DYNAMICXCF` in a profile that distributes, found none",
                )
                .help(format!(
                    "a distributor needs its address inside the group: write {XCF_EXAMPLE}"
                )),
            ),
            (None, None, Some(span)) => self.found.push(
                Diagnostic::warning(
                    span,
                    "expected `IPCONFIG DYNAMICXCF` in a profile with DVIPAs, found none",
                )
                .help(format!(
                    "no other stack can take this address over: write {XCF_EXAMPLE}"
                )),
            ),
            (Some(_), _, _) | (None, None, None) => {}
        }
        if let (Some(span), false) = (self.distributes, self.sysplex_routing) {
            self.found.push(
                Diagnostic::warning(
                    span,
                    "expected `IPCONFIG SYSPLEXROUTING` in a profile that distributes, found none",
                )
                .help(
                    "write `IPCONFIG SYSPLEXROUTING`: z/OS needs it for weights, on every stack of \
                     the group",
                ),
            );
        }
        if let (Some(span), Some(no)) = (self.distributes, self.no_forwarding) {
            self.found.push(
                Diagnostic::warning(
                    no,
                    "expected `DATAGRAMFWD` in a profile that distributes, found `NODATAGRAMFWD`",
                )
                .related(span, "this is distributed nevertheless")
                .help("remove `NODATAGRAMFWD`: with it z/OS would not distribute"),
            );
        }
    }

    fn finish(self) -> Resolved {
        Resolved {
            dynamic_xcf: self.dynamic_xcf.map(|(_, span)| span),
            config: Config {
                dynamic_xcf: self.dynamic_xcf.map(|(xcf, _)| xcf),
                sysplex_routing: self.sysplex_routing,
                dvipas: self
                    .dvipas
                    .into_iter()
                    .flatten()
                    .map(|defined| defined.dvipa)
                    .collect(),
                services: self.services.into_list(),
                ports: self.ports,
            },
        }
    }
}

const XCF_EXAMPLE: &str = "`IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 1`, with an \
                           address and a mask of your own";

fn any(nodes: &[Node], is: &dyn Fn(&Node) -> bool) -> bool {
    nodes.iter().any(|node| is(node) || any(&node.children, is))
}

fn collect_definitions(nodes: &[Node], into: &mut HashMap<Ipv4Addr, Span>) {
    for node in nodes {
        if node.is(&vipadynamic::VIPADEFINE) || node.is(&vipadynamic::VIPABACKUP) {
            for (address, span) in node.addresses() {
                into.entry(address).or_insert(span);
            }
        }
        collect_definitions(&node.children, into);
    }
}
