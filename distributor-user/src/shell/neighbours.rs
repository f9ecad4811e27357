//! Keeps the next hops of a set of paths, and the ways to a set of addresses: by which MAC address
//! each is reached.
//!
//! The kernel does the work: its routes say who the next hop is, and a
//! *managed* neighbour entry makes it resolve that one and keep it resolved
//! without any packet of ours. Nothing here sends or answers ARP. A path
//! whose next hop is not known for sure has no MAC address, not an old one.
//!
//! One task owns the paths. Cancelled between two events it leaves managed
//! entries behind, which the next start finds by their protocol number.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::MulticastGroup;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::engine::stack::{Hop, NextHopKey, OpenRoute, Route};

use super::links;
use super::netlink::{Netlink, RequestError, RouteEvent, RouteEvents};
use kernel::{Neighbour, Way};

pub(super) use asked::{fixed, way_to};

mod asked;
mod kernel;

#[cfg(test)]
mod tests;

/// Time between two looks at everything when nothing happens.
const BACKSTOP: Duration = Duration::from_secs(30);

/// Changes of routes and links come in bursts; this much of one is taken at once.
const BURST: Duration = Duration::from_millis(20);

/// A look at everything takes at most one part in this many of the task's time.
const LOOK_SHARE: u32 = 20;

/// Changes that wait for the receiver; the task waits when there are more.
const QUEUE: usize = 64;

/// The watch over the next hops of paths.
#[derive(Debug)]
pub struct NextHops {
    wanted: watch::Sender<Wanted>,
    task: JoinHandle<()>,
}

/// What is to be kept.
#[derive(Clone, Debug, Default)]
struct Wanted {
    paths: BTreeSet<NextHopKey>,
    addresses: BTreeSet<IpAddr>,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopChange {
    /// The next hop of a path.
    Path {
        /// The path.
        path: NextHopKey,
        /// Its MAC addresses; absent while unresolved.
        hop: Option<Hop>,
    },
    /// The way to an address.
    Route {
        /// The address.
        destination: IpAddr,
        /// How it is reached.
        route: Route,
    },
}

impl NextHops {
    /// Starts the task, in the network namespace of the calling thread.
    ///
    /// The receiver gets every change; a path is unresolved until it says
    /// otherwise, and of every address it hears at least once. Dropping the [`NextHops`] releases all neighbours a little
    /// later, [`Self::stop`] at once.
    ///
    /// # Errors
    ///
    /// The kernel refuses a socket.
    pub fn start(netlink: &Netlink) -> io::Result<(Self, mpsc::Receiver<HopChange>)> {
        let (sender, wanted) = watch::channel(Wanted::default());
        let (changes, received) = mpsc::channel(QUEUE);
        let task = Task {
            netlink: netlink.clone(),
            events: RouteEvents::open(&[
                MulticastGroup::Link,
                MulticastGroup::Neigh,
                MulticastGroup::Ipv4Route,
                MulticastGroup::Ipv6Route,
                MulticastGroup::Ipv4Rule,
                MulticastGroup::Ipv6Rule,
                MulticastGroup::Nexthop,
            ])?,
            wanted,
            changes,
            paths: BTreeMap::new(),
            routes: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            neighbours: BTreeMap::new(),
        };
        let task = tokio::spawn(task.run());
        Ok((
            Self {
                wanted: sender,
                task,
            },
            received,
        ))
    }

    /// Keeps the next hops of exactly these paths from now on.
    pub fn watch(&self, paths: BTreeSet<NextHopKey>) {
        self.wanted.send_modify(|wanted| wanted.paths = paths);
    }

    /// Keeps the ways to exactly these addresses from now on.
    pub fn follow(&self, addresses: BTreeSet<IpAddr>) {
        self.wanted
            .send_modify(|wanted| wanted.addresses = addresses);
    }

    /// Releases all neighbours; they are the kernel's own again when this returns.
    pub async fn stop(self) {
        drop(self.wanted);
        // A task that has panicked keeps nothing either.
        let _ = self.task.await;
    }
}

/// What is known about one path.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    /// The address of its next hop; absent without a route.
    next_hop: Option<IpAddr>,
    /// What the receiver knows.
    told: Option<Hop>,
}

