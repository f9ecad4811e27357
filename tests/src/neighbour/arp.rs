//! ARP (RFC 826), by which IPv4 asks.

use std::net::Ipv4Addr;

use super::request::Mac;
use crate::tap;

/// What every ARP frame of IPv4 on Ethernet has after its type: both kinds of address, and the
/// length of each.
const KINDS: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// The frame by which the host with these addresses asks who has `wanted`.
pub(super) fn request(mac: Mac, from: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    let parts: [&[u8]; 9] = [
        &[0xff; 6],
        &mac,
        &tap::ARP.to_be_bytes(),
        &KINDS,
        &[0, 1],
        &mac,
        &from.octets(),
        &[0; 6],
        &wanted.octets(),
    ];
    parts.concat()
}

/// The Ethernet address of whoever says in `frame` to have `address`.
pub(super) fn sender(frame: &[u8], address: Ipv4Addr) -> Option<Mac> {
    let is_arp = frame.get(12..14)? == tap::ARP.to_be_bytes() && frame.get(14..20)? == KINDS;
    let claimed = frame.get(28..32)?;
    if is_arp && claimed == address.octets() {
        frame.get(22..28)?.try_into().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{KINDS, Mac, sender};

    /// Length of an ARP frame, without what pads it.
    const LEN: usize = 42;
    const HOLDER: Mac = [2, 0, 0, 0, 0, 7];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 3, 10);

    #[test]
    fn whoever_claims_the_address_has_it() {
        let frame = |claimed: Ipv4Addr, ether_type: [u8; 2], len: usize| {
            let mut frame = vec![0xff; 12];
            frame.extend(ether_type);
            frame.extend(KINDS);
            frame.extend([0, 2]);
            frame.extend(HOLDER);
            frame.extend(claimed.octets());
            frame.resize(60, 0); // as some senders pad it
            frame.truncate(len);
            frame
        };
        let other = Ipv4Addr::new(10, 1, 1, 1);
        for (frame, expected) in [
            (frame(ADDRESS, [8, 6], LEN), Some(HOLDER)),
            (frame(ADDRESS, [8, 6], 60), Some(HOLDER)),
            (frame(other, [8, 6], 60), None),
            (frame(Ipv4Addr::UNSPECIFIED, [8, 6], 60), None),
            (frame(ADDRESS, [8, 0], 60), None),
            (frame(ADDRESS, [8, 6], 31), None),
            (vec![], None),
        ] {
            assert_eq!(sender(&frame, ADDRESS), expected, "{frame:?}");
        }
    }
}
