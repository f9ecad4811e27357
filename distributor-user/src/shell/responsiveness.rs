//! Watches how the servers of this stack take the connections that reach them.
//!
//! Two things are looked at a few times a second: the accept queue of each
//! listener, in the socket dump, and the handshakes that a `sock_ops` program
//! counts. What they mean is the engine's to say
//! ([`responsiveness`](crate::engine::responsiveness)).
//!
//! One task owns all of this; it ends when nobody counts listeners or nobody
//! asks any more.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aya::maps::{HashMap, MapData};
use aya::programs::sock_ops::SockOpsLink;
use distributor_common::watch::HandshakeKey;
use netlink_packet_sock_diag::inet::StateFlags;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use super::sock_diag::{Scope, SockDiag};
use super::sock_ops::{self, SockOpsError, WatchObject};
use crate::engine::fact::ReadyRow;
use crate::engine::responsiveness::{Counts, Gauge, Responsiveness};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Looking takes at most one part in this many of a processor.
const SHARE: u32 = 20;

/// The DVIPA × ports where not everything is as it should be.
pub type Faults = BTreeMap<(IpAddr, u16), Responsiveness>;

/// What listens: one address of this host, or with `None` every address that has no listener of its
/// own; and the port.
type Place = (Option<IpAddr>, u16);

/// Starts the task, in the network namespace of the calling thread.
///
/// Without its program in `object`, a warning names what is missing and every server counts as
/// responsive. `rows` are the listeners that count.
///
/// # Errors
///
/// The kernel refuses `sock_diag` sockets.
pub fn start(
    object: &mut WatchObject,
    rows: watch::Receiver<Vec<ReadyRow>>,
) -> io::Result<watch::Receiver<Faults>> {
    let (faults, told) = watch::channel(Faults::new());
    match Handshakes::attach(object) {
        Ok(handshakes) => {
            let task = Task {
                handshakes,
                sock_diag: SockDiag::open()?,
                rows,
                faults,
                gauges: BTreeMap::new(),
                began: Instant::now(),
            };
            tokio::spawn(task.run());
        }
        Err(reason) => {
            let reason = &*reason as &dyn std::error::Error;
            warn!(reason, "servers that stop accepting are not noticed");
        }
    }
    Ok(told)
}

struct Task {
    handshakes: Handshakes,
    sock_diag: SockDiag,
    rows: watch::Receiver<Vec<ReadyRow>>,
    faults: watch::Sender<Faults>,
    gauges: BTreeMap<Place, Gauge>,
    began: Instant,
}

impl Task {
    async fn run(mut self) {
        let mut pause = LOOK;
        while self.rows.has_changed().is_ok() && !self.faults.is_closed() {
            sleep(pause).await;
            let began = Instant::now();
            if let Err(error) = self.look().await {
                warn!(%error, "how servers accept connections cannot be told");
            }
            pause = LOOK.max(began.elapsed() * SHARE);
        }
    }

    async fn look(&mut self) -> io::Result<()> {
        let ports: BTreeSet<u16> = self.rows.borrow().iter().map(|row| row.port).collect();
        let counts = if ports.is_empty() {
            BTreeMap::new()
        } else {
            let waiting = self.waiting(&ports).await?;
            counts(waiting, &self.handshakes.read(&ports)?)
        };
        let now = self.began.elapsed();
        self.gauges.retain(|place, _| counts.contains_key(place));
        let mut shown = BTreeMap::new();
        for (place, counts) in counts {
            let gauge = self.gauges.entry(place);
            let gauge = gauge.or_insert_with(|| Gauge::new(counts, now));
            let responsiveness = gauge.take(counts, now);
            if responsiveness != Responsiveness::default() {
                shown.insert(place, responsiveness);
            }
        }
        let faults = if shown.is_empty() {
            Faults::new()
        } else {
            let places: BTreeSet<Place> = self.gauges.keys().copied().collect();
            faults(&self.rows.borrow(), &places, &shown)
        };
        self.faults.send_if_modified(|told| {
            let is_news = differ(told, &faults);
            if is_news {
                *told = faults;
            }
            is_news
        });
        Ok(())
    }

    /// How many connections wait at each listener of these ports to be accepted.
    async fn waiting(&mut self, ports: &BTreeSet<u16>) -> io::Result<BTreeMap<Place, u32>> {
        let mut waiting = BTreeMap::new();
        let dump = self
            .sock_diag
            .dump(StateFlags::LISTEN, Scope::Everything, |entry| {
                let (address, port) = (entry.local.ip(), entry.local.port());
                if ports.contains(&port) {
                    let place = (Some(address).filter(|ip| !ip.is_unspecified()), port);
                    *waiting.entry(place).or_default() += entry.waiting;
                }
            });
        dump.await?;
        Ok(waiting)
    }
}

