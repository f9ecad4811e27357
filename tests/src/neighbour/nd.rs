//! Neighbour Discovery (RFC 4861), by which IPv6 asks.

use std::net::Ipv6Addr;

use super::request::Mac;
use crate::tap;

/// IPv6's version, with neither traffic class nor flow label.
const VERSION: [u8; 4] = [0x60, 0, 0, 0];

/// IPv6's number of `ICMPv6`, and the hop limit that only a neighbour's message can have.
const ICMPV6: u8 = 58;
const FROM_LINK: u8 = 255;

/// Types of messages, and the options for the Ethernet address of who asks and of who has the
/// address, with their length in units of 8 bytes.
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_MAC: [u8; 2] = [1, 1];
const TARGET_MAC: [u8; 2] = [2, 1];

/// Length of a message with one option.
const LEN: u16 = 32;

/// The frame by which the host with these addresses asks who has `wanted`.
pub(super) fn request(mac: Mac, from: Ipv6Addr, wanted: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = wanted.octets();
    let everybody_concerned = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(a),
        u16::from_be_bytes([b, c]),
    );
    let target = wanted.octets();
    let message = |checksum: [u8; 2]| {
        let head = [SOLICITATION, 0, checksum[0], checksum[1], 0, 0, 0, 0];
        [&head[..], &target, &SOURCE_MAC, &mac].concat()
    };
    let addresses = [from.octets(), everybody_concerned.octets()].concat();
    let checksum = !sum(&addresses, &message([0, 0]));
    let message = message(checksum.to_be_bytes());
    let parts: [&[u8]; 8] = [
        &[0x33, 0x33, 0xff, a, b, c],
        &mac,
        &tap::IPV6.to_be_bytes(),
        &VERSION,
        &LEN.to_be_bytes(),
        &[ICMPV6, FROM_LINK],
        &addresses,
        &message,
    ];
    parts.concat()
}

/// The Ethernet address of whoever says in `frame` to have `address`.
pub(super) fn sender(frame: &[u8], address: Ipv6Addr) -> Option<Mac> {
    let is_from_neighbour = frame.get(12..14)? == tap::IPV6.to_be_bytes()
        && frame.get(20..22)? == [ICMPV6, FROM_LINK]
        && frame.get(54..56)? == [ADVERTISEMENT, 0];
    let is_right = sum(frame.get(22..54)?, frame.get(54..)?) == u16::MAX;
    if !is_from_neighbour || !is_right || frame.get(62..78)? != address.octets() {
        return None;
    }
    // Linux names itself by this one option, and by no other before it.
    let option = frame.get(78..86)?;
    option.strip_prefix(&TARGET_MAC)?.try_into().ok()
}

/// The Internet checksum's sum of an `ICMPv6` message between two addresses.
fn sum(addresses: &[u8], message: &[u8]) -> u16 {
    let both = addresses.chunks(2).chain(message.chunks(2));
    let words = both.map(|word| u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]));
    let len = u16::try_from(message.len()).unwrap_or(u16::MAX);
    words.chain([ICMPV6.into(), len]).fold(0, |sum, word| {
        let (sum, carry) = u16::overflowing_add(sum, word);
        sum + u16::from(carry)
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::{Mac, request, sender, sum};

    const HOLDER: Mac = [2, 0, 0, 0, 0, 7];
    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 1, 3, 0, 0, 0x12, 0x3456);
    const ASKER: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 1, 1, 0, 0, 0, 0x101);

    #[test]
    fn those_concerned_are_asked() {
        let frame = request(HOLDER, ASKER, ADDRESS);
        assert_eq!(frame.len(), 86);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        assert_eq!(frame[18..20], [0, 32]);
        assert_eq!(
            frame[38..54],
            [
                0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x12, 0x34, 0x56
            ]
        );
        assert_eq!(sum(&frame[22..54], &frame[54..]), u16::MAX);
    }

    #[test]
    fn whoever_advertises_the_address_has_it() {
        // What differs from a solicitation, and the checksum that goes with it.
        let advertisement = |target: Ipv6Addr| {
            let mut frame = request(HOLDER, ASKER, target);
            (frame[54], frame[58], frame[78]) = (136, 0x60, 2);
            frame[56..58].fill(0);
            let checksum = !sum(&frame[22..54], &frame[54..]);
            frame[56..58].copy_from_slice(&checksum.to_be_bytes());
            frame
        };
        let changed = |index: usize| {
            let mut frame = advertisement(ADDRESS);
            frame[index] ^= 1;
            frame
        };
        assert_eq!(sender(&advertisement(ADDRESS), ADDRESS), Some(HOLDER));
        for frame in [
            advertisement(ASKER),
            request(HOLDER, ASKER, ADDRESS),
            changed(13),
            changed(20),
            changed(21),
            changed(57),
            advertisement(ADDRESS)[..85].to_vec(),
            vec![],
        ] {
            assert_eq!(sender(&frame, ADDRESS), None, "{frame:?}");
        }
    }
}
