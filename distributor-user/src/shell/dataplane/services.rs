//! Which service has which index, which target which row, and where its ring lies.
//!
//! A service changes by one store: its new ring is written to a part of
//! `RINGS` that no service uses, then its word is swapped. Packets see the old
//! ring or the new one, never a mixture.

mod affinities;
mod index;
mod rings;
mod tallies;
mod vipas;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use distributor_common::abi::{
    Choice, MAX_ROWS, MAX_SERVICES, Ring, RingEntry, Roles, Service, Tally, Vipa,
};
use distributor_common::word::Word;

use self::rings::Rings;
use self::tallies::place;
use self::vipas::Vipas;
use super::DataplaneError;
use super::shared::Shared;
use crate::engine::forwarding::{self, ServiceKey, ServiceTargets};

pub(super) use self::index::Index;
pub(super) use self::tallies::Tallies;
pub(super) use self::vipas::VipaEntry;

/// The numbering of services and DVIPAs, and the maps in which they lie.
#[derive(Debug)]
pub(super) struct Services {
    index: Index,
    values: Shared<Service>,
    rings: Rings,
    vipas: Vipas,
    tallies: Tallies,
    indices: BTreeMap<ServiceKey, u32>,
    free: BTreeSet<u32>,
    /// Indices that packets may still be reading.
    retired: BTreeSet<u32>,
}

impl Services {
    /// Reads the numbering back from the map.
    pub(super) fn recover(
        index: Index,
        values: Shared<Service>,
        vipas: Shared<Vipa>,
        rings: Shared<Word>,
        tallies: Tallies,
    ) -> Result<Self, DataplaneError> {
        let (addresses, indices): (BTreeMap<_, _>, BTreeMap<_, _>) = index
            .entries()?
            .into_iter()
            .partition(|(key, _)| key.port == 0);
        let mut free: BTreeSet<u32> = (0..MAX_SERVICES).collect();
        let mut rings = Rings::new(rings);
        for index in indices.values() {
            free.remove(index);
            let ring = Ring::from_word(values[*index as usize].ring.load());
            if ring.choice == Choice::Active {
                tallies.keep_mapped()?;
            }
            rings.adopt(ring);
        }
        let vipas = Vipas::recover(addresses, vipas, &mut rings);
        Ok(Self {
            index,
            values,
            rings,
            vipas,
            tallies,
            indices,
            free,
            retired: BTreeSet::new(),
        })
    }

