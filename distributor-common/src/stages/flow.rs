//! From a segment to the target of its flow, known or new.
//!
//! The fast path is one probe of one bucket. It writes nothing but the flow's
//! own stamp, at most once a second. Everything else, the first and the last
//! segments of a connection and whatever is not in the table, is in a function
//! of its own, so that the fast path stays small.

use super::parse::Segment;
use super::{affinity, ends, fence, held, offer, origin, select, service, vipa};
use crate::abi::{RingEntry, Standing};
use crate::counter::{Event, Verdict};
use crate::flow::{Bucket, FlowKey, Found, Lock, PlaceKind, Stamp, State, Unplaced};
use crate::tables::Tables;
use crate::wire::tcp;

/// Attempts to claim a slot while other CPUs bring the chosen ones back to life.
const CLAIMS: u32 = 2;

/// Finds the target of a segment in the middle of a known connection.
#[inline(always)]
pub fn known<T: Tables>(segment: &Segment, tables: &T) -> Option<u16> {
    let bucket = tables.bucket(segment.key.hash(tables.seeds()));
    if segment.flags & (tcp::SYN | tcp::FIN | tcp::RST) == 0
        && let Some(found) = bucket.find(&segment.key)
        && found.tag.state() != State::HalfOpen
    {
        found.touch(tables.now());
        return Some(found.tag.target());
    }
    None
}

/// Finds or makes the flow of any other segment, which came from the Ethernet address `source`, and
/// returns its target's slot.
///
/// # Errors
///
/// The verdict, when the segment goes to no target.
#[inline(always)]
pub fn target<T: Tables>(segment: &Segment, source: u64, tables: &T) -> Result<u16, Verdict> {
    let [addresses, rest] = segment.words();
    unpack(match tables.exceptional(addresses, rest) {
        UNKNOWN => tables.unknown(addresses, rest, source),
        outcome => outcome,
    })
}

/// Finds the target of a connection that something other than its own segments is about, which came
/// from the Ethernet address `source`. The flow stays as it is.
///
/// # Errors
///
/// The verdict, when no other stack is concerned.
#[inline(always)]
pub fn concerned<T: Tables>(key: &FlowKey, source: u64, tables: &T) -> Result<u16, Verdict> {
    let bucket = tables.bucket(key.hash(tables.seeds()));
    if let Some(found) = bucket.find(key) {
        return Ok(found.tag.target());
    }
    // As if it were in the middle of the connection.
    let segment = Segment {
        key: *key,
        flags: tcp::ACK,
    };
    let [addresses, rest] = segment.words();
    unpack(tables.unknown(addresses, rest, source))
}

/// A target's slot or a verdict in one register: what a function that is not inlined can return.
const TARGET: u32 = 1 << 16;
/// In its place where [`unknown`] is to decide.
const UNKNOWN: u32 = 1 << 17;

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

/// A new connection to a service of this stack, and all of a known one but a segment in its middle: returns
/// a target's slot or a verdict in one word, or that [`unknown`] is to decide.
///
/// Its arguments fit into the five registers that there are: a segment passed by its address would
/// have to lie in memory on the fast path too. Where a verifier looks at this, it does so apart from who
/// calls it, see [`Tables::exceptional`].
#[inline(always)]
#[must_use]
pub fn exceptional<T: Tables>(addresses: u64, rest: u64, tables: T) -> u32 {
    let (segment, tables) = (&Segment::from_words([addresses, rest]), &tables);
    let hash = segment.key.hash(tables.seeds());
    let bucket = tables.bucket(hash);
    let now = tables.now();
    if let Some(found) = bucket.find(&segment.key)
        && !opens_anew(segment, &found)
    {
        let slot = continued(segment, &found, now);
        if segment.is_syn() {
            count_sent(slot, *tables);
        }
        return pack(Ok(slot));
    }
    match service::find(&segment.key, tables) {
        Some(service) if segment.is_syn() => {
            let target = new(segment, hash, bucket, &service, now, tables);
            if let Ok(slot) = target {
                count_sent(slot, *tables);
            }
            pack(target)
        }
        _ => UNKNOWN,
    }
}

/// What is of no known connection and opens none to a service of this stack: a target's slot or a verdict in
/// one word.
///
/// It is apart from [`exceptional`] because either needs much of the stack, and nothing of the other.
#[inline(always)]
#[must_use]
pub fn unknown<T: Tables>(addresses: u64, rest: u64, source: u64, tables: T) -> u32 {
    let (segment, tables) = (&Segment::from_words([addresses, rest]), &tables);
    pack(match service::find(&segment.key, tables) {
        Some(service) if !segment.is_syn() => midway(segment, source, &service, tables),
        // A SYN is only here because there was no service a moment ago.
        _ => not_served(segment, source, tables),
    })
}

/// Counts a SYN that is sent to a target, for the first time or again.
#[inline(never)]
fn count_sent<T: Tables>(slot: u16, tables: T) {
    if let Some(syns) = tables.syns(slot) {
        syns.sent.fetch_add(1);
    }
}

