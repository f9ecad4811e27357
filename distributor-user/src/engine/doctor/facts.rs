//! What was found out about a stack and its host, before anybody judges it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use crate::engine::group::drops::DropReason;
use crate::engine::links::Link;
use crate::engine::report::{Configuration, Explain, Group, GroupRow, Stats, Sysplex, Vipadcfg};
use crate::engine::sysctls::Setting;

/// Everything that was found out.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The host, as its kernel tells.
    pub host: Host,
    /// The daemon.
    pub daemon: Daemon,
}

/// Whether the daemon answers.
#[derive(Clone, Debug)]
pub enum Daemon {
    /// It does.
    Running(Box<Said>),
    /// It does not.
    Stopped(Stopped),
}

/// What a running daemon says, in its reports.
#[derive(Clone, Debug)]
pub struct Said {
    /// The stack.
    pub name: String,
    /// CONFIG.
    pub config: Configuration,
    /// VIPADCFG.
    pub vipadcfg: Vipadcfg,
    /// SYSPLEX VIPADYN.
    pub sysplex: Sysplex,
    /// SYSPLEX GROUP.
    pub group: Group,
    /// EXPLAIN.
    pub explain: Explain,
    /// STATS, when the look began.
    pub stats: Stats,
    /// What of the group's traffic had no effect, a while later: what does not grow any more is over.
    pub later: Vec<GroupRow>,
    /// What is wrong with the file of the profile now; the profile in force is an earlier one.
    pub profile_errors: Option<String>,
}

/// What is known of a daemon that does not answer.
#[derive(Clone, Debug, Default)]
pub struct Stopped {
    /// The stack.
    pub name: String,
    /// Its admin socket.
    pub socket: Socket,
    /// What systemd says of how it ended.
    pub ended: Option<String>,
    /// Whether the packet path is still in the kernel.
    pub has_packet_path: bool,
    /// What a start would be refused for, the first check first.
    pub obstacles: Vec<Obstacle>,
}

/// The admin socket of a daemon that does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Socket {
    /// There is none: the daemon was stopped, or never started.
    #[default]
    Absent,
    /// There is one, and nobody behind it.
    LeftBehind,
    /// There is one, and somebody behind it who does not answer.
    Silent,
}

/// Something that a start is refused for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No file at this path.
    NoProfile(String),
    /// The profile has errors, which the text explains.
    Profile {
        /// The file.
        path: String,
        /// The first of them.
        first: String,
    },
    /// The profile has no DYNAMICXCF.
    NoIdentity(String),
    /// There is no key, or one that is not taken.
    Key(String),
    /// An interface cannot be chosen.
    Interface(String),
    /// No bpffs is mounted where the pins go.
    Bpffs(String),
    /// Something else.
    Other(String),
}

/// What the kernel of the host says.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The interfaces.
    pub nics: Vec<Nic>,
    /// Settings by interface, `all` among them.
    pub settings: BTreeMap<(String, Setting), i32>,
    /// Sockets that listen.
    pub listeners: Vec<Listener>,
    /// Neighbours that an administrator has fixed.
    pub fixed: Vec<Resolved>,
    /// Who answers by ARP for addresses that were asked for, on which interface.
    pub answering: Vec<Answering>,
    /// The ways to clients.
    pub clients: Vec<Reached>,
    /// The rules of nftables as `nft -j list ruleset` writes them; absent where there is no `nft`.
    pub ruleset: Option<Value>,
}

/// An interface with what is of no interest to a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// The interface.
    pub link: Link,
    /// Whether its link is up at the other end as well.
    pub has_carrier: bool,
    /// What it is a part of: a bridge, a bond.
    pub master: Option<String>,
    /// The name of the interface that it is on top of, as a VLAN is.
    pub lower: Option<String>,
    /// The XDP program on it.
    pub xdp: Option<Xdp>,
    /// Whether the hardware puts segments together (LRO).
    pub has_lro: bool,
}

/// An XDP program on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xdp {
    /// Its name; empty where the kernel does not tell.
    pub program: String,
    /// Whether it runs in the driver.
    pub is_native: bool,
}

/// A socket that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it is bound to.
    pub local: SocketAddr,
    /// Whether it takes no IPv4 connections though it is one of IPv6.
    pub is_v6_only: bool,
    /// The interface that it is bound to.
    pub interface: Option<String>,
    /// The process that has it, such as `nginx[812]`.
    pub process: Option<String>,
}

impl Said {
    /// How often the group's traffic had no effect for this reason, while the look lasted.
    #[must_use]
    pub fn refused(&self, reason: DropReason) -> u64 {
        let of = |rows: &[GroupRow]| {
            let mut rows = rows.iter();
            let row = rows.find(|row| row.reason == reason.name());
            row.map_or(0, |row| row.count)
        };
        of(&self.later).saturating_sub(of(&self.stats.group))
    }
}

impl Listener {
    /// Whether connections to this address arrive at it.
    #[must_use]
    pub fn takes(&self, address: IpAddr) -> bool {
        match self.local.ip() {
            IpAddr::V4(any) if any.is_unspecified() => address.is_ipv4(),
            IpAddr::V6(any) if any.is_unspecified() => address.is_ipv6() || !self.is_v6_only,
            bound @ (IpAddr::V4(_) | IpAddr::V6(_)) => bound == address,
        }
    }
}

/// A neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// On which interface.
    pub interface: String,
    /// Its address.
    pub address: IpAddr,
    /// Its Ethernet address.
    pub mac: [u8; 6],
}

/// Somebody else who answers for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answering {
    /// On which interface.
    pub interface: String,
    /// For which address.
    pub address: IpAddr,
    /// With which Ethernet address.
    pub mac: [u8; 6],
}

/// The way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The client.
    pub client: IpAddr,
    /// The interface; absent where the routes lead nowhere.
    pub interface: Option<String>,
    /// The MTU of the way.
    pub mtu: Option<u32>,
}
