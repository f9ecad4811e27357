//! IPCONFIG, IPCONFIG6 and GLOBALCONFIG.
//!
//! What a statement does not mention stays as it is.

mod xcf;

use super::super::super::config::{
    AdjustMss, IpSettings, Layout, Multipath, SysplexMonitor, XcfSettings,
};
use super::super::diagnostic::Diagnostic;
use super::super::grammar::Row;
use super::super::message::{EZZ0318I, MISSES_PARTNER};
use super::super::table::{globalconfig as global, ipconfig as ip};
use super::super::tree::Node;
use super::Resolver;

impl Resolver<'_> {
    pub(super) fn ipconfig(&mut self, node: &Node) {
        for keyword in &node.children {
            if keyword.is(&ip::DYNAMICXCF) {
                self.dynamic_xcf(keyword);
                refine_xcf(&mut self.config.ip.xcf, keyword);
            } else if keyword.is(&ip::NODYNAMICXCF) {
                self.config.dynamic_xcf = None;
                self.check_identity(keyword.span);
            } else if keyword.is(&ip::SYSPLEXROUTING) {
                self.config.sysplex_routing = true;
            } else if keyword.is(&ip::NOSYSPLEXROUTING) {
                self.config.sysplex_routing = false;
            } else if keyword.is(&ip::NODATAGRAMFWD) {
                self.no_forwarding = Some(keyword.span);
            } else if keyword.is(&ip::DATAGRAMFWD) {
                self.no_forwarding = None;
            }
        }
        set(&mut self.config.ip, node);
    }

    pub(super) fn ipconfig6(&mut self, node: &Node) {
        set(self.config.ip6.get_or_insert_default(), node);
        self.ipv6_xcf(node);
    }

    pub(super) fn globalconfig(&mut self, node: &Node) {
        let number = |row| node.child(row).and_then(Node::number).map(|(n, _)| n);
        let settings = &mut self.config.global;
        if let Some(seconds) = number(&global::SYSPLEXWLMPOLL).and_then(|n| n.try_into().ok()) {
            settings.wlm_poll_s = seconds;
        }
        if let Some(id) = number(&global::XCFGRPID).and_then(|n| n.try_into().ok()) {
            settings.xcf_group_id = Some(id);
        }
        if let Some(id) = number(&global::IQDVLANID).and_then(|n| n.try_into().ok()) {
            settings.iqd_vlan_id = id;
        }
        switch(
            &mut settings.has_statistics,
            node,
            &global::TCPIPSTATISTICS,
            &global::NOTCPIPSTATISTICS,
        );
        for (row, limit) in [
            (&global::ECSALIMIT, &mut settings.ecsa_limit),
            (&global::POOLLIMIT, &mut settings.pool_limit),
        ] {
            if let Some(size) = node.child(row).and_then(Node::name) {
                *limit = Some(size.to_owned());
            }
        }
        if let Some(adjust) = node.child(&global::ADJUSTDVIPAMSS) {
            let has = |row| adjust.child(row).is_some();
            settings.adjust_mss = match (has(&global::ALL), has(&global::NONE)) {
                (true, _) => AdjustMss::All,
                (false, true) => AdjustMss::None,
                (false, false) => AdjustMss::Auto,
            };
        }
        if node.child(&global::NOEXPLICITBINDPORTRANGE).is_some() {
            settings.explicit_bind_ports = None;
        }
        if let Some(range) = node.child(&global::EXPLICITBINDPORTRANGE) {
            self.explicit_bind_ports(range);
        }
        if let Some(records) = node.child(&global::MAXRECS) {
            self.max_records(records);
        }
        if let Some(monitor) = node.child(&global::SYSPLEXMONITOR) {
            set_monitor(&mut self.config.global.monitor, monitor);
            self.check_monitor(monitor);
        }
    }

    fn explicit_bind_ports(&mut self, node: &Node) {
        let mut numbers = node.numbers();
        let (Some((first, _)), Some((count, span))) = (numbers.next(), numbers.next()) else {
            return;
        };
        let last = first + count - 1;
        if let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(last)) {
            self.config.global.explicit_bind_ports = Some((first, last));
            return;
        }
        self.found.push(
            Diagnostic::error(
                &EZZ0318I,
                span,
                format!("expected ports up to 65535, found a range up to {last}"),
            )
            .help(format!("write `{first} {}` or fewer", 65_536 - first)),
        );
    }

    fn max_records(&mut self, node: &Node) {
        let Some((text, span)) = node.named() else {
            return;
        };
        let digits = text.trim_start_matches('0');
        match (text, digits.parse::<u16>()) {
            ("*", _) => self.config.global.max_records = None,
            (_, Ok(records @ 1..)) => self.config.global.max_records = Some(records),
            (_, Ok(0) | Err(_)) => self.found.push(
                Diagnostic::error(
                    &EZZ0318I,
                    span,
                    format!("expected a number of records from 1 to 65535 or `*`, found `{text}`"),
                )
                .help("write `*` for all of them"),
            ),
        }
    }

    fn check_monitor(&mut self, node: &Node) {
        let monitor = self.config.global.monitor;
        let needs = [
            (&global::AUTOREJOIN, &global::RECOVERY, monitor.recovers),
            (
                &global::DYNROUTE,
                &global::MONINTERFACE,
                monitor.watches_interfaces,
            ),
        ];
        for (row, needed, is_there) in needs {
            let Some(keyword) = node.child(row).filter(|_| !is_there) else {
                continue;
            };
            let (name, needed) = (row.keyword(), needed.keyword());
            self.found.push(
                Diagnostic::warning(
                    &MISSES_PARTNER,
                    keyword.span,
                    format!("expected `{needed}` with `{name}`, found none"),
                )
                .help(format!("write `{needed} {name}`: alone it has no effect")),
            );
        }
    }
}

