//! What happens when the daemon falls silent while another stack could take its place.
//!
//! The packet path then hands out no new connection and lets nobody ask for
//! the address, so that whoever takes over finds no second owner. Known flows
//! go on. Nothing is ever answered in here.

use super::vipa;
use crate::abi::Called;
use crate::counter::Verdict;
use crate::hash;
use crate::packet::PacketBuf;
use crate::tables::Tables;
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
        return Verdict::NotIpv4;
    };
    if head.word64::<{ L3 + arp::KIND }>() != u64::from_ne_bytes(arp::REQUEST) {
        return Verdict::NotIpv4;
    }
    let target = head.word32::<{ L3 + arp::TARGET }>();
    let bit = hash::prefilter(target);
    if tables.prefilter(bit.word) & bit.mask != 0 && is_closed(Called::ipv4(Be32(target)), tables) {
        return Verdict::SilentArp;
    }
    Verdict::NotIpv4
}
