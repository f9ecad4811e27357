//! Ordinary ARP requests (RFC 826), as a host sends them that wants to reach an address.
//!
//! Never probes (RFC 5227), which a stack that is about to take the address must see as a rival.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::tap::{self, Tap};

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// Length of an ARP frame, without what pads it.
const LEN: usize = 42;

/// What every ARP frame of IPv4 on Ethernet has after its type: both kinds of address, and the
/// length of each.
const KINDS: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// Sends requests, and receives what ARP says on the same link.
#[derive(Debug)]
pub(super) struct Asker {
    tap: Tap,
    mac: Mac,
    address: Ipv4Addr,
}

impl Asker {
    /// An asker behind a tap for ARP, on the interface that has these addresses.
    pub(super) fn new(tap: Tap, mac: Mac, address: Ipv4Addr) -> Self {
        Self { tap, mac, address }
    }

    /// Asks once who has `wanted`: everybody who says within `patience` to have it.
    pub(super) fn ask(&self, wanted: Ipv4Addr, patience: Duration) -> io::Result<BTreeSet<Mac>> {
        let end = Instant::now() + patience;
        self.tap.send(&self.request(wanted))?;
        let mut holders = BTreeSet::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(holders);
            }
            match self.tap.receive(left)? {
                Some(frame) => holders.extend(sender(&frame, wanted)),
                None => return Ok(holders),
            }
        }
    }

    fn request(&self, wanted: Ipv4Addr) -> [u8; LEN] {
        let mut frame = [0; LEN];
        let parts: [&[u8]; 9] = [
            &[0xff; 6],
            &self.mac,
            &tap::ARP.to_be_bytes(),
            &KINDS,
            &[0, 1],
            &self.mac,
            &self.address.octets(),
            &[0; 6],
            &wanted.octets(),
        ];
        frame.copy_from_slice(&parts.concat());
        frame
    }
}

/// The Ethernet address of whoever says in `frame` to have `address`.
fn sender(frame: &[u8], address: Ipv4Addr) -> Option<Mac> {
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

    use super::{KINDS, LEN, Mac, sender};

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
