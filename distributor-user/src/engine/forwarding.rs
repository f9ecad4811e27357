//! What the packet path should do, in the engine's words.
//!
//! The engine names targets by their DYNAMICXCF addresses and services by
//! DVIPA and port. A stack that has two is two targets: one for each family of
//! DVIPAs, by the address of that family. Slots, rings and map entries are the data plane's business:
//! it keeps the numbering stable across restarts, because flows refer to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::config::{RouteEncapsulation, Service};
use super::xcf::XcfAddresses;

/// The complete desired state of the packet path of one stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// How each member is reached that anything leads to, by each of its DYNAMICXCF addresses; this
    /// stack itself is [`Path::Local`]. A target that is gone from here keeps its slot and its flows
    /// until the last of them has ended.
    pub targets: BTreeMap<IpAddr, Path>,
    /// What this stack distributes: on DVIPAs that it owns, or is about to.
    pub services: BTreeMap<ServiceKey, ServiceTargets>,
    /// Every DVIPA that is on this stack, owned or hidden.
    pub dvipas: BTreeMap<IpAddr, DvipaForwarding>,
    /// Services of which connections that start on this stack stay on it, while a server listens.
    pub kept: BTreeSet<ServiceKey>,
    /// Which member, by its DYNAMICXCF addresses, sends from which Ethernet address; of all its
    /// interfaces.
    pub senders: BTreeMap<[u8; 6], XcfAddresses>,
    /// Which member, by its DYNAMICXCF addresses, sends packets inside others between which addresses.
    pub tunnels: BTreeMap<Ends, XcfAddresses>,
}

impl Forwarding {
    /// Whether this stack distributes a DVIPA.
    #[must_use]
    pub fn distributes(&self, dvipa: IpAddr) -> bool {
        let ports = ServiceKey { dvipa, port: 0 }..;
        let first = self.services.range(ports).next();
        first.is_some_and(|(key, _)| key.dvipa == dvipa)
    }
}

/// Who may send packets for a DVIPA to whom. Stacks are named by their DYNAMICXCF addresses of its
/// family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DvipaForwarding {
    /// The owner; may be this stack. Absent: nobody is known to own it.
    pub owner: Option<IpAddr>,
    /// A member that is about to own it: new connections from it are taken as well.
    pub claimant: Option<IpAddr>,
    /// The targets that an unknown flow is offered to, in this order, which is the same on every
    /// stack; the owner is not among them.
    pub offers: Arc<[IpAddr]>,
    /// Counter of the owner's epoch, kept for the daemon's successor.
    pub epoch: u64,
    /// Whether another member could own it: only then does the packet path fence itself when the
    /// daemon falls silent.
    pub has_successor: bool,
}

/// A service: one DVIPA × port; TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// TCP port, host order.
    pub port: u16,
}

impl ServiceKey {
    /// The key of a service.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        Self {
            dvipa: service.dvipa,
            port: service.port,
        }
    }
}

impl From<&FlowKey> for ServiceKey {
    fn from(flow: &FlowKey) -> Self {
        Self {
            dvipa: flow.dvipa.to_canonical(),
            port: flow.port,
        }
    }
}

/// The targets of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceTargets {
    /// DYNAMICXCF addresses of all targets, at most 32; connections are counted per row.
    pub rows: Arc<[IpAddr]>,
    /// Indices into `rows` in the order in which new connections are handed out.
    /// Empty: no target is ready.
    pub ring: Arc<[u16]>,
    /// How a new connection gets its place in the ring.
    pub choice: Choice,
    /// Whether a client keeps its target: TIMEDAFFINITY.
    pub affinity: Option<Affinity>,
}

/// How long clients keep their targets, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// Seconds from the end of a client's last connection on, at least 1.
    pub seconds: u16,
    /// Indices into the rows, ascending: targets that may be handed a connection. Others are kept
    /// by nobody.
    pub ready: Arc<[u16]>,
}

/// How a new connection gets its place in a ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// One place after the other.
    #[default]
    Turn,
    /// By a hash of its addresses and ports, under the group's key: on every stack the same.
    Hash,
    /// The one whose target has the fewest connections for its weight. A target has one place.
    Active {
        /// The weight at each place, 1–99.
        weights: Arc<[u8]>,
    },
}