/// What is known about the way to one address.
#[derive(Clone, Copy, Debug, Default)]
struct Routed {
    /// Absent without a route by Ethernet to another host, or before it was looked for.
    way: Option<Way>,
    is_known: bool,
    /// What the receiver knows.
    told: Option<Route>,
}

/// An interface that is up.
#[derive(Clone, Copy, Debug)]
struct Interface {
    mac: [u8; 6],
    mtu: u32,
}

struct Task {
    netlink: Netlink,
    events: RouteEvents,
    wanted: watch::Receiver<Wanted>,
    changes: mpsc::Sender<HopChange>,
    paths: BTreeMap<NextHopKey, Path>,
    routes: BTreeMap<IpAddr, Routed>,
    /// The Ethernet interfaces that are up.
    interfaces: BTreeMap<u32, Interface>,
    /// The neighbours that are next hops; absent MAC addresses are unresolved.
    neighbours: BTreeMap<(u32, IpAddr), Option<[u8; 6]>>,
}

/// Nobody wants to know any more.
struct Dropped;

impl Task {
    async fn run(mut self) {
        // Either the handle or the receiver is gone: both mean the end.
        let Dropped = self.watch().await;
        self.paths.clear();
        self.routes.clear();
        if let Err(error) = self.look().await {
            warn!(%error, "managed neighbours stay behind");
        }
    }

