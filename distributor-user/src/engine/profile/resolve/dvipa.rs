//! VIPADEFINE, VIPABACKUP and VIPADELETE.

mod family;

use std::net::IpAddr;

use super::super::super::config::{Config, Dvipa, DvipaOptions, DvipaRole, Moveable, Tier};
use super::super::super::xcf::XcfAddresses;
use super::super::diagnostic::Diagnostic;
use super::super::message::{
    EZZ0312I, EZZ0318I, EZZ9654I, NOBODY_CREATES, NOT_DEFINED, NOT_ITS_OWN, SAID_TWICE, STAYS,
    TOO_MUCH,
};
use super::super::source::Span;
use super::super::table::vipadynamic::{
    CPCSCOPE, MOVEABLE, SERVICEMGR, TIER1_DVIPA, TIER2_DVIPA, WHENIDLE,
};
use super::super::tree::Node;
use super::Resolver;
pub(super) use family::unusable;

/// A stack has at most this many DVIPAs, as on z/OS.
const MAX_DVIPAS: usize = 1024;

/// A DVIPA with the place that defines it.
pub(super) struct Defined {
    pub(super) dvipa: Dvipa,
    /// The name of an IPv6 DVIPA.
    interface: Option<String>,
    /// Absent for one of the running configuration.
    pub(super) span: Option<Span>,
}

impl Defined {
    pub(super) fn running(dvipa: Dvipa, interface: Option<String>) -> Self {
        Self {
            dvipa,
            interface,
            span: None,
        }
    }

    /// Puts the DVIPA into the configuration that it belongs to.
    pub(super) fn put_into(self, config: &mut Config) {
        if let (IpAddr::V6(address), Some(interface)) = (self.dvipa.address, self.interface) {
            config.interfaces.insert(address, interface);
        }
        config.dvipas.push(self.dvipa);
    }
}

