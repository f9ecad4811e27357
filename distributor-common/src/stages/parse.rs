//! From a frame to a TCP segment of a flow that may be ours.
//!
//! The first question is whether anything at all is distributed on the
//! destination address; until then nothing is checked and nothing is counted
//! but the answer. Lengths are believed only after they agree with the frame.

use super::{Concern, fence, ipv6, vipa};
use crate::abi::{Called, Family, Standing};
use crate::counter::Verdict;
use crate::flow::FlowKey;
use crate::hash;
use crate::packet::{PacketBuf, Window};
use crate::tables::Tables;
use crate::wire::{Be16, Be32, ethernet, ipv4, tcp};

/// What the later stages need to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Whose segment it is.
    pub key: FlowKey,
    /// TCP's control bits.
    pub flags: u8,
}

impl Segment {
    /// A segment of a flow.
    #[inline(always)]
    #[must_use]
    pub const fn new(key: FlowKey, flags: u8) -> Self {
        Self { key, flags }
    }

    /// The segment in two words: the addresses, and all the rest.
    #[inline(always)]
    #[must_use]
    pub const fn words(&self) -> [u64; 2] {
        let rest = self.key.ports as u64
            | (self.flags as u64) << 32
            | (self.key.protocol as u64) << 40
            | (self.key.family as u64) << 48;
        [self.key.addresses, rest]
    }

    /// The segment that these are the [words](Self::words) of.
    #[inline(always)]
    #[must_use]
    pub const fn from_words([addresses, rest]: [u64; 2]) -> Self {
        Self {
            key: FlowKey {
                addresses,
                ports: rest as u32,
                protocol: (rest >> 40) as u8,
                family: Family::from_bit((rest >> 48) as u8),
            },
            flags: (rest >> 32) as u8,
        }
    }

    /// Whether the segment opens a connection.
    #[inline(always)]
    #[must_use]
    pub const fn is_syn(&self) -> bool {
        self.flags & (tcp::SYN | tcp::ACK | tcp::RST | tcp::FIN) == tcp::SYN
    }

    /// Whether the segment ends the client's half of the connection.
    #[inline(always)]
    #[must_use]
    pub const fn is_end(&self) -> bool {
        self.flags & (tcp::RST | tcp::FIN) != 0
    }
}

const L3: usize = ethernet::LEN;
/// Ethernet and IPv4 header without options.
const HEADERS: usize = L3 + ipv4::MIN_LEN;

/// Finds the frames that cannot concern us: most of them, on most interfaces.
///
/// # Errors
///
/// The verdict, when the packet concerns neither a DVIPA nor, possibly, this stack's daemon.
#[inline(always)]
pub fn prefilter<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Result<Concern, Verdict> {
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Err(runt(packet));
    };
    let ethertype = head.be16::<{ ethernet::TYPE }>();
    let protocol = head.u8::<{ L3 + ipv4::PROTOCOL }>();
    // One question for what is neither: most packets are TCP over IPv4.
    if (ethertype.0 ^ ethernet::IPV4.0) | u16::from(protocol ^ tcp::PROTOCOL) != 0 {
        return if ethertype == ethernet::IPV4 {
            Ok(Concern::Aside { is_arp: false })
        } else if ethertype == ethernet::IPV6 {
            ipv6::prefilter(packet, tables)
        } else if ethertype == ethernet::ARP && fence::is_armed(tables) {
            Ok(Concern::Aside { is_arp: true })
        } else {
            Err(Verdict::NotIp)
        };
    }
    let destination = (head.word64::<{ L3 + ipv4::ADDRESSES }>() >> 32) as u32;
    let bit = hash::prefilter(destination);
    if tables.prefilter(bit.word) & bit.mask == 0 {
        return Err(Verdict::NotDistributed);
    }
    Ok(Concern::Vipa)
}

/// The Ethernet address that a frame comes from: 48 bits in the order of memory.
///
/// It is read in the pieces in which a sender on the same machine has just written it.
#[inline(always)]
pub fn source<P: PacketBuf>(packet: &mut P) -> u64 {
    packet.window::<{ ethernet::LEN }>(0).map_or(0, |head| {
        let first = head.be16::<{ ethernet::SOURCE }>().0;
        let rest = head.word32::<{ ethernet::SOURCE + 2 }>();
        u64::from(first) | u64::from(rest) << 16
    })
}

