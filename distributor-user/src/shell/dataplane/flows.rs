//! The flow table from the daemon's side.
//!
//! The daemon never takes a bucket's lock, and stores no flow but one that a
//! target has reported. It reads as a packet does, and changes a slot only if it
//! still is what was read.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use distributor_common::abi::{Called, Client, Family, Settings};
use distributor_common::flow::{self, BUCKET_SLOTS, Bucket, Reported, Slot, Stamp, State, Tag};
use distributor_common::hash::{self, DIGEST_SEEDS};
use distributor_common::wire::Be16;
use distributor_common::word::Word;

use super::names::{self, Known, Names};
use super::shared::Shared;
use crate::engine::forwarding::{ClientKey, FlowKey, FlowState, ServiceKey};

/// Attempts to change a slot that packets change too.
const ATTEMPTS: usize = 8;

/// The flow table.
#[derive(Clone, Debug)]
pub(super) struct Flows {
    buckets: Shared<Bucket>,
    /// Clients of the IPv6 flows, by the number of the slot in the whole table.
    clients: Shared<Client>,
    names: Names,
    seeds: [u64; 2],
    digest_seeds: [u64; DIGEST_SEEDS],
    /// Slots (by bucket and number) that were claimed when the table was taken over. A predecessor
    /// that died while it stored a flow will never fill them.
    claimed: Vec<(usize, usize)>,
}

impl Flows {
    /// A table that is new.
    pub(super) fn new(
        buckets: Shared<Bucket>,
        clients: Shared<Client>,
        names: Names,
        settings: &Settings,
    ) -> Self {
        Self {
            buckets,
            clients,
            names,
            seeds: settings.seeds.each_ref().map(Word::load),
            digest_seeds: settings.ipv6.digest_seeds.each_ref().map(Word::load),
            claimed: Vec::new(),
        }
    }

    /// The same as a table that a predecessor has left.
    pub(super) fn adopted(self) -> Self {
        let slots = self.buckets.iter().enumerate().flat_map(|(index, bucket)| {
            let slots = bucket.slots.iter().enumerate();
            slots.map(move |(number, slot)| ((index, number), slot))
        });
        let claimed = slots.filter(|(_, slot)| slot.is_claimed());
        let claimed = claimed.map(|(place, _)| place).collect();
        Self { claimed, ..self }
    }

    /// Frees the slots that were claimed when the table was taken over and still are. Who claims one
    /// and lives fills it within microseconds.
    pub(super) fn free_claimed(&mut self) {
        for (bucket, slot) in self.claimed.drain(..) {
            self.buckets[bucket].slots[slot].abandon();
        }
    }

    /// Stores an established flow to the target in `slot`; `None` for a key that cannot be stored.
    pub(super) fn report(&self, key: &FlowKey, slot: u16, now: Stamp) -> Option<Reported> {
        self.names.call(key.dvipa).ok()?;
        let packet_key = self.packet_key(key, &self.names.known())?;
        Some(self.store(&packet_key, key.client, slot, now))
    }

    /// Stores what is the client's: a flow, or that it keeps its target.
    pub(super) fn store(
        &self,
        key: &flow::FlowKey,
        client: IpAddr,
        target: u16,
        now: Stamp,
    ) -> Reported {
        let (index, home) = self.place(key);
        self.buckets[index].report(key, home, target, now, |slot| {
            if let IpAddr::V6(client) = client.to_canonical() {
                let place = &self.clients[index * BUCKET_SLOTS + slot].address;
                for (place, word) in place.iter().zip(names::words(client)) {
                    place.store(word);
                }
            }
        })
    }

    /// Removes all flows of a DVIPA, and returns how many there were.
    pub(super) fn remove_dvipa(&self, dvipa: IpAddr) -> usize {
        let Some(dvipa) = self.names.known().called(dvipa) else {
            return 0;
        };
        let removed = |slot: &Slot| {
            // A packet may change the slot at the same time, but not for ever.
            for _ in 0..ATTEMPTS {
                let (key, tag) = slot.read().filter(|(key, _)| key.dvipa() == dvipa)?;
                if slot.replace(tag, tag.freed()) {
                    return Some(key);
                }
            }
            None
        };
        count_flows(self.slots().filter_map(removed))
    }