/// Adds to what waits at each listener what has happened to the addresses that it listens on.
fn counts(
    waiting: BTreeMap<Place, u32>,
    handshakes: &BTreeMap<(IpAddr, u16), [u64; 2]>,
) -> BTreeMap<Place, Counts> {
    let mut counts: BTreeMap<Place, Counts> = waiting
        .into_iter()
        .map(|(place, waiting)| {
            let counts = Counts {
                waiting,
                ..Counts::default()
            };
            (place, counts)
        })
        .collect();
    for (&(address, port), [requests, established]) in handshakes {
        let own = (Some(address), port);
        let place = if counts.contains_key(&own) {
            own
        } else {
            (None, port)
        };
        if let Some(counts) = counts.get_mut(&place) {
            counts.requests += requests;
            counts.established += established;
        }
    }
    counts
}

/// Finds the rows whose listeners are not as they should be.
fn faults(
    rows: &[ReadyRow],
    places: &BTreeSet<Place>,
    shown: &BTreeMap<Place, Responsiveness>,
) -> Faults {
    let fault = |row: &ReadyRow| {
        let own = (Some(row.dvipa), row.port);
        let place = if places.contains(&own) {
            own
        } else {
            (None, row.port)
        };
        Some(((row.dvipa, row.port), *shown.get(&place)?))
    };
    rows.iter().filter_map(fault).collect()
}

/// Whether what is found is worth telling after what was told.
fn differ(told: &Faults, found: &Faults) -> bool {
    let of = |faults: &Faults, key| faults.get(key).copied().unwrap_or_default();
    let mut keys = told.keys().chain(found.keys());
    keys.any(|key| of(found, key).differs_from(of(told, key)))
}

/// The program that counts handshakes, and its counts.
struct Handshakes {
    counts: HashMap<MapData, [u8; size_of::<HandshakeKey>()], [u64; 2]>,
    /// Holds the program.
    _link: SockOpsLink,
}

impl Handshakes {
    const PROGRAM: &'static str = "count_handshakes";
    const MAP: &'static str = "HANDSHAKES";

    fn attach(object: &mut WatchObject) -> Result<Self, Arc<SockOpsError>> {
        let (map, link) = object.attach(Self::PROGRAM, Self::MAP)?;
        Ok(Self {
            counts: HashMap::try_from(map).map_err(SockOpsError::from)?,
            _link: link,
        })
    }

    /// The connections that were asked for and established so far, by local address and port.
    fn read(&self, ports: &BTreeSet<u16>) -> io::Result<BTreeMap<(IpAddr, u16), [u64; 2]>> {
        let mut read = BTreeMap::new();
        for key in self.counts.keys() {
            let bytes = key.map_err(io::Error::other)?;
            let Some(key) = HandshakeKey::parse(&bytes) else {
                continue;
            };
            let port = u16::try_from(key.port).unwrap_or_default();
            if ports.contains(&port) {
                let address = sock_ops::address(key.family, key.address);
                let counts = self.counts.get(&bytes, 0).map_err(io::Error::other)?;
                read.insert((address, port), counts);
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DVIPA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 8, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 8, 2));
    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const PORT: u16 = 8443;

    fn row(dvipa: IpAddr) -> ReadyRow {
        ReadyRow {
            dvipa,
            port: PORT,
            listeners: 1,
            is_quiesced: false,
            responsiveness: Responsiveness::default(),
            weight: None,
        }
    }

    #[test]
    fn a_listener_has_the_handshakes_of_the_addresses_that_it_listens_on() {
        let handshakes = [(DVIPA, [9, 8]), (OTHER, [5, 5]), (HOST, [2, 1])];
        let handshakes = handshakes.map(|(address, counts)| ((address, PORT), counts));
        let counts = counts(
            [((Some(DVIPA), PORT), 1), ((None, PORT), 4)].into(),
            &handshakes.into(),
        );
        let expected = |requests, established, waiting| Counts {
            requests,
            established,
            waiting,
        };
        assert_eq!(counts[&(Some(DVIPA), PORT)], expected(9, 8, 1));
        assert_eq!(counts[&(None, PORT)], expected(7, 6, 4));
        assert_eq!(counts.len(), 2);
    }

    #[test]
    fn a_fault_is_that_of_the_listener_that_the_kernel_chooses() {
        let slow = Responsiveness { cer: 100, sef: 25 };
        let rows = [row(DVIPA), row(OTHER)];
        let places: BTreeSet<Place> = [(Some(DVIPA), PORT), (None, PORT)].into();
        for (place, expected) in [((Some(DVIPA), PORT), DVIPA), ((None, PORT), OTHER)] {
            let found = faults(&rows, &places, &[(place, slow)].into());
            assert_eq!(found, [((expected, PORT), slow)].into());
        }
    }
}
