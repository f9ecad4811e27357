//! PORT, PORTRANGE and DELETE PORT: who may use which port.

mod delete;
mod unreserved;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::super::config::{
    AcknowledgeMode, Config, Enforced, PortOptions, PortProtocol, PortRange, PortReservation,
    PortShare, PortUser, SmcMode, UnreservedPorts,
};
use super::super::diagnostic::Diagnostic;
use super::super::message::{BEYOND_LAST_PORT, EZZ0318I, NOT_OF_UDP, RESERVED_TWICE, SAID_TWICE};
use super::super::source::Span;
use super::super::table::port::{
    ANY_PORT, BIND, NOAUTOLOG, NODELAYACKS, NOSMC, RANGE, RESERVATION, SAF, SHAREPORT,
    SHAREPORTWLM, SMC, UDP, UNRSV,
};
use super::super::tree::Node;
use super::Resolver;

type Key = (u16, PortProtocol, String, Option<IpAddr>);

/// The reservations, with where each stands in this text.
#[derive(Default)]
pub(super) struct Ports {
    entries: Vec<Option<PortReservation>>,
    port_index: BTreeMap<Key, (usize, Option<Span>)>,
    /// How many entries PORT has for each port, and where the last of them stands.
    reserved: BTreeMap<(PortProtocol, u16), (usize, Option<Span>)>,
    /// By protocol and first port; no two overlap.
    ranges: BTreeMap<(PortProtocol, u16), (PortRange, usize, Option<Span>)>,
    unreserved: Vec<UnreservedPorts>,
    /// WHENLISTEN or WHENBIND of the first UNRSV TCP that says one.
    when: Option<(Enforced, Span)>,
}

impl Ports {
    /// Takes the reservations out of a running configuration.
    pub(super) fn of(config: &mut Config) -> Self {
        let mut ports = Self {
            unreserved: std::mem::take(&mut config.unreserved),
            ..Self::default()
        };
        for port in config.ports.drain(..) {
            ports.reserve(port, None);
        }
        for range in config.port_ranges.drain(..) {
            ports.reserve_range(range, None);
        }
        ports
    }

    pub(super) fn put_into(self, config: &mut Config) {
        config.ports = self.entries.into_iter().flatten().collect();
        let mut ranges: Vec<(PortRange, usize)> = self
            .ranges
            .into_values()
            .map(|(range, at, _)| (range, at))
            .collect();
        ranges.sort_by_key(|(_, at)| *at);
        config.port_ranges = ranges.into_iter().map(|(range, _)| range).collect();
        config.unreserved = self.unreserved;
    }

    fn reserve(&mut self, port: PortReservation, span: Option<Span>) {
        let user = port.user.word().to_owned();
        let key = (port.port, port.protocol, user, port.bind);
        if let Some((at, place)) = self.port_index.get_mut(&key) {
            *place = span;
            self.entries[*at] = Some(port);
            return;
        }
        let count = self.reserved.entry((port.protocol, port.port)).or_default();
        *count = (count.0 + 1, span);
        self.port_index.insert(key, (self.entries.len(), span));
        self.entries.push(Some(port));
    }

    fn reserve_range(&mut self, range: PortRange, span: Option<Span>) {
        let at = self.ranges.len();
        let key = (range.protocol, range.first);
        self.ranges.insert(key, (range, at, span));
    }

    /// The range that shares a port with `first` to `last`.
    fn overlapping(
        &self,
        protocol: PortProtocol,
        first: u16,
        last: u16,
    ) -> Option<&(PortRange, usize, Option<Span>)> {
        let mut before = self.ranges.range(..=(protocol, last));
        let (_, found) = before.next_back()?;
        (found.0.protocol == protocol && found.0.last >= first).then_some(found)
    }
}

