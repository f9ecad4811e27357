//! What is wrong with the host: interfaces, settings, addresses, neighbours, the way back.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::facts::{Host, Nic, Said};
use super::finding::{Finding, Fix};
use crate::engine::links::contains;
use crate::engine::report::SysplexDvipa;
use crate::engine::sysctls::Setting;

/// What the packet path's program is called.
const PROGRAM: &str = "distribute";

pub(super) fn examine(said: &Said, host: &Host, findings: &mut Vec<Finding>) {
    let names = interfaces(said);
    for name in &names {
        match host.nics.iter().find(|nic| nic.link.name == *name) {
            Some(nic) => interface(said, nic, findings),
            None => findings.push(Finding::new(
                "interface-gone",
                format!("there is no interface `{name}` any more"),
            )),
        }
    }
    group_addresses(said, host, findings);
    mtu(said, host, findings);
    let has_dvipas = said.sysplex.dvipas.iter().any(|dvipa| {
        let mut stacks = dvipa.stacks.iter();
        stacks.any(|stack| stack.stack == said.name)
    });
    if has_dvipas {
        for name in &names {
            settings(host, name, findings);
        }
    }
    for dvipa in &said.sysplex.dvipas {
        address(said, host, dvipa, findings);
    }
    vlans(said, host, &names, findings);
    neighbours(host, findings);
    for way in host.clients.iter().filter(|way| way.interface.is_none()) {
        let what = format!("there is no route to {}", way.client);
        findings.push(Finding::new("no-way-back", what));
    }
}

/// The interfaces that the packet path runs on.
fn interfaces(said: &Said) -> BTreeSet<&str> {
    let daemon = &said.config.daemon;
    let ingress = daemon.interfaces.iter().map(String::as_str);
    ingress.chain([daemon.xcf_interface.as_str()]).collect()
}

fn interface(said: &Said, nic: &Nic, findings: &mut Vec<Finding>) {
    let name = &nic.link.name;
    if !nic.link.is_up {
        let up = Fix::command(&["ip", "link", "set", name, "up"]);
        let finding = Finding::new("interface-down", format!("`{name}` is down"));
        findings.push(finding.remedy(format!("`{}`", up.line())).fix(up));
    } else if !nic.has_carrier {
        let what = format!("`{name}` has no carrier");
        findings.push(Finding::new("no-carrier", what));
    }
    if let Some(master) = &nic.master {
        let what = format!("`{name}` is part of `{master}`");
        let remedy = format!("start the daemon with `--interface {master}` instead of `{name}`");
        findings.push(Finding::new("interface-enslaved", what).remedy(remedy));
    }
    if nic.has_lro {
        let off = Fix::command(&["ethtool", "-K", name, "lro", "off"]);
        findings.push(Finding::new("lro", format!("`{name}` has LRO on")).fix(off));
    }
    let mode = said.stats.interfaces.iter().find(|row| row.name == *name);
    match &nic.xdp {
        None => {
            let what = format!("no XDP program runs on `{name}`");
            findings.push(Finding::new("xdp-missing", what));
        }
        Some(xdp) if !xdp.program.is_empty() && xdp.program != PROGRAM => {
            let what = format!("the XDP program `{}` runs on `{name}`", xdp.program);
            let remedy = format!("detach the other one: `ip link set {name} xdp off`");
            findings.push(Finding::new("xdp-foreign", what).remedy(remedy));
        }
        Some(xdp) if !xdp.is_native && mode.is_some_and(|row| row.mode == "native") => {
            let what = format!("the program runs behind the driver of `{name}` now");
            findings.push(Finding::new("xdp-generic", what));
        }
        Some(_) => {}
    }
}

/// Compares the addresses at which the group is talked to with those that there are.
fn group_addresses(said: &Said, host: &Host, findings: &mut Vec<Finding>) {
    for own in &said.config.daemon.group_addresses {
        let name = &own.interface;
        let Some(nic) = host.nics.iter().find(|nic| nic.link.name == *name) else {
            continue;
        };
        let mut present = nic.link.addresses.iter();
        if present.any(|present| present.address == own.address) {
            continue;
        }
        let shown = format!("{}/{}", own.address, own.prefix_len);
        let what = format!("{shown} is on `{name}` no more");
        let finding = Finding::new("group-address", what);
        let add = Fix::command(&["ip", "address", "add", &shown, "dev", name]);
        let forget = "or start the daemon again, so that it is not used any more";
        findings.push(if own.address.is_ipv6() {
            finding
                .remedy(format!("`{}`; {forget}", add.line()))
                .fix(add)
        } else {
            // The kernel takes none of IPv4 away, and another host may have it by now.
            finding
                .cause("Somebody has removed it: members cannot reach this stack at it any more.")
                .remedy(format!(
                    "`{}` if no other host has it; {forget}",
                    add.line()
                ))
        });
    }
}

fn mtu(said: &Said, host: &Host, findings: &mut Vec<Finding>) {
    let daemon = &said.config.daemon;
    let of = |name: &str| {
        let nic = host.nics.iter().find(|nic| nic.link.name == *name)?;
        Some(nic.link.mtu)
    };
    let Some(xcf) = of(&daemon.xcf_interface) else {
        return;
    };
    for name in daemon
        .interfaces
        .iter()
        .filter(|name| **name != daemon.xcf_interface)
    {
        if let Some(mtu) = of(name).filter(|mtu| *mtu > xcf) {
            let what = format!(
                "`{}` of the DYNAMICXCF network has an MTU of {xcf}, and `{name}` one of {mtu}",
                daemon.xcf_interface
            );
            findings.push(Finding::new("mtu", what));
        }
    }
}