impl Resolver<'_> {
    pub(super) fn vipadefine(&mut self, node: &Node) {
        let role = DvipaRole::Define {
            moveable: moveable(node).unwrap_or_default(),
        };
        self.define(node, role);
    }

    pub(super) fn vipabackup(&mut self, node: &Node) {
        let moveable = moveable(node);
        self.check_backup(node, moveable);
        let rank = node.number().and_then(|(rank, _)| u8::try_from(rank).ok());
        self.define(
            node,
            DvipaRole::Backup {
                rank: rank.unwrap_or(1),
                moveable,
            },
        );
    }

    /// The two forms of VIPABACKUP: passive without MOVEABLE and mask, able to create with both.
    fn check_backup(&mut self, node: &Node, moveable: Option<Moveable>) {
        let Some((address, _)) = node.addresses().next() else {
            return;
        };
        let (mask, example) = match node.name() {
            Some(name) => (
                node.prefix().filter(|_| moveable.is_none()),
                format!("VIPABACKUP MOVEABLE IMMEDIATE {name} {address}"),
            ),
            None => (
                node.prefix(),
                format!("VIPABACKUP MOVEABLE IMMEDIATE 255.255.255.0 {address}"),
            ),
        };
        match (moveable, mask) {
            (Some(_), None) if !node.is_broken && address.is_ipv4() => self.found.push(
                Diagnostic::error(
                    &EZZ0312I,
                    node.span,
                    format!("expected a subnet mask before `{address}`, found none"),
                )
                .help(format!("with MOVEABLE write `{example}`")),
            ),
            (None, Some((_, span))) => self.found.push(
                Diagnostic::error(
                    &EZZ0312I,
                    span,
                    "expected `MOVEABLE` before the subnet mask, found none",
                )
                .help("write `MOVEABLE IMMEDIATE` before the mask, or remove the mask"),
            ),
            (None, None) if !node.is_broken => self.found.push(
                Diagnostic::warning(
                    &NOBODY_CREATES,
                    node.span,
                    format!("this backup can never create `{address}`: it has no `MOVEABLE`"),
                )
                .help(format!(
                    "if it starts before the stack that defines the address, nobody has it; to let \
                     it create the address write `{example}`"
                )),
            ),
            _ => {}
        }
    }

    fn define(&mut self, node: &Node, role: DvipaRole) {
        let prefix_len = node.prefix().map(|(bits, _)| bits);
        let interface = self.check_family(node);
        for (address, span) in node.addresses() {
            if let Some(problem) = unusable(address, prefix_len) {
                self.found.push(
                    Diagnostic::error(
                        &EZZ0318I,
                        span,
                        format!(
                            "expected the address of a host as DVIPA, found `{address}`, {problem}"
                        ),
                    )
                    .help("write an address that clients can connect to and no host has"),
                );
            }
            let defined = Defined {
                dvipa: Dvipa {
                    address,
                    prefix_len,
                    role,
                    options: options(node),
                },
                interface: interface.map(ToOwned::to_owned),
                span: Some(span),
            };
            if let Some(known) = self.dvipa_index.get(&address).copied() {
                self.define_again(known, defined, span);
                continue;
            }
            if let Some(other) = interface.and_then(|name| self.interfaces.get(name)) {
                self.found.push(
                    Diagnostic::error(
                        &EZZ9654I,
                        span,
                        format!("expected one address of an interface, found `{address}` besides `{other}`"),
                    )
                    .help("give each IPv6 DVIPA an interface name of its own"),
                );
                continue;
            }
            if self.dvipa_index.len() == MAX_DVIPAS {
                self.found.push(
                    Diagnostic::error(
                        &TOO_MUCH,
                        span,
                        format!("expected at most {MAX_DVIPAS} DVIPAs in a profile, found more"),
                    )
                    .help("move some of them to another group of stacks"),
                );
                self.misses_dvipas = true;
                return;
            }
            self.know(defined);
        }
    }

    pub(super) fn know(&mut self, defined: Defined) {
        let address = defined.dvipa.address;
        if let Some(interface) = &defined.interface {
            self.interfaces.insert(interface.clone(), address);
        }
        self.dvipa_index.insert(address, self.dvipas.len());
        self.dvipas.push(Some(defined));
    }

    /// A DVIPA that is there: twice in one text is an error, in an OBEYFILE its options change.
    fn define_again(&mut self, known: usize, new: Defined, span: Span) {
        let Some(old) = self.dvipas[known].as_ref() else {
            return;
        };
        let address = new.dvipa.address;
        let is_definition = |role| matches!(role, DvipaRole::Define { .. });
        let scope = |options: DvipaOptions| (options.tier, options.is_cpc_scope);
        let report = if let Some(first) = old.span {
            Diagnostic::error(
                &SAID_TWICE,
                span,
                format!("expected one VIPADEFINE or VIPABACKUP of `{address}`, found another"),
            )
            .related(first, "the first one")
            .help("remove one of them, or write VIPADELETE of the address between them")
        } else if is_definition(old.dvipa.role) != is_definition(new.dvipa.role) {
            let (is, wanted) = if is_definition(old.dvipa.role) {
                ("VIPADEFINE", "VIPABACKUP")
            } else {
                ("VIPABACKUP", "VIPADEFINE")
            };
            Diagnostic::error(
                &STAYS,
                span,
                format!(
                    "expected `{is}` of `{address}` as in the running profile, found `{wanted}`"
                ),
            )
            .help(format!("write `VIPADELETE {address}` before it"))
        } else if scope(old.dvipa.options) != scope(new.dvipa.options) {
            Diagnostic::error(
                &STAYS,
                span,
                format!("expected the tier and scope that `{address}` has already, found others"),
            )
            .help(format!("write `VIPADELETE {address}` before it"))
        } else if old.interface != new.interface {
            Diagnostic::error(
                &EZZ9654I,
                span,
                format!("expected the interface that `{address}` has already, found another"),
            )
            .help("write VIPADELETE of the interface before it")
        } else {
            self.dvipas[known] = Some(new);
            return;
        };
        self.found.push(report);
    }

    pub(super) fn vipadelete(&mut self, node: &Node) {
        if let Some((name, span)) = node.named() {
            match self.interfaces.get(name).copied() {
                Some(address) => self.forget(address, span),
                None => self.no_such_interface(name, span),
            }
        }
        for (address, span) in node.addresses() {
            self.forget(address, span);
        }
    }

    fn forget(&mut self, address: IpAddr, span: Span) {
        let Some(known) = self.dvipa_index.remove(&address) else {
            return self.not_defined(address, span);
        };
        if let Some(interface) = self.dvipas[known].take().and_then(|old| old.interface) {
            self.interfaces.remove(&interface);
        }
        self.services.remove(address);
    }

    /// The DVIPA that a statement names, by address or interface; reports it if there is none.
    pub(super) fn dvipa(&mut self, node: &Node) -> Option<IpAddr> {
        if let Some((name, span)) = node.named() {
            let address = self.interfaces.get(name).copied();
            if address.is_none() {
                self.no_such_interface(name, span);
            }
            return address;
        }
        let (address, span) = node.addresses().next()?;
        if self.dvipa_index.contains_key(&address) {
            return Some(address);
        }
        self.not_defined(address, span);
        None
    }

    fn no_such_interface(&mut self, name: &str, span: Span) {
        if !self.misses_dvipas {
            self.found.push(
                Diagnostic::error(
                    &NOT_DEFINED,
                    span,
                    format!(
                        "expected a DVIPA that is defined before, found the interface `{name}`"
                    ),
                )
                .help(format!(
                    "write `VIPADEFINE {name} 2001:db8::1` (or VIPABACKUP) before it"
                )),
            );
        }
    }

    /// Reports a DVIPA that nothing before this place defines.
    fn not_defined(&mut self, address: IpAddr, span: Span) {
        let report = Diagnostic::error(
            &NOT_DEFINED,
            span,
            format!("expected a DVIPA that is defined before, found `{address}`"),
        );
        match self.defined_at.get(&address) {
            Some(&later) if later.source == span.source && later > span => self.found.push(
                report
                    .related(later, "defined only here")
                    .help("move the statement behind the one that defines the address"),
            ),
            Some(_) => self.found.push(
                report.help("the address was deleted before; write this in front of VIPADELETE"),
            ),
            None if self.misses_dvipas => {}
            None => self.found.push(report.help(format!(
                "write `VIPADEFINE 255.255.255.0 {address}` (or VIPABACKUP) before it, in this profile"
            ))),
        }
    }

    pub(super) fn check_dvipas_against_xcf(&mut self) {
        let own: Vec<IpAddr> = self
            .config
            .xcf()
            .into_iter()
            .flat_map(XcfAddresses::iter)
            .collect();
        for address in own {
            self.check_dvipa_against_xcf(address);
        }
    }

    fn check_dvipa_against_xcf(&mut self, address: IpAddr) {
        let known = self.dvipa_index.get(&address);
        let Some(defined) = known.and_then(|&known| self.dvipas[known].as_ref()) else {
            return;
        };
        let place = self.places.xcf_for(address);
        // One of the two stands in this text: the running configuration has been checked.
        let Some(span) = defined.span.or(place) else {
            return;
        };
        let report = Diagnostic::error(
            &NOT_ITS_OWN,
            span,
            format!(
                "expected an address of its own as DVIPA, found the DYNAMICXCF address `{address}`"
            ),
        )
        .help("a DVIPA moves, the DYNAMICXCF address stays: write two addresses");
        self.found.push(match place {
            Some(xcf) => report.related(xcf, "this stack's address inside the group"),
            None => report,
        });
    }

    /// Whether `address` is a DVIPA of this profile at present.
    pub(super) fn is_dvipa(&self, address: IpAddr) -> bool {
        self.dvipa_index.contains_key(&address)
    }
}

fn moveable(node: &Node) -> Option<Moveable> {
    let keyword = node.child(&MOVEABLE)?;
    Some(match keyword.child(&WHENIDLE) {
        Some(_) => Moveable::WhenIdle,
        None => Moveable::Immediate,
    })
}

fn options(node: &Node) -> DvipaOptions {
    let has = |row| node.child(row).is_some();
    DvipaOptions {
        tier: match (has(&TIER1_DVIPA), has(&TIER2_DVIPA)) {
            (true, _) => Some(Tier::One),
            (false, true) => Some(Tier::Two),
            (false, false) => None,
        },
        is_cpc_scope: has(&CPCSCOPE),
        is_service_managed: has(&SERVICEMGR),
    }
}
