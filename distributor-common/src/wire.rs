//! Offsets and constants of the packets that the distributor reads, each named once.
//!
//! A [`Be16`] or [`Be32`] holds two or four bytes exactly as they lie in the
//! packet; an integer is always in host order. Nothing here does arithmetic on
//! bytes in network order.

/// Two bytes in network order, as they lie in a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Be16(pub u16);

impl Be16 {
    /// Converts from host order.
    #[inline(always)]
    #[must_use]
    pub const fn from_host(value: u16) -> Self {
        Self(value.to_be())
    }

    /// Converts to host order.
    #[inline(always)]
    #[must_use]
    pub const fn host(self) -> u16 {
        u16::from_be(self.0)
    }
}

/// Four bytes in network order, as they lie in a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Be32(pub u32);

impl Be32 {
    /// Takes the bytes of an address.
    #[inline(always)]
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_ne_bytes(bytes))
    }

    /// The bytes in the order of the packet.
    #[inline(always)]
    #[must_use]
    pub const fn bytes(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }
}

/// The IPv4 address that is mapped into an IPv6 address (RFC 4291 §2.5.5.2), which is given in two words
/// in the order of memory.
#[inline(always)]
#[must_use]
pub const fn mapped(address: [u64; 2]) -> Option<Be32> {
    let [_, _, _, _, a, b, c, d] = address[1].to_ne_bytes();
    let is_mapped = address[0] == 0 && address[1].to_be() >> 32 == 0xffff;
    if is_mapped {
        Some(Be32::from_bytes([a, b, c, d]))
    } else {
        None
    }
}

/// An IPv4 address as it is mapped into an IPv6 address, in two words in the order of memory.
#[inline(always)]
#[must_use]
pub const fn map(address: Be32) -> [u64; 2] {
    let [a, b, c, d] = address.bytes();
    [0, u64::from_ne_bytes([0, 0, 0xff, 0xff, a, b, c, d])]
}

/// The Ethernet header (IEEE 802.3 clause 3).
pub mod ethernet {
    use super::Be16;

    /// Length of the header.
    pub const LEN: usize = 14;
    /// Destination and source address, 12 bytes together.
    pub const ADDRESSES: usize = 0;
    /// `EtherType`.
    pub const TYPE: usize = 12;
    /// Source address; behind it the type.
    pub const SOURCE: usize = 6;
    /// The `EtherType` of IPv4.
    pub const IPV4: Be16 = Be16::from_host(0x0800);
    /// The `EtherType` of IPv6.
    pub const IPV6: Be16 = Be16::from_host(0x86dd);
    /// The `EtherType` of ARP.
    pub const ARP: Be16 = Be16::from_host(0x0806);
}

/// The IPv4 header (RFC 791 §3.1); offsets from its first byte.
pub mod ipv4 {
    /// Length of the header without options.
    pub const MIN_LEN: usize = 20;
    /// Version and header length in 32-bit words.
    pub const VERSION_IHL: usize = 0;
    /// Type of service: six bits of DSCP (RFC 2474), two of ECN (RFC 3168).
    pub const TOS: usize = 1;
    /// Total length: header and payload.
    pub const TOTAL_LEN: usize = 2;
    /// Flags and fragment offset.
    pub const FRAGMENT: usize = 6;
    /// Time to live, followed by the protocol and the header checksum.
    pub const TTL: usize = 8;
    /// Protocol.
    pub const PROTOCOL: usize = 9;
    /// Source and destination address, 8 bytes together.
    pub const ADDRESSES: usize = 12;
    /// Version 4 without options, as the first byte of the header.
    pub const VERSION_NO_OPTIONS: u8 = 0x45;
    /// "More fragments" and the fragment offset; all 0 in a packet that is not a fragment.
    pub const FRAGMENT_MASK: u16 = 0x3fff;
    /// The fragment offset alone; 0 in the fragment that has the transport header.
    pub const OFFSET_MASK: u16 = 0x1fff;
    /// "Don't fragment", where the fragment offset is.
    pub const DONT_FRAGMENT: u16 = 0x4000;
}

