//! This stack's interfaces, and which address belongs on which.
//!
//! Chosen once, at the start, by `engine::links`; nothing here changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;

use super::DaemonOptions;
use crate::engine::addresses::{self, Role};
use crate::engine::config::{Config, XcfNetwork};
use crate::engine::links::{self, Link, LinkAddress};
use crate::engine::stack::{NextHopKey, Placement};
use crate::engine::sysctls::InterfaceUse;
use crate::shell::claim::Port;
use crate::shell::dataplane::Interface;
use crate::shell::group::LocalAddress;
use crate::shell::ipv6;
use crate::shell::probe::ProbePath;

/// The interfaces of a running stack.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// This stack's DYNAMICXCF addresses.
    xcf: Vec<XcfNetwork>,
    /// The interface of the DYNAMICXCF network.
    pub(super) xcf_link: Link,
    /// The interfaces on which packets for DVIPAs arrive.
    pub(super) ingress: Vec<Link>,
    /// Index of `lo`.
    loopback: u32,
    /// The addresses on which the group is talked to, as they were found at the start.
    pub(super) own_addresses: Vec<LocalAddress>,
}

impl Network {
    /// Chooses among the interfaces that there are.
    pub(super) fn choose(
        all: &[Link],
        xcf: Vec<XcfNetwork>,
        options: &DaemonOptions,
    ) -> anyhow::Result<Self> {
        let ingress = links::ingress(all, &options.interfaces)?;
        let first = xcf.first().context("a stack without DYNAMICXCF address")?;
        let xcf_link = links::xcf(all, options.xcf_interface.as_deref(), first)?;
        let loopback = all
            .iter()
            .find(|link| link.is_loopback)
            .context("there is no loopback interface to hold DVIPAs hidden on")?;
        Ok(Self {
            xcf_link: xcf_link.clone(),
            xcf,
            ingress: ingress.into_iter().cloned().collect(),
            loopback: loopback.index,
            own_addresses: Vec::new(),
        })
    }

    /// Checks that IPv6 addresses can be had where they would be, if the profile has any.
    pub(super) fn check_ipv6(&self, config: &Config) -> anyhow::Result<()> {
        if !config.has_ipv6() {
            return Ok(());
        }
        let links = self.ingress.iter().chain([&self.xcf_link]);
        let missing = ipv6::missing(links.map(|link| link.name.as_str()));
        let why = "the profile has IPv6 addresses, and this host cannot have them";
        missing.map_or(Ok(()), |missing| Err(missing).context(why))
    }

    /// Returns the interface that an owned DVIPA belongs on.
    pub(super) fn owner_link(&self, dvipa: IpAddr) -> Option<&Link> {
        let ingress: Vec<&Link> = self.ingress.iter().collect();
        links::owner(&ingress, self.xcf_link.index, dvipa)
    }

    /// Returns the interface that an owned DVIPA belongs on, to send frames from.
    pub(super) fn owner_port(&self, dvipa: IpAddr) -> Option<(&Link, Port)> {
        let link = self.owner_link(dvipa)?;
        Some((
            link,
            Port {
                ifindex: link.index,
                mac: link.mac?,
            },
        ))
    }

    /// Lists this stack's own Ethernet addresses.
    pub(super) fn macs(&self) -> BTreeSet<[u8; 6]> {
        let links = self.ingress.iter().chain([&self.xcf_link]);
        links.filter_map(|link| link.mac).collect()
    }

    /// Lists every address that this stack should have: its own, and the DVIPAs in their places.
    pub(super) fn addresses(
        &self,
        placements: &BTreeMap<IpAddr, Placement>,
    ) -> Vec<addresses::Placement> {
        let own = self.xcf.iter().map(|xcf| addresses::Placement {
            address: xcf.address,
            ifindex: self.xcf_link.index,
            role: Role::DynamicXcf {
                prefix_len: xcf.prefix_len,
            },
        });
        let dvipas = placements.iter().filter_map(|(dvipa, placement)| {
            let (ifindex, role) = match placement {
                Placement::Owned => (self.owner_link(*dvipa)?.index, Role::Owned),
                Placement::Hidden => (self.loopback, Role::Hidden),
            };
            Some(addresses::Placement {
                address: *dvipa,
                ifindex,
                role,
            })
        });
        own.chain(dvipas).collect()
    }

