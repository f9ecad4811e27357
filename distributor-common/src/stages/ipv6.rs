//! IPv6: from a frame to a segment of a flow that may be ours, and what is beside that.
//!
//! From there on it goes the way of every segment. No member carries IPv6 inside
//! another packet, so what comes here was sent by an Ethernet address. Of the
//! extension headers nothing is acted on: they are what the payload is behind.

use super::parse::{self, Segment};
use super::{Concern, ends, fence, flow, forward, icmp, probe, vipa};
use crate::abi::{Called, Ends, Family, Standing};
use crate::counter::Verdict;
use crate::hash;
use crate::packet::{PacketBuf, Window};
use crate::tables::Tables;
use crate::wire::ipv6::extension;
use crate::wire::{ethernet, ipv6, tcp, udp};

/// Where the IPv6 header begins.
const L3: usize = ethernet::LEN;
/// Ethernet and IPv6 header.
const HEADERS: usize = L3 + ipv6::LEN;

/// Extension headers that are looked behind.
const MOST_EXTENSIONS: usize = 4;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Its protocol number.
    pub protocol: u8,
    /// Where it begins, from the beginning of the IPv6 header on.
    pub at: usize,
    /// Where the packet says that it ends, likewise.
    pub end: usize,
}

/// Finds the packets that concern no DVIPA.
///
/// # Errors
///
/// The verdict on such a packet.
#[inline(always)]
pub fn prefilter<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Result<Concern, Verdict> {
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Err(Verdict::Malformed);
    };
    if may_be_dvipa(ends_of(&head).dvipa, tables) {
        return Ok(Concern::Ipv6);
    }
    match head.u8::<{ L3 + ipv6::NEXT_HEADER }>() {
        ipv6::icmp::PROTOCOL | udp::PROTOCOL => Ok(Concern::AsideIpv6),
        _ => Err(elsewhere(&head)),
    }
}

/// Decides about an IPv6 packet that may be for a DVIPA, changes it where that is needed, and counts it; `None`, and nothing is
/// changed or counted, when it carries ICMP or UDP and is to be looked at [aside].
#[inline(always)]
pub fn packet<P: PacketBuf, T: Tables>(packet: &mut P, tables: T) -> Option<Verdict> {
    let verdict = decide(packet, &tables)?;
    tables.count_verdict(verdict);
    Some(verdict)
}

#[inline(always)]
fn decide<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Option<Verdict> {
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Some(Verdict::Malformed);
    };
    let dvipa = ends_of(&head).dvipa;
    let payload = match payload(packet) {
        Ok(payload) => payload,
        Err(Verdict::Malformed) => return Some(Verdict::Malformed),
        Err(verdict) => return Some(refused(dvipa, verdict, tables)),
    };
    match payload.protocol {
        tcp::PROTOCOL => Some(match segment(packet, payload, tables) {
            Ok(segment) => onward(packet, &segment, tables),
            Err(verdict) => verdict,
        }),
        ipv6::icmp::PROTOCOL | udp::PROTOCOL => None,
        _ => Some(Verdict::NotTcp),
    }
}

/// Decides about ICMP or UDP over IPv6, and counts it: an error may be about a flow, others about the
/// daemon.
#[inline(always)]
pub fn aside<P: PacketBuf, T: Tables>(packet: &mut P, tables: T) -> Verdict {
    let verdict = decide_aside(packet, &tables);
    tables.count_verdict(verdict);
    verdict
}

#[inline(always)]
fn decide_aside<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Verdict::Malformed;
    };
    let dvipa = ends_of(&head).dvipa;
    let is_ours = may_be_dvipa(dvipa, tables);
    let otherwise = if is_ours {
        Verdict::NotTcp
    } else {
        elsewhere(&head)
    };
    let Ok(payload) = payload(packet) else {
        return otherwise;
    };
    match payload.protocol {
        ipv6::icmp::PROTOCOL => {
            let error = is_ours.then(|| icmp::ipv6::error(packet, payload, dvipa, tables));
            error
                .flatten()
                .unwrap_or_else(|| fence::solicitation(packet, payload.at, otherwise, tables))
        }
        udp::PROTOCOL => probe::ipv6::answer(packet, otherwise, tables),
        _ => otherwise,
    }
}

/// The verdict on what is for no DVIPA.
#[inline(always)]
fn elsewhere(head: &Window<'_, HEADERS>) -> Verdict {
    if head.u8::<{ L3 + ipv6::DESTINATION }>() == ipv6::GROUP {
        Verdict::NotIp
    } else {
        Verdict::NotDistributed
    }
}

/// Whether a packet is a TCP segment; what this host sends has no extension headers.
#[inline(always)]
pub fn is_tcp<P: PacketBuf>(packet: &mut P) -> bool {
    let head = packet.window::<HEADERS>(0);
    head.is_some_and(|head| head.u8::<{ L3 + ipv6::NEXT_HEADER }>() == tcp::PROTOCOL)
}

/// Whether the prefilter has the bit of an address.
#[inline(always)]
pub fn may_be_dvipa<T: Tables>(address: [u64; 2], tables: &T) -> bool {
    let bit = hash::prefilter_ipv6(hash::address(address));
    tables.prefilter(bit.word) & bit.mask != 0
}

