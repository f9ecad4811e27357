//! Asks who has an address, and tells that this stack has it: by ARP (RFC 5227) for IPv4, by
//! Neighbour Discovery (RFC 4861) for IPv6.
//!
//! Nothing here defends an address or decides who may have it: a probe returns
//! who answered, an announcement says what is already so. The kernel answers
//! questions by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::engine::links::Link;

use socket::PacketSocket;

mod arp;
mod nd;
mod socket;

#[cfg(test)]
mod tests;

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

/// For a probe: 210 ms altogether. RFC 5227 §1.1 waits for 5 to 9 s and RFC 4862 §5.4 for more than
/// one, which is right for a host that comes up on an unknown link, not for a takeover; a host that
/// is there answers within milliseconds, and three lost in a row are rare.
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

/// Who answered, by address.
pub type Holders = BTreeMap<IpAddr, BTreeSet<Mac>>;

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
    addresses: &BTreeSet<IpAddr>,
    own: &BTreeSet<[u8; 6]>,
    pace: Pace,
) -> io::Result<Holders> {
    let (ipv4, ipv6) = by_family(addresses);
    let (mut holders, more) = tokio::try_join!(
        probe_by::<arp::Arp>(port, &ipv4, own, pace),
        probe_by::<nd::NeighbourDiscovery>(port, &ipv6, own, pace),
    )?;
    holders.extend(more);
    Ok(holders)
}

/// Tells everybody on the link of `port` that `addresses` are here, as far as `is_here` still says so
/// at each time.
///
/// # Errors
///
/// The interface is down, or the process may not use packet sockets.
pub async fn announce(
    port: Port,
    addresses: &[IpAddr],
    is_here: impl Fn(IpAddr) -> bool,
    pace: Pace,
) -> io::Result<()> {
    let (ipv4, ipv6) = by_family(addresses);
    tokio::try_join!(
        announce_by::<arp::Arp>(port, &ipv4, &is_here, pace),
        announce_by::<nd::NeighbourDiscovery>(port, &ipv6, &is_here, pace),
    )?;
    Ok(())
}

/// How one family of addresses is asked for and announced, in frames and without any I/O.
trait Protocol {
    /// An address of the family.
    type Address: Copy + Into<IpAddr>;

    /// Opens a socket that receives what says who has which address.
    fn open(ifindex: u32) -> io::Result<PacketSocket>;

    /// A question for an address from somebody who has none.
    fn question(mac: [u8; 6], address: Self::Address) -> Vec<u8>;

    /// The ways to say that an address is at `mac`: there are hosts that believe only one of them.
    fn announcements(mac: [u8; 6], address: Self::Address) -> Vec<Vec<u8>>;

    /// Who has which address, as a frame says. One that only asks whether an address is free has none
    /// yet; were it believed, anybody could keep a stack from starting.
    fn claim(frame: &[u8]) -> Option<(IpAddr, [u8; 6])>;
}

async fn probe_by<P: Protocol>(
    port: Port,
    addresses: &[P::Address],
    own: &BTreeSet<[u8; 6]>,
    pace: Pace,
) -> io::Result<Holders> {
    let mut holders = Holders::new();
    if addresses.is_empty() {
        return Ok(holders);
    }
    let asked: BTreeSet<IpAddr> = addresses.iter().map(|address| (*address).into()).collect();
    let socket = P::open(port.ifindex)?;
    for _ in 0..pace.count {
        let until = Instant::now() + pace.interval;
        let question = async {
            for address in addresses {
                socket.send(&P::question(port.mac, *address)).await?;
            }
            Ok::<(), io::Error>(())
        };
        let answers = async {
            while let Ok(received) = timeout_at(until, socket.receive()).await {
                if let Some((address, mac)) = P::claim(&received?)
                    && asked.contains(&address)
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

async fn announce_by<P: Protocol>(
    port: Port,
    addresses: &[P::Address],
    is_here: &impl Fn(IpAddr) -> bool,
    pace: Pace,
) -> io::Result<()> {
    if addresses.is_empty() {
        return Ok(());
    }
    let socket = P::open(port.ifindex)?;
    for round in 0..pace.count {
        if round > 0 {
            sleep(pace.interval).await;
        }
        for address in addresses {
            if !is_here((*address).into()) {
                continue;
            }
            for frame in P::announcements(port.mac, *address) {
                socket.send(&frame).await?;
            }
        }
    }
    Ok(())
}

fn by_family<'a>(
    addresses: impl IntoIterator<Item = &'a IpAddr>,
) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
    for address in addresses {
        match address {
            IpAddr::V4(address) => ipv4.push(*address),
            IpAddr::V6(address) => ipv6.push(*address),
        }
    }
    (ipv4, ipv6)
}