pub mod ipv6;

/// Explicit congestion notification (RFC 3168 §5): the last two bits of the type of service.
pub mod ecn {
    /// The bits.
    pub const MASK: u8 = 3;
    /// The sender does not understand it.
    pub const NOT_CAPABLE: u8 = 0;
    /// The sender understands it, by the rarer of two names.
    pub const CAPABLE_1: u8 = 1;
    /// The sender understands it, by the usual name.
    pub const CAPABLE_0: u8 = 2;
    /// A router on the way was congested.
    pub const EXPERIENCED: u8 = 3;
}

/// An IPv4 packet directly in another (RFC 2003).
pub mod ipip {
    /// Protocol number.
    pub const PROTOCOL: u8 = 4;
}

/// Generic Routing Encapsulation (RFC 2784) without checksum, key (RFC 2890) and sequence number.
pub mod gre {
    /// Protocol number.
    pub const PROTOCOL: u8 = 47;
    /// Length of the header.
    pub const LEN: usize = 4;
    /// The header in front of an IPv4 packet: no flags, version 0, and the `EtherType`.
    pub const IPV4: [u8; 4] = [0, 0, 0x08, 0x00];
}

/// ICMP for IPv4 (RFC 792); offsets from its first byte.
pub mod icmp {
    /// Protocol number.
    pub const PROTOCOL: u8 = 1;
    /// Length of the header; in an error, the packet that it is about follows.
    pub const LEN: usize = 8;
    /// Type of the message.
    pub const KIND: usize = 0;
    /// Bytes of the quoted packet's payload that are always there.
    pub const QUOTED: usize = 8;

    /// Destination unreachable, "fragmentation needed" (RFC 1191) among the reasons.
    pub const UNREACHABLE: u8 = 3;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;

    /// Whether a message of this type is an error about a packet, and one that hosts act on (RFC 1122
    /// §3.2.2); redirects are for routers' neighbours, and source quench is no more (RFC 6633).
    #[inline(always)]
    #[must_use]
    pub const fn is_error(kind: u8) -> bool {
        matches!(kind, UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM)
    }
}

/// ARP for IPv4 on Ethernet (RFC 826); offsets from its first byte.
pub mod arp {
    /// Length of the packet.
    pub const LEN: usize = 28;
    /// Hardware, protocol, and the lengths of their addresses: 6 bytes together, then the operation.
    pub const KIND: usize = 0;
    /// Ethernet, IPv4, 6 bytes, 4 bytes, request: the first 8 bytes.
    pub const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];
    /// The address that is asked for.
    pub const TARGET: usize = 24;
}

/// The UDP header (RFC 768); offsets from its first byte.
pub mod udp {
    /// Protocol number.
    pub const PROTOCOL: u8 = 17;
    /// Length of the header.
    pub const LEN: usize = 8;
    /// Source and destination port, 4 bytes together.
    pub const PORTS: usize = 0;
    /// Length of header and payload.
    pub const TOTAL_LEN: usize = 4;
    /// Checksum; 0 when there is none, which IPv4 allows.
    pub const CHECKSUM: usize = 6;
}

/// The TCP header (RFC 9293 §3.1); offsets from its first byte.
pub mod tcp {
    /// Protocol number.
    pub const PROTOCOL: u8 = 6;
    /// Length of the header without options.
    pub const MIN_LEN: usize = 20;
    /// Source and destination port, 4 bytes together.
    pub const PORTS: usize = 0;
    /// Header length in 32-bit words, in the upper half of the byte.
    pub const DATA_OFFSET: usize = 12;
    /// Control bits.
    pub const FLAGS: usize = 13;
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronises sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Resets the connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgement number is valid.
    pub const ACK: u8 = 0x10;
}
