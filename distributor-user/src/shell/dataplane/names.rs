//! What IPv6 DVIPAs are called in the tables.
//!
//! Outside of this directory nobody hears of a name: it is given with the first
//! table entry that needs it and kept as long as a DVIPA, a service or a flow has
//! it. A daemon that takes the packet path over takes the names over, because the
//! flows have them. No entry that a packet may still be reading is filled anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use distributor_common::abi::{
    Called, Family, MAX_VIPAS, NAME_BUCKETS, NAME_ENTRIES, Name, NameBucket, NameTable, Settings,
};
use distributor_common::wire::Be32;
use distributor_common::{hash, probe};

use super::DataplaneError;
use super::shared::Shared;

/// Longer than a packet needs: a half of the table that was given up is not written before.
const GRACE: Duration = Duration::from_millis(10);
/// Seeds that are tried for a full table; one in three has a place for everybody.
const SEEDS: usize = 1000;

/// The names, for everybody who reads or writes a table.
#[derive(Clone)]
pub(super) struct Names(Arc<Mutex<Book>>);

/// Which names there are, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    names: BTreeMap<Ipv6Addr, Name>,
    addresses: HashMap<Name, Ipv6Addr>,
}

struct Book {
    settings: Shared<Settings>,
    buckets: Shared<NameBucket>,
    known: Arc<Known>,
    /// The number of the next name.
    next: u32,
    /// Names that nothing had when they were last looked at.
    idle: BTreeSet<Ipv6Addr>,
    /// Entries that packets may still be reading, by bucket and number.
    retired: BTreeSet<(u32, usize)>,
    /// When the halves of the table last changed places.
    swapped_at: Option<Instant>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Names").field(&self.known()).finish()
    }
}

impl Names {
    /// Reads the table.
    pub(super) fn recover(settings: Shared<Settings>, buckets: Shared<NameBucket>) -> Self {
        let mut known = Known::default();
        let table = NameTable::from_word(settings[0].ipv6.names.load());
        for bucket in half(&buckets, table) {
            for (address, name) in (0..NAME_ENTRIES).filter_map(|entry| bucket.entry(entry)) {
                known.insert(address_of(address), name);
            }
        }
        let numbers = known.addresses.keys().map(|name| name.number() + 1);
        let book = Book {
            next: numbers.max().unwrap_or_default(),
            settings,
            buckets,
            known: Arc::new(known),
            idle: BTreeSet::new(),
            retired: BTreeSet::new(),
            swapped_at: None,
        };
        Self(Arc::new(Mutex::new(book)))
    }

    /// The names as they are now.
    pub(super) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.book().known)
    }

    /// What a DVIPA is called; one that needs a name and has none gets one.
    pub(super) fn call(&self, dvipa: IpAddr) -> Result<Called, DataplaneError> {
        match dvipa.to_canonical() {
            IpAddr::V4(address) => Ok(Called::ipv4(Be32::from_bytes(address.octets()))),
            IpAddr::V6(address) => self.book().call(address).map(Called::ipv6),
        }
    }

    /// Gives up the names that are neither wanted nor were at the time before: what was on its way
    /// into a table meanwhile has arrived.
    pub(super) fn release(&self, wanted: &BTreeSet<Ipv6Addr>) {
        self.book().release(wanted);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What a DVIPA is called; `None` if it needs a name and has none.
    pub(super) fn called(&self, dvipa: IpAddr) -> Option<Called> {
        match dvipa.to_canonical() {
            IpAddr::V4(address) => Some(Called::ipv4(Be32::from_bytes(address.octets()))),
            IpAddr::V6(address) => self.names.get(&address).copied().map(Called::ipv6),
        }
    }

    /// Who is called so; `None` if it is no name that was given.
    pub(super) fn address(&self, called: Called) -> Option<IpAddr> {
        match called.family {
            Family::Ipv4 => Some(called.word.to_ne_bytes().into()),
            Family::Ipv6 => {
                let name = Name::from_word(called.word)?;
                self.addresses.get(&name).copied().map(IpAddr::V6)
            }
        }
    }

    fn insert(&mut self, address: Ipv6Addr, name: Name) {
        self.names.insert(address, name);
        self.addresses.insert(name, address);
    }
}

impl Book {
    fn table(&self) -> NameTable {
        NameTable::from_word(self.settings[0].ipv6.names.load())
    }

