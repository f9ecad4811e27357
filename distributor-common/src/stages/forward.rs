//! From a target to the wire.
//!
//! The packet that leaves is the packet that came, but for its time to live, or hop
//! limit, IPv4's header checksum and the Ethernet addresses: the target sees the
//! client's own packet and answers it directly.

use super::encapsulate;
use crate::abi::{Family, Path};
use crate::checksum;
use crate::counter::Verdict;
use crate::packet::{PacketBuf, Window};
use crate::tables::Tables;
use crate::wire::{ethernet, ipv4, ipv6};

/// Sends the packet to the target in a slot.
///
/// Only a SYN may go back to where it came from: who relays what a stale neighbour sends may itself
/// be the target of the new connection.
#[inline(always)]
pub fn to_target<P: PacketBuf, T: Tables>(
    packet: &mut P,
    tables: &T,
    slot: u16,
    family: Family,
    is_syn: bool,
) -> Verdict {
    let Some(target) = tables.target(slot) else {
        return Verdict::Unreachable;
    };
    let (ifindex, prepared) = match target.path() {
        Path::Local => return Verdict::LocalTarget,
        Path::Unreachable => return Verdict::Unreachable,
        Path::Link { ifindex, addresses } => (ifindex, rewrite(packet, addresses, family, is_syn)),
        // No tunnel carries IPv6.
        Path::Tunnel(_) if family == Family::Ipv6 => return Verdict::Unreachable,
        Path::Tunnel(tunnel) => (tunnel.ifindex, encapsulate::wrap(packet, &tunnel, tables)),
    };
    if let Err(verdict) = prepared {
        if is_syn {
            count_unsent(slot, *tables);
        }
        return verdict;
    }
    if ifindex == packet.ingress() {
        Verdict::Transmitted
    } else if tables.redirect(ifindex) {
        Verdict::Redirected
    } else {
        Verdict::NoInterface
    }
}

/// Takes back that a SYN was counted as sent: its sender has given it no time to live beyond this stack,
/// which says nothing of the way to the target. So nobody outside can have a way look lossy.
#[inline(never)]
fn count_unsent<T: Tables>(slot: u16, tables: T) {
    if let Some(syns) = tables.syns(slot) {
        syns.sent.fetch_add(u64::MAX);
    }
}

/// Lowers the time to live and replaces the Ethernet addresses.
#[inline(always)]
fn rewrite<P: PacketBuf>(
    packet: &mut P,
    addresses: [u64; 2],
    family: Family,
    is_syn: bool,
) -> Result<(), Verdict> {
    let Some(mut head) = packet.window::<{ ethernet::LEN + ipv4::MIN_LEN }>(0) else {
        return Err(Verdict::Malformed);
    };
    // Whoever has sent the packet here would send it again. Two comparisons, of which the first
    // nearly always tells.
    if head.word32::<{ ethernet::SOURCE + 2 }>() == (addresses[0] >> 16) as u32
        && head.be16::<{ ethernet::SOURCE }>().0 == addresses[0] as u16
        && !is_syn
    {
        return Err(Verdict::Returning);
    }
    match family {
        Family::Ipv4 => lower_ttl_of(&mut head)?,
        Family::Ipv6 => lower_hop_limit(&mut head)?,
    }
    head.set_word64::<{ ethernet::ADDRESSES }>(addresses[0]);
    head.set_word32::<{ ethernet::ADDRESSES + 8 }>(addresses[1] as u32);
    Ok(())
}

/// A frame up to the end of an IPv4 header without options, which has all that is changed of either family.
type Head<'a> = Window<'a, { ethernet::LEN + ipv4::MIN_LEN }>;

#[inline(always)]
fn lower_ttl_of(head: &mut Head<'_>) -> Result<(), Verdict> {
    const TTL: usize = ethernet::LEN + ipv4::TTL;
    let lowered = checksum::lower_ttl(head.word32::<TTL>()).ok_or(Verdict::TtlExpired)?;
    head.set_word32::<TTL>(lowered);
    Ok(())
}

/// Lowers the hop limit (RFC 8200 §3).
#[inline(always)]
fn lower_hop_limit(head: &mut Head<'_>) -> Result<(), Verdict> {
    const HOP_LIMIT: usize = ethernet::LEN + ipv6::HOP_LIMIT;
    let hop_limit = head.u8::<HOP_LIMIT>();
    if hop_limit <= 1 {
        return Err(Verdict::TtlExpired);
    }
    head.set_u8::<HOP_LIMIT>(hop_limit - 1);
    Ok(())
}
