//! The packet path: prefilter → parse → flow → service → select → forward.
//!
//! ```text
//!  frame ─▶ prefilter ─▶ parse ─▶ flow ──known──────────────────────────▶ forward ─▶ verdict
//!               │          │        └─unknown─▶ service ─▶ select ─▶ store ─┘
//!               └──────────┴─ nothing of ours ─▶ pass
//! ```
//!
//! A packet for an address on which nothing is distributed leaves after one
//! look at a bitmap; a segment of a known flow never meets a service table.
//! Each stage either goes on or ends in a [`Verdict`], which is counted once,
//! here. No stage drops what it does not understand.

use crate::counter::Verdict;
use crate::packet::PacketBuf;
use crate::tables::Tables;

pub mod flow;
pub mod forward;
pub mod parse;
pub mod select;
pub mod service;

/// Decides about one packet, changes it where that is needed, and counts it.
#[inline(always)]
pub fn distribute<P: PacketBuf, T: Tables>(packet: &mut P, tables: T) -> Verdict {
    match prefilter(packet, &tables) {
        Ok(()) => concerned(packet, tables),
        Err(verdict) => verdict,
    }
}

/// Finds the packets that concern no DVIPA, most of them on most interfaces, and counts those.
///
/// # Errors
///
/// The verdict on such a packet.
#[inline(always)]
pub fn prefilter<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Result<(), Verdict> {
    parse::prefilter(packet, tables).inspect_err(|verdict| tables.count_verdict(*verdict))
}

/// Decides about a packet that the prefilter has not found, changes it where that is needed, and
/// counts it.
#[inline(always)]
pub fn concerned<P: PacketBuf, T: Tables>(packet: &mut P, tables: T) -> Verdict {
    let verdict = decide(packet, &tables);
    tables.count_verdict(verdict);
    verdict
}

#[inline(always)]
fn decide<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    let segment = match parse::segment(packet, tables) {
        Ok(segment) => segment,
        Err(verdict) => return verdict,
    };
    match flow::target(&segment, tables) {
        Ok(slot) => forward::to_target(packet, tables, slot),
        Err(verdict) => verdict,
    }
}

#[cfg(test)]
mod tests;
