//! Ordinary ARP requests (RFC 826), as a host sends them that wants to reach an address.
//!
//! Never probes (RFC 5227), which a stack that is about to take the address must see as a rival.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read as _};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// `ETH_P_ARP`.
const ETH_P_ARP: u16 = 0x0806;

/// Length of an ARP frame, without what pads it.
const LEN: usize = 42;

/// What every ARP frame of IPv4 on Ethernet has after its type: both kinds of address, and the
/// length of each.
const KINDS: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// Sends requests, and receives what ARP says on the same link.
#[derive(Debug)]
pub(super) struct Asker {
    socket: Socket,
    mac: Mac,
    address: Ipv4Addr,
}

impl Asker {
    /// An asker on the interface that has these addresses, in the namespace of the calling thread.
    pub(super) fn open(interface: u32, mac: Mac, address: Ipv4Addr) -> io::Result<Self> {
        // Without a protocol it receives nothing until it is bound.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None::<Protocol>)?;
        bind(&socket, interface)?;
        Ok(Self {
            socket,
            mac,
            address,
        })
    }

    /// Asks once who has `wanted`: everybody who says within `patience` to have it.
    pub(super) fn ask(&self, wanted: Ipv4Addr, patience: Duration) -> io::Result<BTreeSet<Mac>> {
        let end = Instant::now() + patience;
        self.socket.send(&self.request(wanted))?;
        let mut holders = BTreeSet::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(holders);
            }
            self.socket.set_read_timeout(Some(left))?;
            let mut frame = [0; 128];
            match (&self.socket).read(&mut frame) {
                Ok(len) => holders.extend(sender(&frame[..len], wanted)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(holders),
                Err(error) => return Err(error),
            }
        }
    }

    fn request(&self, wanted: Ipv4Addr) -> [u8; LEN] {
        let mut frame = [0; LEN];
        let parts: [&[u8]; 9] = [
            &[0xff; 6],
            &self.mac,
            &ETH_P_ARP.to_be_bytes(),
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
    let is_arp = frame.get(12..14)? == ETH_P_ARP.to_be_bytes() && frame.get(14..20)? == KINDS;
    let claimed = frame.get(28..32)?;
    if is_arp && claimed == address.octets() {
        frame.get(22..28)?.try_into().ok()
    } else {
        None
    }
}

/// Has a packet socket receive the ARP frames of an interface, and send there (`packet(7)`).
#[allow(
    clippy::cast_possible_truncation,
    reason = "both are small constants of the kernel's interface"
)]
fn bind(socket: &Socket, interface: u32) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ETH_P_ARP.to_be(),
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the pointer is to an address of the stated length, which the kernel only reads.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
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
