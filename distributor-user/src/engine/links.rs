//! Which interface of a stack is used for what.
//!
//! Nothing in here lists or changes an interface. The choices depend only on
//! what was there before the distributor came: addresses that the distributor
//! itself added (left by a daemon that was killed) never influence them, so
//! that a restart chooses what the first start chose.

use std::net::IpAddr;

use super::config::XcfNetwork;

#[cfg(test)]
mod tests;

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Interface index.
    pub index: u32,
    /// Name, such as `eth0`.
    pub name: String,
    /// Ethernet address; absent on loopback and on interfaces that carry no Ethernet frames.
    pub mac: Option<[u8; 6]>,
    /// Largest packet in bytes, without the Ethernet header.
    pub mtu: u32,
    /// Whether the interface is administratively up.
    pub is_up: bool,
    /// Whether this is the loopback interface.
    pub is_loopback: bool,
    /// Kind that the kernel reports for virtual interfaces, such as `veth`.
    pub kind: Option<String>,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<LinkAddress>,
}

/// One address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// The address.
    pub address: IpAddr,
    /// Length of its subnet's prefix in bits.
    pub prefix_len: u8,
    /// Whether a distributor added it.
    pub is_ours: bool,
    /// Whether it comes and goes, or must not be used: an IPv6 address of those that hide who uses them
    /// (RFC 8981), one that is deprecated, or one that may be or is another host's.
    pub is_fleeting: bool,
}

/// Why no interface could be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A named interface does not exist.
    #[error("there is no interface `{name}`; there are {present}")]
    Missing {
        /// The name that was given.
        name: String,
        /// The interfaces that could be named instead.
        present: Names,
    },
    /// A named interface carries no Ethernet frames.
    #[error(
        "interface `{name}` carries no Ethernet frames; the distributor works on Ethernet \
         interfaces: there are {present}"
    )]
    NotEthernet {
        /// The name that was given.
        name: String,
        /// The interfaces that could be named instead.
        present: Names,
    },
    /// No interface was named, and none is up with an address.
    #[error(
        "no Ethernet interface is up with an address; name one with `--interface`: there are \
         {present}"
    )]
    NoneUsable {
        /// The interfaces that could be named.
        present: Names,
    },
    /// Nothing says which interface belongs to the DYNAMICXCF network.
    #[error(
        "no interface is on the network of the DYNAMICXCF address `{address}/{prefix_len}`; \
         name one with `--xcf-interface`: there are {present}"
    )]
    NoXcf {
        /// The DYNAMICXCF address.
        address: IpAddr,
        /// Its prefix length.
        prefix_len: u8,
        /// The interfaces that could be named.
        present: Names,
    },
}

/// Interface names as a message lists them: in backquotes, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (position, name) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}`{name}`")?;
        }
        Ok(())
    }
}

/// Chooses the interfaces on which packets for VIPAs arrive.
///
/// Those that `named` (`--interface`) lists, in that order and whether they
/// are up or not; without any, every Ethernet interface that is up and has an
/// address that is valid beyond its link.
///
/// # Errors
///
/// A named interface does not exist or is no Ethernet interface, or none is usable.
pub fn ingress<'a>(links: &'a [Link], named: &[String]) -> Result<Vec<&'a Link>, LinkError> {
    if !named.is_empty() {
        let mut chosen: Vec<&Link> = Vec::new();
        for name in named {
            let link = by_name(links, name)?;
            if !chosen.contains(&link) {
                chosen.push(link);
            }
        }
        return Ok(chosen);
    }
    let chosen: Vec<&Link> = ethernet(links)
        .filter(|link| link.is_up && link.present_addresses().any(LinkAddress::is_routable))
        .collect();
    if chosen.is_empty() {
        return Err(LinkError::NoneUsable {
            present: present(links),
        });
    }
    Ok(chosen)
}

/// Chooses the interface of the DYNAMICXCF network.
///
/// The first of these that applies:
/// 1. the one that `named` (`--xcf-interface`) says;
/// 2. the one that has the DYNAMICXCF address;
/// 3. the one with an address whose subnet contains it, the longest prefix first;
/// 4. the only Ethernet interface there is.
///
/// # Errors
///
/// The named interface does not exist or is no Ethernet interface, or several
/// interfaces are there and none of them is on the network.
pub fn xcf<'a>(
    links: &'a [Link],
    named: Option<&str>,
    xcf: &XcfNetwork,
) -> Result<&'a Link, LinkError> {
    if let Some(name) = named {
        return by_name(links, name);
    }
    if let Some(holder) = holder(links, xcf.address).filter(|link| link.mac.is_some()) {
        return Ok(holder);
    }
    if let Some(link) = nearest(ethernet(links), xcf.address) {
        return Ok(link);
    }
    let mut all = ethernet(links);
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None | Some(_), _) => Err(LinkError::NoXcf {
            address: xcf.address,
            prefix_len: xcf.prefix_len,
            present: present(links),
        }),
    }
}

