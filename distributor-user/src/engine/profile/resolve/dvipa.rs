//! VIPADEFINE, VIPABACKUP and VIPADELETE.

use std::net::{IpAddr, Ipv4Addr};

use super::super::super::config::{Dvipa, DvipaRole, Moveable};
use super::super::diagnostic::Diagnostic;
use super::super::source::Span;
use super::super::table::vipadynamic::{MOVEABLE, WHENIDLE};
use super::super::tree::Node;
use super::Resolver;

/// A stack has at most this many DVIPAs, as on z/OS.
const MAX_DVIPAS: usize = 1024;

/// A DVIPA with the place that defines it.
pub(super) struct Defined {
    pub(super) dvipa: Dvipa,
    pub(super) span: Span,
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
        match (moveable, node.prefix()) {
            (Some(_), None) if !node.is_broken => self.found.push(
                Diagnostic::error(
                    node.span,
                    format!("expected a subnet mask before `{address}`, found none"),
                )
                .id("EZZ0312I")
                .help(format!(
                    "with MOVEABLE write `VIPABACKUP MOVEABLE IMMEDIATE 255.255.255.0 {address}`"
                )),
            ),
            (None, Some((_, span))) => self.found.push(
                Diagnostic::error(span, "expected `MOVEABLE` before the subnet mask, found none")
                    .id("EZZ0312I")
                    .help("write `MOVEABLE IMMEDIATE` before the mask, or remove the mask"),
            ),
            (None, None) if !node.is_broken => self.found.push(
                Diagnostic::warning(
                    node.span,
                    format!("this backup can never create `{address}`: it has no `MOVEABLE`"),
                )
                .help(format!(
                    "if it starts before the stack that defines the address, nobody has it; to let \
                     it create the address write `VIPABACKUP MOVEABLE IMMEDIATE 255.255.255.0 {address}`"
                )),
            ),
            _ => {}
        }
    }

    fn define(&mut self, node: &Node, role: DvipaRole) {
        let prefix_len = node.prefix().map(|(bits, _)| bits);
        for (address, span) in node.addresses() {
            if let Some(problem) = unusable(address, prefix_len) {
                self.found.push(
                    Diagnostic::error(
                        span,
                        format!(
                            "expected the address of a host as DVIPA, found `{address}`, {problem}"
                        ),
                    )
                    .id("EZZ0318I")
                    .help("write an address that clients can connect to and no host has"),
                );
            }
            if let Some(known) = self.dvipa_index.get(&address).copied() {
                let first = self.dvipas[known].as_ref().map(|defined| defined.span);
                let report = Diagnostic::error(
                    span,
                    format!("expected one VIPADEFINE or VIPABACKUP of `{address}`, found another"),
                )
                .help("remove one of them, or write VIPADELETE of the address between them");
                self.found.push(match first {
                    Some(first) => report.related(first, "the first one"),
                    None => report,
                });
                continue;
            }
            if self.dvipa_index.len() == MAX_DVIPAS {
                self.found.push(
                    Diagnostic::error(
                        span,
                        format!("expected at most {MAX_DVIPAS} DVIPAs in a profile, found more"),
                    )
                    .help("move some of them to another group of stacks"),
                );
                self.misses_dvipas = true;
                return;
            }
            self.dvipa_index.insert(address, self.dvipas.len());
            self.dvipas.push(Some(Defined {
                dvipa: Dvipa {
                    address: address.into(),
                    prefix_len,
                    role,
                },
                span,
            }));
        }
    }

    pub(super) fn vipadelete(&mut self, node: &Node) {
        for (address, span) in node.addresses() {
            let Some(known) = self.dvipa_index.remove(&address) else {
                self.not_defined(address, span);
                continue;
            };
            self.dvipas[known] = None;
            self.services.remove(address);
        }
    }

    /// Reports a DVIPA that nothing before this place defines.
    pub(super) fn not_defined(&mut self, address: Ipv4Addr, span: Span) {
        let report = Diagnostic::error(
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
        let Some((xcf, xcf_span)) = self.dynamic_xcf else {
            return;
        };
        for defined in self.dvipas.iter().flatten() {
            if defined.dvipa.address == xcf.address {
                self.found.push(
                    Diagnostic::error(
                        defined.span,
                        format!(
                            "expected an address of its own as DVIPA, found the DYNAMICXCF address `{}`",
                            xcf.address
                        ),
                    )
                    .related(xcf_span, "this stack's address inside the group")
                    .help("a DVIPA moves, the DYNAMICXCF address stays: write two addresses"),
                );
            }
        }
    }

    /// Whether `address` is a DVIPA of this profile at present.
    pub(super) fn is_dvipa(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.dvipa_index.contains_key(&address),
            IpAddr::V6(_) => false,
        }
    }
}

fn moveable(node: &Node) -> Option<Moveable> {
    let keyword = node.child(&MOVEABLE)?;
    Some(match keyword.child(&WHENIDLE) {
        Some(_) => Moveable::WhenIdle,
        None => Moveable::Immediate,
    })
}

/// Why no host can have `address`.
pub(super) fn unusable(address: Ipv4Addr, prefix_len: Option<u8>) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => return Some("which names no host"),
        [127, ..] => return Some("a loopback address"),
        [224..=239, ..] => return Some("a multicast address"),
        [240..=255, ..] => return Some("which is reserved; is it a mask?"),
        _ => {}
    }
    let length = prefix_len.filter(|length| (1..=30).contains(length))?;
    let host = address.to_bits() & (u32::MAX >> length);
    if host == 0 {
        Some("the address of its network")
    } else if host == u32::MAX >> length {
        Some("the broadcast address of its network")
    } else {
        None
    }
}
