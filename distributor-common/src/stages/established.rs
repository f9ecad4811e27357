//! The way of most packets: a segment in the middle of a known connection.
//!
//! Nothing in here decides anything that the stages after it would decide
//! otherwise; it comes to the same in half the instructions. The headers are
//! those that nearly all packets have, the flow is in the slot where it was put
//! if that was free, or beside it, and its target is one Ethernet header away, this
//! stack, or behind routers. What is not exactly so, or might not be, is left
//! untouched for those stages.

use super::{encapsulate, ends, ipv6 as version6};
use crate::abi::{Family, MAX_TARGETS, Target};
use crate::checksum;
use crate::counter::Verdict;
use crate::flow::{BUCKET_SLOTS, FlowKey, Found, State};
use crate::packet::PacketBuf;
use crate::tables::Tables;
use crate::wire::{Be16, ethernet, ipv4, ipv6, tcp};

const L3: usize = ethernet::LEN;

/// The part of the first eight bytes of an IPv4 header that says what kind of header it is: version
/// and length, and whether the packet is a fragment.
const KIND: u64 = kind(0xff, ipv4::FRAGMENT_MASK);
/// Version 4, no options, no fragment.
const PLAIN: u64 = kind(ipv4::VERSION_NO_OPTIONS, 0);

const fn kind(version_ihl: u8, fragment: u16) -> u64 {
    let [high, low] = fragment.to_be_bytes();
    u64::from_ne_bytes([version_ihl, 0, 0, 0, 0, 0, high, low])
}

/// The same of an IPv6 header: version, and what is behind it.
const KIND_IPV6: u64 = kind_ipv6(0xf0, 0xff);
/// Version 6, and TCP directly behind it.
const PLAIN_IPV6: u64 = kind_ipv6(0x60, tcp::PROTOCOL);

const fn kind_ipv6(version: u8, next_header: u8) -> u64 {
    u64::from_ne_bytes([version, 0, 0, 0, 0, 0, next_header, 0])
}

/// Forwards a segment that the prefilter has let through, which says TCP over IPv4; `None`, and nothing is
/// changed or counted, if it goes another way.
#[inline(always)]
pub fn forward<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Option<Verdict> {
    const L4: usize = L3 + ipv4::MIN_LEN;
    const TTL: usize = L3 + ipv4::TTL;
    let head = packet.window::<{ L4 + tcp::MIN_LEN }>(0)?;
    let first = head.word64::<L3>();
    let key = FlowKey {
        addresses: head.word64::<{ L3 + ipv4::ADDRESSES }>(),
        ports: head.word32::<{ L4 + tcp::PORTS }>(),
        protocol: tcp::PROTOCOL,
        family: Family::Ipv4,
    };
    let about = head.be16::<{ L4 + tcp::DATA_OFFSET }>();
    let total_len = usize::from(Be16((first >> 16) as u16).host());
    if first & KIND != PLAIN || !is_amid(packet, about, key.ports, ipv4::MIN_LEN, total_len) {
        return None;
    }
    let found = find(&key, tables)?;
    let target = tables.target(slot(&found))?;
    let Some((ifindex, addresses)) = target.link() else {
        return elsewhere(packet, &found, target, tables);
    };
    let mut head = packet.window::<{ TTL + 4 }>(0)?;
    let lowered = checksum::lower_ttl(head.word32::<TTL>())?;
    // Half an Ethernet address: whether it is the whole one, others may say.
    if head.word32::<{ ethernet::SOURCE + 2 }>() == (addresses[0] >> 16) as u32 {
        return None;
    }
    head.set_word32::<TTL>(lowered);
    head.set_word64::<{ ethernet::ADDRESSES }>(addresses[0]);
    head.set_word32::<{ ethernet::ADDRESSES + 8 }>(addresses[1] as u32);
    Some(ended(&found, sent(packet, ifindex, tables), tables))
}

/// The rest of the way to a target that is not on a link.
#[inline(always)]
fn elsewhere<P: PacketBuf, T: Tables>(
    packet: &mut P,
    found: &Found<'_>,
    target: &Target,
    tables: &T,
) -> Option<Verdict> {
    if target.is_local() {
        return Some(ended(found, Verdict::LocalTarget, tables));
    }
    let tunnel = target.tunnel()?;
    // Before all else: what is still to be known takes little enough of the stack then.
    found.touch(tables.now());
    let verdict = match encapsulate::wrap(packet, &tunnel, tables) {
        Ok(()) => sent(packet, tunnel.ifindex, tables),
        Err(verdict) => verdict,
    };
    tables.count_verdict(verdict);
    Some(verdict)
}

