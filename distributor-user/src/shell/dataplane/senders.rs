//! Which member sends from which Ethernet address.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{HashMap, MapData, MapError};
use distributor_common::abi::{MAX_SENDERS, Sender, map};

use super::DataplaneError;

/// The map `SENDERS`, and what is in it.
#[derive(Debug)]
pub(super) struct Senders {
    map: HashMap<MapData, u64, u32>,
    members: BTreeMap<[u8; 6], Sender>,
}

impl Senders {
    /// Reads the map.
    pub(super) fn recover(map: HashMap<MapData, u64, u32>) -> Result<Self, DataplaneError> {
        let mut members = BTreeMap::new();
        for entry in &map {
            let (key, word) = entry.map_err(DataplaneError::map(map::SENDERS))?;
            let [mac @ .., _, _] = key.to_ne_bytes();
            if let Some(sender) = Sender::from_word(word) {
                members.insert(mac, sender);
            }
        }
        Ok(Self { map, members })
    }

    /// Every Ethernet address with its member.
    pub(super) fn iter(&self) -> impl Iterator<Item = ([u8; 6], Sender)> {
        self.members.iter().map(|(mac, member)| (*mac, *member))
    }

    /// Slots that are named.
    pub(super) fn slots(&self) -> BTreeSet<u16> {
        let members = self.members.values();
        let slots = members.flat_map(|member| [member.ipv4(), member.ipv6()]);
        slots.flatten().collect()
    }

    /// Makes the map say this and nothing else.
    pub(super) fn set(&mut self, wanted: BTreeMap<[u8; 6], Sender>) -> Result<(), DataplaneError> {
        if wanted.len() > MAX_SENDERS as usize {
            return Err(DataplaneError::Full {
                what: "Ethernet addresses of members",
                limit: MAX_SENDERS,
            });
        }
        let gone = self.members.keys().filter(|mac| !wanted.contains_key(*mac));
        for mac in gone.copied().collect::<Vec<_>>() {
            match self.map.remove(&key(mac)) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(DataplaneError::map(map::SENDERS)(error)),
            }
            self.members.remove(&mac);
        }
        for (mac, member) in wanted {
            if self.members.get(&mac) == Some(&member) {
                continue;
            }
            self.map
                .insert(key(mac), member.word(), 0)
                .map_err(DataplaneError::map(map::SENDERS))?;
            self.members.insert(mac, member);
        }
        Ok(())
    }
}

fn key(mac: [u8; 6]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..6].copy_from_slice(&mac);
    u64::from_ne_bytes(bytes)
}
