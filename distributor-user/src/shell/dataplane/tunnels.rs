//! Which member sends packets inside others between which addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use aya::maps::{HashMap, MapData, MapError};
use distributor_common::abi::{MAX_TUNNELS, Sender, TunnelKey, map};

use super::DataplaneError;
use crate::engine::forwarding::Ends;

/// The bytes of a [`TunnelKey`].
type KeyBytes = [u8; size_of::<TunnelKey>()];

/// The map `TUNNELS`, and what is in it.
#[derive(Debug)]
pub(super) struct Tunnels {
    map: HashMap<MapData, KeyBytes, u32>,
    members: BTreeMap<Ends, Sender>,
}

impl Tunnels {
    /// Reads the map.
    pub(super) fn recover(map: HashMap<MapData, KeyBytes, u32>) -> Result<Self, DataplaneError> {
        let mut members = BTreeMap::new();
        for entry in &map {
            let (key, word) = entry.map_err(DataplaneError::map(map::TUNNELS))?;
            if let Some(sender) = Sender::from_word(word) {
                members.insert(ends(key), sender);
            }
        }
        Ok(Self { map, members })
    }

    /// Every pair of addresses with its member.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ends, Sender)> {
        self.members.iter().map(|(ends, member)| (*ends, *member))
    }

    /// Slots that are named.
    pub(super) fn slots(&self) -> BTreeSet<u16> {
        let members = self.members.values();
        let slots = members.flat_map(|member| [member.ipv4(), member.ipv6()]);
        slots.flatten().collect()
    }

    /// Makes the map say this and nothing else.
    pub(super) fn set(&mut self, wanted: BTreeMap<Ends, Sender>) -> Result<(), DataplaneError> {
        if wanted.len() > MAX_TUNNELS as usize {
            return Err(DataplaneError::Full {
                what: "pairs of addresses between which members send",
                limit: MAX_TUNNELS,
            });
        }
        let gone = self
            .members
            .keys()
            .filter(|ends| !wanted.contains_key(*ends));
        for ends in gone.copied().collect::<Vec<_>>() {
            match self.map.remove(&key(ends)) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(DataplaneError::map(map::TUNNELS)(error)),
            }
            self.members.remove(&ends);
        }
        for (ends, member) in wanted {
            if self.members.get(&ends) == Some(&member) {
                continue;
            }
            self.map
                .insert(key(ends), member.word(), 0)
                .map_err(DataplaneError::map(map::TUNNELS))?;
            self.members.insert(ends, member);
        }
        Ok(())
    }
}

/// Both addresses, as IPv6.
fn key(ends: Ends) -> KeyBytes {
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let mut bytes = [0; size_of::<KeyBytes>()];
    let (source, destination) = bytes.split_at_mut(16);
    source.copy_from_slice(&octets(ends.source));
    destination.copy_from_slice(&octets(ends.destination));
    bytes
}

fn ends(key: KeyBytes) -> Ends {
    let address = |from: usize| {
        let octets: [u8; 16] = std::array::from_fn(|byte| key[from + byte]);
        Ipv6Addr::from(octets).to_canonical()
    };
    Ends {
        source: address(0),
        destination: address(16),
    }
}
