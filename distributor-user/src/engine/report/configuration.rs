//! CONFIG: the settings of this stack, as far as they concern the sysplex.

mod text;

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::Column;
use crate::engine::config::{self, AdjustMss, Config, Multipath};

pub(super) use text::text;

/// The settings of this stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// IPCONFIG.
    pub ip: IpRow,
    /// IPCONFIG6; null without it.
    pub ip6: Option<IpRow>,
    /// GLOBALCONFIG.
    pub global: GlobalRow,
    /// GLOBALCONFIG SYSPLEXMONITOR.
    pub monitor: MonitorRow,
    /// What the daemon was told on its command line.
    pub daemon: DaemonRow,
}

/// IPCONFIG or IPCONFIG6; all but DYNAMICXCF is kept and displayed, not acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the language of its own"
)]
pub struct IpRow {
    /// DATAGRAMFWD.
    pub forwards: bool,
    /// TTL, or HOPLIMIT of IPv6.
    pub time_to_live: u8,
    /// REASSEMBLYTIMEOUT in seconds.
    pub reassembly_timeout_s: u8,
    /// MULTIPATH.
    #[schemars(extend("enum" = ["No", "Conn", "Pkt"]))]
    pub multipath: String,
    /// SOURCEVIPA.
    pub has_source_vipa: bool,
    /// TCPSTACKSOURCEVIPA: a DVIPA, or the name of its interface; null without it.
    pub tcp_stack_source_vipa: Option<String>,
    /// PATHMTUDISCOVERY.
    pub discovers_path_mtu: bool,
    /// QDIOACCELERATOR.
    pub accelerates: bool,
    /// SYSPLEXROUTING.
    pub sysplex_routing: bool,
    /// DYNAMICXCF; null without it.
    pub dynamic_xcf: Option<DynamicXcfRow>,
}

/// DYNAMICXCF.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DynamicXcfRow {
    /// The address: this stack's identity in the group.
    pub address: IpAddr,
    /// Length of the mask of its network in bits; null where an IPv6 address has none.
    pub prefix_len: Option<u8>,
    /// Cost metric, 0 to 14; null for IPv6.
    pub cost_metric: Option<u8>,
    /// SECCLASS, 1 to 255; null without it.
    pub security_class: Option<u8>,
    /// SOURCEVIPAINTERFACE; null without it.
    pub source_vipa_interface: Option<String>,
}

/// GLOBALCONFIG; kept and displayed, not acted on, MAXRECS excepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlobalRow {
    /// XCFGRPID, 2 to 31; null without it.
    pub xcf_group_id: Option<u8>,
    /// IQDVLANID; 0 is none.
    pub iqd_vlan_id: u16,
    /// SYSPLEXWLMPOLL in seconds.
    pub wlm_poll_s: u8,
    /// MAXRECS: how many records a report has at the console; null for all.
    pub max_records: Option<u16>,
    /// First port of EXPLICITBINDPORTRANGE; null without it.
    pub explicit_bind_first: Option<u16>,
    /// Last port of EXPLICITBINDPORTRANGE; null without it.
    pub explicit_bind_last: Option<u16>,
    /// ADJUSTDVIPAMSS.
    #[schemars(extend("enum" = ["Auto", "All", "None"]))]
    pub adjust_dvipa_mss: String,
}

/// GLOBALCONFIG SYSPLEXMONITOR; kept and displayed, not acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the language of its own"
)]
pub struct MonitorRow {
    /// TIMERSECS in seconds.
    pub timer_s: u16,
    /// RECOVERY.
    pub recovers: bool,
    /// DELAYJOIN.
    pub delays_join: bool,
    /// AUTOREJOIN.
    pub rejoins: bool,
    /// MONINTERFACE.
    pub watches_interfaces: bool,
    /// DYNROUTE.
    pub watches_routes: bool,
    /// Whether the stack joins the group by itself: not with NOJOIN.
    pub joins: bool,
    /// MONIPSEC.
    pub watches_ipsec: bool,
    /// DELAYJOINIPSEC.
    pub delays_join_ipsec: bool,
}

/// What the daemon was told on its command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonRow {
    /// The file of the profile.
    pub profile: String,
    /// The interface of the DYNAMICXCF network.
    pub xcf_interface: String,
    /// The interfaces on which packets for DVIPAs arrive.
    pub interfaces: Vec<String>,
    /// The group's UDP port.
    pub group_port: u16,
    /// The addresses at which the group is talked to, as they were found at the start.
    pub group_addresses: Vec<GroupAddressRow>,
    /// How many flows a new flow table has room for.
    pub flow_capacity: u32,
    /// How long a clean stop waits for connections, in seconds.
    pub stop_deadline_s: u64,
}

/// An address at which other stacks find this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupAddressRow {
    /// The interface.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// Length of its network's prefix in bits.
    pub prefix_len: u8,
}

