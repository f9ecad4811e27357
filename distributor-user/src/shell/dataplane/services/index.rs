//! From an address and a port to where the packet path finds what it has to know.

use std::collections::BTreeMap;

use aya::maps::{HashMap, MapData, MapError};
use distributor_common::abi;
use distributor_common::wire::{Be16, tcp};

use super::super::names::{Known, Names};
use super::DataplaneError;
use crate::engine::forwarding::ServiceKey;

/// The bytes of an [`abi::ServiceKey`].
type KeyBytes = [u8; size_of::<abi::ServiceKey>()];

/// A map from services to numbers, such as `SERVICE_INDEX`. A DVIPA itself has the port 0.
#[derive(Debug)]
pub(in super::super) struct Index {
    map: HashMap<MapData, KeyBytes, u32>,
    name: &'static str,
    names: Names,
}

impl Index {
    pub(in super::super) fn new(
        map: HashMap<MapData, KeyBytes, u32>,
        name: &'static str,
        names: Names,
    ) -> Self {
        Self { map, name, names }
    }

    /// Everything in it.
    pub(in super::super) fn entries(&self) -> Result<BTreeMap<ServiceKey, u32>, DataplaneError> {
        let known = self.names.known();
        let entries = self.map.iter().map(|entry| {
            let (key, index) = entry.map_err(DataplaneError::map(self.name))?;
            // A DVIPA keeps its name as long as it is in some map.
            let key = service_key(key, &known);
            let key = key.ok_or(DataplaneError::Mismatch { name: self.name })?;
            Ok((key, index))
        });
        entries.collect()
    }

    pub(in super::super) fn insert(
        &mut self,
        key: ServiceKey,
        value: u32,
    ) -> Result<(), DataplaneError> {
        let key = self.key_bytes(key)?;
        self.map
            .insert(key, value, 0)
            .map_err(DataplaneError::map(self.name))
    }

    pub(in super::super) fn delete(&mut self, key: ServiceKey) -> Result<(), DataplaneError> {
        let key = self.key_bytes(key)?;
        match self.map.remove(&key) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(DataplaneError::map(self.name)(error)),
        }
    }

    fn key_bytes(&self, key: ServiceKey) -> Result<KeyBytes, DataplaneError> {
        let dvipa = self.names.call(key.dvipa)?;
        let port = Be16::from_host(key.port);
        Ok(abi::ServiceKey::new(dvipa, port, tcp::PROTOCOL).bytes())
    }
}

fn service_key(bytes: KeyBytes, known: &Known) -> Option<ServiceKey> {
    let key = abi::ServiceKey::from_bytes(bytes);
    Some(ServiceKey {
        dvipa: known.address(key.called())?,
        port: key.port.host(),
    })
}
