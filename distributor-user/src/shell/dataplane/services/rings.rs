//! The rings of all services in one map, the same one only once.
//!
//! Many services have the same targets at the same time: the ports of one
//! address, a thousand addresses of one statement's like. A ring is written to
//! places that no service's word points at, and not changed while one does.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use distributor_common::abi::{MAX_RING_ENTRIES, Ring, RingEntry};
use distributor_common::word::Word;

use super::DataplaneError;
use super::Shared;

/// A ring's contents.
type Entries = Arc<[u64]>;

/// Which ring is where, and who uses it.
#[derive(Debug)]
pub(super) struct Rings<P = Shared<Word>> {
    places: P,
    /// By their first place.
    used: BTreeMap<u32, Used>,
    by_entries: HashMap<Entries, u32>,
    /// Where the last ring was put: the next is looked for behind it.
    last: u32,
}

#[derive(Debug)]
struct Used {
    entries: Entries,
    services: u32,
}

impl Used {
    fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }
}

impl<P: Deref<Target = [Word]>> Rings<P> {
    /// No ring is in use yet.
    pub(super) fn new(places: P) -> Self {
        Self {
            places,
            used: BTreeMap::new(),
            by_entries: HashMap::new(),
            last: 0,
        }
    }

    /// Takes note of one more service that uses a ring which is there.
    pub(super) fn adopt(&mut self, ring: Ring) {
        if ring.len == 0 {
            return;
        }
        if let Some(used) = self.used.get_mut(&ring.start) {
            used.services += 1;
            return;
        }
        let entries: Entries = self.entries(ring).map(RingEntry::word).collect();
        self.by_entries
            .entry(Arc::clone(&entries))
            .or_insert(ring.start);
        let services = 1;
        self.used.insert(ring.start, Used { entries, services });
    }

    /// Returns where a ring with these entries is, for one more service, and its length.
    ///
    /// # Errors
    ///
    /// There is no room for another ring.
    pub(super) fn take(&mut self, entries: &[RingEntry]) -> Result<(u32, u32), DataplaneError> {
        let full = DataplaneError::Full {
            what: "places in rings",
            limit: MAX_RING_ENTRIES,
        };
        let Ok(len) = u32::try_from(entries.len()) else {
            return Err(full);
        };
        if len == 0 {
            return Ok((0, 0));
        }
        let entries: Entries = entries.iter().map(|entry| entry.word()).collect();
        if let Some(start) = self.by_entries.get(&entries)
            && let Some(used) = self.used.get_mut(start)
        {
            used.services += 1;
            return Ok((*start, len));
        }
        let start = self.gap(len).ok_or(full)?;
        let places = &self.places[start as usize..];
        for (place, entry) in places.iter().zip(entries.iter()) {
            place.store(*entry);
        }
        self.last = start;
        self.by_entries.insert(Arc::clone(&entries), start);
        let services = 1;
        self.used.insert(start, Used { entries, services });
        Ok((start, len))
    }

    /// Takes note of one service less that uses a ring.
    pub(super) fn give_back(&mut self, ring: Ring) {
        let Some(used) = self.used.get_mut(&ring.start) else {
            return;
        };
        if ring.len == 0 {
            return;
        }
        used.services = used.services.saturating_sub(1);
        if used.services == 0
            && let Some(used) = self.used.remove(&ring.start)
            && self.by_entries.get(&used.entries) == Some(&ring.start)
        {
            self.by_entries.remove(&used.entries);
        }
    }

    /// What a ring contains.
    pub(super) fn entries(&self, ring: Ring) -> impl Iterator<Item = RingEntry> {
        self.places
            .iter()
            .skip(ring.start as usize)
            .take(ring.len as usize)
            .filter_map(|place| RingEntry::from_word(place.load()))
    }

    /// The first of `len` free places: behind the last ring, else from the beginning.
    fn gap(&self, len: u32) -> Option<u32> {
        let from = |first: u32| {
            let mut start = first;
            for (used_from, used) in self.used.range(first..) {
                if start + len <= *used_from {
                    break;
                }
                start = used_from + used.len();
            }
            (start + len <= MAX_RING_ENTRIES).then_some(start)
        };
        from(self.last).or_else(|| from(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(targets: &[u16]) -> Vec<RingEntry> {
        let entry = |(row, target): (u16, &u16)| RingEntry::new(*target, row);
        (0..).zip(targets).map(entry).collect()
    }

    fn rings() -> Rings<Vec<Word>> {
        Rings::new((0..MAX_RING_ENTRIES).map(|_| Word::new(0)).collect())
    }

    fn ring((start, len): (u32, u32)) -> Ring {
        Ring {
            start,
            len,
            ..Ring::default()
        }
    }

    #[test]
    fn a_full_table_is_refused_and_has_room_again() {
        let mut rings = rings();
        let mut taken = Vec::new();
        for target in 0..MAX_RING_ENTRIES / 1024 {
            let targets = vec![u16::try_from(target).expect("few"); 1024];
            taken.push(ring(rings.take(&entries(&targets)).expect("room")));
        }
        rings.take(&entries(&[0, 1])).expect_err("no room");
        rings.give_back(taken.swap_remove(7));
        rings.take(&entries(&[0, 1])).expect("room");
    }

    proptest! {
        #[test]
        fn rings_in_use_never_overlap_and_keep_their_entries(
            steps in prop::collection::vec((any::<bool>(), prop::collection::vec(0..4_u16, 0..5)), 1..200),
        ) {
            let mut rings = rings();
            let mut taken: Vec<(Ring, Vec<RingEntry>)> = Vec::new();
            for (is_taking, targets) in steps {
                if is_taking || taken.is_empty() {
                    let entries = entries(&targets);
                    taken.push((ring(rings.take(&entries).expect("room")), entries));
                } else {
                    let (ring, _) = taken.swap_remove(targets.len() % taken.len());
                    rings.give_back(ring);
                }
                for (ring, entries) in &taken {
                    prop_assert!(rings.entries(*ring).eq(entries.iter().copied()));
                }
                let distinct: std::collections::BTreeSet<_> = taken
                    .iter()
                    .filter(|(ring, _)| ring.len > 0)
                    .map(|(ring, _)| ring.start)
                    .collect();
                prop_assert_eq!(distinct.len(), rings.used.len());
            }
            // Who comes after a restart finds the same.
            let mut successor = Rings::new(rings.places);
            for (ring, _) in &taken {
                successor.adopt(*ring);
            }
            for (ring, entries) in &taken {
                if ring.len > 0 {
                    prop_assert_eq!(successor.take(entries).expect("there"), (ring.start, ring.len));
                }
            }
        }
    }
}
