//! Packets inside others: how a target behind routers is reached.
//!
//! What the outer headers of a tunnel have in common is prepared by the daemon;
//! a packet only adds its length and its type of service. Who may send packets
//! this way is a pair of addresses; nothing of a key or a checksum is in them.

use crate::wire::{Be16, Be32, gre, ipip, ipv4};

/// How one packet is put into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Encapsulation {
    /// Behind a GRE header of four bytes (RFC 2784), as z/OS does.
    Gre = 0,
    /// Directly behind the outer IP header (RFC 2003).
    Ipip = 1,
}

impl Encapsulation {
    /// Bytes in front of the packet with an IPv4 header as the outer one.
    #[must_use]
    pub const fn overhead(self) -> u8 {
        ipv4::MIN_LEN as u8
            + match self {
                Self::Gre => gre::LEN as u8,
                Self::Ipip => 0,
            }
    }

    /// Protocol number in the outer header.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Gre => gre::PROTOCOL,
            Self::Ipip => ipip::PROTOCOL,
        }
    }
}

/// A link to a next hop, and what is put in front of a packet that leaves by it.
///
/// ```text
///  frame   next hop's MAC address (6) | own (6) | MTU (2) | overhead (1) | encapsulation (1)
///  outer   TTL (1) | protocol (1) | 0 (2) | source (4)    destination (4) | sum (4)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Interface to send from.
    pub ifindex: u32,
    /// First 12 bytes of the Ethernet header, and what has to be known before the outer header.
    pub(super) frame: [u64; 2],
    /// The outer IPv4 header from its time to live on.
    pub(super) outer: [u64; 2],
}

/// Time to live of outer headers (RFC 1700, "IP TIME TO LIVE PARAMETER").
const TTL: u8 = 64;

impl Tunnel {
    /// A tunnel from one address to another by a link. `mtu` is the length of the longest packet, its
    /// outer header included, that the way takes.
    #[must_use]
    pub fn ipv4(
        encapsulation: Encapsulation,
        [source, destination]: [[u8; 4]; 2],
        mtu: u16,
        ifindex: u32,
        frame: [u64; 2],
    ) -> Self {
        let protocol = encapsulation.protocol();
        let [source, destination] = [source, destination].map(Be32::from_bytes);
        let about = u32::from(mtu)
            | u32::from(encapsulation.overhead()) << 16
            | (encapsulation as u32) << 24;
        let first = u16::from_ne_bytes([TTL, protocol]);
        let words = [
            u16::from_ne_bytes([ipv4::VERSION_NO_OPTIONS, 0]),
            Be16::from_host(ipv4::DONT_FRAGMENT).0,
            first,
            source.0 as u16,
            (source.0 >> 16) as u16,
            destination.0 as u16,
            (destination.0 >> 16) as u16,
        ];
        let sum = words.into_iter().map(u32::from).sum::<u32>();
        let sum = (sum & 0xffff) + (sum >> 16);
        Self {
            ifindex,
            frame: [frame[0], frame[1] & 0xffff_ffff | u64::from(about) << 32],
            outer: [
                u64::from(first) | u64::from(source.0) << 32,
                u64::from(destination.0) | u64::from(sum) << 32,
            ],
        }
    }

    /// First 12 bytes of the Ethernet header, in the order of memory.
    #[inline(always)]
    #[must_use]
    pub const fn addresses(&self) -> (u64, u32) {
        (self.frame[0], self.frame[1] as u32)
    }

    /// Length of the longest packet, its outer header included, that the way takes.
    #[inline(always)]
    #[must_use]
    pub const fn mtu(&self) -> u16 {
        (self.frame[1] >> 32) as u16
    }

    /// Bytes in front of a packet, behind the Ethernet header.
    #[inline(always)]
    #[must_use]
    pub const fn overhead(&self) -> usize {
        (self.frame[1] >> 48) as usize & 0xff
    }

    /// How packets are put into others.
    #[inline(always)]
    #[must_use]
    pub const fn encapsulation(&self) -> Encapsulation {
        if (self.frame[1] >> 56) as u8 == Encapsulation::Gre as u8 {
            Encapsulation::Gre
        } else {
            Encapsulation::Ipip
        }
    }

    /// Source and destination of the outer header.
    #[must_use]
    pub const fn ends(&self) -> [Be32; 2] {
        [
            Be32((self.outer[0] >> 32) as u32),
            Be32(self.outer[1] as u32),
        ]
    }

    /// The outer IPv4 header of a packet of `len` bytes, itself included, in the order of memory.
    #[inline(always)]
    #[must_use]
    pub const fn header(&self, tos: u8, len: u16) -> (u64, u64, u32) {
        let version = u16::from_ne_bytes([ipv4::VERSION_NO_OPTIONS, tos]);
        let len = Be16::from_host(len).0;
        let fragment = Be16::from_host(ipv4::DONT_FRAGMENT).0;
        // The prepared sum is below 2^17 less the two words that are added here (RFC 1071 §2).
        let sum = (self.outer[1] >> 32) as u32 + u16::from_ne_bytes([0, tos]) as u32 + len as u32;
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        let first = version as u64 | (len as u64) << 16 | (fragment as u64) << 48;
        let checksum = (!sum & 0xffff) as u64;
        (first, self.outer[0] | checksum << 16, self.outer[1] as u32)
    }
}

/// Key in `TUNNELS`: from whom to whom the outer packet is. IPv4 addresses are mapped into IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct TunnelKey {
    /// Source of the outer header, in the order of memory.
    pub source: [u64; 2],
    /// Its destination.
    pub destination: [u64; 2],
}

impl TunnelKey {
    /// The key of two IPv4 addresses as they lie side by side in a header.
    #[inline(always)]
    #[must_use]
    pub const fn ipv4(addresses: u64) -> Self {
        const MAPPED: u64 = u64::from_ne_bytes([0, 0, 0xff, 0xff, 0, 0, 0, 0]);
        Self {
            source: [0, MAPPED | addresses << 32],
            destination: [0, MAPPED | addresses >> 32 << 32],
        }
    }
}
