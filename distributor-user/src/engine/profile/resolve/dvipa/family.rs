//! What each family of addresses wants in VIPADEFINE and VIPABACKUP, and which addresses are none.

use std::net::IpAddr;

use super::super::super::diagnostic::Diagnostic;
use super::super::super::message::{EZZ0318I, EZZ9654I};
use super::super::super::table::vipadynamic::{MOVEABLE, SERVICEMGR, WHENIDLE};
use super::super::super::tree::Node;
use super::super::Resolver;

impl Resolver<'_> {
    /// IPv4 DVIPAs have a mask, IPv6 DVIPAs an interface; returns its name.
    pub(super) fn check_family<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let named = node.named();
        let mut addresses = node.addresses();
        let problem = match (named, addresses.next()) {
            (Some((name, span)), Some((IpAddr::V4(address), _))) => Diagnostic::error(
                &EZZ0318I,
                span,
                format!("expected a subnet mask before `{address}`, found the interface `{name}`"),
            )
            .help("an interface name belongs to an IPv6 address, one in each statement"),
            (None, Some((IpAddr::V6(address), span))) => Diagnostic::error(
                &EZZ9654I,
                span,
                format!("expected an interface name before `{address}`, found none"),
            )
            .help(format!(
                "write `VIPADEFINE DVIPA1 {address}`, without a mask"
            )),
            (Some(_), Some((IpAddr::V6(_), _))) => {
                return self.check_ipv6(node);
            }
            (None, Some((IpAddr::V4(_), _))) => {
                let other = addresses.find(|(address, _)| address.is_ipv6());
                let (address, span) = other?;
                Diagnostic::error(
                    &EZZ0318I,
                    span,
                    format!("expected IPv4 addresses after a subnet mask, found `{address}`"),
                )
                .help("write a statement of its own, with an interface name")
            }
            (_, None) => return named.map(|(name, _)| name),
        };
        self.found.push(problem);
        None
    }

    fn check_ipv6<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let (name, _) = node.named()?;
        let mut refuse = |span, message: String, help: &str| {
            let report = Diagnostic::error(&EZZ9654I, span, message);
            self.found.push(report.help(help));
        };
        if let Some((address, span)) = node.addresses().nth(1) {
            refuse(
                span,
                format!("expected one address of the interface `{name}`, found `{address}` too"),
                "write a statement for each IPv6 DVIPA",
            );
        }
        let idle = node
            .child(&MOVEABLE)
            .and_then(|moves| moves.child(&WHENIDLE));
        if let Some(idle) = idle {
            refuse(
                idle.span,
                "expected `IMMEDIATE` for an IPv6 DVIPA, found `WHENIDLE`".to_owned(),
                "write `MOVEABLE IMMEDIATE`",
            );
        }
        if let Some(managed) = node.child(&SERVICEMGR) {
            refuse(
                managed.span,
                "expected no `SERVICEMGR` for an IPv6 DVIPA, found it".to_owned(),
                "remove it",
            );
        }
        Some(name)
    }
}

/// Why no host can have `address`.
pub(in super::super) fn unusable(address: IpAddr, prefix_len: Option<u8>) -> Option<&'static str> {
    let address = match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) if address.is_multicast() => return Some("a multicast address"),
        IpAddr::V6(address) if address.is_loopback() => return Some("a loopback address"),
        IpAddr::V6(address) if address.is_unspecified() => return Some("which names no host"),
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            return Some("which is valid on one link only");
        }
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            return Some("which stands for an IPv4 address");
        }
        IpAddr::V6(_) => return None,
    };
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
