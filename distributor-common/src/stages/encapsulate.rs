//! From a packet to one that carries it to a target behind routers.
//!
//! The packet inside is the client's own, but for its time to live. The outer
//! header is the one that the daemon has prepared for the target; it is never
//! divided on its way (RFC 1191), and carries the inner one's marks of service
//! and congestion (RFC 2983 §4, RFC 6040 §4.1). What does not fit is not sent.

use crate::abi::{Encapsulation, Tunnel};
use crate::checksum;
use crate::counter::{Event, Verdict};
use crate::packet::PacketBuf;
use crate::tables::Tables;
use crate::wire::{ethernet, gre, ipv4};

const L3: usize = ethernet::LEN;
/// Behind the outer header.
const INNER: usize = L3 + ipv4::MIN_LEN;

/// Puts the packet into another one, for the far end of a tunnel.
///
/// # Errors
///
/// The verdict, when it cannot be sent this way.
#[inline(always)]
pub fn wrap<P: PacketBuf, T: Tables>(
    packet: &mut P,
    tunnel: &Tunnel,
    tables: &T,
) -> Result<(), Verdict> {
    let Some(mut head) = packet.window::<{ L3 + ipv4::MIN_LEN }>(0) else {
        return Err(Verdict::Malformed);
    };
    let tos = head.u8::<{ L3 + ipv4::TOS }>();
    let len = usize::from(head.be16::<{ L3 + ipv4::TOTAL_LEN }>().host()) + tunnel.overhead();
    if len > usize::from(tunnel.mtu()) {
        return Err(Verdict::TooBig);
    }
    let ttl =
        checksum::lower_ttl(head.word32::<{ L3 + ipv4::TTL }>()).ok_or(Verdict::TtlExpired)?;
    head.set_word32::<{ L3 + ipv4::TTL }>(ttl);
    let encapsulation = tunnel.encapsulation();
    if !packet.lengthen(tunnel.overhead(), encapsulation) {
        return Err(Verdict::NoRoom);
    }
    let Some(mut head) = packet.window::<{ INNER + gre::LEN }>(0) else {
        return Err(Verdict::NoRoom);
    };
    let addresses = tunnel.addresses();
    head.set_word64::<{ ethernet::ADDRESSES }>(addresses.0);
    head.set_word32::<{ ethernet::ADDRESSES + 8 }>(addresses.1);
    head.set_be16::<{ ethernet::TYPE }>(ethernet::IPV4);
    let header = tunnel.header(tos, len as u16);
    head.set_word64::<L3>(header.0);
    head.set_word64::<{ L3 + ipv4::TTL }>(header.1);
    head.set_word32::<{ L3 + ipv4::ADDRESSES + 4 }>(header.2);
    match encapsulation {
        Encapsulation::Gre => head.set_word32::<INNER>(u32::from_ne_bytes(gre::IPV4)),
        Encapsulation::Ipip => {}
    }
    tables.count_event(Event::Encapsulated);
    Ok(())
}