    fn call(&mut self, address: Ipv6Addr) -> Result<Name, DataplaneError> {
        self.idle.remove(&address);
        if let Some(name) = self.known.names.get(&address) {
            return Ok(*name);
        }
        if self.known.names.len() >= MAX_VIPAS as usize {
            return Err(full());
        }
        while self.known.addresses.contains_key(&Name::new(self.next)) {
            self.next = (self.next + 1) % Name::COUNT;
        }
        let name = Name::new(self.next);
        let place = self.table().bucket(hash::address(words(address)));
        let bucket = &self.buckets[place as usize];
        let mut entries = 0..NAME_ENTRIES;
        let free = entries.find(|entry| {
            bucket.entry(*entry).is_none() && !self.retired.contains(&(place, *entry))
        });
        match free {
            Some(entry) => bucket.fill(entry, words(address), name),
            None => self.spread(address, name)?,
        }
        self.next = (self.next + 1) % Name::COUNT;
        Arc::make_mut(&mut self.known).insert(address, name);
        Ok(name)
    }

    /// Writes all names and a new one to the other half, under a seed by which every bucket has room.
    fn spread(&mut self, address: Ipv6Addr, name: Name) -> Result<(), DataplaneError> {
        let known = self.known.names.iter();
        let known = known.map(|(address, name)| (words(*address), *name));
        let all: Vec<_> = known.chain([(words(address), name)]).collect();
        let other = 1 - self.table().half();
        let mut seeds = (0..SEEDS).map(|_| NameTable::new(rand::random(), other));
        let table = seeds
            .find(|table| has_room(*table, &all))
            .ok_or_else(full)?;
        if let Some(swapped_at) = self.swapped_at {
            thread::sleep(GRACE.saturating_sub(swapped_at.elapsed()));
        }
        for bucket in half(&self.buckets, table) {
            (0..NAME_ENTRIES).for_each(|entry| bucket.empty(entry));
        }
        for (address, name) in all {
            let bucket = &self.buckets[table.bucket(hash::address(address)) as usize];
            let mut entries = 0..NAME_ENTRIES;
            let free = entries.find(|entry| bucket.entry(*entry).is_none());
            bucket.fill(free.ok_or_else(full)?, address, name);
        }
        self.settings[0].ipv6.names.store(table.word());
        self.retired.clear();
        self.swapped_at = Some(Instant::now());
        Ok(())
    }

    fn release(&mut self, wanted: &BTreeSet<Ipv6Addr>) {
        self.retired.clear();
        let was_idle = std::mem::take(&mut self.idle);
        let known = Arc::clone(&self.known);
        let unwanted = known.names.iter();
        for (address, name) in unwanted.filter(|(address, _)| !wanted.contains(address)) {
            if !was_idle.contains(address) {
                self.idle.insert(*address);
                continue;
            }
            let place = self.table().bucket(hash::address(words(*address)));
            let bucket = &self.buckets[place as usize];
            let is_it = |entry: &usize| bucket.entry(*entry).is_some_and(|(_, is)| is == *name);
            if let Some(entry) = (0..NAME_ENTRIES).find(is_it) {
                bucket.empty(entry);
                self.retired.insert((place, entry));
            }
            let known = Arc::make_mut(&mut self.known);
            known.names.remove(address);
            known.addresses.remove(name);
        }
    }
}

/// Whether under this seed no bucket has more names than entries.
fn has_room(table: NameTable, names: &[([u64; 2], Name)]) -> bool {
    let mut taken = vec![0_usize; NAME_BUCKETS as usize];
    names.iter().all(|(address, _)| {
        let place = table.bucket(hash::address(*address)) - table.start();
        let taken = &mut taken[place as usize];
        *taken += 1;
        *taken <= NAME_ENTRIES
    })
}

/// The buckets of a half.
fn half(buckets: &[NameBucket], table: NameTable) -> &[NameBucket] {
    &buckets[table.start() as usize..][..NAME_BUCKETS as usize]
}

/// An address as the table has it.
pub(super) fn words(address: Ipv6Addr) -> [u64; 2] {
    probe::identity(address.into())
}

/// The address that the table has so.
pub(super) fn address_of(words: [u64; 2]) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&words[0].to_ne_bytes());
    octets[8..].copy_from_slice(&words[1].to_ne_bytes());
    octets.into()
}

fn full() -> DataplaneError {
    DataplaneError::Full {
        what: "IPv6 DVIPAs",
        limit: MAX_VIPAS,
    }
}

#[cfg(test)]
mod tests;
