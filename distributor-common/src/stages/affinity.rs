//! A client that keeps its target: TIMEDAFFINITY.
//!
//! Whoever has connected to a service goes to the same target again, until the
//! daemon finds that none of its connections is left and that the time after that
//! is over. Packets only note where a client went, and bring back what was about
//! to end; nothing in here looks at a clock. Two first connections of a client, at
//! once and on two CPUs, still go to one target. Services without affinity pay for
//! one word that lies beside their ring.

use super::parse::Segment;
use super::{ends, service};
use crate::abi::{Affinity, RingEntry, Service};
use crate::counter::Event;
use crate::flow::{FlowKey, Lock, State};
use crate::tables::Tables;

/// The target that the client keeps; `None` where it is to get one like any other.
#[inline(always)]
pub fn kept<T: Tables>(
    segment: &Segment,
    service: &service::Found<'_>,
    tables: &T,
) -> Option<RingEntry> {
    if !service.affinity().is_on() {
        return None;
    }
    let [addresses, rest] = segment.words();
    let kept = find(addresses, rest, service.index, *tables);
    RingEntry::from_word(u64::from(kept))
}

/// Notes the target of a client that kept none, and returns where its new connection goes: to
/// another, if another CPU was faster.
#[inline(always)]
pub fn settle<T: Tables>(
    segment: &Segment,
    service: &service::Found<'_>,
    entry: RingEntry,
    tables: &T,
) -> RingEntry {
    if !service.affinity().is_on() {
        return entry;
    }
    let [addresses, rest] = segment.words();
    let chosen = u64::from(service.index) << 32 | entry.word();
    let settled = note(addresses, rest, chosen, *tables);
    RingEntry::from_word(u64::from(settled)).unwrap_or(entry)
}

/// Functions of their own, as those of [`select`](super::select) are; they return an entry's word.
///
/// Nothing is tried twice: the kernel's verifier follows each slot of a bucket to the end.
#[inline(never)]
fn find<T: Tables>(addresses: u64, rest: u64, service: u32, tables: T) -> u32 {
    let segment = Segment::from_words([addresses, rest]);
    let key = segment.key.affinity();
    let bucket = tables.bucket(key.hash(tables.seeds()));
    let (Some(service), Some(found)) = (tables.service(service), bucket.find(&key)) else {
        return 0;
    };
    match ready(service, found.tag.target()) {
        // Only a new connection stops the timer. What is changed at this moment is looked at again
        // when it is settled.
        Some(entry) if !segment.is_syn() || found.revive(tables.now()) => entry.word32(),
        Some(_) | None => 0,
    }
}

/// `chosen` is the index of the service above the word of the entry that was chosen.
#[inline(never)]
fn note<T: Tables>(addresses: u64, rest: u64, chosen: u64, tables: T) -> u32 {
    let key = Segment::from_words([addresses, rest]).key;
    let client = key.affinity();
    let hash = client.hash(tables.seeds());
    let Some(service) = tables.service((chosen >> 32) as u32) else {
        return 0;
    };
    let mut settled = 0;
    if let Some(lock) = tables.bucket(hash).lock(tables.home(hash)) {
        settled = noted(&lock, &client, hash, service, chosen as u32, &tables);
        lock.release();
    }
    if settled == 0 {
        tables.count_event(Event::AffinityUnnoted);
    } else if settled as u16 != chosen as u16 {
        if !redirect(&key, settled as u16, &tables) {
            return 0;
        }
        tables.count_event(Event::AffinityKept);
    }
    settled
}

/// Stores that a client keeps a target, and returns the one that it keeps; 0 without room.
#[inline(always)]
fn noted<T: Tables>(
    lock: &Lock<'_>,
    client: &FlowKey,
    hash: u64,
    service: &Service,
    chosen: u32,
    tables: &T,
) -> u32 {
    let (target, now) = (chosen as u16, tables.now());
    let Some(found) = lock.find(client) else {
        let Ok(place) = lock.claim_spare(now) else {
            return 0;
        };
        ends::note(client, hash, place.index, tables);
        place.fill(client, target, now);
        return chosen;
    };
    // If the daemon is faster, it finds out within a second what the client has.
    if let Some(kept) = ready(service, found.tag.target()) {
        let _ = found.revive(now);
        return kept.word32();
    }
    let new = found.tag.with_target(target).with_state(State::HalfOpen);
    let _ = found.slot().replace(found.tag, new.with_stamp(now));
    chosen
}

/// Has a flow that was stored a moment ago, and of which nothing was sent yet, go elsewhere. Says
/// whether it does; one that found no place is in no slot, and its next segment is guessed right.
#[inline(always)]
fn redirect<T: Tables>(key: &FlowKey, target: u16, tables: &T) -> bool {
    let bucket = tables.bucket(key.hash(tables.seeds()));
    bucket.find(key).is_none_or(|found| {
        let new = found.tag.with_target(target);
        found.slot().replace(found.tag, new)
    })
}

/// The target in a slot as a place of the ring, if it may be handed connections.
#[inline(always)]
fn ready(service: &Service, slot: u16) -> Option<RingEntry> {
    let ready = Affinity::from_word(service.affinity.load()).ready;
    let row = service.row_among(ready, slot)?;
    Some(RingEntry::new(slot, row))
}
