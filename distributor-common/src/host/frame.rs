//! Frames to feed the packet path with, as a client's host would build them.

use std::vec;
use std::vec::Vec;

use crate::abi::Encapsulation;
use crate::probe;
use crate::wire::{arp, ethernet, gre, icmp, ipv4, tcp, udp};

pub mod ipv6;

/// Ethernet address that frames are sent to.
pub const HOST: [u8; 6] = [2, 0, 0, 0, 0, 0xaa];
/// Ethernet address of the client, or of the router before it.
pub const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 0xbb];

/// A TCP segment in IPv4 in Ethernet, by what a test cares about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Ethernet address of the sender.
    pub source: [u8; 6],
    /// Source address.
    pub client: [u8; 4],
    /// Source port.
    pub client_port: u16,
    /// Destination address.
    pub dvipa: [u8; 4],
    /// Destination port.
    pub port: u16,
    /// TCP's control bits.
    pub flags: u8,
    /// Time to live.
    pub ttl: u8,
    /// 32-bit words of IP options, at most 10.
    pub ip_options: u8,
    /// 32-bit words of TCP options, at most 10.
    pub tcp_options: u8,
    /// Flags and offset of a fragment.
    pub fragment: u16,
    /// Bytes of payload.
    pub payload: u16,
}

impl Frame {
    /// A segment from `client_port` of 10.1.1.100 to port 8443 of 10.1.3.10.
    #[must_use]
    pub const fn new(client_port: u16, flags: u8) -> Self {
        Self {
            source: CLIENT,
            client: [10, 1, 1, 100],
            client_port,
            dvipa: [10, 1, 3, 10],
            port: 8443,
            flags,
            ttl: 64,
            ip_options: 0,
            tcp_options: 0,
            fragment: 0,
            payload: 0,
        }
    }

    /// The frame's bytes, with a valid header checksum. TCP's checksum is left 0.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let ip_words = 5 + self.ip_options;
        let tcp_words = 5 + self.tcp_options;
        let ip_len = usize::from(ip_words) * 4;
        let total_len = ip_len + usize::from(tcp_words) * 4 + usize::from(self.payload);
        let mut bytes = vec![0xee; ethernet::LEN + total_len];
        bytes[..6].copy_from_slice(&HOST);
        bytes[6..12].copy_from_slice(&self.source);
        bytes[12..14].copy_from_slice(&ethernet::IPV4.0.to_ne_bytes());

        let (header, segment) = bytes[ethernet::LEN..].split_at_mut(ip_len);
        let len = u16::try_from(total_len).unwrap_or(u16::MAX);
        header.fill(1); // an option of one byte: no operation
        header[ipv4::VERSION_IHL] = 0x40 | ip_words;
        header[ipv4::TOTAL_LEN..][..2].copy_from_slice(&len.to_be_bytes());
        header[ipv4::FRAGMENT..][..2].copy_from_slice(&self.fragment.to_be_bytes());
        header[ipv4::TTL] = self.ttl;
        header[ipv4::PROTOCOL] = tcp::PROTOCOL;
        header[ipv4::ADDRESSES..][..4].copy_from_slice(&self.client);
        header[ipv4::ADDRESSES + 4..][..4].copy_from_slice(&self.dvipa);
        header[ipv4::TTL + 2..][..2].fill(0);
        let sum = checksum(header);
        header[ipv4::TTL + 2..][..2].copy_from_slice(&sum.to_be_bytes());

        segment[..2].copy_from_slice(&self.client_port.to_be_bytes());
        segment[2..4].copy_from_slice(&self.port.to_be_bytes());
        segment[tcp::DATA_OFFSET] = tcp_words << 4;
        segment[tcp::FLAGS] = self.flags;
        segment[16..18].fill(0);
        bytes
    }
}