/// Source and destination of the header at the beginning of a frame.
#[inline(always)]
#[must_use]
pub fn ends_of<const N: usize>(head: &Window<'_, N>) -> Ends {
    Ends {
        client: [
            head.word64::<{ L3 + ipv6::SOURCE }>(),
            head.word64::<{ L3 + ipv6::SOURCE + 8 }>(),
        ],
        dvipa: [
            head.word64::<{ L3 + ipv6::DESTINATION }>(),
            head.word64::<{ L3 + ipv6::DESTINATION + 8 }>(),
        ],
    }
}

/// Whether this is the first byte of an IPv6 header.
#[inline(always)]
#[must_use]
pub const fn is_version(first: u8) -> bool {
    first >> 4 == 6
}

/// Looks behind the extension headers.
///
/// # Errors
///
/// The verdict, when what is behind them cannot be told: it is cut short, a fragment, or too far away.
#[inline(always)]
fn payload<P: PacketBuf>(packet: &mut P) -> Result<Payload, Verdict> {
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Err(Verdict::Malformed);
    };
    if !is_version(head.u8::<{ L3 + ipv6::VERSION }>()) {
        return Err(Verdict::Malformed);
    }
    let end = ipv6::LEN + usize::from(head.be16::<{ L3 + ipv6::PAYLOAD_LEN }>().host());
    let mut protocol = head.u8::<{ L3 + ipv6::NEXT_HEADER }>();
    let mut at = ipv6::LEN;
    for _ in 0..MOST_EXTENSIONS {
        if !is_extension(protocol) {
            break;
        }
        let Some(head) = packet.window::<{ extension::UNIT }>(L3 + at) else {
            return Err(Verdict::Malformed);
        };
        let next = head.u8::<{ extension::NEXT_HEADER }>();
        match protocol {
            extension::FRAGMENT if next == tcp::PROTOCOL => return Err(Verdict::Fragment),
            extension::FRAGMENT => return Err(Verdict::NotTcp),
            extension::ROUTING if head.u8::<{ extension::SEGMENTS_LEFT }>() != 0 => {
                return Err(Verdict::HeaderChain);
            }
            _ => {}
        }
        at += extension::UNIT * (1 + usize::from(head.u8::<{ extension::LEN }>()));
        protocol = next;
    }
    if is_extension(protocol) {
        return Err(Verdict::HeaderChain);
    }
    Ok(Payload { protocol, at, end })
}

/// Whether a protocol number is that of a header that another one follows.
#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        extension::HOP_BY_HOP | extension::ROUTING | extension::FRAGMENT | extension::OPTIONS
    )
}

/// What becomes of a packet whose payload cannot be told. For a distributed address it must not reach this
/// host's own stack, which might answer a segment with RST.
#[inline(always)]
fn refused<T: Tables>(dvipa: [u64; 2], verdict: Verdict, tables: &T) -> Verdict {
    let name = ends::name(dvipa, tables);
    let standing = name.and_then(|name| vipa::find(Called::ipv6(name), tables));
    if standing.is_some_and(Standing::is_distributed) {
        verdict
    } else {
        Verdict::NotDistributed
    }
}

/// Reads a TCP segment.
///
/// # Errors
///
/// The verdict, when it is none of a distributed address.
#[inline(always)]
pub fn segment<P: PacketBuf, T: Tables>(
    packet: &mut P,
    payload: Payload,
    tables: &T,
) -> Result<Segment, Verdict> {
    let (ports, flags) = parse::transport(packet, payload.at, payload.end)?;
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Err(Verdict::Malformed);
    };
    let ends = ends_of(&head);
    let key = ends::key(ends, ports, tcp::PROTOCOL, tables).ok_or(Verdict::NotDistributed)?;
    Ok(Segment { key, flags })
}

/// Reads a segment that this host sends; see [`is_tcp`].
///
/// # Errors
///
/// The verdict, when it is none of a distributed address, or nobody else could answer it.
#[inline(always)]
pub fn own_segment<P: PacketBuf, T: Tables>(
    packet: &mut P,
    tables: &T,
) -> Result<Segment, Verdict> {
    /// The second half of the address of the host itself (RFC 4291 §2.5.3); the first is 0.
    const LOOPBACK: u64 = 1_u64.to_be();
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Err(Verdict::Malformed);
    };
    let Ends { client, dvipa } = ends_of(&head);
    let end = ipv6::LEN + usize::from(head.be16::<{ L3 + ipv6::PAYLOAD_LEN }>().host());
    let payload = Payload {
        protocol: tcp::PROTOCOL,
        at: ipv6::LEN,
        end,
    };
    let segment = segment(packet, payload, tables)?;
    if client == dvipa || client == [0, LOOPBACK] {
        return Err(Verdict::Unanswerable);
    }
    Ok(segment)
}

/// Decides about a segment that may be of a flow.
#[inline(always)]
pub fn onward<P: PacketBuf, T: Tables>(packet: &mut P, segment: &Segment, tables: &T) -> Verdict {
    let target = match flow::known(segment, tables) {
        Some(slot) => Ok(slot),
        None => unknown(packet, segment, tables),
    };
    match target {
        Ok(slot) => forward::to_target(packet, tables, slot, Family::Ipv6, segment.is_syn()),
        Err(verdict) => verdict,
    }
}

/// Finds the target of a segment that is not in the middle of a known connection.
#[inline(always)]
fn unknown<P: PacketBuf, T: Tables>(
    packet: &mut P,
    segment: &Segment,
    tables: &T,
) -> Result<u16, Verdict> {
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Err(Verdict::Malformed);
    };
    tables.put_aside(|| ends_of(&head));
    flow::target(segment, parse::source(packet), tables)
}
