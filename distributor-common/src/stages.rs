//! The packet path: parse → flow → service → select → forward.
//!
//! ```text
//!  frame ─▶ parse ─▶ flow ──known──────────────────────────▶ forward ─▶ verdict
//!             │        └─unknown─▶ service ─▶ select ─▶ store ─┘
//!             └─ nothing of ours ─▶ pass
//! ```
//!
//! A packet for an address on which nothing is distributed leaves after one
//! look at a bitmap; a segment of a known flow never meets a service table.
//! Each stage either goes on or ends in a [`Verdict`], which is counted once,
//! here. No stage drops what it does not understand.

use crate::counter::{Event, Verdict};
use crate::packet::PacketBuf;
use crate::tables::Tables;

pub mod flow;
pub mod forward;
pub mod parse;
pub mod select;
pub mod service;

/// Decides about one packet, changes it where that is needed, and counts it.
#[inline(always)]
pub fn distribute<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    tables.count_event(Event::Received);
    let verdict = decide(packet, tables);
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
