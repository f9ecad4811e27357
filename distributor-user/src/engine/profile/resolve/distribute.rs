//! VIPADISTRIBUTE.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use super::super::super::config::{Destinations, DistMethod, Service};
use super::super::diagnostic::Diagnostic;
use super::super::source::Span;
use super::super::table::vipadynamic::{
    ALL, AUTOSWITCHBACK, BACKUP, DELETE, DESTINATION, DESTIP, DISTMETHOD, HEALTHSWITCH, HOTSTANDBY,
    NOAUTOSWITCHBACK, NOHEALTHSWITCH, PORTS, PREFERRED, TIMEDAFFINITY, WEIGHT, WEIGHTEDACTIVE,
};
use super::super::tree::Node;
use super::Resolver;
use super::dvipa::unusable;

/// Ports in one statement, as on z/OS.
const MAX_PORTS: usize = 64;
/// Targets of one service, as on z/OS.
const MAX_TARGETS: usize = 32;
/// BACKUP targets of one HOTSTANDBY service.
const MAX_BACKUPS: usize = 31;

impl Resolver<'_> {
    pub(super) fn vipadistribute(&mut self, node: &Node) {
        let is_delete = node.child(&DELETE).is_some();
        if !is_delete {
            self.distributes.get_or_insert(node.span);
            self.check_method(node);
        }
        let dvipa = node.addresses().next();
        if let Some((address, span)) =
            dvipa.filter(|(address, _)| !self.is_dvipa(IpAddr::V4(*address)))
        {
            self.not_defined(address, span);
        }
        let ports = self.ports(node);
        let destinations = self.destinations(node);
        let (Some((dvipa, _)), Some(destinations)) = (dvipa, destinations) else {
            return;
        };
        for (port, span) in ports {
            if is_delete {
                self.delete_service(dvipa, port, &destinations, span);
            } else {
                self.add_service(dvipa, port, &destinations, span);
            }
        }
    }

    fn check_method(&mut self, node: &Node) {
        let method = node.child(&DISTMETHOD);
        if method.is_none() && !node.has_error() {
            self.found.push(
                Diagnostic::error(
                    node.span,
                    "expected `DISTMETHOD ROUNDROBIN`, found no method, which means `BASEWLM`",
                )
                .help("`BASEWLM` is not supported yet: write `DISTMETHOD ROUNDROBIN`"),
            );
        }
        let is_method = |row| method.is_some_and(|method| method.child(row).is_some());
        if method.is_some_and(|method| method.children.is_empty()) {
            return;
        }
        if is_method(&HOTSTANDBY) {
            self.check_hot_standby(node);
        } else {
            self.check_no_hot_standby(node);
        }
        let weight = entries(node).find_map(|entry| entry.child(&WEIGHT));
        if let Some(weight) = weight.filter(|_| !is_method(&WEIGHTEDACTIVE)) {
            self.found.push(
                Diagnostic::warning(
                    weight.whole(),
                    "expected no `WEIGHT` with this method, found one; it is ignored",
                )
                .id("EZZ0799I")
                .help("`WEIGHT` belongs to `DISTMETHOD WEIGHTEDACTIVE`; remove it"),
            );
        }
        if let Some((1.., span)) = node.child(&TIMEDAFFINITY).and_then(Node::number) {
            self.found.push(
                Diagnostic::error(
                    span,
                    "`TIMEDAFFINITY` is not supported yet: a client could reach another target each time",
                )
                .help("remove it, or write `TIMEDAFFINITY 0`"),
            );
        }
    }

    fn check_no_hot_standby(&mut self, node: &Node) {
        let options = [
            &AUTOSWITCHBACK,
            &NOAUTOSWITCHBACK,
            &HEALTHSWITCH,
            &NOHEALTHSWITCH,
        ];
        let option = options.iter().find_map(|row| node.child(row));
        let target =
            entries(node).find_map(|entry| entry.child(&PREFERRED).or(entry.child(&BACKUP)));
        for keyword in option.into_iter().chain(target) {
            let name = keyword.row.keyword();
            self.found.push(
                Diagnostic::error(
                    keyword.span,
                    format!(
                        "expected `{name}` only with `DISTMETHOD HOTSTANDBY`, found it without"
                    ),
                )
                .id("EZZ0831I")
                .help(format!("remove `{name}`")),
            );
        }
    }

    fn check_hot_standby(&mut self, node: &Node) {
        let Some(destip) = node.child(&DESTIP) else {
            return;
        };
        let help = "name each target: one `PREFERRED`, the others `BACKUP rank`";
        if let Some(all) = destip.child(&ALL) {
            self.found.push(
                Diagnostic::error(
                    all.span,
                    "expected a list of targets with `HOTSTANDBY`, found `ALL`",
                )
                .id("EZZ0165I")
                .help(help),
            );
            return;
        }
        let count = |row| {
            entries(node)
                .filter(|entry| entry.child(row).is_some())
                .count()
        };
        let (preferred, backups) = (count(&PREFERRED), count(&BACKUP));
        let plain = entries(node).find(|entry| entry.children.is_empty() && !entry.has_error());
        if let Some(plain) = plain {
            self.found.push(
                Diagnostic::error(
                    plain.span,
                    "expected `PREFERRED` or `BACKUP` after a target of `HOTSTANDBY`, found neither",
                )
                .id("EZZ0826I")
                .help(help),
            );
        } else if (preferred != 1 || backups == 0) && !destip.has_error() {
            self.found.push(
                Diagnostic::error(
                    destip.span,
                    format!(
                        "expected one `PREFERRED` and at least one `BACKUP`, found {preferred} and {backups}"
                    ),
                )
                .id("EZZ0827I")
                .help(help),
            );
        }
        if backups > MAX_BACKUPS {
            self.found.push(
                Diagnostic::error(
                    destip.span,
                    format!("expected at most {MAX_BACKUPS} `BACKUP` targets, found {backups}"),
                )
                .id("EZZ0829I")
                .help("remove some of them"),
            );
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
            self.destinations.push((address, span));
            list.push(address.into());
            if list.len() == MAX_TARGETS + 1 {
                self.found.push(
                    Diagnostic::error(
                        span,
                        format!("expected at most {MAX_TARGETS} targets, found more"),
                    )
                    .id("EZZ0318I")
                    .help("remove some of them, or write `DESTIP ALL`"),
                );
            }
        }
        (!list.is_empty()).then_some(Destinations::List(list))
    }

    fn add_service(&mut self, dvipa: Ipv4Addr, port: u16, new: &Destinations, span: Span) {
        let existing = self.service_index.get(&(dvipa, port)).copied();
        let Some(service) = existing.and_then(|index| self.services[index].as_mut()) else {
            self.service_index
                .insert((dvipa, port), self.services.len());
            self.services.push(Some(Service {
                dvipa: dvipa.into(),
                port,
                method: DistMethod::RoundRobin,
                destinations: new.clone(),
            }));
            return;
        };
        match (&mut service.destinations, new) {
            (Destinations::All, Destinations::All) => {}
            (Destinations::List(list), Destinations::List(more)) => {
                let known: HashSet<IpAddr> = list.iter().copied().collect();
                list.extend(
                    more.iter()
                        .copied()
                        .filter(|address| !known.contains(address)),
                );
                if list.len() > MAX_TARGETS && known.len() <= MAX_TARGETS {
                    self.found.push(
                        Diagnostic::error(
                            span,
                            format!(
                                "expected at most {MAX_TARGETS} targets of `{dvipa}` port {port}, found more"
                            ),
                        )
                        .help("an earlier VIPADISTRIBUTE of the same port has targets already"),
                    );
                }
            }
            (Destinations::All, Destinations::List(_))
            | (Destinations::List(_), Destinations::All) => {
                self.found.push(
                    Diagnostic::error(
                        span,
                        format!(
                            "expected either `ALL` or a list of targets for `{dvipa}` port {port}, found both"
                        ),
                    )
                    .help("an earlier VIPADISTRIBUTE of the same port says otherwise: write VIPADISTRIBUTE DELETE first"),
                );
            }
        }
    }

    fn delete_service(&mut self, dvipa: Ipv4Addr, port: u16, gone: &Destinations, span: Span) {
        let index = self.service_index.get(&(dvipa, port)).copied();
        let service = index.and_then(|index| self.services[index].as_mut());
        let Some(service) = service else {
            self.found.push(
                Diagnostic::error(
                    span,
                    format!("expected a port that is distributed before, found {port} of `{dvipa}`"),
                )
                .help("VIPADISTRIBUTE DELETE takes back an earlier VIPADISTRIBUTE of this profile; remove it"),
            );
            return;
        };
        let is_empty = match (&mut service.destinations, gone) {
            (Destinations::All, Destinations::All) => true,
            (Destinations::List(list), Destinations::List(gone)) => {
                let unknown = gone.iter().find(|address| !list.contains(address)).copied();
                list.retain(|address| !gone.contains(address));
                let is_empty = list.is_empty();
                if let Some(unknown) = unknown {
                    self.no_such_target(dvipa, port, &unknown.to_string(), span);
                }
                is_empty
            }
            (Destinations::All, Destinations::List(gone)) => {
                let first = gone.first().map_or_else(String::new, ToString::to_string);
                self.no_such_target(dvipa, port, &first, span);
                false
            }
            (Destinations::List(_), Destinations::All) => {
                self.no_such_target(dvipa, port, "ALL", span);
                false
            }
        };
        if let (true, Some(index)) = (is_empty, self.service_index.get(&(dvipa, port)).copied()) {
            self.services[index] = None;
            self.service_index.remove(&(dvipa, port));
        }
    }

    fn no_such_target(&mut self, dvipa: Ipv4Addr, port: u16, target: &str, span: Span) {
        self.found.push(
            Diagnostic::error(
                span,
                format!("expected a DESTIP that port {port} of `{dvipa}` has, found `{target}`"),
            )
            .help("repeat the DESTIP entries of the VIPADISTRIBUTE that is taken back"),
        );
    }

    pub(super) fn delete_services_of(&mut self, dvipa: Ipv4Addr) {
        for service in &mut self.services {
            if service
                .as_ref()
                .is_some_and(|service| service.dvipa == IpAddr::V4(dvipa))
            {
                *service = None;
            }
        }
        self.service_index
            .retain(|(address, _), _| *address != dvipa);
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
            } else if let Some((xcf, _)) = xcf {
                if !in_subnet(address, xcf.address, xcf.prefix_len) {
                    outside.push((address, span));
                }
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

fn entries(node: &Node) -> impl Iterator<Item = &Node> {
    let destip = node.child(&DESTIP);
    let children = destip.into_iter().flat_map(|destip| destip.children.iter());
    children.filter(|child| child.is(&DESTINATION))
}

fn in_subnet(address: Ipv4Addr, of: IpAddr, prefix_len: u8) -> bool {
    match of {
        IpAddr::V4(of) => masked(address, prefix_len) == masked(of, prefix_len),
        IpAddr::V6(_) => false,
    }
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