    async fn watch(&mut self) -> Dropped {
        let mut look_at = Instant::now();
        // No look before this.
        let mut rest_until = look_at;
        loop {
            tokio::select! {
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        return Dropped;
                    }
                    self.take_set();
                    look_at = Instant::now();
                    rest_until = look_at;
                }
                event = self.events.next() => match event {
                    Ok(event) => {
                        if self.take(&event) {
                            look_at = look_at.min(Instant::now() + BURST);
                        }
                    }
                    Err(error) => {
                        warn!(%error, "next hops are found by looking only");
                        tokio::time::sleep(BACKSTOP).await;
                    }
                },
                () = sleep_until(look_at.max(rest_until)) => {
                    let start = Instant::now();
                    let looked = self.look().await;
                    // A burst that goes on makes the next look wait; quiet makes it the backstop.
                    let now = Instant::now();
                    rest_until = now + (now - start) * LOOK_SHARE;
                    look_at = now + BACKSTOP;
                    if let Err(error) = looked {
                        // Such as a change while the kernel was listing.
                        warn!(%error, "next hops could not be looked up");
                        look_at = now + BURST;
                    }
                }
            }
            if let Err(dropped) = self.tell().await {
                return dropped;
            }
        }
    }

    fn take_set(&mut self) {
        let wanted = self.wanted.borrow_and_update();
        self.paths.retain(|path, _| wanted.paths.contains(path));
        for path in &wanted.paths {
            self.paths.entry(*path).or_default();
        }
        self.routes
            .retain(|address, _| wanted.addresses.contains(address));
        for address in &wanted.addresses {
            self.routes.entry(*address).or_default();
        }
    }

    /// Takes an event; says whether everything must be looked at anew.
    fn take(&mut self, event: &RouteEvent) -> bool {
        let RouteEvent::Message(message) = event else {
            return true;
        };
        if let RouteNetlinkMessage::NewNeighbour(entry) = message {
            Neighbour::read(entry).is_some_and(|neighbour| self.take_neighbour(&neighbour))
        } else if let RouteNetlinkMessage::DelNeighbour(entry) = message {
            Neighbour::read(entry).is_some_and(|neighbour| self.take_neighbour(&neighbour.gone()))
        } else if let RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link) =
            message
        {
            let ifindex = link.header.index;
            !self.routes.is_empty() || self.paths.keys().any(|path| path.ifindex == ifindex)
        } else {
            !self.paths.is_empty() || !self.routes.is_empty()
        }
    }

    fn take_neighbour(&mut self, neighbour: &Neighbour) -> bool {
        let Some(mac) = self.neighbours.get_mut(&neighbour.key()) else {
            return false;
        };
        *mac = neighbour.mac;
        // Otherwise somebody has removed the entry, or made it one that nobody keeps.
        !neighbour.is_kept()
    }

    /// Looks at links, routes and neighbours, and has the kernel keep the right ones.
    async fn look(&mut self) -> Result<(), RequestError> {
        let links = links::list(&self.netlink).await?;
        self.interfaces = links
            .iter()
            .filter(|link| link.is_up)
            .filter_map(|link| {
                let (mac, mtu) = (link.mac?, link.mtu);
                Some((link.index, Interface { mac, mtu }))
            })
            .collect();
        for (key, path) in &mut self.paths {
            path.next_hop = if self.interfaces.contains_key(&key.ifindex) {
                kernel::next_hop(&self.netlink, key).await
            } else {
                None
            };
        }
        for (address, routed) in &mut self.routes {
            let way = kernel::way(&self.netlink, *address).await;
            routed.way = way.filter(|way| self.interfaces.contains_key(&way.ifindex));
            routed.is_known = true;
        }
        let next_hop = |(key, path): (&NextHopKey, &Path)| Some((key.ifindex, path.next_hop?));
        let by_route = |(address, routed): (&IpAddr, &Routed)| Some(routed.way?.next_hop(*address));
        let needed: BTreeSet<(u32, IpAddr)> = self
            .paths
            .iter()
            .filter_map(next_hop)
            .chain(self.routes.iter().filter_map(by_route))
            .collect();

        let present = kernel::neighbours(&self.netlink).await?;
        self.neighbours = needed.iter().map(|key| (*key, None)).collect();
        let mut kept = BTreeSet::new();
        for neighbour in &present {
            if let Some(mac) = self.neighbours.get_mut(&neighbour.key()) {
                *mac = neighbour.mac;
                if neighbour.is_kept() {
                    kept.insert(neighbour.key());
                }
            } else if neighbour.is_managed_by_us {
                kernel::release(&self.netlink, neighbour.key()).await?;
            }
        }
        for key in needed.difference(&kept) {
            // The interface may have gone down since; then its event is on the way.
            if let Err(error) = kernel::manage(&self.netlink, *key).await {
                debug!(%error, "a next hop is not kept");
            }
        }
        Ok(())
    }

    /// Tells the receiver what has changed for it.
    async fn tell(&mut self) -> Result<(), Dropped> {
        let mut changes = Vec::new();
        for (key, path) in &self.paths {
            let hop = path.next_hop.and_then(|next_hop| {
                let is_direct = next_hop == key.destination;
                self.hop((key.ifindex, next_hop), is_direct)
            });
            if path.told != hop {
                changes.push(HopChange::Path { path: *key, hop });
            }
        }
        for (address, routed) in self.routes.iter().filter(|(_, routed)| routed.is_known) {
            let route = self.route(*address, routed.way);
            if routed.told != Some(route) {
                changes.push(HopChange::Route {
                    destination: *address,
                    route,
                });
            }
        }
        for change in changes {
            match change {
                HopChange::Path { path, hop } => {
                    self.paths.entry(path).or_default().told = hop;
                }
                HopChange::Route { destination, route } => {
                    self.routes.entry(destination).or_default().told = Some(route);
                }
            }
            self.changes.send(change).await.map_err(|_closed| Dropped)?;
        }
        Ok(())
    }

    /// How an address is reached on the way that the kernel's routes say.
    fn route(&self, address: IpAddr, way: Option<Way>) -> Route {
        let Some(way) = way else {
            return Route::None;
        };
        let mtu = self.interfaces.get(&way.ifindex).map(|link| link.mtu);
        let hop = self.hop(way.next_hop(address), way.gateway.is_none());
        let (Some(hop), Some(mtu)) = (hop, mtu) else {
            return Route::Unanswered;
        };
        let mtu = way.mtu.map_or(mtu, |limit| limit.min(mtu));
        Route::Open(OpenRoute {
            ifindex: way.ifindex,
            hop,
            gateway: way.gateway,
            source: way.source,
            mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
        })
    }

    /// The MAC addresses on the way to a neighbour, if it is resolved.
    fn hop(&self, neighbour: (u32, IpAddr), is_direct: bool) -> Option<Hop> {
        Some(Hop {
            source_mac: self.interfaces.get(&neighbour.0)?.mac,
            next_hop_mac: (*self.neighbours.get(&neighbour)?)?,
            is_direct,
        })
    }
}