/// What comes for an address that is ours and a port that is not served from here.
#[inline(always)]
fn not_served<T: Tables>(segment: &Segment, source: u64, tables: &T) -> Result<u16, Verdict> {
    let dvipa = segment.key.dvipa();
    let standing = vipa::find(dvipa, tables).ok_or(Verdict::NoService)?;
    if !standing.is_owned() {
        return held::target(segment, source, standing, tables);
    }
    if segment.is_syn() && fence::is_closed(dvipa, tables) {
        return Err(Verdict::Silent);
    }
    Err(Verdict::NoService)
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

/// A new connection to a service of this stack.
#[inline(always)]
fn new<T: Tables>(
    segment: &Segment,
    hash: u64,
    bucket: &Bucket,
    service: &service::Found<'_>,
    now: Stamp,
    tables: &T,
) -> Result<u16, Verdict> {
    if fence::is_closed(segment.key.dvipa(), tables) {
        return Err(Verdict::Silent);
    }
    // Without the lock: whatever becomes of the flow, a target is known for it.
    let Some(candidates) = Candidates::find(segment, hash, service, tables) else {
        let standing = vipa::find(segment.key.dvipa(), tables);
        return Err(if standing.is_some_and(Standing::has_claimant) {
            Verdict::Unsettled
        } else {
            Verdict::NoReadyTarget
        });
    };
    let entry = match bucket.lock(tables.home(hash)) {
        None => {
            tables.count_event(Event::TableBusy);
            candidates.hashed
        }
        Some(lock) => {
            let placed = place(segment, hash, candidates, service, &lock, now, tables);
            lock.release();
            match placed {
                Placed::Known(slot) => return Ok(slot),
                Placed::New(entry) => entry,
            }
        }
    };
    let entry = if candidates.is_settled {
        entry
    } else {
        affinity::settle(segment, service, entry, tables)
    };
    if let Some(tally) = tables.tally(service.index, entry.row()) {
        tally.handed.fetch_add(1);
    }
    Ok(entry.target())
}

/// A segment in the middle of a connection that this stack does not know.
///
/// The flow is not stored: a ring that changes later must not find a guess that has become a fact.
#[inline(always)]
fn midway<T: Tables>(
    segment: &Segment,
    source: u64,
    service: &service::Found<'_>,
    tables: &T,
) -> Result<u16, Verdict> {
    if tables.has_connection(&segment.key) {
        return Err(Verdict::LocalSocket);
    }
    let standing = vipa::find(segment.key.dvipa(), tables).unwrap_or(Standing::UNKNOWN);
    // From a target it was offered to already, by a stack that does not know who owns the DVIPA.
    if let Some(sender) = held::distributor(segment, source, standing, tables)
        && standing.is_target(sender.slot())
        && !standing.is_former(sender.slot())
    {
        return Err(Verdict::Astray);
    }
    // A connection that has found no place in the table went where its client is kept, or where
    // this hash leads.
    let guess = affinity::kept(segment, service, tables).or_else(|| {
        let hash = segment.key.hash(tables.seeds());
        let lot = select::lot(service, &segment.key, hash, tables);
        select::by_hash(service, lot, tables)
    });
    if let Some(entry) = guess
        && (standing.offers() == 0 || is_elsewhere(entry.target(), tables))
    {
        tables.count_event(Event::FlowGuessed);
        return Ok(entry.target());
    }
    offer::begin(segment, standing, tables)
}

/// Whether a target is another stack and can be reached.
#[inline(always)]
fn is_elsewhere<T: Tables>(slot: u16, tables: &T) -> bool {
    tables
        .target(slot)
        .is_some_and(|target| target.path().interface().is_some())
}

enum Placed {
    /// Another CPU has stored the flow meanwhile; this is its target.
    Known(u16),
    /// The flow is new, stored or not.
    New(RingEntry),
}

/// The targets that a new flow may get.
#[derive(Clone, Copy)]
struct Candidates {
    /// Where its hash leads.
    hashed: RingEntry,
    /// Where it goes if it is stored and no turn is taken for it.
    preferred: RingEntry,
    /// Whether it has no other target: it stays where it starts, or where its client is kept.
    is_settled: bool,
}

impl Candidates {
    /// `None` when no target is ready.
    #[inline(always)]
    fn find<T: Tables>(
        segment: &Segment,
        hash: u64,
        service: &service::Found<'_>,
        tables: &T,
    ) -> Option<Self> {
        let settled = origin::stays(&segment.key, tables).or_else(|| {
            let kept = affinity::kept(segment, service, tables)?;
            tables.count_event(Event::AffinityKept);
            Some(kept)
        });
        if let Some(only) = settled {
            return Some(Self {
                hashed: only,
                preferred: only,
                is_settled: true,
            });
        }
        let lot = select::lot(service, &segment.key, hash, tables);
        let hashed = select::by_hash(service, lot, tables)?;
        Some(Self {
            hashed,
            preferred: select::preferred(service, hashed, tables),
            is_settled: false,
        })
    }

    /// The target of a flow that is sure of its slot.
    #[inline(always)]
    fn for_stored<T: Tables>(&self, service: &service::Found<'_>, tables: &T) -> RingEntry {
        if self.is_settled {
            self.preferred
        } else {
            select::in_turn(service, self.preferred, tables)
        }
    }
}

/// Stores a flow. What is stored takes its turn, or goes where it is preferred; what is not, or may
/// be pushed out again, goes where its hash leads.
#[inline(always)]
fn place<T: Tables>(
    segment: &Segment,
    hash: u64,
    candidates: Candidates,
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
            PlaceKind::Vacant | PlaceKind::Reopened => candidates.for_stored(service, tables),
            PlaceKind::Displaced => candidates.hashed,
        };
        tables.count_event(Event::FlowStored);
        match place.kind {
            PlaceKind::Vacant => {}
            PlaceKind::Reopened => tables.count_event(Event::FlowReopened),
            PlaceKind::Displaced => tables.count_event(Event::FlowDisplaced),
        }
        ends::note(&segment.key, hash, place.index, tables);
        place.fill(&segment.key, entry.target(), now);
        return Placed::New(entry);
    }
    tables.count_event(reason);
    Placed::New(candidates.hashed)
}
