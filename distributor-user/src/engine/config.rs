//! The configuration of one stack: what its profile says, checked and resolved.
//!
//! A `Config` exists only for a profile without errors. It contains no text
//! and no positions; the profile module keeps those.

mod distribution;
mod dvipa;
mod ports;
mod settings;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

pub use distribution::{
    Destination, Destinations, DistMethod, DistOptions, Distribution, DynamicService,
    Encapsulation, Processors, Service, Standby, Terms, Tier, TierGroup,
};
pub use dvipa::{
    Dvipa, DvipaOptions, DvipaRole, Moveable, RangeMoveable, RangeUse, RouteEncapsulation,
    ServiceManager, VipaRange, VipaRoute,
};
pub use ports::{
    AcknowledgeMode, Enforced, PortOptions, PortProtocol, PortRange, PortReservation, PortShare,
    PortUser, SmcMode, UnreservedPorts,
};
pub use settings::{
    AdjustMss, GlobalSettings, IpSettings, Ipv6Xcf, Layout, Multipath, SysplexMonitor, XcfSettings,
};

use serde::{Deserialize, Serialize};

use super::xcf::XcfAddresses;

/// Everything that one stack's profile asks for.
///
/// What the daemon does not act on yet is here as well: reports show it. What is read back may have been
/// written by an earlier release: fields that it does not have are as if nothing were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// `IPCONFIG DYNAMICXCF`: this stack's IPv4 address inside the group, its identity as a target.
    pub dynamic_xcf: Option<DynamicXcf>,
    /// `IPCONFIG SYSPLEXROUTING`.
    pub sysplex_routing: bool,
    /// The other settings of `IPCONFIG`.
    pub ip: IpSettings,
    /// The settings of `IPCONFIG6`, if it is there.
    pub ip6: Option<IpSettings>,
    /// `GLOBALCONFIG`.
    pub global: GlobalSettings,
    /// `VIPADEFINE` and `VIPABACKUP`, in the order of the profile; no address occurs twice.
    pub dvipas: Vec<Dvipa>,
    /// By which interface statements name each IPv6 DVIPA, in capitals; no two have the same.
    pub interfaces: BTreeMap<Ipv6Addr, String>,
    /// `VIPADISTRIBUTE` with `PORT`, one entry per DVIPA × port, in the order of the profile.
    #[serde(with = "distribution::grouped")]
    pub services: Vec<Service>,
    /// `VIPADISTRIBUTE` without `PORT`: ports that servers choose.
    pub dynamic_services: Vec<DynamicService>,
    /// `VIPAROUTE`; no DYNAMICXCF address occurs twice.
    pub routes: Vec<VipaRoute>,
    /// `VIPARANGE`; no network occurs twice.
    pub ranges: Vec<VipaRange>,
    /// `VIPASMPARMS`.
    pub service_manager: Option<ServiceManager>,
    /// `PORT`, in the order of the profile.
    pub ports: Vec<PortReservation>,
    /// `PORTRANGE`, in the order of the profile; no two share a port, nor one with `ports`.
    pub port_ranges: Vec<PortRange>,
    /// `PORT UNRSV`, in the order of the profile.
    pub unreserved: Vec<UnreservedPorts>,
}

impl Config {
    /// The `DYNAMICXCF` of `IPCONFIG6`.
    #[must_use]
    pub fn ipv6_xcf(&self) -> Option<&Ipv6Xcf> {
        self.ip6.as_ref()?.ipv6_xcf.as_ref()
    }

    /// By which addresses this stack is known in the group; absent without any `DYNAMICXCF`.
    #[must_use]
    pub fn xcf(&self) -> Option<XcfAddresses> {
        XcfAddresses::of(self.xcf_networks().map(|network| network.address))
    }

    /// Each `DYNAMICXCF` address with its network, IPv4 first.
    pub fn xcf_networks(&self) -> impl Iterator<Item = XcfNetwork> {
        let ipv4 = self.dynamic_xcf.map(DynamicXcf::network);
        let ipv6 = self.ipv6_xcf().map(Ipv6Xcf::network);
        ipv4.into_iter().chain(ipv6)
    }

    /// Whether anything in it needs IPv6 on the host.
    #[must_use]
    pub fn has_ipv6(&self) -> bool {
        let mut dvipas = self.dvipas.iter();
        self.ipv6_xcf().is_some() || dvipas.any(|dvipa| dvipa.address.is_ipv6())
    }

    /// The interface by which statements name an IPv6 DVIPA.
    #[must_use]
    pub fn interface_of(&self, dvipa: IpAddr) -> Option<&str> {
        match dvipa {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => self.interfaces.get(&address).map(String::as_str),
        }
    }
}

/// A `DYNAMICXCF` address of either family, with its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XcfNetwork {
    /// The address.
    pub address: IpAddr,
    /// Length of the network's prefix in bits.
    pub prefix_len: u8,
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

impl DynamicXcf {
    /// The address with its network.
    #[must_use]
    pub fn network(self) -> XcfNetwork {
        XcfNetwork {
            address: self.address,
            prefix_len: self.prefix_len,
        }
    }
}
