//! Connections that start on this host, for a DVIPA that is on it.
//!
//! To the kernel such an address is its own, owned or hidden: it would look for
//! a listener here and nowhere else. So what starts here goes the way of every
//! client's packets, from the owner to a target and from any other stack to the
//! owner. Only what has its socket here, or is to stay here, stays. Nothing in
//! here changes a source address: that is chosen before the first packet.

use super::{Concern, ends, ipv6, onward, parse, service, vipa};
use crate::abi::{Called, RingEntry};
use crate::counter::{Event, Verdict};
use crate::flow::FlowKey;
use crate::hash;
use crate::packet::PacketBuf;
use crate::stages::parse::Segment;
use crate::tables::Tables;
use crate::wire::{Be16, Be32, tcp};

/// First byte of the addresses that are never on a network (RFC 1122 §3.2.1.3 (g)).
const LOOPBACK_NET: u8 = 127;

/// Decides about a packet that this host sends to itself, changes it where that is needed, and counts
/// it; `None`, and nothing is counted, when it concerns no DVIPA.
#[inline(always)]
pub fn send<P: PacketBuf, T: Tables>(packet: &mut P, tables: T) -> Option<Verdict> {
    let verdict = match parse::prefilter(packet, &tables) {
        Ok(Concern::Vipa) => match parse::segment(packet, &tables) {
            Ok(segment) if !is_answerable(&segment) => Verdict::Unanswerable,
            Ok(segment) => onward(packet, &segment, None, &tables),
            Err(verdict) => verdict,
        },
        Ok(Concern::Ipv6) if ipv6::is_tcp(packet) => match ipv6::own_segment(packet, &tables) {
            Ok(segment) => ipv6::onward(packet, &segment, &tables),
            Err(verdict) => verdict,
        },
        Ok(Concern::Ipv6 | Concern::AsideIpv6 | Concern::Aside { .. }) | Err(_) => return None,
    };
    tables.count_event(Event::StartedHere);
    tables.count_verdict(verdict);
    Some(verdict)
}

/// Whether another stack would send its answer here.
#[inline(always)]
fn is_answerable(segment: &Segment) -> bool {
    let client = segment.key.client();
    client.0 != segment.key.dvipa().word && client.bytes()[0] != LOOPBACK_NET
}

/// This stack itself as a target, if a new connection starts here and is to stay here.
#[inline(always)]
pub fn stays<T: Tables>(key: &FlowKey, tables: &T) -> Option<RingEntry> {
    if !tables.starts_here() {
        return None;
    }
    tables.kept(key).filter(|_| tables.has_listener(key))
}

/// What becomes of a new connection for a DVIPA of another stack when no owner can be reached.
#[inline(always)]
pub fn unowned<T: Tables>(key: &FlowKey, tables: &T) -> Verdict {
    if !tables.starts_here() {
        Verdict::NoOwner
    } else if tables.has_listener(key) {
        Verdict::KeptHere
    } else {
        Verdict::OwnerAway
    }
}

/// The address from which to start a connection, when the one that the kernel would choose is of no
/// use: to an address of its own it connects from the same address.
///
/// `None` also when this stack does not know its DYNAMICXCF address yet.
#[inline(always)]
pub fn source<T: Tables>(destination: Be32, port: Be16, tables: &T) -> Option<Be32> {
    let bit = hash::prefilter(destination.0);
    if tables.prefilter(bit.word) & bit.mask == 0 {
        return None;
    }
    goes_away(Called::ipv4(destination), port, tables)
        .then(|| tables.life().address())
        .flatten()
}

/// The same for IPv6, in the order of memory.
#[inline(always)]
pub fn source_ipv6<T: Tables>(destination: [u64; 2], port: Be16, tables: &T) -> Option<[u64; 2]> {
    if !ipv6::may_be_dvipa(destination, tables) {
        return None;
    }
    let name = ends::name(destination, tables)?;
    goes_away(Called::ipv6(name), port, tables)
        .then(|| tables.life().address6())
        .flatten()
}

/// Whether a connection that starts here for a DVIPA may go to another stack.
#[inline(always)]
fn goes_away<T: Tables>(dvipa: Called, port: Be16, tables: &T) -> bool {
    let Some(standing) = vipa::find(dvipa, tables) else {
        return false;
    };
    let key = FlowKey {
        addresses: u64::from(dvipa.word) << 32,
        ports: u32::from(port.0) << 16,
        protocol: tcp::PROTOCOL,
        family: dvipa.family,
    };
    !standing.is_owned() || service::find(&key, tables).is_some()
}
