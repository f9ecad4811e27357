//! From a service to one of its targets.
//!
//! Which targets are in the ring, how often and in which order is the daemon's
//! business. This stage takes a place of the ring, by turn, by hash or by what the
//! targets have, and nothing else; a turn is taken only for a flow that is sure
//! of its slot.

use super::parse::Segment;
use super::{ends, service};
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
            let [addresses, rest] = Segment::new(*key, 0).words();
            choice(addresses, rest, *tables)
        }
    }
}

/// A function of its own: what it needs of the stack is given back before anything else is done.
#[inline(never)]
fn choice<T: Tables>(addresses: u64, rest: u64, tables: T) -> u64 {
    let key = Segment::from_words([addresses, rest]).key;
    ends::choice(&key, tables.choice_key(), &tables)
}

/// The place of a flow that is sure of its slot, if no turn is taken for it: that of its hash, or of the
/// target that has the fewest connections for its weight.
#[inline(always)]
pub fn preferred<T: Tables>(
    service: &service::Found<'_>,
    hashed: RingEntry,
    tables: &T,
) -> RingEntry {
    let ring = service.ring();
    if ring.choice != Choice::Active {
        return hashed;
    }
    let least = least(ring.word(), service.index, *tables);
    // The places of a ring that was swapped meanwhile may be another's by now.
    if service.ring() != ring {
        return hashed;
    }
    RingEntry::from_word(u64::from(least)).unwrap_or(hashed)
}

/// Compares the targets of a ring. Of equals the one with the larger weight is taken, then the first.
///
/// A function of its own, as [`choice`] is; it returns the entry's word, 0 for none. One comparison
/// for each target, and nothing that is known before the first: the kernel's verifier follows both
/// ways of each branch as often as there can be targets.
#[inline(never)]
fn least<T: Tables>(ring: u64, service: u32, tables: T) -> u32 {
    let ring = Ring::from_word(ring);
    let Some((mut least, mut least_active)) = with_active(ring.start, service, &tables) else {
        return 0;
    };
    let mut place = 1;
    while place < MAX_ROWS && place < ring.len {
        let Some((entry, active)) = with_active(ring.start + place, service, &tables) else {
            break;
        };
        // Shares are compared without a division: active / weight < least active / its weight. The
        // larger weight is the smaller of two equals.
        let [weight, least_weight] = [entry, least].map(|entry| u64::from(entry.weight()));
        let share = (active * least_weight) << 7 | (127 - weight);
        let least_share = (least_active * weight) << 7 | (127 - least_weight);
        if share < least_share {
            (least, least_active) = (entry, active);
        }
        place = next_attempt(place);
    }
    least.word() as u32
}

/// A place of a ring, and how many connections its target has.
#[inline(always)]
fn with_active<T: Tables>(place: u32, service: u32, tables: &T) -> Option<(RingEntry, u64)> {
    let entry = tables.ring_entry(place)?;
    let tally = tables.tally(service, entry.row())?;
    Some((entry, tally.active()))
}

/// Takes the next target in turn for a flow that is sure of its slot, if that is how targets are
/// chosen; else the `preferred` one.
#[inline(always)]
pub fn in_turn<T: Tables>(
    service: &service::Found<'_>,
    preferred: RingEntry,
    tables: &T,
) -> RingEntry {
    let ring = service.ring();
    if ring.choice != Choice::Turn || ring.len == 0 {
        return preferred;
    }
    let turn = service.service.turn.fetch_add(1);
    let entry = read(service, ring, tables, |ring| {
        (turn % u64::from(ring.len)) as u32
    });
    entry.unwrap_or(preferred)
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