    /// The number of the bucket of a flow, and that of the slot in it that it gets first.
    fn place(&self, key: &flow::FlowKey) -> (usize, usize) {
        flow::place(key.hash(self.seeds), self.buckets.len())
    }

    /// Everything that is whole in the table, with what its slot says: flows, and what clients keep.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Entry<'_>, Tag)> {
        let occupied = self.buckets.iter().enumerate();
        let occupied = occupied.filter(|(_, bucket)| is_occupied(bucket));
        let places =
            occupied.flat_map(|(index, _)| index * BUCKET_SLOTS..(index + 1) * BUCKET_SLOTS);
        places.filter_map(|place| self.entry(place))
    }

    /// Reads a slot by its number in the whole table, and again if it changed hands meanwhile: an
    /// IPv6 client is none of another flow.
    pub(super) fn entry(&self, place: usize) -> Option<(Entry<'_>, Tag)> {
        let slot = &self.buckets.get(place / BUCKET_SLOTS)?.slots[place % BUCKET_SLOTS];
        for _ in 0..ATTEMPTS {
            let (key, tag) = slot.read()?;
            let client = match key.family {
                Family::Ipv4 => IpAddr::from(key.client().bytes()),
                Family::Ipv6 => {
                    let client = self.clients[place].address.each_ref().map(Word::load);
                    if hash::digest(client, self.digest_seeds) != key.client().0 {
                        continue;
                    }
                    names::address_of(client).into()
                }
            };
            let entry = Entry {
                key,
                slot,
                client,
                place,
            };
            return Some((entry, tag));
        }
        None
    }

    /// The names as they are now.
    pub(super) fn names(&self) -> Arc<Known> {
        self.names.known()
    }

    /// Marks a flow as ending; `false` when it is not there.
    pub(super) fn mark_ending(&self, key: &FlowKey) -> bool {
        self.change(key, |tag| Some(tag.with_state(State::Ending)))
    }

    /// Removes a flow if it is ending and leads to the target in `slot`.
    pub(super) fn remove_ended(&self, key: &FlowKey, slot: u16) -> bool {
        self.change(key, |tag| {
            (tag.state() == State::Ending && tag.target() == slot).then(|| tag.freed())
        })
    }

    /// Removes all flows that lead to the target in `target`, and returns how many there were.
    pub(super) fn remove_target(&self, target: u16) -> usize {
        count_flows(self.slots().filter_map(|slot| {
            let (key, tag) = slot.read()?;
            (tag.target() == target && slot.replace(tag, tag.freed())).then_some(key)
        }))
    }

    /// Removes half-open flows that are older than `units`, and returns how many there were.
    pub(super) fn remove_half_open(&self, now: Stamp, units: u16) -> usize {
        self.slots()
            .filter(|slot| {
                slot.read().is_some_and(|(key, tag)| {
                    tag.state() == State::HalfOpen
                        && !key.is_affinity()
                        && tag.stamp().age(now) > units
                        && slot.replace(tag, tag.freed())
                })
            })
            .count()
    }

    /// How many flows each service has to each target.
    pub(super) fn counts(&self) -> BTreeMap<Course, u64> {
        count(&self.buckets)
    }

    /// Every slot that is in use, and others.
    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.buckets
            .iter()
            .filter(|bucket| is_occupied(bucket))
            .flat_map(|bucket| &bucket.slots)
    }

    /// The key as the table has it; `None` for what it cannot have.
    fn packet_key(&self, key: &FlowKey, known: &Known) -> Option<flow::FlowKey> {
        let dvipa = known.called(key.dvipa)?;
        let client = match (key.client.to_canonical(), dvipa.family) {
            (IpAddr::V4(client), Family::Ipv4) => u32::from_ne_bytes(client.octets()),
            (IpAddr::V6(client), Family::Ipv6) => {
                hash::digest(names::words(client), self.digest_seeds)
            }
            (IpAddr::V4(_), Family::Ipv6) | (IpAddr::V6(_), Family::Ipv4) => return None,
        };
        Some(flow::FlowKey {
            addresses: u64::from(client) | u64::from(dvipa.word) << 32,
            family: dvipa.family,
            ..flow::FlowKey::tcp([0; 4], key.client_port, [0; 4], key.port)
        })
    }

    /// Changes the flow's tag to what `new` makes of it, until packets let it.
    fn change(&self, key: &FlowKey, new: impl Fn(Tag) -> Option<Tag>) -> bool {
        let Some(key) = self.packet_key(key, &self.names.known()) else {
            return false;
        };
        let bucket = &self.buckets[self.place(&key).0];
        for _ in 0..ATTEMPTS {
            let Some(found) = bucket.find(&key) else {
                return false;
            };
            match new(found.tag) {
                None => return false,
                Some(tag) if tag == found.tag => return true,
                Some(tag) if found.slot().replace(found.tag, tag) => return true,
                Some(_) => {}
            }
        }
        false
    }
}

