//! What the firewall of this host does with what the stack needs.

use std::collections::BTreeSet;

use super::facts::{Host, Said};
use super::finding::Finding;
use ruleset::{Fate, Packet, Protocol, Ruleset};

mod ruleset;

pub(super) fn examine(said: &Said, host: &Host, findings: &mut Vec<Finding>) {
    let Some(rules) = host.ruleset.as_ref().and_then(Ruleset::read) else {
        return;
    };
    group(said, &rules, findings);
    neighbours(said, &rules, findings);
    for service in &said.explain.services {
        let mut targets = service.targets.iter();
        if !targets.any(|target| target.target == said.name) {
            continue;
        }
        let shown = format!("{}:{}", service.dvipa, service.port);
        let request = Packet {
            is_ipv6: service.dvipa.is_ipv6(),
            protocol: Protocol::Tcp,
            icmp_type: None,
            destination: Some(service.dvipa),
            source: None,
            destination_port: Some(service.port),
            source_port: None,
            state: "new",
        };
        let answer = Packet {
            destination: None,
            source: Some(service.dvipa),
            destination_port: None,
            source_port: Some(service.port),
            state: "established",
            ..request
        };
        for (packet, hooks, id, what) in [
            (
                &request,
                &["prerouting", "input"][..],
                "firewall-service",
                "new connections to",
            ),
            (
                &answer,
                &["output", "postrouting"],
                "firewall-answers",
                "the answers of",
            ),
        ] {
            match rules.fate(packet, hooks) {
                Fate::Dropped(by) => {
                    let what = format!("{by} drops {what} {shown}");
                    findings.push(Finding::new(id, what));
                }
                Fate::Rewritten(by) => {
                    let what = format!("{by} rewrites {what} {shown}");
                    findings.push(Finding::new("firewall-translates", what));
                }
                Fate::Unsure => {}
            }
        }
    }
}

/// The versions of IP by which the group is talked to, IPv6 or not.
fn versions(said: &Said) -> BTreeSet<bool> {
    let own = said.config.daemon.group_addresses.iter();
    own.map(|own| own.address.is_ipv6()).collect()
}

fn group(said: &Said, rules: &Ruleset<'_>, findings: &mut Vec<Finding>) {
    let port = said.config.daemon.group_port;
    let ports = [port, port.saturating_add(1)];
    let packets = versions(said)
        .into_iter()
        .flat_map(|is_ipv6| ports.map(|port| (is_ipv6, port)));
    for (is_ipv6, port) in packets {
        let packet = Packet {
            is_ipv6,
            protocol: Protocol::Udp,
            icmp_type: None,
            destination: None,
            source: None,
            destination_port: Some(port),
            source_port: None,
            state: "new",
        };
        for (packet, hooks, way) in [
            (&packet, &["prerouting", "input"][..], "arrives"),
            (&packet, &["output", "postrouting"], "leaves"),
        ] {
            // The probe is answered by the packet path; only its questions must be able to leave.
            if way == "arrives" && port != said.config.daemon.group_port {
                continue;
            }
            if let Fate::Dropped(by) = rules.fate(packet, hooks) {
                let over = if is_ipv6 { " over IPv6" } else { "" };
                let what = format!("{by} drops what {way} by UDP for port {port}{over}");
                findings.push(Finding::new("firewall-group", what));
            }
        }
    }
}

/// IPv6 finds Ethernet addresses by messages that pass the firewall, unlike ARP.
fn neighbours(said: &Said, rules: &Ruleset<'_>, findings: &mut Vec<Finding>) {
    let mut dvipas = said.sysplex.dvipas.iter();
    if !versions(said).contains(&true) && !dvipas.any(|dvipa| dvipa.dvipa.is_ipv6()) {
        return;
    }
    for (kind, shown) in [
        ("nd-neighbor-solicit", "asks"),
        ("nd-neighbor-advert", "answers"),
    ] {
        let packet = Packet {
            is_ipv6: true,
            protocol: Protocol::Icmpv6,
            icmp_type: Some(kind),
            destination: None,
            source: None,
            destination_port: None,
            source_port: None,
            // Conntrack leaves these messages out (`icmpv6_error` of nf_conntrack_proto_icmpv6).
            state: "untracked",
        };
        for (hooks, way) in [
            (&["prerouting", "input"][..], "arrives"),
            (&["output", "postrouting"], "leaves"),
        ] {
            if let Fate::Dropped(by) = rules.fate(&packet, hooks) {
                let what = format!("{by} drops what {way} and {shown} for neighbours (`{kind}`)");
                findings.push(Finding::new("firewall-neighbours", what));
            }
        }
    }
}
