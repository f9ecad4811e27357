//! The configuration of one stack: what its profile says, checked and resolved.
//!
//! A `Config` exists only for a profile without errors. It contains no text
//! and no positions; the profile module keeps those.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Everything that one stack's profile asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `IPCONFIG DYNAMICXCF`: this stack's address inside the group, its identity as a target.
    pub dynamic_xcf: Option<DynamicXcf>,
    /// `IPCONFIG SYSPLEXROUTING`.
    pub sysplex_routing: bool,
    /// `VIPADEFINE` and `VIPABACKUP`, in the order of the profile; no address occurs twice.
    pub dvipas: Vec<Dvipa>,
    /// `VIPADISTRIBUTE`, one entry per DVIPA × port, in the order of the profile.
    pub services: Vec<Service>,
    /// `PORT`, in the order of the profile.
    pub ports: Vec<PortReservation>,
}

/// `DYNAMICXCF address mask cost_metric`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicXcf {
    /// The address by which every DESTIP list and every report names this stack.
    pub address: IpAddr,
    /// Length of the subnet mask in bits.
    pub prefix_len: u8,
    /// Cost metric, 0–14; kept and displayed.
    pub cost_metric: u8,
}

/// One `VIPADEFINE` or `VIPABACKUP` address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dvipa {
    /// The virtual address.
    pub address: IpAddr,
    /// Length of the mask in bits; absent on a passive `VIPABACKUP`.
    pub prefix_len: Option<u8>,
    /// Whether this stack defines the address or backs it up.
    pub role: DvipaRole,
}

/// What a stack is to a DVIPA by its own profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DvipaRole {
    /// `VIPADEFINE`: rank 255.
    Define {
        /// When the address may move back to its definer.
        moveable: Moveable,
    },
    /// `VIPABACKUP`.
    Backup {
        /// 1–254; the highest takes over first.
        rank: u8,
        /// Present when coded with `MOVEABLE`: only then may the backup create the address.
        moveable: Option<Moveable>,
    },
}

/// `MOVEABLE IMMEDIATE` or `MOVEABLE WHENIDLE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moveable {
    /// The address moves at once; its connections are forwarded.
    #[default]
    Immediate,
    /// The address moves when its last connection has ended.
    WhenIdle,
}

/// One row set of the destination port table: DVIPA × port with its method and targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// TCP port, host order, never 0.
    pub port: u16,
    /// `DISTMETHOD`.
    pub method: DistMethod,
    /// `DESTIP`.
    pub destinations: Destinations,
}

/// `DISTMETHOD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DistMethod {
    /// One connection each, in turn, over the ready stacks.
    RoundRobin,
}

/// `DESTIP`: the targets of a service by their DYNAMICXCF addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destinations {
    /// `DESTIP ALL`: every stack of the group with a DYNAMICXCF address, this one included.
    All,
    /// The listed addresses, in the order of the profile, 1–32, all distinct.
    List(Vec<IpAddr>),
}

/// One entry of a `PORT` statement; understood and displayed, not enforced yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortReservation {
    /// Port, host order.
    pub port: u16,
    /// `TCP` or `UDP`.
    pub protocol: PortProtocol,
    /// Job name, `*`, `OMVS` or `RESERVED`.
    pub user: String,
    /// `BIND address`.
    pub bind: Option<IpAddr>,
    /// `SHAREPORT` or `SHAREPORTWLM`.
    pub share: PortShare,
}

/// The transport protocol of a `PORT` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Whether several listeners may share a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortShare {
    /// One listener only.
    #[default]
    No,
    /// `SHAREPORT`.
    Shareport,
    /// `SHAREPORTWLM`.
    ShareportWlm,
}