fn settings(host: &Host, interface: &str, findings: &mut Vec<Finding>) {
    for (setting, id) in [
        (Setting::ArpIgnore, "arp-ignore"),
        (Setting::ArpAnnounce, "arp-announce"),
        (Setting::RpFilter, "rp-filter"),
        (Setting::AcceptLocal, "accept-local"),
    ] {
        let value = |interface: &str| host.settings.get(&(interface.to_owned(), setting)).copied();
        let (Some(all), Some(own)) = (value("all"), value(interface)) else {
            continue;
        };
        let Some(needed) = setting.needed(all, own) else {
            continue;
        };
        let name = setting.name();
        let path = format!("/proc/sys/net/ipv4/conf/{interface}/{name}");
        let what = format!("{name} of `{interface}` is {}", all.max(own));
        let fix = Fix::Setting {
            path,
            value: needed,
        };
        let remedy = format!(
            "`{}`; the daemon does so when it starts, so somebody has changed it since",
            fix.line()
        );
        findings.push(Finding::new(id, what).remedy(remedy).fix(fix));
    }
}

fn address(said: &Said, host: &Host, dvipa: &SysplexDvipa, findings: &mut Vec<Finding>) {
    let address = dvipa.dvipa;
    let own = dvipa.stacks.iter().find(|stack| stack.stack == said.name);
    let is_owner = own.is_some_and(|own| own.is_owner);
    let is_target = own.is_some_and(|own| matches!(own.distribution.as_str(), "DEST" | "BOTH"));
    let places: Vec<&Nic> = host
        .nics
        .iter()
        .filter(|nic| nic.link.addresses.iter().any(|own| own.address == address))
        .collect();
    let exposed = places.iter().filter(|nic| !nic.link.is_loopback);
    for nic in exposed.clone() {
        let name = &nic.link.name;
        let of_others = nic.link.addresses.iter();
        let mut of_others = of_others.filter(|own| own.address == address && !own.is_ours);
        let Some(entry) = of_others.next().filter(|_| !is_owner) else {
            continue;
        };
        let shown = format!("{address}/{}", entry.prefix_len);
        let remove = Fix::command(&["ip", "address", "del", &shown, "dev", name]);
        let what = format!("{shown} is on `{name}`, and this stack does not own it");
        let remedy = format!(
            "`{}`; the daemon puts the address where it belongs by itself",
            remove.line()
        );
        findings.push(
            Finding::new("address-exposed", what)
                .remedy(remedy)
                .fix(remove),
        );
    }
    let is_settled = own.is_some_and(|own| own.status == "ACTIVE");
    // What nobody owns is hidden nowhere.
    let has_owner = dvipa.stacks.iter().any(|stack| stack.is_owner);
    if is_owner && is_settled && exposed.count() == 0 {
        let what = format!("{address} is owned here, and on no interface");
        findings.push(Finding::new("address-missing", what));
    } else if is_target && is_settled && has_owner && places.is_empty() {
        let what = format!("{address} is distributed to this stack, and not hidden on `lo`");
        findings.push(Finding::new("address-missing", what));
    }
    for other in host
        .answering
        .iter()
        .filter(|other| other.address == address)
    {
        // Elsewhere the owner is meant to answer.
        if is_owner {
            let what = format!(
                "{} answers for {address} on `{}`",
                mac(other.mac),
                other.interface
            );
            findings.push(Finding::new("address-taken", what));
        }
    }
    if !is_owner {
        let mut answers = host
            .answering
            .iter()
            .filter(|other| other.address == address);
        if let (Some(one), Some(other)) = (answers.next(), answers.next())
            && one.interface == other.interface
        {
            let what = format!(
                "both {} and {} answer for {address} on `{}`",
                mac(one.mac),
                mac(other.mac),
                one.interface
            );
            findings.push(Finding::new("address-taken", what));
        }
    }
}

fn vlans(said: &Said, host: &Host, names: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    let is_vlan = |nic: &&Nic| nic.link.kind.as_deref() == Some("vlan") && nic.link.is_up;
    for nic in host.nics.iter().filter(is_vlan) {
        let name = nic.link.name.as_str();
        let is_above = nic
            .lower
            .as_deref()
            .is_some_and(|lower| names.contains(lower));
        if names.contains(name) || !is_above {
            continue;
        }
        for dvipa in &said.sysplex.dvipas {
            let mut own = nic.link.addresses.iter().filter(|own| !own.is_ours);
            if own.any(|own| contains(own.address, own.prefix_len, dvipa.dvipa)) {
                let what = format!("{} is in the subnet of the VLAN `{name}`", dvipa.dvipa);
                let remedy = format!("start the daemon with `--interface {name}` too");
                findings.push(Finding::new("vlan", what).remedy(remedy));
            }
        }
    }
}

/// Compares what is fixed with who answers.
fn neighbours(host: &Host, findings: &mut Vec<Finding>) {
    for fixed in &host.fixed {
        let is_same =
            |other: IpAddr, interface: &str| other == fixed.address && interface == fixed.interface;
        let mut answers = host
            .answering
            .iter()
            .filter(|answer| is_same(answer.address, &answer.interface));
        let Some(answer) = answers.next() else {
            continue;
        };
        if answer.mac == fixed.mac || answers.any(|answer| answer.mac == fixed.mac) {
            continue;
        }
        let address = fixed.address.to_string();
        let remove = Fix::command(&["ip", "neighbour", "del", &address, "dev", &fixed.interface]);
        let what = format!(
            "{address} is fixed to {} on `{}`, and answers from {}",
            mac(fixed.mac),
            fixed.interface,
            mac(answer.mac)
        );
        let remedy = format!("`{}`; the kernel finds the right one", remove.line());
        findings.push(
            Finding::new("neighbour-fixed", what)
                .remedy(remedy)
                .fix(remove),
        );
    }
}

fn mac(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
