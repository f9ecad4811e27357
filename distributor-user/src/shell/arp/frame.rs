//! ARP frames for IPv4 over Ethernet (RFC 826), built and read without any I/O.

use std::net::Ipv4Addr;
use std::ops::Range;

/// Length of an ARP frame without padding.
pub(super) const FRAME_LEN: usize = 42;

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