    /// All services that exist.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.indices.keys()
    }

    /// Creates a service or changes it; `rows` are the slots of its targets.
    ///
    /// If there is no room for a ring that is chosen from by a hash, each target gets one place: such
    /// rings are long, and a shorter one is better than none.
    pub(super) fn set(
        &mut self,
        key: ServiceKey,
        rows: &[u16],
        targets: &ServiceTargets,
    ) -> Result<(), DataplaneError> {
        let known = self.indices.get(&key).copied();
        let index = known.or_else(|| self.free.first().copied());
        let index = index.ok_or(DataplaneError::Full {
            what: "services",
            limit: MAX_SERVICES,
        })?;
        if matches!(targets.choice, forwarding::Choice::Active { .. }) {
            self.tallies.keep_mapped()?;
        }
        if known.is_none() {
            self.clear(index)?;
        }
        let numbering = self.number_rows(index, rows)?;
        let entry = |slot: &u16| {
            let row = numbering.iter().position(|taken| *taken == Some(*slot))?;
            Some(RingEntry::new(*slot, u16::try_from(row).ok()?))
        };
        let of_rows: Vec<Option<RingEntry>> = rows.iter().map(entry).collect();
        let places = targets.ring.iter();
        let entries = places.filter_map(|row| of_rows.get(usize::from(*row)).copied().flatten());
        let (choice, entries): (Choice, Vec<_>) = match &targets.choice {
            forwarding::Choice::Turn => (Choice::Turn, entries.collect()),
            forwarding::Choice::Hash => (Choice::Hash, entries.collect()),
            forwarding::Choice::Active { weights } => {
                let weighted = entries.zip(weights.iter());
                let weighted = weighted.map(|(entry, weight)| entry.weighted(*weight));
                (Choice::Active, weighted.collect())
            }
        };
        if let Err(full) = self.set_ring(index, &entries, choice) {
            if choice != Choice::Hash {
                return Err(full);
            }
            tracing::warn!(
                "{}..{}: {full}; more connections than needed move when its targets change",
                key.dvipa,
                key.port
            );
            self.set_ring(index, &shortened(&entries), choice)?;
        }
        self.set_affinity(index, &numbering, rows, targets.affinity.as_ref());
        if known.is_none() {
            self.index.insert(key, index)?;
            self.indices.insert(key, index);
            self.free.remove(&index);
        }
        Ok(())
    }

    /// Removes a service. Its flows go on; what is new is no longer distributed.
    pub(super) fn remove(&mut self, key: ServiceKey) -> Result<(), DataplaneError> {
        let Some(&index) = self.indices.get(&key) else {
            return Ok(());
        };
        self.index.delete(key)?;
        self.indices.remove(&key);
        self.retired.insert(index);
        let word = &self.values[index as usize].ring;
        let ring = Ring::from_word(word.load());
        self.rings.give_back(ring);
        word.store(Ring::default().following(ring).word());
        self.values[index as usize].affinity.store(0);
        Ok(())
    }

    /// Every DVIPA that has an entry.
    pub(super) fn vipas(&self) -> impl Iterator<Item = (IpAddr, VipaEntry)> {
        self.vipas.entries(&self.rings)
    }

    /// The entry of a DVIPA.
    pub(super) fn vipa(&self, dvipa: IpAddr) -> Option<VipaEntry> {
        self.vipas.entry(dvipa, &self.rings)
    }

    /// Adds a DVIPA or changes it: its roles, and by their slots the targets that unknown flows are
    /// offered to.
    pub(super) fn set_vipa(
        &mut self,
        dvipa: IpAddr,
        entry: &VipaEntry,
    ) -> Result<(), DataplaneError> {
        self.vipas
            .set(&mut self.index, &mut self.rings, dvipa, entry)
    }

    /// Removes a DVIPA. Its flows go on.
    pub(super) fn remove_vipa(&mut self, dvipa: IpAddr) -> Result<(), DataplaneError> {
        self.vipas.remove(&mut self.index, &mut self.rings, dvipa)
    }

    /// A service's targets by their slots: its rows, and where its ring is.
    pub(super) fn read(&self, key: ServiceKey) -> (Vec<u16>, Ring) {
        let Some(service) = self.value(key) else {
            return (Vec::new(), Ring::default());
        };
        let rows = rows_of(service).into_iter().flatten().collect();
        (rows, Ring::from_word(service.ring.load()))
    }

    /// What packets read of a service.
    fn value(&self, key: ServiceKey) -> Option<&Service> {
        let index = self.indices.get(&key)?;
        self.values.get(*index as usize)
    }

    /// The targets of a ring by their slots, and how a place of it is chosen.
    pub(super) fn places(&self, ring: Ring) -> (impl Iterator<Item = u16>, forwarding::Choice) {
        let choice = match ring.choice {
            Choice::Turn => forwarding::Choice::Turn,
            Choice::Hash => forwarding::Choice::Hash,
            Choice::Active => forwarding::Choice::Active {
                weights: self.rings.entries(ring).map(RingEntry::weight).collect(),
            },
        };
        (self.rings.entries(ring).map(RingEntry::target), choice)
    }

    /// A target, by its slot, as a place in the ring of a service; counted nowhere if it has no row.
    pub(super) fn entry(&self, key: ServiceKey, slot: u16) -> RingEntry {
        let index = self.indices.get(&key);
        let rows = index.map(|index| rows_of(&self.values[*index as usize]));
        let row = rows.and_then(|rows| rows.iter().position(|taken| *taken == Some(slot)));
        let row = row.and_then(|row| u16::try_from(row).ok());
        RingEntry::new(slot, row.unwrap_or_default())
    }

    /// The counts of all services as they are numbered now.
    pub(super) fn counts(&self) -> Result<Counts, DataplaneError> {
        Ok(Counts {
            values: self.values.clone(),
            tallies: self.tallies.mapped()?,
            indices: self.indices.clone(),
        })
    }

    /// Slots that some service or DVIPA names.
    pub(super) fn slots(&self) -> BTreeSet<u16> {
        let services = self.indices.values();
        let rows = services
            .flat_map(|index| rows_of(&self.values[*index as usize]))
            .flatten();
        let parties = self.vipas().flat_map(|(_, entry)| {
            let Roles {
                owner,
                claimant,
                former,
                ..
            } = entry.roles;
            let parties = [owner, claimant, former].into_iter().flatten();
            parties.chain(entry.offers).collect::<Vec<_>>()
        });
        rows.chain(parties).collect()
    }

    /// Gives free the indices of removed services and DVIPAs; a packet that had read one has long
    /// gone its way.
    pub(super) fn release(&mut self) {
        self.free.append(&mut self.retired);
        self.vipas.release();
    }

    /// Makes the place of a new service like new; no packet finds it yet.
    fn clear(&mut self, index: u32) -> Result<(), DataplaneError> {
        let service = &self.values[index as usize];
        service.turn.store(0);
        service.affinity.store(0);
        service.rows.iter().for_each(|word| word.store(0));
        self.reset(index, 0..MAX_ROWS as usize)
    }

    /// Begins to count rows anew. The flow table may still have connections of the targets that have
    /// had them before; where that matters, they are found within a second.
    fn reset(
        &mut self,
        index: u32,
        mut rows: impl Iterator<Item = usize>,
    ) -> Result<(), DataplaneError> {
        // Where no ring has ever been, nothing was counted.
        if self.values[index as usize].ring.load() == 0 {
            return Ok(());
        }
        rows.try_for_each(|row| self.tallies.reset(index, row))
    }

    /// Gives each target a row: the one that it has, else a free one, counting from 0.
    fn number_rows(
        &mut self,
        index: u32,
        wanted: &[u16],
    ) -> Result<[Option<u16>; MAX_ROWS as usize], DataplaneError> {
        let before = rows_of(&self.values[index as usize]);
        let mut rows = before.map(|slot| slot.filter(|slot| wanted.contains(slot)));
        for slot in wanted {
            if rows.contains(&Some(*slot)) {
                continue;
            }
            // Packets may still count for the target that a row has just lost; a row that was free
            // before is better.
            let free = (0..rows.len()).filter(|row| rows[*row].is_none());
            let row = free.min_by_key(|row| before[*row].is_some());
            let row = row.ok_or(DataplaneError::Full {
                what: "targets of one service",
                limit: MAX_ROWS,
            })?;
            rows[row] = Some(*slot);
        }
        self.reset(
            index,
            (0..rows.len()).filter(|row| before[*row] != rows[*row]),
        )?;
        let service = &self.values[index as usize];
        for (word, slots) in service.rows.iter().zip(rows.chunks(4)) {
            word.store(pack_rows(slots));
        }
        Ok(rows)
    }

    fn set_ring(
        &mut self,
        index: u32,
        entries: &[RingEntry],
        choice: Choice,
    ) -> Result<(), DataplaneError> {
        let word = &self.values[index as usize].ring;
        let before = Ring::from_word(word.load());
        if choice == before.choice && self.rings.entries(before).eq(entries.iter().copied()) {
            return Ok(());
        }
        let (start, len) = self.rings.take(entries)?;
        let ring = Ring {
            start,
            len,
            choice,
            ..Ring::default()
        };
        word.store(ring.following(before).word());
        self.rings.give_back(before);
        Ok(())
    }
}

