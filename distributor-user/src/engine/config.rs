//! The configuration of one stack: what its profile says, checked and resolved.
//!
//! A `Config` exists only for a profile without errors. It contains no text
//! and no positions; the profile module keeps those.

mod distribution;
mod dvipa;
mod ports;
mod settings;

use std::net::IpAddr;

pub use distribution::{
    Destination, Destinations, DistMethod, DistOptions, DynamicService, Encapsulation, Processors,
    Service, Standby, Terms, Tier, TierGroup,
};
pub use dvipa::{
    Dvipa, DvipaOptions, DvipaRole, Ipv6Dvipa, Moveable, RangeMoveable, RangeUse,
    RouteEncapsulation, ServiceManager, VipaRange, VipaRoute,
};
pub use ports::{
    AcknowledgeMode, Enforced, PortOptions, PortProtocol, PortRange, PortReservation, PortShare,
    PortUser, SmcMode, UnreservedPorts,
};
pub use settings::{
    AdjustMss, GlobalSettings, IpSettings, Ipv6Xcf, Layout, Multipath, SysplexMonitor, XcfSettings,
};

use serde::{Deserialize, Serialize};

/// Everything that one stack's profile asks for.
///
/// What the daemon does not act on yet is here as well: reports show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `IPCONFIG DYNAMICXCF`: this stack's address inside the group, its identity as a target.
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
    /// IPv6 addresses of `VIPADEFINE` and `VIPABACKUP`: kept and displayed, never placed yet.
    pub ipv6_dvipas: Vec<Ipv6Dvipa>,
    /// `VIPADISTRIBUTE` with `PORT`, one entry per DVIPA × port, in the order of the profile.
    pub services: Vec<Service>,
    /// `VIPADISTRIBUTE` without `PORT`: ports that servers choose.
    pub dynamic_services: Vec<DynamicService>,
    /// `VIPADISTRIBUTE` of IPv6 DVIPAs; kept and displayed, never distributed yet.
    pub ipv6_services: Vec<Service>,
    /// The same without `PORT`.
    pub ipv6_dynamic_services: Vec<DynamicService>,
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
