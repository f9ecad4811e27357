//! Clients that keep their listeners, by TIMEDAFFINITY: whose time is over.
//!
//! The program in the kernel notes which listener a client got, and forgets
//! nothing; so without a daemon, everybody keeps what he has. About once a second
//! the clients are compared with the connections that there are, beside the loop:
//! there may be tens of thousands of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use aya::maps::{self, Map, MapData};
use distributor_common::ports::{self, ShareKey, mapped, object};
use netlink_packet_sock_diag::inet::StateFlags;
use tracing::warn;

use crate::engine::affinity::{Fate, Timers, Use};
use crate::engine::forwarding::{ClientKey, ServiceKey};
use crate::shell::sock_diag::{Scope, SockDiag};

/// For how long clients of a service keep their listener that is not known to have any affinity: a
/// daemon that has just begun does not know yet.
const UNKNOWN_S: u16 = 60;

/// The clients, as the map has them.
type ClientMap = maps::HashMap<MapData, [u32; 9], [u64; 3]>;

/// The clients that keep a listener, and their timers.
pub(super) struct Clients {
    /// Absent while somebody reads it.
    map: Option<ClientMap>,
    timers: Timers,
    /// When each was last given a connection, as of the last round.
    used_ns: HashMap<ClientKey, u64>,
    /// Whether they could not be tended the last time.
    pub(super) has_failed: bool,
}

impl Clients {
    /// Opens the map that is pinned in a directory.
    pub(super) fn open(pin_dir: &Path) -> anyhow::Result<Self> {
        let data = MapData::from_pin(pin_dir.join(object::CLIENTS))?;
        let map = Map::from_map_data(data)?.try_into()?;
        Ok(Self {
            map: Some(map),
            timers: Timers::default(),
            used_ns: HashMap::new(),
            has_failed: false,
        })
    }

    /// Forgets the clients whose time is over. `services` says how many seconds each has.
    ///
    /// Cancelled, it tends nothing any more.
    pub(super) async fn tend(
        &mut self,
        services: &BTreeMap<ServiceKey, u16>,
        sock_diag: &mut SockDiag,
        now: Duration,
    ) -> anyhow::Result<()> {
        let known = self.read().await?;
        let dvipas: BTreeSet<IpAddr> = known.keys().map(|client| client.dvipa).collect();
        let connected = connected(sock_diag, &dvipas).await;
        let connected = connected.context("no dump of connections")?;
        let mut over = Vec::new();
        for (client, used_ns) in &known {
            let connections = if connected.contains(client) {
                Use::Connected
            } else if self.used_ns.get(client) == Some(used_ns) {
                Use::Idle
            } else {
                Use::Recent
            };
            let seconds = services.get(&client.service()).copied();
            let seconds = seconds.unwrap_or(UNKNOWN_S);
            if self.timers.judge(*client, connections, seconds, now) == Fate::Over {
                over.push((*client, *used_ns));
            }
        }
        self.timers.end_round();
        self.used_ns = known;
        self.forget(over).await
    }

    async fn read(&mut self) -> anyhow::Result<HashMap<ClientKey, u64>> {
        self.beside(|map| {
            let mut known = HashMap::new();
            for entry in map.iter() {
                // One that is removed while the map is read is the kernel's to remove.
                let Ok((words, [_, _, used_ns])) = entry else {
                    continue;
                };
                known.insert(client_key(ports::ClientKey::of(words)), used_ns);
            }
            known
        })
        .await
    }

    /// Removes clients that have not been given a connection since they were read.
    async fn forget(&mut self, over: Vec<(ClientKey, u64)>) -> anyhow::Result<()> {
        if over.is_empty() {
            return Ok(());
        }
        self.beside(move |map| {
            for (client, used_ns) in over {
                let words = packet_key(&client).words();
                if map
                    .get(&words, 0)
                    .is_ok_and(|[_, _, found]| found == used_ns)
                {
                    // The kernel may have forgotten it meanwhile.
                    let _ = map.remove(&words);
                }
            }
        })
        .await
    }

    /// Does something with the map that may take a while.
    async fn beside<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut ClientMap) -> R + Send + 'static,
    ) -> anyhow::Result<R> {
        let mut map = self
            .map
            .take()
            .context("the clients were not read to their end")?;
        let (map, result) = tokio::task::spawn_blocking(move || {
            let result = work(&mut map);
            (map, result)
        })
        .await?;
        self.map = Some(map);
        Ok(result)
    }
}

/// Tells the operator that affinity is lacking here.
pub(super) fn warn_of(error: &anyhow::Error) {
    warn!("clients do not keep their listeners as TIMEDAFFINITY says: {error:#}");
}

/// The clients that have a connection which neither side has begun to end.
async fn connected(
    sock_diag: &mut SockDiag,
    dvipas: &BTreeSet<IpAddr>,
) -> io::Result<HashSet<ClientKey>> {
    let mut found = HashSet::new();
    if dvipas.is_empty() {
        return Ok(found);
    }
    let states = StateFlags::ESTABLISHED | StateFlags::SYN_RECV;
    let dump = sock_diag.dump(states, Scope::Local(dvipas), |entry| {
        found.insert(ClientKey {
            client: entry.remote.ip(),
            dvipa: entry.local.ip(),
            port: entry.local.port(),
        });
    });
    dump.await?;
    Ok(found)
}

/// An address and a port as the kernel's programs have them.
pub(super) fn share_key(service: ServiceKey) -> ShareKey {
    ShareKey {
        address: words(service.dvipa),
        port: service.port.into(),
    }
}

fn packet_key(client: &ClientKey) -> ports::ClientKey {
    ports::ClientKey {
        client: words(client.client),
        service: share_key(client.service()),
    }
}

fn client_key(key: ports::ClientKey) -> ClientKey {
    ClientKey {
        client: address(key.client),
        dvipa: address(key.service.address),
        port: u16::try_from(key.service.port).unwrap_or_default(),
    }
}

fn words(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(address) => mapped(u32::from_ne_bytes(address.octets())),
        IpAddr::V6(address) => super::listeners::words(address.octets()),
    }
}

fn address(words: [u32; 4]) -> IpAddr {
    let mut octets = [0; 16];
    for (bytes, word) in octets.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    Ipv6Addr::from(octets).to_canonical()
}