/// Forwards a segment that the prefilter has let through, which is of IPv6, likewise. A target of IPv6 is on
/// a link, or it is this stack.
#[inline(always)]
pub fn forward_ipv6<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Option<Verdict> {
    const L4: usize = L3 + ipv6::LEN;
    const HOP_LIMIT: usize = L3 + ipv6::HOP_LIMIT;
    let head = packet.window::<{ L4 + tcp::MIN_LEN }>(0)?;
    let first = head.word64::<L3>();
    let ends = version6::ends_of(&head);
    let ports = head.word32::<{ L4 + tcp::PORTS }>();
    let about = head.be16::<{ L4 + tcp::DATA_OFFSET }>();
    let payload_len = usize::from(Be16((first >> 32) as u16).host());
    let end = ipv6::LEN + payload_len;
    if first & KIND_IPV6 != PLAIN_IPV6 || !is_amid(packet, about, ports, ipv6::LEN, end) {
        return None;
    }
    let key = ends::key(ends, ports, tcp::PROTOCOL, tables)?;
    let found = find(&key, tables)?;
    let target = tables.target(slot(&found))?;
    if target.is_local() {
        return Some(ended(&found, Verdict::LocalTarget, tables));
    }
    let (ifindex, addresses) = target.link()?;
    let mut head = packet.window::<{ HOP_LIMIT + 1 }>(0)?;
    let hop_limit = head.u8::<HOP_LIMIT>();
    // As above.
    if hop_limit <= 1 || head.word32::<{ ethernet::SOURCE + 2 }>() == (addresses[0] >> 16) as u32 {
        return None;
    }
    head.set_u8::<HOP_LIMIT>(hop_limit - 1);
    head.set_word64::<{ ethernet::ADDRESSES }>(addresses[0]);
    head.set_word32::<{ ethernet::ADDRESSES + 8 }>(addresses[1] as u32);
    Some(ended(&found, sent(packet, ifindex, tables), tables))
}

/// Whether a TCP header is one of a segment in the middle of a connection.
///
/// `about` is its data offset and control bits; it begins `at` bytes behind the beginning of the IP
/// header, and `end` is where the packet says that it ends, likewise.
#[inline(always)]
fn is_amid<P: PacketBuf>(packet: &P, about: Be16, ports: u32, at: usize, end: usize) -> bool {
    let [data_at, flags] = about.0.to_ne_bytes();
    let header_len = usize::from(data_at >> 4) * 4;
    flags & (tcp::SYN | tcp::FIN | tcp::RST) == 0
        && ports as u16 != 0
        && header_len >= tcp::MIN_LEN
        && at + header_len <= end
        && packet.holds_plainly(L3, end)
}

/// Looks for a flow in the slot that it has got if that was free, and in the one beside it, which is in the
/// same cache line; `None` also when nobody has confirmed the flow.
#[inline(always)]
fn find<'a, T: Tables>(key: &FlowKey, tables: &'a T) -> Option<Found<'a>> {
    let hash = key.hash(tables.seeds());
    let in_slot = |others: usize| {
        let index = (tables.home(hash) ^ others) % BUCKET_SLOTS;
        tables.slot(hash, others).find(key, index)
    };
    let found = in_slot(0).or_else(|| in_slot(1))?;
    (found.tag.state() != State::HalfOpen).then_some(found)
}

/// The slot of a flow's target.
#[inline(always)]
fn slot(found: &Found<'_>) -> u16 {
    found.tag.target() % MAX_TARGETS as u16
}

/// Sends a packet that is as it is to be by an interface.
#[inline(always)]
fn sent<P: PacketBuf, T: Tables>(packet: &P, ifindex: u32, tables: &T) -> Verdict {
    if ifindex == packet.ingress() {
        Verdict::Transmitted
    } else if tables.redirect(ifindex) {
        Verdict::Redirected
    } else {
        Verdict::NoInterface
    }
}

/// Notes that the flow was seen, and counts what has become of its packet.
#[inline(always)]
fn ended<T: Tables>(found: &Found<'_>, verdict: Verdict, tables: &T) -> Verdict {
    found.touch(tables.now());
    tables.count_verdict(verdict);
    verdict
}
