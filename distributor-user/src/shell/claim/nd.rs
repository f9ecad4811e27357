//! Neighbour Discovery for IPv6 over Ethernet (RFC 4861), built and read without any I/O.
//!
//! A question is what a host sends before it takes an address (RFC 4862 §5.4):
//! a solicitation from nobody. Whoever has the address answers with an
//! advertisement to everybody. A frame that a router could have passed on is
//! not believed (RFC 4861 §7.1): its hop limit would not be the largest.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use socket2::SockFilter;

use super::Protocol;
use super::socket::PacketSocket;

/// The protocol.
pub(super) struct NeighbourDiscovery;

/// `ETH_P_IPV6`.
const ETHER_TYPE: u16 = 0x86dd;

const DESTINATION: Range<usize> = 0..6;
const SOURCE: Range<usize> = 6..12;
const TYPE: Range<usize> = 12..14;
/// The IPv6 header: version and flow, length of what follows it, next header, hop limit, addresses.
const VERSION: usize = 14;
const PAYLOAD_LEN: Range<usize> = 18..20;
const NEXT_HEADER: usize = 20;
const HOP_LIMIT: usize = 21;
const FROM: Range<usize> = 22..38;
const TO: Range<usize> = 38..54;
/// The message: type and code, checksum, flags, target, options.
const MESSAGE: usize = 54;
const CODE: usize = 55;
const CHECKSUM: Range<usize> = 56..58;
const FLAGS: usize = 58;
const TARGET: Range<usize> = 62..78;
const OPTIONS: usize = 78;

/// Length of a message without options.
const BARE_LEN: u16 = 24;
/// The option that says which Ethernet address the target has (RFC 4861 §4.6.1): its type, its length
/// in units of eight bytes, the address.
const TARGET_MAC: [u8; 2] = [2, 1];

const VERSION_6: u8 = 0x60;
const ICMPV6: u8 = 58;
const LARGEST: u8 = 255;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// It takes the place of what was believed before.
const OVERRIDE: u8 = 0x20;

/// `ff02::1`, everybody on the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Lets advertisements through; all else that is IPv6 stays out.
#[expect(
    clippy::cast_possible_truncation,
    reason = "they are small constants of the kernel's interface and of the frame"
)]
const FILTER: [SockFilter; 6] = {
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, NEXT_HEADER as u32),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, ICMPV6 as u32),
        SockFilter::new(LOAD_BYTE, 0, 0, MESSAGE as u32),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, ADVERTISEMENT as u32),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
};

impl Protocol for NeighbourDiscovery {
    type Address = Ipv6Addr;

    fn open(ifindex: u32) -> io::Result<PacketSocket> {
        PacketSocket::open(ifindex, ETHER_TYPE, &FILTER)
    }

    fn question(mac: [u8; 6], address: Ipv6Addr) -> Vec<u8> {
        let to = solicited_node(address);
        frame(
            mac,
            Ipv6Addr::UNSPECIFIED,
            to,
            SOLICITATION,
            0,
            address,
            None,
        )
    }

    fn announcements(mac: [u8; 6], address: Ipv6Addr) -> Vec<Vec<u8>> {
        let announcement = frame(
            mac,
            address,
            ALL_NODES,
            ADVERTISEMENT,
            OVERRIDE,
            address,
            Some(mac),
        );
        vec![announcement]
    }

    fn claim(frame: &[u8]) -> Option<(IpAddr, [u8; 6])> {
        let is_advertisement = frame.get(TYPE)? == ETHER_TYPE.to_be_bytes()
            && *frame.get(NEXT_HEADER)? == ICMPV6
            && *frame.get(HOP_LIMIT)? == LARGEST
            && frame.get(MESSAGE..=CODE)? == [ADVERTISEMENT, 0];
        let length = u16::from_be_bytes(frame.get(PAYLOAD_LEN)?.try_into().ok()?);
        let message = frame.get(MESSAGE..MESSAGE + usize::from(length))?;
        if !is_advertisement
            || length < BARE_LEN
            || sum(frame.get(FROM.start..TO.end)?, message) != 0
        {
            return None;
        }
        let target: [u8; 16] = frame.get(TARGET)?.try_into().ok()?;
        let options = &message[OPTIONS - MESSAGE..];
        let mac = target_mac(options).or_else(|| frame.get(SOURCE)?.try_into().ok())?;
        Some((IpAddr::V6(target.into()), mac))
    }
}

/// The Ethernet address that the options name.
fn target_mac(mut options: &[u8]) -> Option<[u8; 6]> {
    while let [_, units, ..] = options {
        let (option, rest) = options.split_at_checked(usize::from(*units).max(1) * 8)?;
        if option.starts_with(&TARGET_MAC) {
            return option.get(2..8)?.try_into().ok();
        }
        options = rest;
    }
    None
}

/// The multicast address at which who has an address is asked for it (RFC 4291 §2.7.1).
fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = address.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | high & 0xff, low)
}

