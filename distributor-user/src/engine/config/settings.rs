//! IPCONFIG, IPCONFIG6 and GLOBALCONFIG: kept and displayed, not acted on yet.
//!
//! Every field has the value that z/OS takes where nothing is written.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::XcfNetwork;

/// `IPCONFIG` or `IPCONFIG6`, DYNAMICXCF of IPv4 and SYSPLEXROUTING excepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the language of its own"
)]
#[serde(default)]
pub struct IpSettings {
    /// `DATAGRAMFWD`.
    pub forwards: bool,
    /// `FWDMULTIPATH PERPACKET`.
    pub forwards_multipath: bool,
    /// `MULTIPATH`.
    pub multipath: Multipath,
    /// `SOURCEVIPA`.
    pub has_source_vipa: bool,
    /// `TCPSTACKSOURCEVIPA`: a DVIPA, or for IPv6 the name of its interface.
    pub tcp_stack_source_vipa: Option<String>,
    /// `PATHMTUDISCOVERY`.
    pub discovers_path_mtu: bool,
    /// `QDIOACCELERATOR`.
    pub accelerates: bool,
    /// `QDIOPRIORITY`, 1–4.
    pub accelerator_priority: Option<u8>,
    /// `FORMAT`.
    pub layout: Option<Layout>,
    /// `TTL`, or `HOPLIMIT` of IPv6.
    pub time_to_live: u8,
    /// `REASSEMBLYTIMEOUT` in seconds.
    pub reassembly_timeout_s: u8,
    /// What refines `DYNAMICXCF`.
    pub xcf: XcfSettings,
    /// `DYNAMICXCF` of `IPCONFIG6`.
    pub ipv6_xcf: Option<Ipv6Xcf>,
}

impl Default for IpSettings {
    fn default() -> Self {
        Self {
            forwards: true,
            forwards_multipath: false,
            multipath: Multipath::No,
            has_source_vipa: false,
            tcp_stack_source_vipa: None,
            discovers_path_mtu: false,
            accelerates: false,
            accelerator_priority: None,
            layout: None,
            time_to_live: 64,
            reassembly_timeout_s: 60,
            xcf: XcfSettings::default(),
            ipv6_xcf: None,
        }
    }
}

/// `MULTIPATH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Multipath {
    /// One route.
    #[default]
    No,
    /// One route for each connection.
    PerConnection,
    /// One route for each packet.
    PerPacket,
}

/// `FORMAT`: the layout of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// With room for IPv6 addresses.
    Long,
    /// 80 columns.
    Short,
}

/// What refines `DYNAMICXCF`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct XcfSettings {
    /// `SECCLASS`, 1–255.
    pub security_class: Option<u8>,
    /// `SMCD` or `NOSMCD`, where one is written.
    pub smcd: Option<bool>,
    /// `SOURCEVIPAINTERFACE`.
    pub source_vipa_interface: Option<String>,
}

/// `DYNAMICXCF` of `IPCONFIG6`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv6Xcf {
    /// The address.
    pub address: Ipv6Addr,
    /// Length of its prefix, where it is written.
    pub prefix_len: Option<u8>,
    /// `INTFID`.
    pub interface_id: Option<Ipv6Addr>,
}

impl Ipv6Xcf {
    /// Length of the prefix where none is written: all interface identifiers are of 64 bits (RFC 4291
    /// §2.5.1).
    pub const DEFAULT_PREFIX_LEN: u8 = 64;

    /// The address by which every DESTIP list names this stack for IPv6 DVIPAs.
    #[must_use]
    pub fn identity(&self) -> IpAddr {
        IpAddr::V6(self.address)
    }

    /// The address with its network.
    #[must_use]
    pub fn network(&self) -> XcfNetwork {
        XcfNetwork {
            address: self.identity(),
            prefix_len: self.prefix_len.unwrap_or(Self::DEFAULT_PREFIX_LEN),
        }
    }
}

/// `GLOBALCONFIG`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlobalSettings {
    /// `SYSPLEXMONITOR`.
    pub monitor: SysplexMonitor,
    /// `SYSPLEXWLMPOLL` in seconds, 1–180; 1 here where z/OS has 60: it costs nothing.
    pub wlm_poll_s: u8,
    /// `XCFGRPID`, 2–31.
    pub xcf_group_id: Option<u8>,
    /// `IQDVLANID`; 0 is none.
    pub iqd_vlan_id: u16,
    /// `EXPLICITBINDPORTRANGE`: first and last port.
    pub explicit_bind_ports: Option<(u16, u16)>,
    /// `ADJUSTDVIPAMSS`.
    pub adjust_mss: AdjustMss,
    /// `MAXRECS`; absent is `*`.
    pub max_records: Option<u16>,
    /// `TCPIPSTATISTICS`.
    pub has_statistics: bool,
    /// `ECSALIMIT`, as it is written.
    pub ecsa_limit: Option<String>,
    /// `POOLLIMIT`, as it is written.
    pub pool_limit: Option<String>,
}

impl Default for GlobalSettings {
    fn default() -> Self {
        Self {
            monitor: SysplexMonitor::default(),
            wlm_poll_s: 1,
            xcf_group_id: None,
            iqd_vlan_id: 0,
            explicit_bind_ports: None,
            adjust_mss: AdjustMss::Auto,
            max_records: Some(100),
            has_statistics: false,
            ecsa_limit: None,
            pool_limit: None,
        }
    }
}

/// `GLOBALCONFIG SYSPLEXMONITOR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the language of its own"
)]
#[serde(default)]
pub struct SysplexMonitor {
    /// `TIMERSECS`, 10–3600.
    pub timer_s: u16,
    /// `RECOVERY`.
    pub recovers: bool,
    /// `DELAYJOIN`.
    pub delays_join: bool,
    /// `AUTOREJOIN`.
    pub rejoins: bool,
    /// `MONINTERFACE`.
    pub watches_interfaces: bool,
    /// `DYNROUTE`.
    pub watches_routes: bool,
    /// False with `NOJOIN`.
    pub joins: bool,
    /// `DELAYJOINIPSEC`.
    pub delays_join_ipsec: bool,
    /// `MONIPSEC`.
    pub watches_ipsec: bool,
}

impl Default for SysplexMonitor {
    fn default() -> Self {
        Self {
            timer_s: 60,
            recovers: false,
            delays_join: false,
            rejoins: false,
            watches_interfaces: false,
            watches_routes: false,
            joins: true,
            delays_join_ipsec: false,
            watches_ipsec: false,
        }
    }
}

/// `ADJUSTDVIPAMSS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdjustMss {
    /// Where packets are encapsulated.
    #[default]
    Auto,
    /// For every connection to a DVIPA.
    All,
    /// Never.
    None,
}
