//! From a segment that nobody here knows to the target that may know it.
//!
//! ```text
//!  owner ──▶ first ──▶ next ──▶ … ──▶ last
//!             has the connection? it stays there; else it goes on, and the last answers
//! ```
//!
//! Each target is asked once, in the order of the list, which is the same on
//! every stack, from the place on to which the hash of the flow leads. Nothing
//! is stored here: the target that has the connection tells the owner's daemon.
//! No stack sends more of this than its budget, so a flood of such segments is
//! not multiplied.

use super::ends;
use super::parse::Segment;
use crate::abi::{RingEntry, Standing};
use crate::counter::{Event, Verdict};
use crate::hash;
use crate::tables::Tables;

/// Segments that one CPU offers or hands on in a unit of time, which is about a second.
pub const BUDGET: u32 = 20_000;

/// Offers a segment to the first target.
///
/// # Errors
///
/// The verdict, when there is no target or no budget left.
#[inline(always)]
pub fn begin<T: Tables>(segment: &Segment, standing: Standing, tables: &T) -> Result<u16, Verdict> {
    if standing.offers() == 0 {
        // Who has just begun has not heard of the targets that may know it.
        return Err(if standing.has_claimant() {
            Verdict::Astray
        } else {
            Verdict::UnknownFlow
        });
    }
    let first = first(segment, standing, tables);
    to(first, Event::FlowOffered, standing, tables)
}

/// Offers a segment whose connection is not here to the target after this one.
///
/// # Errors
///
/// The verdict, when all have been asked, when it cannot be told who comes next, or when no budget
/// is left.
#[inline(always)]
pub fn hand_on<T: Tables>(
    segment: &Segment,
    is_from_owner: bool,
    standing: Standing,
    tables: &T,
) -> Result<u16, Verdict> {
    let (len, place) = (standing.offers(), standing.place());
    if len == 0 {
        return Err(disowned(standing));
    }
    let first = first(segment, standing, tables);
    // The owner may have sent it here for another reason than the order: the round begins now.
    let next = if is_from_owner && place != first {
        first
    } else if place >= len {
        return Err(Verdict::Astray);
    } else {
        let next = if place + 1 == len { 0 } else { place + 1 };
        if next == first {
            return Err(disowned(standing));
        }
        next
    };
    to(next, Event::FlowHandedOn, standing, tables)
}

/// All targets were asked. While the DVIPA changes hands, not all stacks mean the same by that.
#[inline(always)]
fn disowned(standing: Standing) -> Verdict {
    if standing.is_settled() {
        Verdict::Disowned
    } else {
        Verdict::Astray
    }
}

/// The place in the list to which the hash of the flow leads.
#[inline(always)]
fn first<T: Tables>(segment: &Segment, standing: Standing, tables: &T) -> u32 {
    hash::place(ends::offer(&segment.key, tables), standing.offers())
}

#[inline(always)]
fn to<T: Tables>(place: u32, event: Event, standing: Standing, tables: &T) -> Result<u16, Verdict> {
    let Some(target) = tables
        .ring_entry(standing.start() + place)
        .map(RingEntry::target)
    else {
        return Err(Verdict::Astray);
    };
    if !spend(tables) {
        return Err(Verdict::OfferLimit);
    }
    tables.count_event(event);
    Ok(target)
}

/// Takes one from this CPU's budget; `false` when there is none left in this unit of time.
///
/// The word holds the unit and how much of its budget is spent. Only this CPU writes it.
#[inline(always)]
fn spend<T: Tables>(tables: &T) -> bool {
    let Some(budget) = tables.budget() else {
        return false;
    };
    let unit = tables.now().units();
    let word = budget.load();
    let spent = if (word >> 32) as u16 == unit {
        word as u32
    } else {
        0
    };
    if spent >= BUDGET {
        return false;
    }
    budget.store(u64::from(unit) << 32 | u64::from(spent + 1));
    true
}
