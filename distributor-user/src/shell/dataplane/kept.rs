//! The services of which connections that start here stay here.

use std::collections::BTreeMap;

use distributor_common::abi::RingEntry;

use super::DataplaneError;
use super::services::Index;
use crate::engine::forwarding::ServiceKey;

/// The map `KEPT`, and what is in it.
#[derive(Debug)]
pub(super) struct Kept {
    map: Index,
    words: BTreeMap<ServiceKey, u32>,
}

impl Kept {
    /// Reads the map.
    pub(super) fn recover(map: Index) -> Result<Self, DataplaneError> {
        let words = map.entries()?;
        Ok(Self { map, words })
    }

    /// All of them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.words.keys()
    }

    /// Makes the map say this and nothing else: each service with this stack's place in it.
    pub(super) fn set(
        &mut self,
        wanted: &BTreeMap<ServiceKey, RingEntry>,
    ) -> Result<(), DataplaneError> {
        let gone = self.words.keys().filter(|key| !wanted.contains_key(key));
        for key in gone.copied().collect::<Vec<_>>() {
            self.map.delete(key)?;
            self.words.remove(&key);
        }
        for (key, entry) in wanted {
            let word = entry.word32();
            if self.words.get(key) != Some(&word) {
                self.map.insert(*key, word)?;
                self.words.insert(*key, word);
            }
        }
        Ok(())
    }
}
