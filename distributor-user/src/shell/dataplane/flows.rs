//! The flow table from the daemon's side.
//!
//! The daemon never takes a bucket's lock, and stores no flow but one that a
//! target has reported. It reads as a packet does, and changes a slot only if it
//! still is what was read.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use distributor_common::flow::{self, Bucket, Reported, Slot, Stamp, State, Tag};
use distributor_common::wire::{Be16, Be32};

use super::shared::Shared;
use crate::engine::forwarding::{FlowKey, FlowState, ServiceKey};

/// Attempts to change a slot that packets change too.
const ATTEMPTS: usize = 8;

/// The flow table.
#[derive(Clone, Debug)]
pub(super) struct Flows {
    buckets: Shared<Bucket>,
    seeds: [u64; 2],
    /// Slots (by bucket and number) that were claimed when the table was taken over. A predecessor
    /// that died while it stored a flow will never fill them.
    claimed: Vec<(usize, usize)>,
}

impl Flows {
    /// A table that is new.
    pub(super) fn new(buckets: Shared<Bucket>, seeds: [u64; 2]) -> Self {
        Self {
            buckets,
            seeds,
            claimed: Vec::new(),
        }
    }

    /// A table that a predecessor has left.
    pub(super) fn adopt(buckets: Shared<Bucket>, seeds: [u64; 2]) -> Self {
        let slots = buckets.iter().enumerate().flat_map(|(index, bucket)| {
            let slots = bucket.slots.iter().enumerate();
            slots.map(move |(number, slot)| ((index, number), slot))
        });
        let claimed = slots.filter(|(_, slot)| slot.is_claimed());
        Self {
            claimed: claimed.map(|(place, _)| place).collect(),
            buckets,
            seeds,
        }
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
        let key = packet_key(key)?;
        Some(self.bucket(&key).report(&key, slot, now))
    }

    /// Removes all flows of a DVIPA, and returns how many there were.
    pub(super) fn remove_dvipa(&self, dvipa: IpAddr) -> usize {
        let IpAddr::V4(dvipa) = dvipa else {
            return 0;
        };
        let dvipa = Be32::from_bytes(dvipa.octets());
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

    pub(super) fn bucket(&self, key: &flow::FlowKey) -> &Bucket {
        let hash = key.hash(self.seeds);
        &self.buckets[(hash >> 32) as usize & (self.buckets.len() - 1)]
    }

    /// Every flow, with what its slot says.
    pub(super) fn iter(&self) -> impl Iterator<Item = (flow::FlowKey, Tag)> {
        let all = self.slots().filter_map(Slot::read);
        all.filter(|(key, _)| !key.is_affinity())
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
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.buckets
            .iter()
            .filter(|bucket| is_occupied(bucket))
            .flat_map(|bucket| &bucket.slots)
    }

    /// Changes the flow's tag to what `new` makes of it, until packets let it.
    fn change(&self, key: &FlowKey, new: impl Fn(Tag) -> Option<Tag>) -> bool {
        let Some(key) = packet_key(key) else {
            return false;
        };
        let bucket = self.bucket(&key);
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
    dvipa: Be32,
    port: Be16,
    target: u16,
}

impl Course {
    /// The service.
    pub(super) fn service(self) -> ServiceKey {
        ServiceKey {
            dvipa: Ipv4Addr::from(self.dvipa.bytes()).into(),
            port: self.port.host(),
        }
    }

    /// Slot of the target.
    pub(super) fn target(self) -> u16 {
        self.target
    }

    /// Address of the DVIPA, in the order of memory.
    pub(super) fn dvipa(self) -> u32 {
        self.dvipa.0
    }

    /// A byte that depends on every bit: the upper one of a product with 2^64 over the golden ratio.
    fn hash(self) -> u8 {
        let word =
            u64::from(self.dvipa.0) << 32 | u64::from(self.port.0) << 16 | u64::from(self.target);
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

/// The key as the table has it; `None` for what it cannot have.
fn packet_key(key: &FlowKey) -> Option<flow::FlowKey> {
    match (key.client.to_canonical(), key.dvipa.to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(dvipa)) => Some(flow::FlowKey::tcp(
            client.octets(),
            key.client_port,
            dvipa.octets(),
            key.port,
        )),
        _ => None,
    }
}

/// The key as the engine has it.
pub(super) fn engine_key(key: &flow::FlowKey) -> FlowKey {
    FlowKey {
        client: Ipv4Addr::from(key.client().bytes()).into(),
        client_port: key.client_port().host(),
        dvipa: Ipv4Addr::from(key.dvipa().bytes()).into(),
        port: key.port().host(),
    }
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
