//! Makes a configuration of statements, and finds what is wrong between them.
//!
//! Nothing here reads text. What a statement that was reported as broken would
//! have said is never missed in another one. A profile starts from an empty
//! configuration, an OBEYFILE from the running one.

mod addresses;
mod distribute;
mod dvipa;
mod method;
mod ports;
mod services;
mod settings;
mod terms;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::super::config::Config;
use super::super::xcf::XcfAddresses;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::grammar::Row;
use super::message::{NO_FORWARDING, NO_ROUTING, NO_XCF};
use super::source::Span;
use super::table::{globalconfig, ipconfig, port, vipadistribute, vipadynamic};
use super::tree::Node;
pub(in super::super) use distribute::network;
use dvipa::Defined;
use ports::Ports;
use services::Services;

/// Where the statements stand that a configuration is made of.
///
/// What an OBEYFILE does not mention has no place.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The address of `DYNAMICXCF` in IPCONFIG.
    pub dynamic_xcf: Option<Span>,
    /// The address of `DYNAMICXCF` in IPCONFIG6.
    pub ipv6_xcf: Option<Span>,
    /// The address of each VIPADEFINE or VIPABACKUP.
    pub dvipas: HashMap<IpAddr, Span>,
    /// The first VIPADISTRIBUTE of each DVIPA.
    pub distributed: HashMap<IpAddr, Span>,
    /// Where each DESTIP address that is a stack of the group stands first.
    pub destinations: HashMap<IpAddr, Span>,
    /// The address of DYNAMICXCF in each VIPAROUTE.
    pub routes: HashMap<IpAddr, Span>,
}

impl Places {
    /// Where it is said first by which addresses the stack is known.
    #[must_use]
    pub fn identity(&self) -> Option<Span> {
        self.dynamic_xcf.or(self.ipv6_xcf)
    }

    /// Where the `DYNAMICXCF` of the family of an address is.
    #[must_use]
    pub fn xcf_for(&self, address: IpAddr) -> Option<Span> {
        match address {
            IpAddr::V4(_) => self.dynamic_xcf,
            IpAddr::V6(_) => self.ipv6_xcf,
        }
    }
}

/// What the statements of a profile amount to.
pub(super) struct Resolved {
    /// Worth something only if nothing was reported as an error.
    pub(super) config: Config,
    /// Where it stands.
    pub(super) places: Places,
}

/// Resolves `statements`; `is_incomplete` tells that more was there than could be read.
///
/// They are added to `running`, if there is one.
pub(super) fn resolve(
    statements: &[Node],
    running: Option<&Config>,
    is_incomplete: bool,
    found: &mut Diagnostics,
) -> Resolved {
    let mut resolver = Resolver::new(statements, running, is_incomplete, found);
    // VIPADYNAMIC is processed after the ordinary statements, wherever these stand.
    resolver.each(
        statements,
        &globalconfig::GLOBALCONFIG,
        Resolver::globalconfig,
    );
    resolver.each(statements, &ipconfig::IPCONFIG, Resolver::ipconfig);
    resolver.each(statements, &ipconfig::IPCONFIG6, Resolver::ipconfig6);
    // DELETE makes room for what the same text reserves anew.
    resolver.each(statements, &port::DELETE, Resolver::delete_ports);
    resolver.each(statements, &port::PORT, Resolver::port);
    resolver.each(statements, &port::PORTRANGE, Resolver::port_range);
    resolver.each(statements, &vipadynamic::VIPADYNAMIC, Resolver::vipadynamic);
    resolver.check_requirements();
    resolver.finish()
}

struct Resolver<'a> {
    found: &'a mut Diagnostics,
    /// What is made; lists that are looked up stand beside it until the end.
    config: Config,
    /// The configuration of the running stack, whose identity no OBEYFILE can change.
    running: Option<&'a Config>,
    places: Places,
    /// Something that could have defined DYNAMICXCF was not understood.
    misses_ipconfig: bool,
    /// Something that could have defined a DVIPA was not understood.
    misses_dvipas: bool,
    no_forwarding: Option<Span>,
    ports: Ports,
    dvipas: Vec<Option<Defined>>,
    dvipa_index: HashMap<IpAddr, usize>,
    /// The addresses of IPv6 DVIPAs by their interfaces.
    interfaces: HashMap<String, IpAddr>,
    /// Where a DVIPA is defined first, whether or not the resolver has come to it.
    defined_at: HashMap<IpAddr, Span>,
    services: Services,
    /// Keywords of which it was said that they are understood where nothing is written.
    assumed: Vec<&'static Row>,
    /// The first VIPADISTRIBUTE that defines something, and the first of each family's DVIPAs.
    distributes: Option<Span>,
    distributes_ipv4: Option<Span>,
    distributes_ipv6: Option<Span>,
    /// DESTIP addresses in the order in which they stand first.
    destinations: Vec<(IpAddr, Span)>,
    /// Each VIPAROUTE and VIPARANGE, with its place in this text.
    routed: HashMap<IpAddr, Option<Span>>,
    ranged: HashMap<(IpAddr, u8), Option<Span>>,
}

