//! The packet path: prefilter → established, or parse → flow → service → select → forward.
//!
//! ```text
//!  frame ─▶ prefilter ─▶ established ──in the middle of a known connection, and nothing odd──▶ verdict
//!               │             └─ else ─▶ parse ─▶ flow ──known─────────────────────────▶ forward ─▶ verdict
//!               │                          │        └─unknown─▶ service ─▶ select ─▶ store ─────┤
//!               │                          │           │           └─ no new connection ─▶ offer ┤
//!               │                          │           └─ of another stack ─▶ held ─▶ hand on, relay
//!               └──────────────────────────┴─ nothing of ours ─▶ aside (tunnels, ICMP errors, probe, ARP) ─▶ pass
//! ```
//!
//! A packet for an address on which nothing is distributed leaves after one
//! look at a bitmap; a segment of a known flow never meets a service table.
//! Each stage either goes on or ends in a [`Verdict`], which is counted once,
//! here. No stage drops what it does not understand.

use self::decapsulate::Carrier;
use self::parse::Segment;
use crate::counter::Verdict;
use crate::packet::PacketBuf;
use crate::tables::Tables;

pub mod affinity;
pub mod decapsulate;
pub mod encapsulate;
pub mod ends;
pub mod established;
pub mod fence;
pub mod flow;
pub mod forward;
pub mod held;
pub mod icmp;
pub mod ipv6;
pub mod offer;
pub mod origin;
pub mod parse;
pub mod probe;
pub mod select;
pub mod service;
pub mod vipa;

/// What a packet may concern, as far as the prefilter can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// A DVIPA or a flow.
    Vipa,
    /// Neither by itself, for it is not TCP; but it may be about a flow, or this stack's daemon.
    Aside {
        /// Whether it is ARP; else it is IPv4.
        is_arp: bool,
    },
    /// An IPv6 DVIPA.
    Ipv6,
    /// Neither by itself, for it is ICMP or UDP over IPv6; see above.
    AsideIpv6,
}

/// Decides about one packet, changes it where that is needed, and counts it.
#[inline(always)]
pub fn distribute<P: PacketBuf, T: Tables>(packet: &mut P, tables: T) -> Verdict {
    match prefilter(packet, &tables) {
        Ok(Concern::Vipa) => match established::forward(packet, &tables) {
            Some(verdict) => verdict,
            None => concerned(packet, None, tables),
        },
        Ok(Concern::Aside { is_arp }) => match aside(packet, is_arp, tables) {
            Aside::Ended(verdict) => verdict,
            Aside::Opened(carrier) => concerned(packet, Some(carrier), tables),
        },
        Ok(Concern::Ipv6) => established::forward_ipv6(packet, &tables)
            .or_else(|| ipv6::packet(packet, tables))
            .unwrap_or_else(|| ipv6::aside(packet, tables)),
        Ok(Concern::AsideIpv6) => ipv6::aside(packet, tables),
        Err(verdict) => verdict,
    }
}

/// Finds the packets that concern no DVIPA, most of them on most interfaces, and counts those.
///
/// # Errors
///
/// The verdict on such a packet.
#[inline(always)]
pub fn prefilter<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Result<Concern, Verdict> {
    parse::prefilter(packet, tables).inspect_err(|verdict| tables.count_verdict(*verdict))
}

/// What became of a packet that is not TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It is decided about, and counted.
    Ended(Verdict),
    /// A member had put a TCP segment into it, which is still to be decided about.
    Opened(Carrier),
}

/// Decides about a packet that is not TCP, and counts it: an ICMP error may be about a flow, others
/// about the daemon, or carry what a member sends.
#[inline(always)]
pub fn aside<P: PacketBuf, T: Tables>(packet: &mut P, is_arp: bool, tables: T) -> Aside {
    let verdict = if is_arp {
        fence::arp(packet, &tables)
    } else {
        let carrier = match decapsulate::open(packet, &tables) {
            Some(Ok(carrier)) if parse::is_tcp(packet) => return Aside::Opened(carrier),
            Some(Ok(carrier)) => Ok(Some(carrier)),
            Some(Err(verdict)) => Err(verdict),
            None => Ok(None),
        };
        carrier.map_or_else(
            |verdict| verdict,
            |carrier| {
                icmp::error(packet, carrier, &tables)
                    .unwrap_or_else(|| probe::answer(packet, &tables))
            },
        )
    };
    tables.count_verdict(verdict);
    Aside::Ended(verdict)
}

/// Decides about a TCP segment for an address that is a DVIPA or shares its bit of the prefilter with
/// one, whatever it is, changes it where that is needed, and counts it.
#[inline(always)]
pub fn concerned<P: PacketBuf, T: Tables>(
    packet: &mut P,
    carrier: Option<Carrier>,
    tables: T,
) -> Verdict {
    let verdict = match parse::segment(packet, &tables) {
        Ok(segment) => onward(packet, &segment, carrier, &tables),
        Err(verdict) => verdict,
    };
    tables.count_verdict(verdict);
    verdict
}

/// Decides about a segment that may be of a flow.
#[inline(always)]
fn onward<P: PacketBuf, T: Tables>(
    packet: &mut P,
    segment: &Segment,
    carrier: Option<Carrier>,
    tables: &T,
) -> Verdict {
    let target = match flow::known(segment, tables) {
        Some(slot) => Ok(slot),
        None => flow::target(segment, source(packet, carrier), tables),
    };
    match target {
        Ok(slot) if held::returns(slot, segment, carrier) => Verdict::Returning,
        Ok(slot) => {
            let family = segment.key.family;
            forward::to_target(packet, tables, slot, family, segment.is_syn())
        }
        Err(verdict) => verdict,
    }
}

/// Whom a packet comes from: the member that has carried it here, or the Ethernet address.
#[inline(always)]
fn source<P: PacketBuf>(packet: &mut P, carrier: Option<Carrier>) -> u64 {
    carrier.map_or_else(|| parse::source(packet), Carrier::source)
}

#[cfg(test)]
mod tests;
