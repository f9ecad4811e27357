//! The way of most packets: a segment in the middle of a known connection.
//!
//! Nothing in here decides anything that the stages after it would decide
//! otherwise; it comes to the same in half the instructions. The headers are
//! those that nearly all packets have, the flow is in the slot where it was put
//! if that was free, or beside it, and its target is one Ethernet header away. Where
//! only the last is not so, such as for a target behind routers, the rest of the way
//! is that of all packets. What is not exactly so, or might not be, is left untouched for
//! those stages.

use super::forward;
use crate::abi::{Family, MAX_TARGETS};
use crate::checksum;
use crate::counter::Verdict;
use crate::flow::{BUCKET_SLOTS, FlowKey, Found, State};
use crate::packet::PacketBuf;
use crate::tables::Tables;
use crate::wire::{Be16, ethernet, ipv4, tcp};

const L3: usize = ethernet::LEN;
const L4: usize = L3 + ipv4::MIN_LEN;
/// Ethernet, IPv4 and TCP header, none with options.
const HEADERS: usize = L4 + tcp::MIN_LEN;

/// The part of the first eight bytes of an IPv4 header that says what kind of header it is: version
/// and length, and whether the packet is a fragment.
const KIND: u64 = kind(0xff, ipv4::FRAGMENT_MASK);
/// Version 4, no options, no fragment.
const PLAIN: u64 = kind(ipv4::VERSION_NO_OPTIONS, 0);

const fn kind(version_ihl: u8, fragment: u16) -> u64 {
    let [high, low] = fragment.to_be_bytes();
    u64::from_ne_bytes([version_ihl, 0, 0, 0, 0, 0, high, low])
}

/// How far the short way has led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The segment is forwarded, and counted.
    Ended(Verdict),
    /// It is in the middle of a known connection to the target in this slot, which is not simply on a
    /// link: [`to_target`] is the rest.
    Known(u16),
}

/// Forwards a segment that the prefilter has let through, which says TCP over IPv4; `None`, and nothing is
/// changed or counted, if it goes another way.
#[inline(always)]
pub fn forward<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Option<Way> {
    let head = packet.window::<HEADERS>(0)?;
    let first = head.word64::<L3>();
    let addresses = head.word64::<{ L3 + ipv4::ADDRESSES }>();
    let ports = head.word32::<{ L4 + tcp::PORTS }>();
    let [data_at, flags] = head.be16::<{ L4 + tcp::DATA_OFFSET }>().0.to_ne_bytes();
    let key = FlowKey {
        addresses,
        ports,
        protocol: tcp::PROTOCOL,
        family: Family::Ipv4,
    };
    let total_len = usize::from(Be16((first >> 16) as u16).host());
    let header_len = usize::from(data_at >> 4) * 4;
    if first & KIND != PLAIN
        || flags & (tcp::SYN | tcp::FIN | tcp::RST) != 0
        || key.client_port() == Be16(0)
        || header_len < tcp::MIN_LEN
        || ipv4::MIN_LEN + header_len > total_len
        || !packet.holds_plainly(L3, total_len)
    {
        return None;
    }
    let hash = key.hash(tables.seeds());
    let found = find(&key, hash, 0, tables).or_else(|| find(&key, hash, 1, tables))?;
    if found.tag.state() == State::HalfOpen {
        return None;
    }
    let slot = found.tag.target() % MAX_TARGETS as u16;
    let Some((ifindex, addresses)) = tables.target(slot)?.link() else {
        found.touch(tables.now());
        return Some(Way::Known(slot));
    };
    let mut head = packet.window::<HEADERS>(0)?;
    let lowered = checksum::lower_ttl(head.word32::<{ L3 + ipv4::TTL }>())?;
    // Half an Ethernet address: whether it is the whole one, others may say.
    if head.word32::<{ ethernet::SOURCE + 2 }>() == (addresses[0] >> 16) as u32 {
        return None;
    }
    head.set_word32::<{ L3 + ipv4::TTL }>(lowered);
    head.set_word64::<{ ethernet::ADDRESSES }>(addresses[0]);
    head.set_word32::<{ ethernet::ADDRESSES + 8 }>(addresses[1] as u32);
    found.touch(tables.now());
    let verdict = if ifindex == packet.ingress() {
        Verdict::Transmitted
    } else if tables.redirect(ifindex) {
        Verdict::Redirected
    } else {
        Verdict::NoInterface
    };
    tables.count_verdict(verdict);
    Some(Way::Ended(verdict))
}

/// Sends a segment in the middle of a known connection to its target, and counts it.
#[inline(always)]
pub fn to_target<P: PacketBuf, T: Tables>(packet: &mut P, slot: u16, tables: &T) -> Verdict {
    let verdict = forward::to_target(packet, tables, slot, Family::Ipv4, false);
    tables.count_verdict(verdict);
    verdict
}

/// Looks for a flow in the slot that it has got if `others` were taken. Two of them are in one cache line.
#[inline(always)]
fn find<'a, T: Tables>(
    key: &FlowKey,
    hash: u64,
    others: usize,
    tables: &'a T,
) -> Option<Found<'a>> {
    let index = (tables.home(hash) ^ others) % BUCKET_SLOTS;
    tables.slot(hash, others).find(key, index)
}