/// What was handed out, for who reads it beside the data plane.
#[derive(Debug)]
pub(super) struct Counts {
    values: Shared<Service>,
    tallies: Shared<Tally>,
    indices: BTreeMap<ServiceKey, u32>,
}

impl Counts {
    /// New connections of each service by the slots of its targets.
    pub(super) fn all(&self) -> impl Iterator<Item = (ServiceKey, Vec<(u16, u64)>)> {
        self.indices.iter().map(|(key, index)| {
            let handed = handed(&self.values, &self.tallies, *index);
            (*key, handed)
        })
    }
}

fn handed(values: &[Service], tallies: &[Tally], index: u32) -> Vec<(u16, u64)> {
    (0..)
        .zip(rows_of(&values[index as usize]))
        .filter_map(|(row, slot)| Some((slot?, tallies[place(index, row)].handed.load())))
        .collect()
}

/// One place for each target of a ring, in an order that does not depend on their rows or slots.
fn shortened(entries: &[RingEntry]) -> Vec<RingEntry> {
    let mut kept: Vec<RingEntry> = Vec::new();
    for entry in entries {
        if !kept.contains(entry) {
            kept.push(*entry);
        }
    }
    kept
}

/// Slots of a service's rows.
fn rows_of(service: &Service) -> [Option<u16>; MAX_ROWS as usize] {
    std::array::from_fn(|row| {
        let slot_and_one = service.rows[row / 4].load() >> (16 * (row % 4)) & 0xffff;
        u16::try_from(slot_and_one).ok()?.checked_sub(1)
    })
}

fn pack_rows(slots: &[Option<u16>]) -> u64 {
    slots.iter().rev().fold(0, |word, slot| {
        word << 16 | slot.map_or(0, |slot| u64::from(slot) + 1)
    })
}
