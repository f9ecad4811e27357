//! From an address and a port to where the packet path finds what it has to know.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use aya::maps::{HashMap, MapData, MapError};
use distributor_common::abi;
use distributor_common::wire::{Be16, Be32, tcp};

use super::DataplaneError;
use crate::engine::forwarding::ServiceKey;

/// The bytes of an [`abi::ServiceKey`].
type KeyBytes = [u8; size_of::<abi::ServiceKey>()];

/// A map from services to numbers, such as `SERVICE_INDEX`. A DVIPA itself has the port 0.
#[derive(Debug)]
pub(in super::super) struct Index {
    map: HashMap<MapData, KeyBytes, u32>,
    name: &'static str,
}

impl Index {
    pub(in super::super) fn new(map: HashMap<MapData, KeyBytes, u32>, name: &'static str) -> Self {
        Self { map, name }
    }

    /// Everything in it.
    pub(in super::super) fn entries(&self) -> Result<BTreeMap<ServiceKey, u32>, DataplaneError> {
        let entries = self.map.iter().map(|entry| {
            let (key, index) = entry.map_err(DataplaneError::map(self.name))?;
            Ok((service_key(key), index))
        });
        entries.collect()
    }

    pub(in super::super) fn insert(
        &mut self,
        key: ServiceKey,
        value: u32,
    ) -> Result<(), DataplaneError> {
        self.map
            .insert(key_bytes(key)?, value, 0)
            .map_err(DataplaneError::map(self.name))
    }

    pub(in super::super) fn delete(&mut self, key: ServiceKey) -> Result<(), DataplaneError> {
        match self.map.remove(&key_bytes(key)?) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(DataplaneError::map(self.name)(error)),
        }
    }
}

fn key_bytes(key: ServiceKey) -> Result<KeyBytes, DataplaneError> {
    let IpAddr::V4(address) = key.dvipa else {
        return Err(DataplaneError::NotIpv4 { address: key.dvipa });
    };
    let address = Be32::from_bytes(address.octets()).0;
    let key = abi::ServiceKey::ipv4(address, Be16::from_host(key.port), tcp::PROTOCOL);
    let mut bytes = [0; size_of::<abi::ServiceKey>()];
    for (word, place) in key.address.iter().zip(bytes.chunks_exact_mut(4)) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes[16..18].copy_from_slice(&key.port.0.to_ne_bytes());
    bytes[18] = key.protocol;
    Ok(bytes)
}

fn service_key(bytes: KeyBytes) -> ServiceKey {
    let [.., a, b, c, d, port_high, port_low, _protocol, _reserved] = bytes;
    ServiceKey {
        dvipa: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        port: u16::from_be_bytes([port_high, port_low]),
    }
}
