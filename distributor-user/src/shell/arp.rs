//! Asks who has an IPv4 address, and tells that this stack has it (RFC 5227).
//!
//! Nothing here defends an address or decides who may have it: a probe returns
//! who answered, an announcement says what is already so. The kernel answers
//! requests by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep, timeout_at};

use crate::engine::links::Link;

use frame::{FRAME_LEN, Frame};

mod frame;

#[cfg(test)]
mod tests;

/// `ETH_P_ARP`, in the byte order of the network.
const ETH_P_ARP: u16 = 0x0806_u16.to_be();

/// Room for an ARP frame with whatever padding a driver leaves.
const RECEIVE_LEN: usize = 128;

/// An interface that frames are sent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Interface index.
    pub ifindex: u32,
    /// Its Ethernet address.
    pub mac: [u8; 6],
}

impl Port {
    /// The port of an interface; `None` when it carries no Ethernet frames.
    #[must_use]
    pub fn of(link: &Link) -> Option<Self> {
        Some(Self {
            ifindex: link.index,
            mac: link.mac?,
        })
    }
}

/// How often something is sent, and how far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How often.
    pub count: u32,
    /// Time after each.
    pub interval: Duration,
}

/// For a probe: 210 ms altogether. RFC 5227 §1.1 waits for 5 to 9 s, which is right for a host
/// that comes up on an unknown link, not for a takeover; a host that is there answers within
/// milliseconds, and three lost in a row are rare.
pub const PROBE: Pace = Pace {
    count: 3,
    interval: Duration::from_millis(70),
};

/// For an announcement: at once, and then again for whoever missed it.
pub const ANNOUNCE: Pace = Pace {
    count: 5,
    interval: Duration::from_millis(300),
};

/// An Ethernet address as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Asks on the link of `port` who has each of `addresses`, or is about to take it.
///
/// Returns everybody who answered but `own`, by address: `own` are the addresses of this stack's
/// interfaces, of which another may be on the same link. A probe changes nobody's neighbour table.
///
/// # Errors
///
/// The interface is down, or the process may not use packet sockets.
pub async fn probe(
    port: Port,
    addresses: &BTreeSet<Ipv4Addr>,
    own: &BTreeSet<[u8; 6]>,
    pace: Pace,
) -> io::Result<BTreeMap<Ipv4Addr, BTreeSet<Mac>>> {
    let socket = PacketSocket::open(port.ifindex)?;
    let mut holders: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for _ in 0..pace.count {
        let until = Instant::now() + pace.interval;
        let question = async {
            for address in addresses {
                let question = Frame::probe(port.mac, *address).bytes();
                socket.send(&question).await?;
            }
            Ok::<(), io::Error>(())
        };
        let answers = async {
            while let Ok(received) = timeout_at(until, socket.receive()).await {
                let Some(frame) = Frame::parse(&received?) else {
                    continue;
                };
                if let Some((address, mac)) = frame.claim()
                    && addresses.contains(&address)
                    && !own.contains(&mac)
                {
                    holders.entry(address).or_default().insert(Mac(mac));
                }
            }
            Ok::<(), io::Error>(())
        };
        // Asking and listening at once, so that the answers to many questions are not lost.
        tokio::try_join!(question, answers)?;
    }
    Ok(holders)
}

/// Tells everybody on the link of `port` that `addresses` are here, as far as `is_here` still says so
/// at each time.
///
/// Each time as a request and as a reply: there are hosts that believe only
/// one of them.
///
/// # Errors
///
/// The interface is down, or the process may not use packet sockets.
pub async fn announce(
    port: Port,
    addresses: &[Ipv4Addr],
    is_here: impl Fn(Ipv4Addr) -> bool,
    pace: Pace,
) -> io::Result<()> {
    let socket = PacketSocket::open(port.ifindex)?;
    for round in 0..pace.count {
        if round > 0 {
            sleep(pace.interval).await;
        }
        for address in addresses.iter().filter(|address| is_here(**address)) {
            for frame in Frame::announcements(port.mac, *address) {
                socket.send(&frame.bytes()).await?;
            }
        }
    }
    Ok(())
}

/// A socket for the ARP frames of one interface.
struct PacketSocket {
    socket: AsyncFd<Socket>,
}

impl PacketSocket {
    fn open(ifindex: u32) -> io::Result<Self> {
        // Without a protocol it receives nothing until it is bound: no frame of another interface.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None::<Protocol>)?;
        socket.set_nonblocking(true)?;
        bind(&socket, ifindex)?;
        // SAFETY: the socket owns its descriptor, and nothing here replaces or closes it while
        // the reactor knows it.
        let socket = unsafe { AsyncFd::register(socket) }?;
        Ok(Self { socket })
    }

    /// Sends a frame, as soon as there is room for it.
    async fn send(&self, frame: &[u8; FRAME_LEN]) -> io::Result<()> {
        loop {
            let mut guard = self.socket.writable().await?;
            if let Ok(sent) = guard.try_io(|socket| socket.get_ref().send(frame)) {
                return sent.map(|_| ());
            }
        }
    }

    /// Waits for a frame that others sent. Safe to cancel: none is taken by a wait.
    async fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            let mut guard = self.socket.readable().await?;
            let received = guard.try_io(|socket| {
                let mut frame = vec![0; RECEIVE_LEN];
                let length = io::Read::read(&mut socket.get_ref(), &mut frame)?;
                frame.truncate(length);
                Ok(frame)
            });
            if let Ok(received) = received {
                return received;
            }
        }
    }
}

/// Has a packet socket receive the ARP frames of an interface, and send there (`packet(7)`).
#[allow(
    clippy::cast_possible_truncation,
    reason = "both are small constants of the kernel's interface"
)]
fn bind(socket: &Socket, ifindex: u32) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ETH_P_ARP,
        sll_ifindex: ifindex.cast_signed(),
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
