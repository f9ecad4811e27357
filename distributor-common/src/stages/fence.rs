//! What happens when the daemon falls silent while another stack could take its place.
//!
//! The packet path then hands out no new connection and lets nobody ask for
//! the address, so that whoever takes over finds no second owner. Known flows
//! go on. Nothing is ever answered in here.

use super::ipv6::may_be_dvipa;
use super::{ends, vipa};
use crate::abi::Called;
use crate::counter::Verdict;
use crate::hash;
use crate::packet::PacketBuf;
use crate::tables::Tables;
use crate::wire::ipv6::icmp;
use crate::wire::{Be32, arp, ethernet};

/// Whether the daemon could be silent at all; costs no clock.
#[inline(always)]
pub fn is_armed<T: Tables>(tables: &T) -> bool {
    tables.life().grace_ns.load() != 0
}

/// Whether new connections for a DVIPA are no longer this stack's.
#[inline(always)]
pub fn is_closed<T: Tables>(dvipa: Called, tables: &T) -> bool {
    let grace_ns = tables.life().grace_ns.load();
    if grace_ns == 0 || tables.life().silence_ns(tables.now_ns()) <= grace_ns {
        return false;
    }
    vipa::find(dvipa, tables)
        .is_some_and(|standing| standing.is_owned() && standing.has_successor())
}

/// Decides about an ARP packet.
#[inline(always)]
pub fn arp<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    const L3: usize = ethernet::LEN;
    let Some(head) = packet.window::<{ L3 + arp::LEN }>(0) else {
        return Verdict::NotIp;
    };
    if head.word64::<{ L3 + arp::KIND }>() != u64::from_ne_bytes(arp::REQUEST) {
        return Verdict::NotIp;
    }
    let target = head.word32::<{ L3 + arp::TARGET }>();
    let bit = hash::prefilter(target);
    if tables.prefilter(bit.word) & bit.mask != 0 && is_closed(Called::ipv4(Be32(target)), tables) {
        return Verdict::SilentArp;
    }
    Verdict::NotIp
}

/// Decides about ICMP over IPv6, which begins `at` bytes behind the beginning of the IPv6 header: whoever asks
/// for a DVIPA is not to be heard while the daemon is silent.
#[inline(always)]
pub fn solicitation<P: PacketBuf, T: Tables>(
    packet: &mut P,
    at: usize,
    otherwise: Verdict,
    tables: &T,
) -> Verdict {
    if !is_armed(tables) {
        return otherwise;
    }
    let Some(head) = packet.window::<{ icmp::SOLICITATION_LEN }>(ethernet::LEN + at) else {
        return otherwise;
    };
    let target = [
        head.word64::<{ icmp::TARGET }>(),
        head.word64::<{ icmp::TARGET + 8 }>(),
    ];
    if head.u8::<{ icmp::KIND }>() == icmp::SOLICITATION
        && may_be_dvipa(target, tables)
        && ends::name(target, tables).is_some_and(|name| is_closed(Called::ipv6(name), tables))
    {
        return Verdict::SilentNd;
    }
    otherwise
}
