//! A segment for a DVIPA that is here and belongs to another stack.
//!
//! Nothing in here chooses a target for a new connection, stores a flow, or
//! believes an Ethernet address more than to tell a member's packet from a
//! client's.

use super::decapsulate::Carrier;
use super::parse::Segment;
use super::{ends, offer, origin};
use crate::abi::{MAX_TARGETS, Member, Sender, Standing};
use crate::counter::{Event, Verdict};
use crate::tables::Tables;

/// Finds who gets the segment: this host's own stack, or another.
///
/// # Errors
///
/// The verdict, when no other stack gets it.
#[inline(always)]
pub fn target<T: Tables>(
    segment: &Segment,
    source: u64,
    standing: Standing,
    tables: &T,
) -> Result<u16, Verdict> {
    let sender = distributor(segment, source, standing, tables);
    if segment.is_syn() {
        return new_connection(segment, sender, standing, tables);
    }
    if tables.has_connection(&segment.key) {
        return Err(Verdict::LocalSocket);
    }
    match sender {
        Some(sender) if standing.is_authority(sender.slot()) => {
            offer::hand_on(segment, true, standing, tables)
        }
        Some(sender) if standing.is_target(sender.slot()) => {
            offer::hand_on(segment, false, standing, tables)
        }
        // Nobody who distributes: a client, or a stack that does not know yet who does.
        Some(_) | None => relay(standing, tables).ok_or(Verdict::Astray),
    }
}

/// The member that a packet comes from, as a carrier or by its Ethernet address.
#[inline(always)]
fn sender<T: Tables>(source: u64, tables: &T) -> Option<Sender> {
    match Carrier::from_source(source) {
        Some(carrier) => carrier.member(),
        None => tables.sender(source),
    }
}

/// Whether the target in a slot is the member that has carried a packet here.
#[inline(always)]
#[must_use]
pub fn is_from(slot: u16, carrier: Option<Carrier>) -> bool {
    let member = carrier.and_then(Carrier::member);
    member.is_some_and(|member| member.ipv4() == Some(slot) || member.ipv6() == Some(slot))
}

/// Whether a segment would go back to the member that has carried it here; a SYN may.
#[inline(always)]
#[must_use]
pub fn returns(slot: u16, segment: &Segment, carrier: Option<Carrier>) -> bool {
    is_from(slot, carrier) && !segment.is_syn()
}

/// The member that has handed the segment on to here; `None` when it is a client's.
///
/// A member that starts a connection is a client, unless it distributes its own connections too.
#[inline(always)]
pub fn distributor<T: Tables>(
    segment: &Segment,
    source: u64,
    standing: Standing,
    tables: &T,
) -> Option<Member> {
    let member = sender(source, tables)?.member(segment.key.family)?;
    let slot = member.slot();
    let is_own = !standing.is_authority(slot)
        && tables
            .target(slot)
            .is_some_and(|member| member.is_at(ends::client(&segment.key, tables)));
    (!is_own).then_some(member)
}

/// A new connection is taken from whoever may hand it out; a client's neighbour entry may be stale.
#[inline(always)]
fn new_connection<T: Tables>(
    segment: &Segment,
    sender: Option<Member>,
    standing: Standing,
    tables: &T,
) -> Result<u16, Verdict> {
    match sender {
        Some(sender) if standing.is_authority(sender.slot()) => {
            count_taken(sender.slot(), *tables);
            Err(Verdict::Accepted)
        }
        Some(_) => Err(Verdict::Fenced),
        None if origin::stays(&segment.key, tables).is_some() => Err(Verdict::KeptHere),
        None => relay(standing, tables).ok_or_else(|| origin::unowned(&segment.key, tables)),
    }
}

/// Counts a SYN that has arrived from the stack in a slot, which distributes.
#[inline(never)]
fn count_taken<T: Tables>(slot: u16, tables: T) {
    if let Some(syns) = tables.syns(slot) {
        syns.taken.fetch_add(1);
    }
}

/// The owner, if it can be reached.
#[inline(always)]
fn relay<T: Tables>(standing: Standing, tables: &T) -> Option<u16> {
    let owner = standing.owner();
    if u32::from(owner) >= MAX_TARGETS {
        return None;
    }
    tables.target(owner)?.path().interface()?;
    tables.count_event(Event::Relayed);
    Some(owner)
}