impl ServiceTargets {
    /// The targets that are handed new connections, in no particular order.
    pub fn active(&self) -> impl Iterator<Item = IpAddr> {
        // There may be thousands of places; there are few rows.
        let named = self
            .ring
            .iter()
            .fold(0_u32, |rows, row| rows | 1 << (row % 32));
        let rows = self.rows.iter().take(32).zip(0..);
        rows.filter(move |(_, row)| named >> row & 1 != 0)
            .map(|(target, _)| *target)
    }

    /// The target that a ring begins with: with a ring of one place, whoever gets everything.
    #[must_use]
    pub fn next(&self) -> Option<IpAddr> {
        let row = self.ring.first()?;
        self.rows.get(usize::from(*row)).copied()
    }
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The target is this stack: packets are passed to its kernel.
    Local,
    /// The next hop is on the link of `ifindex`: same packet, new MAC addresses.
    Link {
        /// Interface to send from; `XDP_TX` if the packet came in on it, else `XDP_REDIRECT`.
        ifindex: u32,
        /// MAC address of that interface.
        source_mac: [u8; 6],
        /// MAC address of the next hop.
        next_hop_mac: [u8; 6],
    },
    /// The next hop is on the link of `ifindex`, and the target somewhere behind it: the packet
    /// travels inside another.
    Tunnel {
        /// Interface to send from.
        ifindex: u32,
        /// MAC address of that interface.
        source_mac: [u8; 6],
        /// MAC address of the next hop.
        next_hop_mac: [u8; 6],
        /// The packet around it.
        tunnel: Tunnel,
    },
    /// No path answers at present.
    Unreachable,
}

impl Path {
    /// The interface that packets leave by, if they leave.
    #[must_use]
    pub const fn interface(&self) -> Option<u32> {
        match self {
            Self::Local | Self::Unreachable => None,
            Self::Link { ifindex, .. } | Self::Tunnel { ifindex, .. } => Some(*ifindex),
        }
    }
}

/// How packets are put into others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The kind of packet around them.
    pub encapsulation: RouteEncapsulation,
    /// From where to where that goes; both are of the same family.
    pub ends: Ends,
    /// How long it may be.
    pub mtu: u16,
}

/// From where to where a packet goes that carries others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ends {
    /// Address of the stack that has sent it.
    pub source: IpAddr,
    /// Address of the stack that opens it.
    pub destination: IpAddr,
}

/// The client's half of a connection, as the flow table keys it; host byte order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct FlowKey {
    /// The client's address.
    pub client: IpAddr,
    /// The client's port.
    pub client_port: u16,
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The service's port.
    pub port: u16,
}

/// A client of a service, whatever port it connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    /// The client's address.
    pub client: IpAddr,
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The service's port.
    pub port: u16,
}

impl From<&FlowKey> for ClientKey {
    fn from(flow: &FlowKey) -> Self {
        Self {
            client: flow.client.to_canonical(),
            dvipa: flow.dvipa.to_canonical(),
            port: flow.port,
        }
    }
}

impl ClientKey {
    /// The service.
    #[must_use]
    pub const fn service(&self) -> ServiceKey {
        ServiceKey {
            dvipa: self.dvipa,
            port: self.port,
        }
    }
}

/// A client that keeps its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptClient {
    /// The client.
    pub key: ClientKey,
    /// DYNAMICXCF address of the target.
    pub target: IpAddr,
    /// Seconds that are left; absent while it has a connection.
    pub left_s: Option<u16>,
}

/// One row of the connection routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Whose connection this is.
    pub key: FlowKey,
    /// DYNAMICXCF address of the target that terminates it.
    pub target: IpAddr,
    /// How far the connection has come, as this side can know it.
    pub state: FlowState,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowState {
    /// The client's SYN was seen, its first segment after it not yet.
    HalfOpen,
    /// The client has completed the handshake.
    Established,
    /// A FIN, a RST or the target's report was seen; the target may still know the connection.
    Ending,
}