    /// Finds the DVIPAs that an earlier daemon of this stack has left in their places.
    pub(super) fn held(&self, all: &[Link]) -> BTreeMap<IpAddr, Placement> {
        let mut held = BTreeMap::new();
        for link in all {
            let is_dvipa = |address: IpAddr| !self.is_xcf(address);
            for own in link
                .addresses
                .iter()
                .filter(|own| own.is_ours && is_dvipa(own.address))
            {
                let is_hidden = link.index == self.loopback;
                let placement = if is_hidden {
                    Placement::Hidden
                } else {
                    Placement::Owned
                };
                held.insert(own.address, placement);
            }
        }
        held
    }

    /// Lists the interfaces that the packet path runs on: ingress, and the DYNAMICXCF network's,
    /// because some drivers send what was redirected to them only while a program is attached.
    pub(super) fn interfaces(&self) -> Vec<Interface> {
        let links = self.ingress.iter().chain([&self.xcf_link]);
        let mut chosen: Vec<Interface> = Vec::new();
        for link in links {
            let interface = Interface {
                name: link.name.clone(),
                ifindex: link.index,
            };
            if !chosen.contains(&interface) {
                chosen.push(interface);
            }
        }
        chosen
    }

    /// Lists the interfaces that the packet path runs on by their indices.
    pub(super) fn ifindexes(&self) -> Vec<u32> {
        let interfaces = self.interfaces().into_iter();
        interfaces.map(|interface| interface.ifindex).collect()
    }

    /// Lists what each interface is used for, as far as the kernel's settings care.
    pub(super) fn uses(&self) -> Vec<InterfaceUse> {
        let uses = self.interfaces().into_iter().map(|interface| InterfaceUse {
            guards_dvipas: true,
            receives_dvipas: true,
            name: interface.name,
            ifindex: interface.ifindex,
        });
        uses.collect()
    }

    /// The interfaces by which clients reach this stack: all that packets for DVIPAs come by, but the
    /// DYNAMICXCF network's if there are others.
    pub(super) fn client_ifindexes(&self) -> BTreeSet<u32> {
        let ingress = self.ingress.iter().map(|link| link.index);
        let others: BTreeSet<u32> = ingress
            .clone()
            .filter(|index| *index != self.xcf_link.index)
            .collect();
        if others.is_empty() {
            ingress.collect()
        } else {
            others
        }
    }

    /// Finds the ways to ask whether a stack lives; `port` is that of the probe.
    pub(super) fn probe_paths(&self, paths: &[NextHopKey], port: u16) -> Vec<ProbePath> {
        let probe_path = |path: &NextHopKey| {
            let on_path = |local: &&LocalAddress| {
                local.ifindex == path.ifindex
                    && local.address.is_ipv4() == path.destination.is_ipv4()
            };
            let local = self.own_addresses.iter().find(on_path)?;
            Some(ProbePath {
                local: local.address,
                ifname: local.ifname.clone(),
                peer: SocketAddr::new(path.destination, port),
            })
        };
        paths.iter().filter_map(probe_path).collect()
    }

    /// Lists the addresses on which the group is talked to, on every network; never a DVIPA.
    pub(super) fn locals(&self, all: &[Link]) -> Vec<LocalAddress> {
        let mut locals = Vec::new();
        for link in all {
            let is_ingress = self
                .ingress
                .iter()
                .any(|ingress| ingress.index == link.index);
            let xcf = link.addresses.iter();
            let xcf: Vec<_> = xcf.filter(|own| self.is_xcf(own.address)).collect();
            let others = link.group_addresses().into_iter().filter(|own| {
                // What stands for the stack on a network is known by that.
                let is_known = |xcf: &&LinkAddress| {
                    own.address.is_ipv6()
                        && links::contains(xcf.address, xcf.prefix_len, own.address)
                };
                is_ingress && !self.is_xcf(own.address) && !xcf.iter().any(is_known)
            });
            locals.extend(xcf.iter().copied().chain(others).map(|own| LocalAddress {
                ifname: link.name.clone(),
                ifindex: link.index,
                address: own.address,
                prefix_len: own.prefix_len,
                is_xcf: self.is_xcf(own.address),
            }));
        }
        locals
    }

    /// Whether this is a DYNAMICXCF address of this stack.
    fn is_xcf(&self, address: IpAddr) -> bool {
        self.xcf.iter().any(|xcf| xcf.address == address)
    }
}