/// Returns the interface that already has `address` without our doing.
#[must_use]
pub fn holder(links: &[Link], address: IpAddr) -> Option<&Link> {
    links
        .iter()
        .find(|link| link.present_addresses().any(|own| own.address == address))
}

/// Chooses the interface on which the owner of `dvipa` has the address.
///
/// The ingress interface whose subnet contains it, the longest prefix first;
/// else the first ingress interface that is not the DYNAMICXCF network's; else
/// the first. `None` only without any ingress interface.
#[must_use]
pub fn owner<'a>(ingress: &[&'a Link], xcf_index: u32, dvipa: IpAddr) -> Option<&'a Link> {
    nearest(ingress.iter().copied(), dvipa)
        .or_else(|| ingress.iter().copied().find(|link| link.index != xcf_index))
        .or_else(|| ingress.first().copied())
}

/// Whether `address` is in the subnet of `network/prefix_len`.
#[must_use]
pub fn contains(network: IpAddr, prefix_len: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(prefix_len.min(32));
            let differing = network.to_bits() ^ address.to_bits();
            differing.checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(prefix_len.min(128));
            let differing = network.to_bits() ^ address.to_bits();
            differing.checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

impl LinkAddress {
    /// Whether it is valid beyond its link; every IPv4 address counts.
    #[must_use]
    pub fn is_routable(&self) -> bool {
        match self.address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        }
    }
}

impl Link {
    /// The addresses at which other stacks find this one on the link's network, but for those that a
    /// distributor added: of IPv4 all, of IPv6 one on each network.
    #[must_use]
    pub fn group_addresses(&self) -> Vec<&LinkAddress> {
        let mut chosen: Vec<&LinkAddress> = Vec::new();
        for own in self.present_addresses() {
            let is_wanted = match own.address {
                IpAddr::V4(_) => own.prefix_len < 32,
                IpAddr::V6(_) => {
                    let is_on_network = own.prefix_len < 128 && own.is_routable();
                    let mut others = chosen.iter();
                    let is_known =
                        others.any(|other| contains(other.address, other.prefix_len, own.address));
                    is_on_network && !own.is_fleeting && !is_known
                }
            };
            if is_wanted {
                chosen.push(own);
            }
        }
        chosen
    }

    /// Addresses that were there without our doing.
    fn present_addresses(&self) -> impl Iterator<Item = &LinkAddress> {
        self.addresses.iter().filter(|own| !own.is_ours)
    }
}

/// Interfaces on which Ethernet frames travel; never loopback.
fn ethernet(links: &[Link]) -> impl Iterator<Item = &Link> {
    links
        .iter()
        .filter(|link| link.mac.is_some() && !link.is_loopback)
}

/// The interface with the longest prefix that contains `address`, the earliest of equals.
fn nearest<'a>(links: impl Iterator<Item = &'a Link>, address: IpAddr) -> Option<&'a Link> {
    let mut best: Option<(u8, &Link)> = None;
    for link in links {
        let prefix_len = link
            .present_addresses()
            .filter(|own| contains(own.address, own.prefix_len, address))
            .map(|own| own.prefix_len)
            .max();
        if let Some(prefix_len) = prefix_len
            && best.is_none_or(|(longest, _)| prefix_len > longest)
        {
            best = Some((prefix_len, link));
        }
    }
    best.map(|(_, link)| link)
}

fn by_name<'a>(links: &'a [Link], name: &str) -> Result<&'a Link, LinkError> {
    let Some(link) = links.iter().find(|link| link.name == name) else {
        return Err(LinkError::Missing {
            name: name.to_owned(),
            present: present(links),
        });
    };
    if link.mac.is_none() || link.is_loopback {
        return Err(LinkError::NotEthernet {
            name: name.to_owned(),
            present: present(links),
        });
    }
    Ok(link)
}

fn present(links: &[Link]) -> Names {
    Names(ethernet(links).map(|link| link.name.clone()).collect())
}
