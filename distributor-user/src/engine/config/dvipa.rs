//! DVIPAs, and what else VIPADYNAMIC says about addresses.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::Tier;

/// One `VIPADEFINE` or `VIPABACKUP` address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dvipa {
    /// The virtual address.
    pub address: IpAddr,
    /// Length of the mask in bits; absent on a passive `VIPABACKUP`.
    pub prefix_len: Option<u8>,
    /// Whether this stack defines the address or backs it up.
    pub role: DvipaRole,
    /// What else the statement says.
    #[serde(default)]
    pub options: DvipaOptions,
}

impl Dvipa {
    /// A DVIPA without further options.
    #[must_use]
    pub fn new(address: IpAddr, prefix_len: Option<u8>, role: DvipaRole) -> Self {
        Self {
            address,
            prefix_len,
            role,
            options: DvipaOptions::default(),
        }
    }
}

/// Options of `VIPADEFINE` and `VIPABACKUP` that are kept and displayed, not acted on yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DvipaOptions {
    /// `TIER1` or `TIER2`.
    pub tier: Option<Tier>,
    /// `CPCSCOPE`: the address never moves to another machine.
    pub is_cpc_scope: bool,
    /// `SERVICEMGR`.
    pub is_service_managed: bool,
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

/// `VIPAROUTE`: a target is reached by a routed address instead of its DYNAMICXCF network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipaRoute {
    /// The target by its DYNAMICXCF address.
    pub dynamic_xcf: IpAddr,
    /// A static address of the same target, of the same family.
    pub target: IpAddr,
    /// How packets are put into others on the way there.
    #[serde(default)]
    pub encapsulation: RouteEncapsulation,
}

/// How packets are put into others on the way of a `VIPAROUTE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RouteEncapsulation {
    /// `GRE`, what z/OS does.
    #[default]
    Gre,
    /// `IPIP`: directly, without a header in between.
    Ipip,
}

impl RouteEncapsulation {
    /// The word of the statement.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Gre => "GRE",
            Self::Ipip => "IPIP",
        }
    }
}

/// `VIPARANGE`: applications create DVIPAs of this network by binding them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipaRange {
    /// The network, host bits zero.
    pub network: IpAddr,
    /// Length of its mask in bits.
    pub prefix_len: u8,
    /// What happens to connections when another stack binds an address.
    pub moveable: RangeMoveable,
    /// Name of the interfaces; IPv6 only.
    pub interface: Option<String>,
    /// `SAF resname`.
    pub saf: Option<String>,
    /// What the range is for.
    pub used_by: RangeUse,
}

/// `MOVEABLE` of `VIPARANGE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RangeMoveable {
    /// `NONDISRUPTIVE`: connections go on.
    #[default]
    NonDisruptive,
    /// `DISRUPTIVE`: connections end.
    Disruptive,
}

/// The qualifying word of `VIPARANGE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RangeUse {
    /// Any application.
    #[default]
    Applications,
    /// `ZCX`.
    Zcx,
    /// `ZCONT`.
    Zcont,
    /// `ZCPA`.
    Zcpa,
}

/// `VIPASMPARMS`; the password is not kept, as nothing can use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceManager {
    /// `SMMCAST`.
    pub multicast: Ipv4Addr,
    /// `SMPORT`.
    pub port: u16,
    /// Whether `SMPASS` is there.
    pub has_password: bool,
}
