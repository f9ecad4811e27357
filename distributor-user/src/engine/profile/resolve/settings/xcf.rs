//! DYNAMICXCF: by which addresses the stack is known.

use std::net::IpAddr;

use super::super::super::super::config::{DynamicXcf, Ipv6Xcf};
use super::super::super::diagnostic::Diagnostic;
use super::super::super::message::{EZZ0318I, SAID_TWICE, STAYS};
use super::super::super::source::Span;
use super::super::super::table::ipconfig as ip;
use super::super::super::tree::Node;
use super::super::Resolver;
use super::super::dvipa::unusable;
use super::refine_xcf;

impl Resolver<'_> {
    /// `DYNAMICXCF` or `NODYNAMICXCF` of an IPCONFIG6.
    pub(super) fn ipv6_xcf(&mut self, node: &Node) {
        let settings = self.config.ip6.get_or_insert_default();
        let Some(xcf) = node.child(&ip::DYNAMICXCF6) else {
            if let Some(none) = node.child(&ip::NODYNAMICXCF) {
                settings.ipv6_xcf = None;
                self.check_ipv6_identity(none.span);
            }
            return;
        };
        refine_xcf(&mut settings.xcf, xcf);
        let Some((IpAddr::V6(address), span)) = xcf.addresses().next() else {
            return;
        };
        let id = xcf.child(&ip::INTFID).and_then(|id| id.addresses().next());
        let new = Ipv6Xcf {
            address,
            prefix_len: xcf.prefix().map(|(bits, _)| bits),
            interface_id: id.and_then(|(id, _)| match id {
                IpAddr::V6(id) => Some(id),
                IpAddr::V4(_) => None,
            }),
        };
        let old = settings.ipv6_xcf.replace(new.clone());
        let first = self.places.ipv6_xcf.replace(span);
        self.check_xcf_address(address.into(), None, span);
        if let (Some(old), Some(first)) = (old.filter(|old| *old != new), first) {
            self.report_two_xcf(old.identity(), first, span);
        }
        self.check_ipv6_identity(span);
    }

    /// `DYNAMICXCF` of an IPCONFIG.
    pub(super) fn dynamic_xcf(&mut self, node: &Node) {
        let Some((address, span)) = node.addresses().next() else {
            return;
        };
        let prefix_len = node.prefix().map(|(bits, _)| bits);
        self.check_xcf_address(address, prefix_len, span);
        let metric = node
            .number()
            .and_then(|(metric, _)| u8::try_from(metric).ok());
        let (Some(prefix_len), Some(cost_metric)) = (prefix_len, metric) else {
            self.misses_ipconfig = true;
            return;
        };
        let new = DynamicXcf {
            address,
            prefix_len,
            cost_metric,
        };
        let old = self.config.dynamic_xcf.replace(new);
        let first = self.places.dynamic_xcf.replace(span);
        if let (Some(old), Some(first)) = (old.filter(|old| *old != new), first) {
            self.report_two_xcf(old.address, first, span);
        }
        self.check_identity(span);
    }

    fn report_two_xcf(&mut self, old: IpAddr, first: Span, span: Span) {
        self.found.push(
            Diagnostic::warning(
                &SAID_TWICE,
                span,
                format!("expected one `DYNAMICXCF`, found another; this replaces `{old}`"),
            )
            .related(first, "the one that is replaced")
            .help("remove one of them"),
        );
    }

    fn check_xcf_address(&mut self, address: IpAddr, prefix_len: Option<u8>, span: Span) {
        if let Some(problem) = unusable(address, prefix_len) {
            self.found.push(
                Diagnostic::error(
                    &EZZ0318I,
                    span,
                    format!("expected the address of a host, found `{address}`, {problem}"),
                )
                .help("write an address that belongs to this stack alone"),
            );
        }
    }

    /// A running stack keeps its identity.
    pub(super) fn check_identity(&mut self, span: Span) {
        if let Some(running) = self.running
            && running.dynamic_xcf != self.config.dynamic_xcf
        {
            self.report_identity(running.dynamic_xcf.map(|xcf| xcf.address), span);
        }
    }

    fn check_ipv6_identity(&mut self, span: Span) {
        if let Some(running) = self.running
            && running.ipv6_xcf() != self.config.ipv6_xcf()
        {
            self.report_identity(running.ipv6_xcf().map(Ipv6Xcf::identity), span);
        }
    }

    fn report_identity(&mut self, running: Option<IpAddr>, span: Span) {
        let is = running.map_or("none".to_owned(), |xcf| format!("`{xcf}`"));
        self.found.push(
            Diagnostic::error(
                &STAYS,
                span,
                format!("expected the `DYNAMICXCF` that the stack runs with, {is}, found another"),
            )
            .help("change it in the profile, and start the stack again"),
        );
    }
}