/// Whether a packet that is IPv4 is TCP.
#[inline(always)]
pub fn is_tcp<P: PacketBuf>(packet: &mut P) -> bool {
    let head = packet.window::<HEADERS>(0);
    head.is_some_and(|head| head.u8::<{ L3 + ipv4::PROTOCOL }>() == tcp::PROTOCOL)
}

/// Reads the headers of a frame that the prefilter let through, which says TCP.
///
/// # Errors
///
/// The verdict, when the packet is not a TCP segment for a distributed address.
#[inline(always)]
pub fn segment<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Result<Segment, Verdict> {
    let Some(head) = packet.window::<HEADERS>(0) else {
        return Err(Verdict::Malformed);
    };
    let addresses = head.word64::<{ L3 + ipv4::ADDRESSES }>();
    let destination = (addresses >> 32) as u32;
    if head.be16::<{ L3 + ipv4::FRAGMENT }>().0 & Be16::from_host(ipv4::FRAGMENT_MASK).0 != 0 {
        return Err(fragment(destination, tables));
    }
    let total_len = usize::from(head.be16::<{ L3 + ipv4::TOTAL_LEN }>().host());
    let version_ihl = head.u8::<{ L3 + ipv4::VERSION_IHL }>();
    // Without options, the offset of the TCP header is a constant, and so are all checks on it.
    if version_ihl == ipv4::VERSION_NO_OPTIONS {
        return of_ipv4(packet, addresses, ipv4::MIN_LEN, total_len);
    }
    let header_len = usize::from(version_ihl & 0x0f) * 4;
    if version_ihl >> 4 != 4 || header_len < ipv4::MIN_LEN {
        return Err(Verdict::Malformed);
    }
    of_ipv4(packet, addresses, header_len, total_len)
}

/// Reads the TCP header behind an IPv4 header of `header_len` bytes.
#[inline(always)]
fn of_ipv4<P: PacketBuf>(
    packet: &mut P,
    addresses: u64,
    header_len: usize,
    total_len: usize,
) -> Result<Segment, Verdict> {
    let (ports, flags) = transport(packet, header_len, total_len)?;
    let key = FlowKey {
        addresses,
        ports,
        protocol: tcp::PROTOCOL,
        family: Family::Ipv4,
    };
    Ok(Segment { key, flags })
}

/// Reads the TCP header that begins `at` bytes behind the beginning of the IP header: both ports, as in a
/// [`FlowKey`], and the control bits. `end` is where the packet says that it ends, likewise.
///
/// # Errors
///
/// The verdict, when it is cut short or contradicts itself.
#[inline(always)]
pub(super) fn transport<P: PacketBuf>(
    packet: &mut P,
    at: usize,
    end: usize,
) -> Result<(u32, u8), Verdict> {
    let Some(head) = packet.window::<{ tcp::MIN_LEN }>(L3 + at) else {
        return Err(Verdict::Malformed);
    };
    let ports = head.word32::<{ tcp::PORTS }>();
    let flags = head.u8::<{ tcp::FLAGS }>();
    let data_at = at + tcp_header_len(&head);
    if data_at < at + tcp::MIN_LEN
        || data_at > end
        || ports as u16 == 0
        || ports >> 16 == 0
        || !packet.holds(L3, end)
    {
        return Err(Verdict::Malformed);
    }
    Ok((ports, flags))
}

#[inline(always)]
fn tcp_header_len(head: &Window<'_, { tcp::MIN_LEN }>) -> usize {
    usize::from(head.u8::<{ tcp::DATA_OFFSET }>() >> 4) * 4
}

/// Tells a frame that is too short for IPv4 from one that is something else.
#[inline(always)]
fn runt<P: PacketBuf>(packet: &mut P) -> Verdict {
    match packet.window::<{ ethernet::LEN }>(0) {
        Some(head) if head.be16::<{ ethernet::TYPE }>() != ethernet::IPV4 => Verdict::NotIp,
        _ => Verdict::Malformed,
    }
}

/// A fragment of a distributed address must not reach this host's own stack: put together there,
/// the segment would be answered with RST.
#[inline(always)]
fn fragment<T: Tables>(destination: u32, tables: &T) -> Verdict {
    if vipa::find(Called::ipv4(Be32(destination)), tables).is_some_and(Standing::is_distributed) {
        Verdict::Fragment
    } else {
        Verdict::NotDistributed
    }
}
