//! The same for IPv6.

use core::net::Ipv6Addr;
use std::vec;
use std::vec::Vec;

use super::{CLIENT, HOST};
use crate::probe;
use crate::wire::ipv6::{self, extension, icmp};
use crate::wire::{ethernet, tcp, udp};

/// A TCP segment in IPv6 in Ethernet, by what a test cares about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame6 {
    /// Ethernet address of the sender.
    pub source: [u8; 6],
    /// Source address.
    pub client: Ipv6Addr,
    /// Source port.
    pub client_port: u16,
    /// Destination address.
    pub dvipa: Ipv6Addr,
    /// Destination port.
    pub port: u16,
    /// TCP's control bits.
    pub flags: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Numbers of the extension headers, each of 8 bytes.
    pub extensions: Vec<u8>,
    /// Bytes of payload.
    pub payload: u16,
}

impl Frame6 {
    /// A segment from `client_port` of `fd00:10:1:1::100` to port 8443 of
    /// `fd00:10:1:3::10`.
    #[must_use]
    pub fn new(client_port: u16, flags: u8) -> Self {
        Self {
            source: CLIENT,
            client: Ipv6Addr::new(0xfd00, 0x10, 1, 1, 0, 0, 0, 0x100),
            client_port,
            dvipa: Ipv6Addr::new(0xfd00, 0x10, 1, 3, 0, 0, 0, 0x10),
            port: 8443,
            flags,
            hop_limit: 64,
            extensions: Vec::new(),
            payload: 0,
        }
    }

    /// The frame's bytes. TCP's checksum is left 0.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut segment = vec![0xee; tcp::MIN_LEN + usize::from(self.payload)];
        segment[..2].copy_from_slice(&self.client_port.to_be_bytes());
        segment[2..4].copy_from_slice(&self.port.to_be_bytes());
        segment[tcp::DATA_OFFSET] = 5 << 4;
        segment[tcp::FLAGS] = self.flags;
        segment[16..18].fill(0);
        self.carrying(tcp::PROTOCOL, &segment)
    }

    /// A frame of the same with another payload.
    #[must_use]
    pub fn carrying(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut headers = Vec::new();
        let following = self.extensions.iter().skip(1).chain([&protocol]);
        for next in following.take(self.extensions.len()) {
            let mut header = [0; extension::UNIT];
            header[extension::NEXT_HEADER] = *next;
            headers.extend(header);
        }
        let len = u16::try_from(headers.len() + payload.len()).unwrap_or(u16::MAX);
        let mut bytes = vec![0; ethernet::LEN + ipv6::LEN];
        bytes[..6].copy_from_slice(&HOST);
        bytes[6..12].copy_from_slice(&self.source);
        bytes[12..14].copy_from_slice(&ethernet::IPV6.0.to_ne_bytes());
        let header = &mut bytes[ethernet::LEN..];
        header[ipv6::VERSION] = 0x60;
        header[ipv6::PAYLOAD_LEN..][..2].copy_from_slice(&len.to_be_bytes());
        header[ipv6::NEXT_HEADER] = self.extensions.first().copied().unwrap_or(protocol);
        header[ipv6::HOP_LIMIT] = self.hop_limit;
        header[ipv6::SOURCE..][..16].copy_from_slice(&self.client.octets());
        header[ipv6::DESTINATION..][..16].copy_from_slice(&self.dvipa.octets());
        bytes.extend(headers);
        bytes.extend(payload);
        bytes
    }

    /// An ICMP error about an answer to this frame, of which the IPv6 header and so many bytes behind it
    /// are quoted. It comes from where the frame does.
    #[must_use]
    pub fn error(&self, kind: u8, quoted: usize) -> Vec<u8> {
        let answer = Self {
            client: self.dvipa,
            client_port: self.port,
            dvipa: self.client,
            port: self.client_port,
            ..self.clone()
        };
        let answer = answer.bytes();
        let mut message = vec![0; icmp::LEN];
        message[icmp::KIND] = kind;
        message.extend(&answer[ethernet::LEN..][..ipv6::LEN + quoted]);
        self.carrying(icmp::PROTOCOL, &message)
    }

    /// A Neighbour Solicitation for the DVIPA, to the group of those who could have it.
    #[must_use]
    pub fn solicitation(&self) -> Vec<u8> {
        let [.., a, b, c] = self.dvipa.octets();
        let mut group = [0; 16];
        group[..2].copy_from_slice(&[ipv6::GROUP, 2]);
        group[11..].copy_from_slice(&[1, 0xff, a, b, c]);
        let mut message = vec![0; icmp::SOLICITATION_LEN];
        message[icmp::KIND] = icmp::SOLICITATION;
        message[icmp::TARGET..].copy_from_slice(&self.dvipa.octets());
        let asking = Self {
            dvipa: group.into(),
            ..self.clone()
        };
        asking.carrying(icmp::PROTOCOL, &message)
    }

    /// A UDP datagram with a message of the probe, from port 5000 to the destination's `port`.
    #[must_use]
    pub fn probe(&self, port: u16, words: &probe::Words) -> Vec<u8> {
        let mut datagram = vec![0; udp::LEN];
        datagram[..2].copy_from_slice(&5000_u16.to_be_bytes());
        datagram[2..4].copy_from_slice(&port.to_be_bytes());
        let len = u16::try_from(udp::LEN + probe::LEN).unwrap_or(0);
        datagram[udp::TOTAL_LEN..][..2].copy_from_slice(&len.to_be_bytes());
        datagram[udp::CHECKSUM..][..2].copy_from_slice(&[0x12, 0x34]);
        datagram.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        self.carrying(udp::PROTOCOL, &datagram)
    }
}