impl Resolver<'_> {
    pub(super) fn port(&mut self, node: &Node) {
        for entry in &node.children {
            if entry.is(&RESERVATION) {
                self.reservation(entry);
            } else if entry.is(&UNRSV) {
                self.unreserved(entry);
            }
        }
    }

    fn reservation(&mut self, entry: &Node) {
        let number = entry
            .number()
            .and_then(|(number, _)| u16::try_from(number).ok());
        let (Some(port), Some((user, user_span))) = (number, entry.named()) else {
            return;
        };
        let bind = entry
            .child(&BIND)
            .and_then(|bind| bind.addresses().next())
            .map(|(address, _)| address);
        let protocol = protocol(entry);
        let user = PortUser::of(user);
        self.check_user(entry, &user, user_span);
        if let Some((range, _, place)) = self.ports.overlapping(protocol, port, port) {
            let report = Diagnostic::error(
                &RESERVED_TWICE,
                entry.whole(),
                format!(
                    "expected a port that no PORTRANGE has, found {} port {port}",
                    protocol.word()
                ),
            )
            .help(format!(
                "z/OS ignores the second one; take it out of `PORTRANGE {} {}` or remove this",
                range.first,
                range.last - range.first + 1
            ));
            let report = match *place {
                Some(place) => report.related(place, "the range that has it"),
                None => report,
            };
            return self.found.push(report);
        }
        let key = (port, protocol, user.word().to_owned(), bind);
        if let Some((_, Some(first))) = self.ports.port_index.get(&key) {
            self.found.push(
                Diagnostic::warning(
                    &SAID_TWICE,
                    entry.whole(),
                    format!("expected this entry of port {port} once, found it again"),
                )
                .related(*first, "the first one")
                .help("remove one of them: the last one holds"),
            );
        }
        let reservation = PortReservation {
            port,
            protocol,
            user,
            bind,
            options: options(entry),
        };
        self.ports.reserve(reservation, Some(entry.whole()));
    }

    /// A job name has a `*` at its end only; `RESERVED` stands alone.
    fn check_user(&mut self, entry: &Node, user: &PortUser, span: Span) {
        let PortUser::Job(name) = user else {
            let options = entry.children.iter().find(|child| !is_protocol(child));
            if let (PortUser::Nobody, Some(option)) = (user, options) {
                self.found.push(
                    Diagnostic::error(
                        &EZZ0318I,
                        option.span,
                        format!(
                            "expected nothing after `RESERVED`, found `{}`",
                            option.row.keyword()
                        ),
                    )
                    .help("nobody uses a reserved port: remove what follows"),
                );
            }
            return;
        };
        let stem = name.strip_suffix('*').unwrap_or(name);
        let is_first = |c: char| c.is_ascii_alphabetic() || "@#$".contains(c);
        let is_legal = |c: char| is_first(c) || c.is_ascii_digit();
        let is_name = stem.is_empty() || (stem.starts_with(is_first) && stem.chars().all(is_legal));
        if !is_name || name.is_empty() {
            self.found.push(
                Diagnostic::error(
                    &EZZ0318I,
                    span,
                    format!("expected a job name, found `{name}`"),
                )
                .help(
                    "write 1 to 8 letters, digits, `@`, `#` or `$`, a letter first; a `*` at \
                         the end stands for any",
                ),
            );
        }
        let shares = entry.child(&SHAREPORT).or(entry.child(&SHAREPORTWLM));
        if let (PortProtocol::Udp, Some(share)) = (protocol(entry), shares) {
            self.found.push(
                Diagnostic::warning(
                    &NOT_OF_UDP,
                    share.span,
                    format!(
                        "expected `{}` of a TCP port, found a UDP port",
                        share.row.keyword()
                    ),
                )
                .help("remove it: only listeners of TCP share a port"),
            );
        }
    }

    pub(super) fn port_range(&mut self, node: &Node) {
        for entry in node.children.iter().filter(|child| child.is(&RANGE)) {
            self.range(entry);
        }
    }

    fn range(&mut self, entry: &Node) {
        let mut numbers = entry.numbers();
        let (Some((first, _)), Some((count, span)), Some((user, user_span))) =
            (numbers.next(), numbers.next(), entry.named())
        else {
            return;
        };
        let protocol = protocol(entry);
        let user = PortUser::of(user);
        self.check_user(entry, &user, user_span);
        let last = first + count - 1;
        if last > u32::from(u16::MAX) {
            self.found.push(
                Diagnostic::warning(
                    &BEYOND_LAST_PORT,
                    span,
                    format!("expected a range that ends at 65535, found one that ends at {last}"),
                )
                .help(format!(
                    "it is cut off there: write `{first} {}`",
                    u32::from(u16::MAX) - first + 1
                )),
            );
        }
        let Ok(first) = u16::try_from(first) else {
            return;
        };
        let last = u16::try_from(last).unwrap_or(u16::MAX);
        let mut reserved = self
            .ports
            .reserved
            .range((protocol, first)..=(protocol, last));
        let other = match self.ports.overlapping(protocol, first, last) {
            // The same range of the running configuration is replaced.
            Some((range, _, None)) if (range.first, range.last) == (first, last) => None,
            Some((range, _, place)) => Some((
                format!(
                    "ports that no other PORTRANGE has, found {}",
                    range.first.max(first)
                ),
                *place,
            )),
            None => None,
        };
        let port = reserved.next();
        let other = other.or(port.map(|((_, port), (_, place))| {
            (format!("ports that no PORT has, found {port}"), *place)
        }));
        if let Some((message, place)) = other {
            let report = Diagnostic::error(
                &RESERVED_TWICE,
                entry.whole(),
                format!("expected {message}"),
            )
            .help("z/OS ignores the second one: reserve each port in one place only");
            let report = match place {
                Some(place) => report.related(place, "reserved here too"),
                None => report,
            };
            return self.found.push(report);
        }
        let range = PortRange {
            first,
            last,
            protocol,
            user,
            options: options(entry),
        };
        self.ports.reserve_range(range, Some(entry.whole()));
    }
}

fn is_protocol(node: &Node) -> bool {
    ANY_PORT.iter().any(|row| node.is(row))
}

fn protocol(entry: &Node) -> PortProtocol {
    if entry.child(&UDP).is_some() {
        PortProtocol::Udp
    } else {
        PortProtocol::Tcp
    }
}

fn saf(entry: &Node) -> Option<String> {
    let name = entry.child(&SAF).and_then(Node::name);
    name.map(ToOwned::to_owned)
}

fn options(entry: &Node) -> PortOptions {
    let has = |row| entry.child(row).is_some();
    PortOptions {
        has_no_autolog: has(&NOAUTOLOG),
        acknowledge: if has(&NODELAYACKS) {
            AcknowledgeMode::AtOnce
        } else {
            AcknowledgeMode::Delayed
        },
        share: match (has(&SHAREPORT), has(&SHAREPORTWLM)) {
            (_, true) => PortShare::ShareportWlm,
            (true, false) => PortShare::Shareport,
            (false, false) => PortShare::No,
        },
        saf: saf(entry),
        smc: match (has(&SMC), has(&NOSMC)) {
            (true, _) => SmcMode::Yes,
            (false, true) => SmcMode::No,
            (false, false) => SmcMode::Unsaid,
        },
    }
}
