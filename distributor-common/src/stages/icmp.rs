//! From an ICMP error to the target of the connection that it is about.
//!
//! A router that drops a packet of a target's answer tells the source address,
//! which is the DVIPA: the error reaches the owner, and only the target can act
//! on it. Without this, a path with a small MTU is a black hole for every
//! distributed connection. The router quotes the packet's first bytes; eight of
//! TCP are enough, and are all that RFC 792 promises.
//!
//! An error proves nothing: it makes no flow, and neither advances one nor keeps
//! it alive.

use super::decapsulate::Carrier;
use super::{flow, forward, held};
use crate::abi::Family;
use crate::counter::{Event, Verdict};
use crate::flow::FlowKey;
use crate::hash;
use crate::packet::PacketBuf;
use crate::tables::Tables;
use crate::wire::{Be16, ethernet, icmp, ipv4, tcp};

pub mod ipv6;

const L3: usize = ethernet::LEN;

/// Decides about a packet that is IPv4, which a member may have carried here; `None` when it is no error
/// about a connection of a distributed address.
#[inline(always)]
pub fn error<P: PacketBuf, T: Tables>(
    packet: &mut P,
    carrier: Option<Carrier>,
    tables: &T,
) -> Option<Verdict> {
    let head = packet.window::<{ L3 + ipv4::MIN_LEN }>(0)?;
    if head.u8::<{ L3 + ipv4::PROTOCOL }>() != icmp::PROTOCOL {
        return None;
    }
    let destination = (head.word64::<{ L3 + ipv4::ADDRESSES }>() >> 32) as u32;
    let bit = hash::prefilter(destination);
    if tables.prefilter(bit.word) & bit.mask == 0
        || head.be16::<{ L3 + ipv4::FRAGMENT }>().0 & Be16::from_host(ipv4::FRAGMENT_MASK).0 != 0
    {
        return None;
    }
    let total_len = usize::from(head.be16::<{ L3 + ipv4::TOTAL_LEN }>().host());
    let header_len = ipv4_header_len(head.u8::<{ L3 + ipv4::VERSION_IHL }>())?;
    let head = packet.window::<{ icmp::LEN }>(L3 + header_len)?;
    if !icmp::is_error(head.u8::<{ icmp::KIND }>()) {
        return None;
    }
    let quoted = header_len + icmp::LEN;
    let head = packet.window::<{ ipv4::MIN_LEN }>(L3 + quoted)?;
    let addresses = head.word64::<{ ipv4::ADDRESSES }>();
    let offset = head.be16::<{ ipv4::FRAGMENT }>().0 & Be16::from_host(ipv4::OFFSET_MASK).0;
    // What was quoted went the other way: its source is the DVIPA.
    if head.u8::<{ ipv4::PROTOCOL }>() != tcp::PROTOCOL
        || offset != 0
        || addresses as u32 != destination
    {
        return None;
    }
    let transport = quoted + ipv4_header_len(head.u8::<{ ipv4::VERSION_IHL }>())?;
    if transport + icmp::QUOTED > total_len || !packet.holds(L3, total_len) {
        return None;
    }
    let head = packet.window::<{ icmp::QUOTED }>(L3 + transport)?;
    let key = FlowKey {
        addresses: addresses.rotate_left(32),
        ports: head.word32::<{ tcp::PORTS }>().rotate_left(16),
        protocol: tcp::PROTOCOL,
        family: Family::Ipv4,
    };
    if key.client_port() == Be16(0) || key.port() == Be16(0) {
        return None;
    }
    Some(onward(packet, &key, carrier, tables))
}

/// Sends the error where a segment of the connection would go.
#[inline(always)]
fn onward<P: PacketBuf, T: Tables>(
    packet: &mut P,
    key: &FlowKey,
    carrier: Option<Carrier>,
    tables: &T,
) -> Verdict {
    let source = super::source(packet, carrier);
    match flow::concerned(key, source, tables) {
        Ok(slot) if held::is_from(slot, carrier) => Verdict::Returning,
        Ok(slot) => {
            tables.count_event(Event::ErrorSentOn);
            forward::to_target(packet, tables, slot, key.family, false)
        }
        Err(verdict) => verdict,
    }
}

/// Length in bytes of an IPv4 header by its first byte; `None` when that contradicts itself.
#[inline(always)]
fn ipv4_header_len(version_ihl: u8) -> Option<usize> {
    let len = usize::from(version_ihl & 0x0f) * 4;
    (version_ihl >> 4 == 4 && len >= ipv4::MIN_LEN).then_some(len)
}
