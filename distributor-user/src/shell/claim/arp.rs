//! ARP for IPv4 over Ethernet (RFC 826), built and read without any I/O.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use super::Protocol;
use super::socket::PacketSocket;

/// The protocol.
pub(super) struct Arp;

/// `ETH_P_ARP`.
const ETHER_TYPE: u16 = 0x0806;

/// Length of an ARP frame without padding.
const FRAME_LEN: usize = 42;

const DESTINATION: Range<usize> = 0..6;
const SOURCE: Range<usize> = 6..12;
/// Ethernet type, hardware type, protocol type and the lengths of both addresses.
const FIXED: Range<usize> = 12..20;
const OPERATION: Range<usize> = 20..22;
const SENDER_MAC: Range<usize> = 22..28;
const SENDER: Range<usize> = 28..32;
const TARGET_MAC: Range<usize> = 32..38;
const TARGET: Range<usize> = 38..42;

/// ARP, Ethernet, IPv4, six and four bytes long.
const ETHERNET_IPV4: [u8; 8] = [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4];

const BROADCAST: [u8; 6] = [0xff; 6];
const NOBODY: [u8; 6] = [0; 6];

impl Protocol for Arp {
    type Address = Ipv4Addr;

    fn open(ifindex: u32) -> io::Result<PacketSocket> {
        PacketSocket::open(ifindex, ETHER_TYPE, &[])
    }

    fn question(mac: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
        Frame::probe(mac, address).bytes().to_vec()
    }

    fn announcements(mac: [u8; 6], address: Ipv4Addr) -> Vec<Vec<u8>> {
        let frames = Frame::announcements(mac, address);
        frames.map(|frame| frame.bytes().to_vec()).into()
    }

    fn claim(frame: &[u8]) -> Option<(IpAddr, [u8; 6])> {
        let (address, mac) = Frame::parse(frame)?.claim()?;
        Some((IpAddr::V4(address), mac))
    }
}

/// What an ARP frame does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Request = 1,
    Reply = 2,
}

/// An ARP frame to everybody, or one that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) operation: Operation,
    pub(super) sender_mac: [u8; 6],
    pub(super) sender: Ipv4Addr,
    pub(super) target_mac: [u8; 6],
    pub(super) target: Ipv4Addr,
}