impl<'a> Resolver<'a> {
    fn new(
        statements: &[Node],
        running: Option<&'a Config>,
        is_incomplete: bool,
        found: &'a mut Diagnostics,
    ) -> Self {
        let broken = |rows: &[&'static Row]| {
            any(statements, &|node| {
                rows.iter().any(|row| node.is(row)) && node.has_error()
            })
        };
        let defines = [&vipadynamic::VIPADEFINE, &vipadynamic::VIPABACKUP];
        let mut defined_at = HashMap::new();
        collect_definitions(statements, &mut defined_at);
        let mut resolver = Self {
            misses_ipconfig: is_incomplete || broken(&[&ipconfig::IPCONFIG]),
            misses_dvipas: is_incomplete || broken(&defines),
            found,
            config: Config::default(),
            running,
            places: Places::default(),
            no_forwarding: None,
            ports: Ports::default(),
            dvipas: Vec::new(),
            dvipa_index: HashMap::new(),
            interfaces: HashMap::new(),
            defined_at,
            services: Services::default(),
            assumed: Vec::new(),
            distributes: None,
            distributes_ipv4: None,
            distributes_ipv6: None,
            destinations: Vec::new(),
            routed: HashMap::new(),
            ranged: HashMap::new(),
        };
        if let Some(running) = running {
            resolver.start_from(running);
        }
        resolver
    }

    fn start_from(&mut self, running: &Config) {
        let mut config = running.clone();
        self.ports = Ports::of(&mut config);
        self.services = Services::of(&mut config);
        let interfaces = std::mem::take(&mut config.interfaces);
        for dvipa in std::mem::take(&mut config.dvipas) {
            let interface = match dvipa.address {
                IpAddr::V4(_) => None,
                IpAddr::V6(address) => interfaces.get(&address).cloned(),
            };
            self.know(Defined::running(dvipa, interface));
        }
        let routes = config.routes.iter();
        self.routed = routes.map(|route| (route.dynamic_xcf, None)).collect();
        let ranges = config.ranges.iter();
        self.ranged = ranges
            .map(|range| ((range.network, range.prefix_len), None))
            .collect();
        self.config = config;
    }

    /// Calls `read` for each statement `row`, those in a wrong place too.
    fn each(&mut self, nodes: &[Node], row: &'static Row, read: fn(&mut Self, &Node)) {
        for node in nodes {
            if node.is(row) {
                read(self, node);
            } else {
                self.each(&node.children, row, read);
            }
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
            } else if statement.is(&vipadynamic::VIPAROUTE) {
                self.viparoute(statement);
            } else if statement.is(&vipadynamic::VIPARANGE) {
                self.viparange(statement);
            } else if statement.is(&vipadynamic::VIPASMPARMS) {
                self.vipasmparms(statement);
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
        self.check_xcf();
        if let (Some(span), false) = (self.distributes, self.config.sysplex_routing) {
            self.found.push(
                Diagnostic::warning(
                    &NO_ROUTING,
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
                    &NO_FORWARDING,
                    no,
                    "expected `DATAGRAMFWD` in a profile that distributes, found `NODATAGRAMFWD`",
                )
                .related(span, "this is distributed nevertheless")
                .help("remove `NODATAGRAMFWD`: with it z/OS would not distribute"),
            );
        }
    }

    /// Who distributes has an address inside the group, of each family that it distributes.
    fn check_xcf(&mut self) {
        let own = self.config.xcf();
        let mut is_missed = false;
        for (span, has, statement, example) in [
            (
                self.distributes_ipv4,
                own.and_then(XcfAddresses::ipv4).is_some(),
                "IPCONFIG DYNAMICXCF",
                XCF_EXAMPLE,
            ),
            (
                self.distributes_ipv6,
                own.and_then(XcfAddresses::ipv6).is_some(),
                "IPCONFIG6 DYNAMICXCF",
                XCF6_EXAMPLE,
            ),
        ] {
            if let (Some(span), false) = (span, has) {
                is_missed = true;
                let message =
                    format!("expected `{statement}` in a profile that distributes, found none");
                let report = Diagnostic::error(&NO_XCF, span, message).help(format!(
                    "a distributor needs its address inside the group: write {example}"
                ));
                self.found.push(report);
            }
        }
        let mut defined = self.dvipas.iter().flatten();
        let moves = defined.find_map(|defined| defined.span);
        if let (None, Some(span), false) = (own, moves, is_missed) {
            self.found.push(
                Diagnostic::warning(
                    &NO_XCF,
                    span,
                    "expected `IPCONFIG DYNAMICXCF` in a profile with DVIPAs, found none",
                )
                .help(format!(
                    "no other stack can take this address over: write {XCF_EXAMPLE}"
                )),
            );
        }
    }

    fn finish(mut self) -> Resolved {
        for defined in self.dvipas.into_iter().flatten() {
            if let Some(span) = defined.span {
                self.places.dvipas.insert(defined.dvipa.address, span);
            }
            defined.put_into(&mut self.config);
        }
        self.services.put_into(&mut self.config);
        self.ports.put_into(&mut self.config);
        let routed = self.routed.into_iter();
        self.places.routes = routed
            .filter_map(|(address, span)| Some((address, span?)))
            .collect();
        Resolved {
            config: self.config,
            places: self.places,
        }
    }
}

/// The names of the IPv6 DVIPAs of a configuration.
pub(super) fn interfaces(config: &Config) -> HashSet<String> {
    config.interfaces.values().cloned().collect()
}

const XCF6_EXAMPLE: &str =
    "`IPCONFIG6 DYNAMICXCF fd00:172::1/64`, with an address and a prefix of your own";

const XCF_EXAMPLE: &str = "`IPCONFIG SYSPLEXROUTING DYNAMICXCF 172.1.1.1 255.255.255.0 1`, with an \
                           address and a mask of your own";

fn any(nodes: &[Node], is: &dyn Fn(&Node) -> bool) -> bool {
    nodes.iter().any(|node| is(node) || any(&node.children, is))
}

fn collect_definitions(nodes: &[Node], into: &mut HashMap<IpAddr, Span>) {
    for node in nodes {
        if node.is(&vipadynamic::VIPADEFINE) || node.is(&vipadynamic::VIPABACKUP) {
            for (address, span) in node.addresses() {
                into.entry(address).or_insert(span);
            }
        }
        collect_definitions(&node.children, into);
    }
}
