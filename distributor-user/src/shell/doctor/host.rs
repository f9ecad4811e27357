//! What the kernel of the host says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::process::Command;

use futures_util::future;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_sock_diag::inet::StateFlags;
use serde_json::Value;

use crate::engine::doctor::{Answering, Host, Listener, Nic, Reached, Resolved, Said, Xdp};
use crate::engine::sysctls::Setting;
use crate::shell::claim::{self, PROBE, Port};
use crate::shell::dataplane::{AttachMode, xdp_program};
use crate::shell::netlink::{Netlink, RequestError};
use crate::shell::sock_diag::{Entry, Scope, SockDiag};
use crate::shell::{holders, links, neighbours, sysctls};

/// Looks at everything that a connection to the stack passes.
pub(super) async fn look(
    netlink: &Netlink,
    said: &Said,
    clients: &[IpAddr],
    not_seen: &mut Vec<String>,
) -> anyhow::Result<Host> {
    let daemon = &said.config.daemon;
    let ours: BTreeSet<&str> = daemon
        .interfaces
        .iter()
        .chain([&daemon.xcf_interface])
        .map(String::as_str)
        .collect();
    let nics = nics(netlink, &ours, not_seen).await?;
    let fixed = fixed(netlink, &nics).await?;
    let answering = answering(said, &nics, &ours, &fixed, not_seen).await;
    Ok(Host {
        settings: settings(&ours),
        listeners: listeners(&nics).await?,
        clients: reached(netlink, clients, &nics).await,
        ruleset: ruleset(not_seen),
        nics,
        fixed,
        answering,
    })
}

async fn nics(
    netlink: &Netlink,
    ours: &BTreeSet<&str>,
    not_seen: &mut Vec<String>,
) -> Result<Vec<Nic>, RequestError> {
    let links = links::list(netlink).await?;
    let messages = netlink
        .list("list the interfaces", |handle| {
            handle.link().get().execute()
        })
        .await?;
    let names: BTreeMap<u32, String> = links
        .iter()
        .map(|link| (link.index, link.name.clone()))
        .collect();
    let mut nics = Vec::new();
    for link in links {
        let message = messages
            .iter()
            .find(|message| message.header.index == link.index);
        let of = |read: fn(&LinkAttribute) -> Option<u32>| {
            let attributes = &message?.attributes;
            names.get(&attributes.iter().find_map(read)?).cloned()
        };
        let has_lro = ours.contains(link.name.as_str()) && has_lro(&link.name, not_seen);
        nics.push(Nic {
            has_carrier: message.is_some_and(is_connected),
            master: of(master),
            // The other end of a veth is no lower interface.
            lower: of(lower).filter(|_| link.kind.as_deref() == Some("vlan")),
            xdp: message.and_then(xdp),
            has_lro,
            link,
        });
    }
    Ok(nics)
}

fn is_connected(message: &LinkMessage) -> bool {
    message.header.flags.contains(LinkFlags::LowerUp)
}

fn master(attribute: &LinkAttribute) -> Option<u32> {
    if let LinkAttribute::Controller(index) = attribute {
        Some(*index)
    } else {
        None
    }
}

fn lower(attribute: &LinkAttribute) -> Option<u32> {
    if let LinkAttribute::Link(index) = attribute {
        Some(*index)
    } else {
        None
    }
}

fn xdp(message: &LinkMessage) -> Option<Xdp> {
    let (program, mode) = xdp_program(message)?;
    Some(Xdp {
        program,
        is_native: mode == AttachMode::Native,
    })
}

/// Whether the hardware puts segments together. Only the kernel's old interface tells.
fn has_lro(name: &str, not_seen: &mut Vec<String>) -> bool {
    match Command::new("ethtool").args(["-k", name]).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|line| line.starts_with("large-receive-offload: on")),
        Err(error) => {
            not_seen.push(format!("LRO of `{name}`: `ethtool` cannot be run: {error}"));
            false
        }
    }
}

fn settings(ours: &BTreeSet<&str>) -> BTreeMap<(String, Setting), i32> {
    let mut settings = BTreeMap::new();
    for interface in ours.iter().copied().chain(["all"]) {
        for setting in [
            Setting::ArpIgnore,
            Setting::ArpAnnounce,
            Setting::RpFilter,
            Setting::AcceptLocal,
        ] {
            // An interface that is gone has no settings.
            if let Ok(value) = sysctls::read(interface, setting) {
                settings.insert((interface.to_owned(), setting), value);
            }
        }
    }
    settings
}

