//! The flow table from the daemon's side.
//!
//! The daemon never takes a bucket's lock and never stores a flow. It reads as
//! a packet does, and changes a slot only if it still is what was read.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use distributor_common::flow::{self, Bucket, Slot, Stamp, State, Tag};

use super::shared::Shared;
use crate::engine::forwarding::{FlowKey, FlowState};

/// Attempts to change a slot that packets change too.
const ATTEMPTS: usize = 8;

/// The flow table.
#[derive(Debug)]
pub(super) struct Flows {
    buckets: Shared<Bucket>,
    seeds: [u64; 2],
}

impl Flows {
    pub(super) fn new(buckets: Shared<Bucket>, seeds: [u64; 2]) -> Self {
        Self { buckets, seeds }
    }

    /// Every flow, with what its slot says.
    pub(super) fn iter(&self) -> impl Iterator<Item = (flow::FlowKey, Tag)> {
        self.slots().filter_map(Slot::read)
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
        self.slots()
            .filter(|slot| {
                slot.read().is_some_and(|(_, tag)| {
                    tag.target() == target && slot.replace(tag, tag.freed())
                })
            })
            .count()
    }

    /// Removes half-open flows that are older than `units`, and returns how many there were.
    pub(super) fn remove_half_open(&self, now: Stamp, units: u16) -> usize {
        self.slots()
            .filter(|slot| {
                slot.read().is_some_and(|(_, tag)| {
                    tag.state() == State::HalfOpen
                        && tag.stamp().age(now) > units
                        && slot.replace(tag, tag.freed())
                })
            })
            .count()
    }

    /// Slots of targets that some flow leads to, and addresses of DVIPAs that some flow is for.
    pub(super) fn in_use(&self) -> (BTreeSet<u16>, BTreeSet<u32>) {
        let mut targets = BTreeSet::new();
        let mut dvipas = BTreeSet::new();
        for (key, tag) in self.iter() {
            targets.insert(tag.target());
            dvipas.insert(key.dvipa().0);
        }
        (targets, dvipas)
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.buckets.iter().flat_map(|bucket| &bucket.slots)
    }

    /// Changes the flow's tag to what `new` makes of it, until packets let it.
    fn change(&self, key: &FlowKey, new: impl Fn(Tag) -> Option<Tag>) -> bool {
        let Some(key) = packet_key(key) else {
            return false;
        };
        let hash = key.hash(self.seeds);
        let bucket = &self.buckets[(hash >> 32) as usize & (self.buckets.len() - 1)];
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
