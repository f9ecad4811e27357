//! Which DVIPA has which index, and who is who for it.
//!
//! A DVIPA changes by one store, as a service does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use distributor_common::abi::{MAX_VIPAS, Ring, RingEntry, Roles, Standing, Vipa};

use super::rings::Rings;
use super::{DataplaneError, Index, Shared};
use crate::engine::forwarding::ServiceKey;

/// What the packet path knows of a DVIPA; targets by their slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct VipaEntry {
    /// Who is who. Where the offers lie is known to the map only.
    pub(in super::super) roles: Roles,
    /// Targets that unknown flows are offered to.
    pub(in super::super) offers: Vec<u16>,
    /// Counter of the owner's epoch.
    pub(in super::super) epoch: u64,
}

/// The numbering of DVIPAs.
#[derive(Debug)]
pub(super) struct Vipas {
    values: Shared<Vipa>,
    indices: BTreeMap<IpAddr, u32>,
    free: BTreeSet<u32>,
    /// Indices that packets may still be reading.
    retired: BTreeSet<u32>,
}

impl Vipas {
    pub(super) fn recover(
        addresses: BTreeMap<ServiceKey, u32>,
        values: Shared<Vipa>,
        rings: &mut Rings,
    ) -> Self {
        let addresses = addresses.into_iter();
        let indices: BTreeMap<_, _> = addresses.map(|(key, index)| (key.dvipa, index)).collect();
        let mut free: BTreeSet<u32> = (0..MAX_VIPAS).collect();
        for index in indices.values() {
            free.remove(index);
            rings.adopt(ring(values[*index as usize].standing()));
        }
        Self {
            values,
            indices,
            free,
            retired: BTreeSet::new(),
        }
    }

    /// Every DVIPA that has an entry.
    pub(super) fn entries(&self, rings: &Rings) -> impl Iterator<Item = (IpAddr, VipaEntry)> {
        let indices = self.indices.iter();
        indices.map(|(dvipa, index)| (*dvipa, self.read(*index, rings)))
    }

    /// The entry of one.
    pub(super) fn entry(&self, dvipa: IpAddr, rings: &Rings) -> Option<VipaEntry> {
        let index = self.indices.get(&dvipa)?;
        Some(self.read(*index, rings))
    }

    fn read(&self, index: u32, rings: &Rings) -> VipaEntry {
        let value = &self.values[index as usize];
        let standing = value.standing();
        let offers = rings.entries(ring(standing)).map(RingEntry::target);
        VipaEntry {
            roles: standing.roles(),
            offers: offers.collect(),
            epoch: value.epoch.load(),
        }
    }

    pub(super) fn set(
        &mut self,
        map: &mut Index,
        rings: &mut Rings,
        dvipa: IpAddr,
        entry: &VipaEntry,
    ) -> Result<(), DataplaneError> {
        let known = self.indices.get(&dvipa).copied();
        let index = known.or_else(|| self.free.first().copied());
        let index = index.ok_or(DataplaneError::Full {
            what: "DVIPAs",
            limit: MAX_VIPAS,
        })?;
        let value = &self.values[index as usize];
        let before = known.map(|_| ring(value.standing()));
        let slots = entry.offers.iter();
        let offers: Vec<_> = slots.map(|&slot| RingEntry::new(slot, 0)).collect();
        let (start, len) = rings.take(&offers)?;
        let targets = entry.offers.iter();
        value.set_standing(Standing::new(&Roles {
            offers: (start, u16::try_from(len).unwrap_or(u16::MAX)),
            targets: targets.fold(0, |bits, slot| bits | Standing::target_bit(*slot)),
            ..entry.roles
        }));
        value.epoch.store(entry.epoch);
        if let Some(before) = before {
            rings.give_back(before);
            return Ok(());
        }
        map.insert(address(dvipa), index)?;
        self.indices.insert(dvipa, index);
        self.free.remove(&index);
        Ok(())
    }

    pub(super) fn remove(
        &mut self,
        map: &mut Index,
        rings: &mut Rings,
        dvipa: IpAddr,
    ) -> Result<(), DataplaneError> {
        let Some(&index) = self.indices.get(&dvipa) else {
            return Ok(());
        };
        map.delete(address(dvipa))?;
        self.indices.remove(&dvipa);
        self.retired.insert(index);
        let value = &self.values[index as usize];
        rings.give_back(ring(value.standing()));
        value.set_standing(Standing::UNKNOWN);
        Ok(())
    }

    pub(super) fn release(&mut self) {
        self.free.append(&mut self.retired);
    }
}

fn ring(standing: Standing) -> Ring {
    Ring {
        start: standing.start(),
        len: standing.offers(),
        ..Ring::default()
    }
}

fn address(dvipa: IpAddr) -> ServiceKey {
    ServiceKey { dvipa, port: 0 }
}