/// What the table has of a client: a flow, or that it keeps its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// The key of the slot.
    pub(super) key: flow::FlowKey,
    /// The slot.
    pub(super) slot: &'a Slot,
    /// The client's address.
    pub(super) client: IpAddr,
    /// The number of the slot in the whole table.
    pub(super) place: usize,
}

impl Entry<'_> {
    /// The key of a flow as the engine has it.
    pub(super) fn flow(&self, known: &Known) -> Option<FlowKey> {
        Some(FlowKey {
            client: self.client,
            client_port: self.key.client_port().host(),
            dvipa: known.address(self.key.dvipa())?,
            port: self.key.port().host(),
        })
    }

    /// The client of a service, as the engine has it.
    pub(super) fn client(&self, known: &Known) -> Option<ClientKey> {
        Some(ClientKey::from(&self.flow(known)?))
    }
}

/// Counts flows; what clients keep is none.
fn count_flows(keys: impl Iterator<Item = flow::FlowKey>) -> usize {
    keys.filter(|key| !key.is_affinity()).count()
}

/// Says whether a bucket has a flow, without looking at each slot's parts.
fn is_occupied(bucket: &Bucket) -> bool {
    let mut tags = 0;
    for slot in &bucket.slots {
        tags |= slot.tag.load();
    }
    Tag(tags).ports() != 0
}

/// What all flows of a service to one target have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Course {
    dvipa: Called,
    port: Be16,
    target: u16,
}

impl Course {
    /// The service; `None` when its DVIPA has no name any more.
    pub(super) fn service(self, known: &Known) -> Option<ServiceKey> {
        Some(ServiceKey {
            dvipa: known.address(self.dvipa)?,
            port: self.port.host(),
        })
    }

    /// Slot of the target.
    pub(super) fn target(self) -> u16 {
        self.target
    }

    /// What the DVIPA is called.
    pub(super) fn dvipa(self) -> Called {
        self.dvipa
    }

    /// A byte that depends on every bit: the upper one of a product with 2^64 over the golden ratio.
    fn hash(self) -> u8 {
        let word = u64::from(self.dvipa.word) << 32
            | u64::from(self.port.0) << 16
            | u64::from(self.target);
        word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]
    }
}

/// Counts flows by what they have in common, in one pass.
///
/// There may be millions of flows and there are few courses, in random order: a few places in front
/// of the map take nearly all of them.
fn count(buckets: &[Bucket]) -> BTreeMap<Course, u64> {
    let mut places = [(Course::default(), 0_u64); 256];
    let mut counts = BTreeMap::new();
    for bucket in buckets {
        if !is_occupied(bucket) {
            continue;
        }
        for slot in &bucket.slots {
            let Some((key, tag)) = slot.read().filter(|(key, _)| !key.is_affinity()) else {
                continue;
            };
            let course = Course {
                dvipa: key.dvipa(),
                port: key.port(),
                target: tag.target(),
            };
            let place = &mut places[usize::from(course.hash())];
            if place.0 != course {
                let (other, flows) = std::mem::replace(place, (course, 0));
                *counts.entry(other).or_default() += flows;
            }
            place.1 += 1;
        }
    }
    for (course, flows) in places {
        *counts.entry(course).or_default() += flows;
    }
    counts.retain(|_, flows| *flows > 0);
    counts
}

/// The state as the engine has it; `None` for a slot without a flow.
pub(super) fn engine_state(state: State) -> Option<FlowState> {
    match state {
        State::Free => None,
        State::HalfOpen => Some(FlowState::HalfOpen),
        State::Established => Some(FlowState::Established),
        State::Ending => Some(FlowState::Ending),
    }
}

#[cfg(test)]
mod tests;
