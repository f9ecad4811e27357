//! From a segment to the target of its flow, known or new.
//!
//! The fast path is one probe of one bucket. It writes nothing but the flow's
//! own stamp, at most once a second. Everything else, the first and the last
//! segments of a connection and whatever is not in the table, is in a function
//! of its own, so that the fast path stays small.

use super::parse::Segment;
use super::{select, service};
use crate::abi::RingEntry;
use crate::counter::{Event, Verdict};
use crate::flow::{Bucket, Found, Lock, PlaceKind, Stamp, State, Unplaced};
use crate::tables::Tables;
use crate::wire::tcp;

/// Attempts to claim a slot while other CPUs bring the chosen ones back to life.
const CLAIMS: u32 = 2;

/// Finds or makes the flow of a segment and returns its target's slot.
///
/// # Errors
///
/// The verdict, when the segment goes to no target.
#[inline(always)]
pub fn target<T: Tables>(segment: &Segment, tables: &T) -> Result<u16, Verdict> {
    let hash = segment.key.hash(tables.seeds());
    let Some(bucket) = tables.bucket(hash) else {
        return Err(Verdict::UnknownFlow);
    };
    if segment.flags & (tcp::SYN | tcp::FIN | tcp::RST) == 0
        && let Some(found) = bucket.find(&segment.key)
        && found.tag.state() != State::HalfOpen
    {
        found.touch(tables.now());
        return Ok(found.tag.target());
    }
    let [addresses, rest] = segment.words();
    unpack(exceptional(addresses, rest, hash, *tables))
}

/// A target's slot or a verdict in one register: what a function that is not inlined can return.
const TARGET: u32 = 1 << 16;

#[inline(always)]
fn pack(outcome: Result<u16, Verdict>) -> u32 {
    match outcome {
        Ok(slot) => TARGET | u32::from(slot),
        Err(verdict) => verdict as u32,
    }
}

#[inline(always)]
fn unpack(word: u32) -> Result<u16, Verdict> {
    if word & TARGET != 0 {
        return Ok(word as u16);
    }
    Err(Verdict::from_index(word as u8).unwrap_or(Verdict::UnknownFlow))
}

/// All but a segment in the middle of a known connection.
///
/// Its arguments fit into the five registers that there are: a segment passed by its address would
/// have to lie in memory on the fast path too.
#[inline(never)]
fn exceptional<T: Tables>(addresses: u64, rest: u64, hash: u64, tables: T) -> u32 {
    let (segment, tables) = (&Segment::from_words([addresses, rest]), &tables);
    let Some(bucket) = tables.bucket(hash) else {
        return pack(Err(Verdict::UnknownFlow));
    };
    let now = tables.now();
    if let Some(found) = bucket.find(&segment.key)
        && !opens_anew(segment, &found)
    {
        return pack(Ok(continued(segment, &found, now)));
    }
    pack(unknown(segment, hash, bucket, now, tables))
}

/// Whether the segment is a new connection on the addresses and ports of one that has ended.
#[inline(always)]
fn opens_anew(segment: &Segment, found: &Found<'_>) -> bool {
    segment.is_syn() && found.tag.state() == State::Ending
}

/// Brings a known flow to the state that the segment shows. A SYN is a retransmission.
#[inline(always)]
fn continued(segment: &Segment, found: &Found<'_>, now: Stamp) -> u16 {
    let state = if segment.is_end() {
        State::Ending
    } else if segment.is_syn() {
        State::HalfOpen
    } else {
        State::Established
    };
    found.advance(state, now);
    found.tag.target()
}

#[inline(always)]
fn unknown<T: Tables>(
    segment: &Segment,
    hash: u64,
    bucket: &Bucket,
    now: Stamp,
    tables: &T,
) -> Result<u16, Verdict> {
    let service = service::find(&segment.key, tables)?;
    if !segment.is_syn() {
        return guess(segment, hash, &service, tables);
    }
    if service.ring().len == 0 {
        return Err(Verdict::NoReadyTarget);
    }
    let entry = match bucket.lock() {
        None => {
            tables.count_event(Event::TableBusy);
            select::by_hash(&service, hash, tables)
        }
        Some(lock) => {
            let placed = place(segment, hash, &service, &lock, now, tables);
            lock.release();
            match placed {
                Placed::Known(slot) => return Ok(slot),
                Placed::New(entry) => entry,
            }
        }
    };
    let Some(entry) = entry else {
        return Err(Verdict::NoReadyTarget);
    };
    if let Some(connections) = tables.connections(service.index, entry.row()) {
        connections.fetch_add(1);
    }
    Ok(entry.target())
}

/// A segment in the middle of a connection that this stack does not know.
///
/// The flow is not stored: a ring that changes later must not find a guess that has become a fact.
#[inline(always)]
fn guess<T: Tables>(
    segment: &Segment,
    hash: u64,
    service: &service::Found<'_>,
    tables: &T,
) -> Result<u16, Verdict> {
    if tables.has_connection(&segment.key) {
        return Err(Verdict::LocalSocket);
    }
    match select::by_hash(service, hash, tables) {
        Some(entry) => {
            tables.count_event(Event::FlowGuessed);
            Ok(entry.target())
        }
        None => Err(Verdict::UnknownFlow),
    }
}

enum Placed {
    /// Another CPU has stored the flow meanwhile; this is its target.
    Known(u16),
    /// The flow is new, stored or not; `None` when no target is ready any more.
    New(Option<RingEntry>),
}

#[inline(always)]
fn place<T: Tables>(
    segment: &Segment,
    hash: u64,
    service: &service::Found<'_>,
    lock: &Lock<'_>,
    now: Stamp,
    tables: &T,
) -> Placed {
    let mut reason = Event::TableBusy;
    for _ in 0..CLAIMS {
        let claimed = match lock.find(&segment.key) {
            Some(found) if !opens_anew(segment, &found) => {
                return Placed::Known(continued(segment, &found, now));
            }
            Some(found) => lock.reopen(&found).ok_or(Unplaced::Contended),
            None => lock.claim(now),
        };
        let place = match claimed {
            Ok(place) => place,
            Err(Unplaced::Full) => {
                reason = Event::TableFull;
                break;
            }
            Err(Unplaced::Contended) => continue,
        };
        // A flow that pushed out another may be pushed out itself. By hash, its later segments still
        // lead to the same target.
        let entry = match place.kind {
            PlaceKind::Vacant | PlaceKind::Reopened => select::by_turn(service, tables),
            PlaceKind::Displaced => select::by_hash(service, hash, tables),
        };
        let Some(entry) = entry else {
            place.vacate();
            return Placed::New(None);
        };
        tables.count_event(Event::FlowStored);
        match place.kind {
            PlaceKind::Vacant => {}
            PlaceKind::Reopened => tables.count_event(Event::FlowReopened),
            PlaceKind::Displaced => tables.count_event(Event::FlowDisplaced),
        }
        place.fill(&segment.key, entry.target(), now);
        return Placed::New(Some(entry));
    }
    tables.count_event(reason);
    Placed::New(select::by_hash(service, hash, tables))
}