/// An ICMP error of 10.1.1.99 about an answer to `frame`, of which the IPv4 header and so many bytes
/// behind it are quoted. It comes from where `frame` does.
#[must_use]
pub fn icmp_error(kind: u8, code: u8, frame: &Frame, quoted: usize) -> Vec<u8> {
    let answer = Frame {
        client: frame.dvipa,
        client_port: frame.port,
        dvipa: frame.client,
        port: frame.client_port,
        ..*frame
    };
    let answer = answer.bytes();
    let header_len = 4 * usize::from(5 + frame.ip_options);
    let quoted = &answer[ethernet::LEN..][..header_len + quoted];
    let mut bytes = Frame {
        client: [10, 1, 1, 99],
        ip_options: 0,
        ..*frame
    }
    .bytes();
    bytes.truncate(ethernet::LEN + ipv4::MIN_LEN);
    let mut message = [0; icmp::LEN];
    message[icmp::KIND] = kind;
    message[icmp::KIND + 1] = code;
    // Of "fragmentation needed": the MTU of the next hop.
    message[6..].copy_from_slice(&1400_u16.to_be_bytes());
    bytes.extend(message.iter().chain(quoted));
    let (header, message) = bytes[ethernet::LEN..].split_at_mut(ipv4::MIN_LEN);
    let sum = checksum(message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let len = u16::try_from(ipv4::MIN_LEN + message.len()).unwrap_or(u16::MAX);
    header[ipv4::TOTAL_LEN..][..2].copy_from_slice(&len.to_be_bytes());
    header[ipv4::PROTOCOL] = icmp::PROTOCOL;
    header[ipv4::TTL + 2..][..2].fill(0);
    let sum = checksum(header);
    header[ipv4::TTL + 2..][..2].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// A frame whose packet is put into another one from one address to another, as a member does it.
#[must_use]
pub fn carried(
    encapsulation: Encapsulation,
    [source, destination]: [[u8; 4]; 2],
    frame: &[u8],
) -> Vec<u8> {
    let (ethernet, packet) = frame.split_at(ethernet::LEN);
    let extra: &[u8] = match encapsulation {
        Encapsulation::Gre => &gre::IPV4,
        Encapsulation::Ipip => &[],
    };
    let len = ipv4::MIN_LEN + extra.len() + packet.len();
    let mut header = [0; ipv4::MIN_LEN];
    header[ipv4::VERSION_IHL] = ipv4::VERSION_NO_OPTIONS;
    header[ipv4::TOS] = packet.get(ipv4::TOS).copied().unwrap_or_default();
    let len = u16::try_from(len).unwrap_or(u16::MAX);
    header[ipv4::TOTAL_LEN..][..2].copy_from_slice(&len.to_be_bytes());
    header[ipv4::FRAGMENT..][..2].copy_from_slice(&ipv4::DONT_FRAGMENT.to_be_bytes());
    header[ipv4::TTL] = 64;
    header[ipv4::PROTOCOL] = encapsulation.protocol();
    header[ipv4::ADDRESSES..][..4].copy_from_slice(&source);
    header[ipv4::ADDRESSES + 4..].copy_from_slice(&destination);
    let sum = checksum(&header);
    header[ipv4::TTL + 2..][..2].copy_from_slice(&sum.to_be_bytes());
    [ethernet, &header, extra, packet].concat()
}

/// An ARP request of the client for an address.
#[must_use]
pub fn arp_request(target: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0; ethernet::LEN + arp::LEN];
    bytes[..6].fill(0xff);
    bytes[6..12].copy_from_slice(&CLIENT);
    bytes[12..14].copy_from_slice(&ethernet::ARP.0.to_ne_bytes());
    let packet = &mut bytes[ethernet::LEN..];
    packet[..8].copy_from_slice(&arp::REQUEST);
    packet[8..14].copy_from_slice(&CLIENT);
    packet[14..18].copy_from_slice(&[10, 1, 1, 100]);
    packet[arp::TARGET..].copy_from_slice(&target);
    bytes
}

/// A UDP datagram with a message of the probe, from port 5000 of 10.1.1.100.
#[must_use]
pub fn probe(asked: [u8; 4], port: u16, words: &probe::Words) -> Vec<u8> {
    const UDP_LEN: usize = udp::LEN + probe::LEN;
    let mut bytes = Frame::new(5000, 0).bytes();
    bytes.resize(ethernet::LEN + ipv4::MIN_LEN + UDP_LEN, 0);
    let (header, datagram) = bytes[ethernet::LEN..].split_at_mut(ipv4::MIN_LEN);
    let lengths = [ipv4::MIN_LEN + UDP_LEN, UDP_LEN].map(|len| u16::try_from(len).unwrap_or(0));
    header[ipv4::TOTAL_LEN..][..2].copy_from_slice(&lengths[0].to_be_bytes());
    header[ipv4::PROTOCOL] = udp::PROTOCOL;
    header[ipv4::ADDRESSES + 4..][..4].copy_from_slice(&asked);
    header[ipv4::TTL + 2..][..2].fill(0);
    let sum = checksum(header);
    header[ipv4::TTL + 2..][..2].copy_from_slice(&sum.to_be_bytes());
    datagram[2..4].copy_from_slice(&port.to_be_bytes());
    datagram[udp::TOTAL_LEN..][..2].copy_from_slice(&lengths[1].to_be_bytes());
    datagram[udp::CHECKSUM..][..2].copy_from_slice(&[0x12, 0x34]);
    for (place, word) in datagram[udp::LEN..].chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

/// The checksum of an IPv4 header (RFC 1071); 0 over a header whose checksum is valid.
#[must_use]
pub fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|pair| {
        let high = u32::from(pair[0]) << 8;
        high | pair.get(1).map_or(0, |low| u32::from(*low))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}
