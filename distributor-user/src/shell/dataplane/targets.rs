//! Which target has which slot.
//!
//! Flows name their target by its slot, so a target keeps its slot for as long
//! as any flow leads to it, through restarts of the daemon too: the address is
//! in the map. A slot never changes hands while a flow or a ring names it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use distributor_common::abi::{self, MAX_TARGETS, Target};
use distributor_common::word::Word;

use super::DataplaneError;
use crate::engine::config::RouteEncapsulation;
use crate::engine::forwarding::{Ends, Path, Tunnel};

/// The numbering of targets.
#[derive(Debug, Default)]
pub(super) struct Slots {
    by_address: BTreeMap<IpAddr, u16>,
    /// Slots that nothing wanted and no flow led to when they were last looked at.
    idle: BTreeSet<u16>,
}

impl Slots {
    /// Reads the numbering back from the map.
    pub(super) fn recover(targets: &[Target]) -> Self {
        let by_address = (0_u16..)
            .zip(targets)
            .filter_map(|(slot, target)| Some((address_of(target)?, slot)))
            .collect();
        Self {
            by_address,
            idle: BTreeSet::new(),
        }
    }

    /// The slot of a target, a new one if it has none.
    pub(super) fn assign(
        &mut self,
        address: IpAddr,
        targets: &[Target],
    ) -> Result<u16, DataplaneError> {
        if let Some(&slot) = self.by_address.get(&address) {
            self.idle.remove(&slot);
            return Ok(slot);
        }
        let (slot, target) = (0_u16..)
            .zip(targets)
            .find(|(_, target)| address_of(target).is_none())
            .ok_or(DataplaneError::Full {
                what: "targets",
                limit: MAX_TARGETS,
            })?;
        set_path(target, abi::Path::Unreachable);
        for (word, value) in target.identity.iter().zip(identity(address)) {
            word.store(value);
        }
        self.by_address.insert(address, slot);
        Ok(slot)
    }

    /// The slot of a target.
    pub(super) fn slot(&self, address: IpAddr) -> Option<u16> {
        self.by_address.get(&address).copied()
    }

    /// All targets with their slots.
    pub(super) fn all(&self) -> impl Iterator<Item = (IpAddr, u16)> {
        self.by_address
            .iter()
            .map(|(address, slot)| (*address, *slot))
    }

    /// Frees the slots that are neither wanted nor in use, now and at the time before: a packet that
    /// was on its way into the flow table meanwhile has arrived. Returns them.
    pub(super) fn release(
        &mut self,
        wanted: &BTreeSet<u16>,
        in_use: &BTreeSet<u16>,
        targets: &[Target],
    ) -> Vec<u16> {
        let mut freed = Vec::new();
        let was_idle = std::mem::take(&mut self.idle);
        self.by_address.retain(|_, slot| {
            if wanted.contains(slot) || in_use.contains(slot) {
                return true;
            }
            if !was_idle.contains(slot) {
                self.idle.insert(*slot);
                return true;
            }
            let target = &targets[usize::from(*slot)];
            set_path(target, abi::Path::Unreachable);
            target.identity.iter().for_each(|word| word.store(0));
            freed.push(*slot);
            false
        });
        freed
    }
}

/// The address in a slot; `None` when the slot is free.
pub(super) fn address_of(target: &Target) -> Option<IpAddr> {
    let words = target.identity.each_ref().map(Word::load);
    if words == [0, 0] {
        return None;
    }
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&words[0].to_ne_bytes());
    octets[8..].copy_from_slice(&words[1].to_ne_bytes());
    Some(Ipv6Addr::from(octets).to_canonical())
}

fn identity(address: IpAddr) -> [u64; 2] {
    let octets = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let (high, low) = octets.split_at(8);
    [high, low].map(|half| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(half);
        u64::from_ne_bytes(bytes)
    })
}

/// Changes a path, if it is another one.
pub(super) fn set_path(target: &Target, path: abi::Path) {
    if target.path() != path {
        target.set_path(path);
    }
}

/// The path as the packet path sees it.
pub(super) fn path(path: Path) -> Result<abi::Path, DataplaneError> {
    Ok(match path {
        Path::Local => abi::Path::Local,
        Path::Unreachable => abi::Path::Unreachable,
        Path::Link {
            ifindex,
            source_mac,
            next_hop_mac,
        } => abi::Path::link(ifindex, source_mac, next_hop_mac),
        Path::Tunnel {
            ifindex,
            source_mac,
            next_hop_mac,
            tunnel,
        } => abi::Path::Tunnel(abi::Tunnel::ipv4(
            encapsulation(tunnel.encapsulation),
            [ipv4(tunnel.ends.source)?, ipv4(tunnel.ends.destination)?],
            tunnel.mtu,
            ifindex,
            abi::Path::addresses(source_mac, next_hop_mac),
        )),
    })
}

fn ipv4(address: IpAddr) -> Result<[u8; 4], DataplaneError> {
    match address {
        IpAddr::V4(address) => Ok(address.octets()),
        IpAddr::V6(_) => Err(DataplaneError::NotIpv4 { address }),
    }
}

/// The path as the engine sees it.
pub(super) fn engine_path(path: abi::Path) -> Path {
    match path {
        abi::Path::Local => Path::Local,
        abi::Path::Unreachable => Path::Unreachable,
        abi::Path::Link { ifindex, addresses } => {
            let [next_hop_mac, source_mac] = macs(addresses);
            Path::Link {
                ifindex,
                source_mac,
                next_hop_mac,
            }
        }
        abi::Path::Tunnel(tunnel) => {
            let (first, second) = tunnel.addresses();
            let [next_hop_mac, source_mac] = macs([first, second.into()]);
            let [source, destination] = tunnel.ends().map(|end| IpAddr::from(end.bytes()));
            Path::Tunnel {
                ifindex: tunnel.ifindex,
                source_mac,
                next_hop_mac,
                tunnel: Tunnel {
                    encapsulation: match tunnel.encapsulation() {
                        abi::Encapsulation::Gre => RouteEncapsulation::Gre,
                        abi::Encapsulation::Ipip => RouteEncapsulation::Ipip,
                    },
                    ends: Ends {
                        source,
                        destination,
                    },
                    mtu: tunnel.mtu(),
                },
            }
        }
    }
}

/// Destination and source of an Ethernet header.
fn macs(addresses: [u64; 2]) -> [[u8; 6]; 2] {
    let bytes = addresses.map(u64::to_ne_bytes);
    let header = bytes.as_flattened();
    [0, 6].map(|from| std::array::from_fn(|byte| header[from + byte]))
}

fn encapsulation(encapsulation: RouteEncapsulation) -> abi::Encapsulation {
    match encapsulation {
        RouteEncapsulation::Gre => abi::Encapsulation::Gre,
        RouteEncapsulation::Ipip => abi::Encapsulation::Ipip,
    }
}

#[cfg(test)]
mod tests;