/// The Ethernet address that goes with a multicast address (RFC 2464 §7).
fn ethernet(multicast: Ipv6Addr) -> [u8; 6] {
    let [.., a, b, c, d] = multicast.octets();
    [0x33, 0x33, a, b, c, d]
}

/// A frame about `target` to a multicast address.
fn frame(
    mac: [u8; 6],
    from: Ipv6Addr,
    to: Ipv6Addr,
    message: u8,
    flags: u8,
    target: Ipv6Addr,
    option: Option<[u8; 6]>,
) -> Vec<u8> {
    let mut bytes = vec![0; OPTIONS];
    bytes[DESTINATION].copy_from_slice(&ethernet(to));
    bytes[SOURCE].copy_from_slice(&mac);
    bytes[TYPE].copy_from_slice(&ETHER_TYPE.to_be_bytes());
    bytes[VERSION] = VERSION_6;
    bytes[NEXT_HEADER] = ICMPV6;
    bytes[HOP_LIMIT] = LARGEST;
    bytes[FROM].copy_from_slice(&from.octets());
    bytes[TO].copy_from_slice(&to.octets());
    bytes[MESSAGE] = message;
    bytes[FLAGS] = flags;
    bytes[TARGET].copy_from_slice(&target.octets());
    let mut length = BARE_LEN;
    if let Some(mac) = option {
        bytes.extend(TARGET_MAC);
        bytes.extend(mac);
        length += 8;
    }
    bytes[PAYLOAD_LEN].copy_from_slice(&length.to_be_bytes());
    let sum = sum(&bytes[FROM.start..TO.end], &bytes[MESSAGE..]);
    bytes[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// The checksum over a message and its pseudo-header (RFC 8200 §8.1); 0 where the message has it already.
fn sum(addresses: &[u8], message: &[u8]) -> u16 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut sum = length + u32::from(ICMPV6);
    for pair in addresses.chunks(2).chain(message.chunks(2)) {
        let low = pair.get(1).copied().unwrap_or_default();
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
    const DVIPA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 3, 0, 0, 0x12, 0x3410);

    #[test]
    fn a_question_is_a_solicitation_from_nobody() {
        let question = NeighbourDiscovery::question(OWN, DVIPA);
        let expected = [
            &[0x33, 0x33, 0xff, 0x12, 0x34, 0x10][..],
            &OWN,
            &[0x86, 0xdd],
            &[0x60, 0, 0, 0, 0, 24, 58, 255],
            &[0; 16],
            &Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff12, 0x3410).octets(),
            &[135, 0, 0x15, 0x50, 0, 0, 0, 0],
            &DVIPA.octets(),
        ];
        assert_eq!(question, expected.concat());
        assert_eq!(NeighbourDiscovery::claim(&question), None);
    }

    #[test]
    fn an_announcement_is_a_claim() {
        let announcements = NeighbourDiscovery::announcements(OTHER, DVIPA);
        let [announcement] = &announcements[..] else {
            panic!("one is enough");
        };
        assert_eq!(announcement[DESTINATION], [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(announcement[FLAGS], OVERRIDE);
        let claim = Some((IpAddr::V6(DVIPA), OTHER));
        assert_eq!(NeighbourDiscovery::claim(announcement), claim);
        let padded = [&announcement[..], &[0; 9]].concat();
        assert_eq!(NeighbourDiscovery::claim(&padded), claim, "padding");
    }

    #[test]
    fn who_has_no_option_is_known_by_its_frame() {
        let bare = |option| frame(OTHER, DVIPA, ALL_NODES, ADVERTISEMENT, 0, DVIPA, option);
        let claim = Some((IpAddr::V6(DVIPA), OTHER));
        assert_eq!(NeighbourDiscovery::claim(&bare(None)), claim);
        // What the message says counts for more.
        let claim = Some((IpAddr::V6(DVIPA), OWN));
        assert_eq!(NeighbourDiscovery::claim(&bare(Some(OWN))), claim);
    }

    #[test]
    fn frames_that_are_none() {
        let good = NeighbourDiscovery::announcements(OTHER, DVIPA).remove(0);
        for length in 0..good.len() {
            assert_eq!(NeighbourDiscovery::claim(&good[..length]), None, "{length}");
        }
        for (at, what) in [
            (12, "type"),
            (19, "length"),
            (NEXT_HEADER, "next header"),
            (HOP_LIMIT, "hop limit"),
            (30, "source"),
            (MESSAGE, "message"),
            (CODE, "code"),
            (56, "checksum"),
            (70, "target"),
        ] {
            let mut bytes = good.clone();
            bytes[at] ^= 0x40;
            assert_eq!(NeighbourDiscovery::claim(&bytes), None, "{what}");
        }
        // An option without length ends nothing, and is no address.
        let mut bytes = good;
        bytes[OPTIONS + 1] = 0;
        assert_eq!(NeighbourDiscovery::claim(&bytes), None);
    }
}