/// Sets `field` where `on` or `off` is written.
fn switch(field: &mut bool, node: &Node, on: &'static Row, off: &'static Row) {
    if node.child(on).is_some() {
        *field = true;
    } else if node.child(off).is_some() {
        *field = false;
    }
}

fn set(settings: &mut IpSettings, node: &Node) {
    let number = |row| {
        let number = node.child(row).and_then(Node::number);
        number.and_then(|(number, _)| u8::try_from(number).ok())
    };
    switch(
        &mut settings.forwards,
        node,
        &ip::DATAGRAMFWD,
        &ip::NODATAGRAMFWD,
    );
    switch(
        &mut settings.has_source_vipa,
        node,
        &ip::SOURCEVIPA,
        &ip::NOSOURCEVIPA,
    );
    switch(
        &mut settings.discovers_path_mtu,
        node,
        &ip::PATHMTUDISCOVERY,
        &ip::NOPATHMTUDISCOVERY,
    );
    switch(
        &mut settings.forwards_multipath,
        node,
        &ip::FWDMULTIPATH,
        &ip::NOFWDMULTIPATH,
    );
    switch(
        &mut settings.accelerates,
        node,
        &ip::QDIOACCELERATOR,
        &ip::NOQDIOACCELERATOR,
    );
    if let Some(accelerator) = node.child(&ip::QDIOACCELERATOR) {
        let priority = accelerator.child(&ip::QDIOPRIORITY).and_then(Node::number);
        settings.accelerator_priority = priority.and_then(|(number, _)| number.try_into().ok());
    }
    if let Some(multipath) = node.child(&ip::MULTIPATH) {
        settings.multipath = match multipath.child(&ip::PERPACKET) {
            Some(_) => Multipath::PerPacket,
            None => Multipath::PerConnection,
        };
    } else if node.child(&ip::NOMULTIPATH).is_some() {
        settings.multipath = Multipath::No;
    }
    if let Some(format) = node.child(&ip::FORMAT) {
        settings.layout = Some(match format.child(&ip::SHORT) {
            Some(_) => Layout::Short,
            None => Layout::Long,
        });
    }
    for source in [&ip::TCPSTACKSOURCEVIPA, &ip::TCPSTACKSOURCEVIPA6] {
        if let Some(source) = node.child(source) {
            let address = source.addresses().next().map(|(to, _)| to.to_string());
            settings.tcp_stack_source_vipa = address.or(source.name().map(ToOwned::to_owned));
        }
    }
    if node.child(&ip::NOTCPSTACKSOURCEVIPA).is_some() {
        settings.tcp_stack_source_vipa = None;
    }
    if let Some(hops) = number(&ip::TTL).or(number(&ip::HOPLIMIT)) {
        settings.time_to_live = hops;
    }
    if let Some(seconds) = number(&ip::REASSEMBLYTIMEOUT) {
        settings.reassembly_timeout_s = seconds;
    }
}

fn refine_xcf(settings: &mut XcfSettings, node: &Node) {
    let class = node.child(&ip::SECCLASS).and_then(Node::number);
    *settings = XcfSettings {
        security_class: class.and_then(|(class, _)| class.try_into().ok()),
        smcd: match (node.child(&ip::SMCD), node.child(&ip::NOSMCD)) {
            (Some(_), _) => Some(true),
            (None, Some(_)) => Some(false),
            (None, None) => None,
        },
        source_vipa_interface: node
            .child(&ip::SOURCEVIPAINTERFACE)
            .and_then(Node::name)
            .map(ToOwned::to_owned),
    };
}

fn set_monitor(monitor: &mut SysplexMonitor, node: &Node) {
    let seconds = node.child(&global::TIMERSECS).and_then(Node::number);
    if let Some(seconds) = seconds.and_then(|(seconds, _)| seconds.try_into().ok()) {
        monitor.timer_s = seconds;
    }
    monitor.joins &= node.child(&global::NOJOIN).is_none();
    let switches: [(&mut bool, &'static Row, &'static Row); 7] = [
        (
            &mut monitor.recovers,
            &global::RECOVERY,
            &global::NORECOVERY,
        ),
        (
            &mut monitor.delays_join,
            &global::DELAYJOIN,
            &global::NODELAYJOIN,
        ),
        (
            &mut monitor.rejoins,
            &global::AUTOREJOIN,
            &global::NOAUTOREJOIN,
        ),
        (
            &mut monitor.watches_interfaces,
            &global::MONINTERFACE,
            &global::NOMONINTERFACE,
        ),
        (
            &mut monitor.watches_routes,
            &global::DYNROUTE,
            &global::NODYNROUTE,
        ),
        (
            &mut monitor.delays_join_ipsec,
            &global::DELAYJOINIPSEC,
            &global::NODELAYJOINIPSEC,
        ),
        (
            &mut monitor.watches_ipsec,
            &global::MONIPSEC,
            &global::NOMONIPSEC,
        ),
    ];
    for (field, on, off) in switches {
        switch(field, node, on, off);
    }
}
