//! Connections that start on this host, for a DVIPA that is on it.
//!
//! To the kernel such an address is its own, owned or hidden: it would look for
//! a listener here and nowhere else. So what starts here goes the way of every
//! client's packets, from the owner to a target and from any other stack to the
//! owner. Only what has its socket here, or is to stay here, stays. Nothing in
//! here changes a source address: that is chosen before the first packet.

use super::{Concern, onward, parse, service, vipa};
use crate::abi::{Called, Family, RingEntry};
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
    let Ok(Concern::Vipa) = parse::prefilter(packet, &tables) else {
        return None;
    };
    let verdict = match parse::segment(packet, &tables) {
        Ok(segment) if !is_answerable(&segment) => Verdict::Unanswerable,
        Ok(segment) => onward(packet, &segment, None, &tables),
        Err(verdict) => verdict,
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
    let standing = vipa::find(Called::ipv4(destination), tables)?;
    let key = FlowKey {
        addresses: u64::from(destination.0) << 32,
        ports: u32::from(port.0) << 16,
        protocol: tcp::PROTOCOL,
        family: Family::Ipv4,
    };
    if standing.is_owned() && service::find(&key, tables).is_none() {
        return None;
    }
    tables.life().address()
}
