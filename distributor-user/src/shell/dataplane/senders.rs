//! Which member sends from which Ethernet address.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{HashMap, MapData, MapError};
use distributor_common::abi::{MAX_SENDERS, Sender, map};

use super::DataplaneError;

/// The map `SENDERS`, and what is in it.
#[derive(Debug)]
pub(super) struct Senders {
    map: HashMap<MapData, u64, u32>,
    slots: BTreeMap<[u8; 6], u16>,
}

impl Senders {
    /// Reads the map.
    pub(super) fn recover(map: HashMap<MapData, u64, u32>) -> Result<Self, DataplaneError> {
        let mut slots = BTreeMap::new();
        for entry in &map {
            let (key, word) = entry.map_err(DataplaneError::map(map::SENDERS))?;
            let [mac @ .., _, _] = key.to_ne_bytes();
            if let Some(sender) = Sender::from_word(word) {
                slots.insert(mac, sender.slot());
            }
        }
        Ok(Self { map, slots })
    }

    /// Every Ethernet address with its member's slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = ([u8; 6], u16)> {
        self.slots.iter().map(|(mac, slot)| (*mac, *slot))
    }

    /// Slots that are named.
    pub(super) fn slots(&self) -> BTreeSet<u16> {
        self.slots.values().copied().collect()
    }

    /// Makes the map say this and nothing else.
    pub(super) fn set(&mut self, wanted: BTreeMap<[u8; 6], u16>) -> Result<(), DataplaneError> {
        if wanted.len() > MAX_SENDERS as usize {
            return Err(DataplaneError::Full {
                what: "Ethernet addresses of members",
                limit: MAX_SENDERS,
            });
        }
        let gone = self.slots.keys().filter(|mac| !wanted.contains_key(*mac));
        for mac in gone.copied().collect::<Vec<_>>() {
            match self.map.remove(&key(mac)) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(DataplaneError::map(map::SENDERS)(error)),
            }
            self.slots.remove(&mac);
        }
        for (mac, slot) in wanted {
            if self.slots.get(&mac) == Some(&slot) {
                continue;
            }
            self.map
                .insert(key(mac), Sender::new(slot).word(), 0)
                .map_err(DataplaneError::map(map::SENDERS))?;
            self.slots.insert(mac, slot);
        }
        Ok(())
    }
}

fn key(mac: [u8; 6]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..6].copy_from_slice(&mac);
    u64::from_ne_bytes(bytes)
}
