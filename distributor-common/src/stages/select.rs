//! From a service to one of its targets.
//!
//! Which targets are in the ring, how often and in which order is the daemon's
//! business. This stage takes a place of the ring, by turn, by hash or by what the
//! targets have, and nothing else; a turn is taken only for a flow that is sure
//! of its slot.

use super::service;
use crate::abi::{Choice, MAX_ROWS, Ring, RingEntry};
use crate::flow::{FlowKey, next_attempt};
use crate::hash;
use crate::tables::Tables;

/// Readings of a ring before its last reading is taken as it is.
const ATTEMPTS: u32 = 3;

/// The hash by which a flow of this service finds its target where neither a turn is taken for it nor
/// the least active target; `hash` is the one that finds its bucket.
#[inline(always)]
pub fn lot<T: Tables>(service: &service::Found<'_>, key: &FlowKey, hash: u64, tables: &T) -> u64 {
    match service.ring().choice {
        Choice::Turn | Choice::Active => hash,
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

/// The target that has the fewest connections for its weight, if this service goes by that; `None` if
/// it does not, when no target is ready, or when the ring was swapped meanwhile.
///
/// It is looked for before the bucket is locked, and holds for a flow that is sure of its slot.
#[inline(always)]
pub fn least_active<T: Tables>(service: &service::Found<'_>, tables: &T) -> Option<RingEntry> {
    let ring = service.ring();
    if ring.choice != Choice::Active {
        return None;
    }
    let entry = least(ring.word(), service.index, *tables);
    if service.ring() != ring {
        return None;
    }
    RingEntry::from_word(u64::from(entry))
}

/// Compares the targets of a ring. Of equals the one with the larger weight is taken, then the first.
///
/// A function of its own, as [`choice`] is; it returns the entry's word, 0 for none.
#[inline(never)]
fn least<T: Tables>(ring: u64, service: u32, tables: T) -> u32 {
    let ring = Ring::from_word(ring);
    let (mut least, mut least_active, mut least_weight) = (0, 1, 0);
    let mut place = 0;
    while place < MAX_ROWS && place < ring.len {
        let Some(entry) = tables.ring_entry(ring.start + place) else {
            break;
        };
        let Some(tally) = tables.tally(service, entry.row()) else {
            break;
        };
        let (active, weight) = (tally.active(), u64::from(entry.weight()));
        // Shares are compared without a division: active / weight < least_active / least_weight.
        let (share, least_share) = (active * least_weight, least_active * weight);
        if share < least_share || (share == least_share && weight > least_weight) {
            (least, least_active, least_weight) = (entry.word() as u32, active, weight);
        }
        place = next_attempt(place);
    }
    least
}

/// Takes the target of a new connection that is sure of its slot; `None` when no target is ready.
/// `least` is the [least active](least_active) one.
#[inline(always)]
pub fn for_stored<T: Tables>(
    service: &service::Found<'_>,
    lot: u64,
    least: Option<RingEntry>,
    tables: &T,
) -> Option<RingEntry> {
    match (least, service.ring().choice) {
        (Some(entry), _) => Some(entry),
        (None, Choice::Turn) => by_turn(service, tables),
        (None, Choice::Hash | Choice::Active) => by_hash(service, lot, tables),
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