/// What the layouts call the settings.
pub(super) const COLUMNS: &[Column] = &[
    Column::only_long("ip.forwards", "Forwarding"),
    Column::only_long("ip.time_to_live", "TimeToLive"),
    Column::only_long("ip.reassembly_timeout_s", "RsmTimeOut"),
    Column::only_long("ip.multipath", "MultiPath"),
    Column::only_long("ip.discovers_path_mtu", "PathMtuDsc"),
    Column::only_long("ip.has_source_vipa", "SourceVipa"),
    Column::only_long("ip.accelerates", "QDIOAccel"),
    Column::only_long("ip.tcp_stack_source_vipa", "TcpStackSrcVipa"),
    Column::only_long("ip.sysplex_routing", "SysplexRout"),
    Column::only_long("ip.dynamic_xcf", "DynamicXCF"),
    Column::only_long("ip.dynamic_xcf.address", "IpAddr"),
    Column::only_long("ip.dynamic_xcf.prefix_len", "SubNet"),
    Column::only_long("ip.dynamic_xcf.cost_metric", "Metric"),
    Column::only_long("ip.dynamic_xcf.security_class", "SecClass"),
    Column::only_long("ip.dynamic_xcf.source_vipa_interface", "SrcVipaInt"),
    Column::only_long("global.xcf_group_id", "XCFGRPID"),
    Column::only_long("global.iqd_vlan_id", "IQDVLANID"),
    Column::only_long("global.wlm_poll_s", "SysplexWLMPoll"),
    Column::only_long("global.max_records", "MaxRecs"),
    Column::only_long("global.explicit_bind_first", "ExplicitBindPortRange"),
    Column::only_long("global.explicit_bind_last", "ExplicitBindPortRange"),
    Column::only_long("global.adjust_dvipa_mss", "AdjustDVIPAMSS"),
    Column::only_long("monitor.timer_s", "TimerSecs"),
    Column::only_long("monitor.recovers", "Recovery"),
    Column::only_long("monitor.delays_join", "DelayJoin"),
    Column::only_long("monitor.rejoins", "AutoRejoin"),
    Column::only_long("monitor.watches_interfaces", "MonIntf"),
    Column::only_long("monitor.watches_routes", "DynRoute"),
    Column::only_long("monitor.joins", "Join"),
    Column::only_long("monitor.watches_ipsec", "MonIpSec"),
    Column::only_long("monitor.delays_join_ipsec", "DelayJoinIpSec"),
    Column::only_long("daemon.profile", "Profile"),
    Column::only_long("daemon.xcf_interface", "XcfIntf"),
    Column::only_long("daemon.interfaces", "Interfaces"),
    Column::only_long("daemon.group_port", "GroupPort"),
    Column::only_long("daemon.group_addresses", "GroupAddr"),
    Column::only_long("daemon.flow_capacity", "FlowCapacity"),
    Column::only_long("daemon.stop_deadline_s", "StopDeadline"),
];

/// Builds CONFIG.
#[must_use]
pub fn configuration(config: &Config, daemon: DaemonRow) -> Configuration {
    let own = config.dynamic_xcf.as_ref().map(|own| DynamicXcfRow {
        address: own.address,
        prefix_len: Some(own.prefix_len),
        cost_metric: Some(own.cost_metric),
        security_class: config.ip.xcf.security_class,
        source_vipa_interface: config.ip.xcf.source_vipa_interface.clone(),
    });
    let ip6 = config.ip6.as_ref().map(|ip6| {
        let own = ip6.ipv6_xcf.as_ref().map(|own| DynamicXcfRow {
            address: own.address.into(),
            prefix_len: own.prefix_len,
            cost_metric: None,
            security_class: ip6.xcf.security_class,
            source_vipa_interface: ip6.xcf.source_vipa_interface.clone(),
        });
        ip_row(ip6, config.sysplex_routing, own)
    });
    let global = &config.global;
    let monitor = global.monitor;
    Configuration {
        ip: ip_row(&config.ip, config.sysplex_routing, own),
        ip6,
        global: GlobalRow {
            xcf_group_id: global.xcf_group_id,
            iqd_vlan_id: global.iqd_vlan_id,
            wlm_poll_s: global.wlm_poll_s,
            max_records: global.max_records,
            explicit_bind_first: global.explicit_bind_ports.map(|(first, _)| first),
            explicit_bind_last: global.explicit_bind_ports.map(|(_, last)| last),
            adjust_dvipa_mss: match global.adjust_mss {
                AdjustMss::Auto => "Auto",
                AdjustMss::All => "All",
                AdjustMss::None => "None",
            }
            .to_owned(),
        },
        monitor: MonitorRow {
            timer_s: monitor.timer_s,
            recovers: monitor.recovers,
            delays_join: monitor.delays_join,
            rejoins: monitor.rejoins,
            watches_interfaces: monitor.watches_interfaces,
            watches_routes: monitor.watches_routes,
            joins: monitor.joins,
            watches_ipsec: monitor.watches_ipsec,
            delays_join_ipsec: monitor.delays_join_ipsec,
        },
        daemon,
    }
}

fn ip_row(
    ip: &config::IpSettings,
    sysplex_routing: bool,
    dynamic_xcf: Option<DynamicXcfRow>,
) -> IpRow {
    IpRow {
        forwards: ip.forwards,
        time_to_live: ip.time_to_live,
        reassembly_timeout_s: ip.reassembly_timeout_s,
        multipath: match ip.multipath {
            Multipath::No => "No",
            Multipath::PerConnection => "Conn",
            Multipath::PerPacket => "Pkt",
        }
        .to_owned(),
        has_source_vipa: ip.has_source_vipa,
        tcp_stack_source_vipa: ip.tcp_stack_source_vipa.clone(),
        discovers_path_mtu: ip.discovers_path_mtu,
        accelerates: ip.accelerates,
        sysplex_routing,
        dynamic_xcf,
    }
}
