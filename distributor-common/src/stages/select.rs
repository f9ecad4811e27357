//! From a service to one of its targets.
//!
//! Which targets are in the ring, how often and in which order is the daemon's
//! business. This stage takes a place of the ring, by turn or by hash, and
//! nothing else; a turn is taken only for a flow that is sure of its slot.

use super::service;
use crate::abi::{Choice, Ring, RingEntry};
use crate::flow::FlowKey;
use crate::hash;
use crate::tables::Tables;

/// Readings of a ring before its last reading is taken as it is.
const ATTEMPTS: u32 = 3;

/// The hash by which a flow of this service finds its target where no turn is taken for it; `hash` is
/// the one that finds its bucket.
#[inline(always)]
pub fn lot<T: Tables>(service: &service::Found<'_>, key: &FlowKey, hash: u64, tables: &T) -> u64 {
    match service.ring().choice {
        Choice::Turn => hash,
        Choice::Hash => {
            let ports = u64::from(key.ports) | u64::from(key.protocol) << 32;
            choice(key.addresses, ports, *tables)
        }
    }
}

/// A function of its own: what it needs of the stack is given back before anything else is done.
#[inline(never)]
fn choice<T: Tables>(addresses: u64, ports: u64, tables: T) -> u64 {
    let (ports, protocol) = (ports as u32, (ports >> 32) as u8);
    hash::choice(addresses, ports, protocol, tables.choice_key())
}

/// Takes the target of a new connection that is sure of its slot; `None` when no target is ready.
#[inline(always)]
pub fn for_stored<T: Tables>(
    service: &service::Found<'_>,
    lot: u64,
    tables: &T,
) -> Option<RingEntry> {
    match service.ring().choice {
        Choice::Turn => by_turn(service, tables),
        Choice::Hash => by_hash(service, lot, tables),
    }
}

/// Takes the next target in turn; `None` when no target is ready.
#[inline(always)]
fn by_turn<T: Tables>(service: &service::Found<'_>, tables: &T) -> Option<RingEntry> {
    let ring = service.ring();
    if ring.len == 0 {
        return None;
    }
    let turn = service.service.turn.fetch_add(1);
    read(service, ring, tables, |ring| {
        (turn % u64::from(ring.len)) as u32
    })
}

/// Takes the target to which the [`lot`] of the flow leads; `None` when no target is ready.
#[inline(always)]
pub fn by_hash<T: Tables>(service: &service::Found<'_>, lot: u64, tables: &T) -> Option<RingEntry> {
    read(service, service.ring(), tables, |ring| {
        hash::place(lot, ring.len)
    })
}

/// Reads a place of the ring, and again if the ring was swapped meanwhile.
///
/// The daemon fills a region of `RINGS` only while no service's word points at it, so an entry that
/// was read between two equal words belongs to that ring.
#[inline(always)]
fn read<T: Tables>(
    service: &service::Found<'_>,
    mut ring: Ring,
    tables: &T,
    place: impl Fn(Ring) -> u32,
) -> Option<RingEntry> {
    let mut entry = None;
    for _ in 0..ATTEMPTS {
        if ring.len == 0 {
            return None;
        }
        entry = tables.ring_entry(ring.start + place(ring));
        let again = service.ring();
        if again == ring {
            break;
        }
        ring = again;
    }
    entry
}