impl Frame {
    /// A question for `address` from somebody who has none (RFC 5227 §2.1.1).
    pub(super) fn probe(mac: [u8; 6], address: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Request,
            sender_mac: mac,
            sender: Ipv4Addr::UNSPECIFIED,
            target_mac: NOBODY,
            target: address,
        }
    }

    /// The two ways to say that `address` is at `mac` (RFC 5227 §2.3 and §3).
    pub(super) fn announcements(mac: [u8; 6], address: Ipv4Addr) -> [Self; 2] {
        let request = Self {
            operation: Operation::Request,
            sender_mac: mac,
            sender: address,
            target_mac: NOBODY,
            target: address,
        };
        [
            request,
            Self {
                operation: Operation::Reply,
                target_mac: BROADCAST,
                ..request
            },
        ]
    }

    /// The frame as it is sent, to everybody.
    pub(super) fn bytes(&self) -> [u8; FRAME_LEN] {
        let mut bytes = [0; FRAME_LEN];
        bytes[DESTINATION].copy_from_slice(&BROADCAST);
        bytes[SOURCE].copy_from_slice(&self.sender_mac);
        bytes[FIXED].copy_from_slice(&ETHERNET_IPV4);
        bytes[OPERATION].copy_from_slice(&(self.operation as u16).to_be_bytes());
        bytes[SENDER_MAC].copy_from_slice(&self.sender_mac);
        bytes[SENDER].copy_from_slice(&self.sender.octets());
        bytes[TARGET_MAC].copy_from_slice(&self.target_mac);
        bytes[TARGET].copy_from_slice(&self.target.octets());
        bytes
    }

    /// Reads a frame; `None` when it is not ARP for IPv4 over Ethernet.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FRAME_LEN] = bytes.first_chunk()?;
        if bytes[FIXED] != ETHERNET_IPV4 {
            return None;
        }
        let operation = match bytes[OPERATION] {
            [0, 1] => Operation::Request,
            [0, 2] => Operation::Reply,
            _ => return None,
        };
        let address = |range: Range<usize>| bytes[range].first_chunk::<4>().map(|ip| (*ip).into());
        Some(Self {
            operation,
            sender_mac: *bytes[SENDER_MAC].first_chunk()?,
            sender: address(SENDER)?,
            target_mac: *bytes[TARGET_MAC].first_chunk()?,
            target: address(TARGET)?,
        })
    }

    /// Who has which address, as this frame says. One that only asks whether an address is free (RFC
    /// 5227 §1.1) has none yet; were it believed, anybody could keep a stack from starting.
    pub(super) fn claim(&self) -> Option<(Ipv4Addr, [u8; 6])> {
        (!self.sender.is_unspecified()).then_some((self.sender, self.sender_mac))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mac;
    use super::*;

    const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
    const DVIPA: Ipv4Addr = Ipv4Addr::new(10, 1, 3, 10);

    #[test]
    fn frames() {
        let probe = Frame::probe(OWN, DVIPA);
        let bytes = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, // Ethernet
            0, 1, 8, 0, 6, 4, 0, 1, // request
            2, 0, 0, 0, 0, 1, 0, 0, 0, 0, // from nobody at our place
            0, 0, 0, 0, 0, 0, 10, 1, 3, 10, // for the DVIPA
        ];
        assert_eq!(probe.bytes(), bytes);
        assert_eq!(Frame::parse(&bytes), Some(probe));
        for announcement in Frame::announcements(OWN, DVIPA) {
            assert_eq!(Frame::parse(&announcement.bytes()), Some(announcement));
            assert_eq!((announcement.sender, announcement.target), (DVIPA, DVIPA));
        }
    }

    #[test]
    fn frames_that_are_none() {
        let good = Frame::probe(OWN, DVIPA).bytes();
        assert!(
            Frame::parse(&[good.to_vec(), vec![0; 18]].concat()).is_some(),
            "padding"
        );
        assert_eq!(Frame::parse(&good[..41]), None, "too short");
        assert_eq!(Frame::parse(&[]), None);
        for (at, what) in [
            (13, "type"),
            (15, "hardware"),
            (17, "protocol"),
            (18, "length"),
            (21, "op"),
        ] {
            let mut bytes = good;
            bytes[at] ^= 0x40;
            assert_eq!(Frame::parse(&bytes), None, "{what}");
        }
    }

    #[test]
    fn claims() {
        let frame = |operation, sender: [u8; 4], target: [u8; 4]| Frame {
            operation,
            sender_mac: OTHER,
            sender: sender.into(),
            target_mac: OWN,
            target: target.into(),
        };
        let [vip, host, nobody] = [[10, 1, 3, 10], [10, 1, 1, 2], [0; 4]];
        for (frame, expected) in [
            (frame(Operation::Reply, vip, nobody), Some(OTHER)),
            (frame(Operation::Reply, vip, vip), Some(OTHER)),
            (frame(Operation::Request, vip, host), Some(OTHER)),
            // Somebody who wants to reach it, not to have it.
            (frame(Operation::Request, host, vip), None),
            (frame(Operation::Reply, host, vip), None),
            (frame(Operation::Request, nobody, host), None),
            // Somebody who asks whether it is free has not got it.
            (frame(Operation::Request, nobody, vip), None),
        ] {
            let claim = frame.claim().filter(|(address, _)| *address == DVIPA);
            assert_eq!(claim.map(|(_, mac)| mac), expected, "{frame:?}");
        }
        assert_eq!(Mac(OTHER).to_string(), "02:00:00:00:00:02");
    }
}