async fn listeners(nics: &[Nic]) -> io::Result<Vec<Listener>> {
    let mut entries: Vec<Entry> = Vec::new();
    SockDiag::open()?
        .dump(StateFlags::LISTEN, Scope::Everything, |entry| {
            entries.push(*entry);
        })
        .await?;
    let inodes: BTreeSet<u32> = entries.iter().map(|entry| entry.inode).collect();
    let processes = tokio::task::spawn_blocking(move || processes(&inodes));
    let processes = processes.await.map_err(io::Error::other)?;
    let listener = |entry: Entry| {
        let mut nics = nics.iter();
        let bound = nics.find(|nic| nic.link.index == entry.ifindex);
        Listener {
            local: entry.local,
            is_v6_only: entry.is_v6_only,
            interface: bound.map(|nic| nic.link.name.clone()),
            process: processes.get(&entry.inode).cloned(),
        }
    };
    Ok(entries.into_iter().map(listener).collect())
}

/// The processes that have these sockets, such as `nginx[812]`; the first of several.
fn processes(inodes: &BTreeSet<u32>) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    // Without it, servers have no names.
    let _ = holders::look(|held| {
        if inodes.contains(&held.inode) {
            found.entry(held.inode).or_insert_with(|| {
                let command = fs::read_to_string(format!("/proc/{}/comm", held.process));
                let command = command.unwrap_or_default();
                format!("{}[{}]", command.trim_end(), held.process)
            });
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

async fn fixed(netlink: &Netlink, nics: &[Nic]) -> Result<Vec<Resolved>, RequestError> {
    let fixed = neighbours::fixed(netlink).await?.into_iter();
    let named = fixed.filter_map(|(ifindex, address, mac)| {
        let nic = nics.iter().find(|nic| nic.link.index == ifindex)?;
        Some(Resolved {
            interface: nic.link.name.clone(),
            address,
            mac,
        })
    });
    Ok(named.collect())
}

/// Asks by ARP and Neighbour Discovery who else has a DVIPA, and who has the address of a neighbour that
/// is fixed; on every interface at once.
async fn answering(
    said: &Said,
    nics: &[Nic],
    ours: &BTreeSet<&str>,
    fixed: &[Resolved],
    not_seen: &mut Vec<String>,
) -> Vec<Answering> {
    let macs: BTreeSet<[u8; 6]> = nics.iter().filter_map(|nic| nic.link.mac).collect();
    let dvipas = said.sysplex.dvipas.iter().map(|dvipa| dvipa.dvipa);
    let dvipas: BTreeSet<IpAddr> = dvipas.collect();
    let asked = nics.iter().filter_map(|nic| {
        let name = nic.link.name.as_str();
        let port = Port::of(&nic.link).filter(|_| ours.contains(name))?;
        (nic.link.is_up && nic.has_carrier).then_some((name, port))
    });
    let probes = asked.map(async |(name, port)| {
        let here = fixed.iter().filter(|fixed| fixed.interface == name);
        let mut addresses: BTreeSet<IpAddr> = here.map(|fixed| fixed.address).collect();
        addresses.extend(&dvipas);
        (name, claim::probe(port, &addresses, &macs, PROBE).await)
    });
    let mut answering = Vec::new();
    for (name, answers) in future::join_all(probes).await {
        match answers {
            Ok(holders) => {
                for (address, macs) in holders {
                    answering.extend(macs.into_iter().map(|mac| Answering {
                        interface: name.to_owned(),
                        address,
                        mac: mac.0,
                    }));
                }
            }
            Err(error) => not_seen.push(format!("who answers on `{name}`: {error}")),
        }
    }
    answering
}

async fn reached(netlink: &Netlink, clients: &[IpAddr], nics: &[Nic]) -> Vec<Reached> {
    let mut reached = Vec::new();
    for client in clients {
        let way = neighbours::way_to(netlink, *client).await;
        let holder = nics.iter().find(|nic| {
            let mut own = nic.link.addresses.iter();
            own.any(|own| own.address == *client)
        });
        let interface = way.and_then(|(ifindex, _)| {
            let mut nics = nics.iter();
            nics.find(|nic| nic.link.index == ifindex)
        });
        reached.push(Reached {
            client: *client,
            interface: interface.or(holder).map(|nic| nic.link.name.clone()),
            mtu: way.and_then(|(_, mtu)| mtu),
        });
    }
    reached
}

/// The rules of nftables, as its own program writes them.
fn ruleset(not_seen: &mut Vec<String>) -> Option<Value> {
    let output = match Command::new("nft").args(["-j", "list", "ruleset"]).output() {
        Ok(output) => output,
        Err(error) => {
            not_seen.push(format!("the firewall: `nft` cannot be run: {error}"));
            return None;
        }
    };
    let rules = serde_json::from_slice(&output.stdout).ok();
    if rules.is_none() {
        let said = String::from_utf8_lossy(&output.stderr);
        not_seen.push(format!("the firewall: `nft` says {}", said.trim()));
    }
    rules
}
