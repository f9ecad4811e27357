//! VIPADCFG: what the profile says about DVIPAs.
//!
//! The ports and the targets of a VIPADISTRIBUTE are kept together, so that the
//! report is as large as the profile and not as the table that comes of it.

mod columns;
mod text;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::vdpt::{spell_standby, tier_number};
use super::vipadyn::{RouteRow, routes};
use crate::engine::config::{
    self, DistMethod, DvipaRole, Encapsulation, Moveable, RangeMoveable, RangeUse, Standby, Terms,
};
use crate::engine::stack::Stack;

pub(super) use columns::{
    BACKUPS, DEFINITIONS, QUIESCED, RANGES, ROUTES, SERVICE_MANAGER, SERVICES,
};
pub(super) use text::text;

/// The DVIPA statements of this stack's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vipadcfg {
    /// One for each address of VIPADEFINE and VIPABACKUP, in the order of the profile.
    pub dvipas: Vec<DvipaRow>,
    /// One for each VIPARANGE.
    pub ranges: Vec<RangeRow>,
    /// One for each DVIPA of a VIPADISTRIBUTE, with its ports.
    pub services: Vec<ServiceRow>,
    /// VIPASMPARMS; null without it.
    pub service_manager: Option<ServiceManagerRow>,
    /// One for each VIPAROUTE.
    pub routes: Vec<RouteRow>,
    /// What gets no new connections by order of this stack's operator, whatever the profile says.
    pub quiesced: Vec<QuiescedRow>,
}

/// Something that is quiesced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuiescedRow {
    /// As `vary quiesce` was told: `target`, a port, a job, or a job on a port.
    pub scope: String,
}

/// One address of VIPADEFINE or VIPABACKUP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DvipaRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// Length of its mask in bits; null on a VIPABACKUP without MOVEABLE.
    pub prefix_len: Option<u8>,
    /// Name of the interface of an IPv6 DVIPA; null for IPv4.
    pub interface: Option<String>,
    /// The statement.
    #[schemars(extend("enum" = ["define", "backup"]))]
    pub role: String,
    /// Rank of a backup, 1 to 254: the highest takes over first; null for VIPADEFINE.
    pub rank: Option<u8>,
    /// MOVEABLE; null where it is not written on a VIPABACKUP.
    #[schemars(extend("enum" = ["Immediate", "WhenIdle", null]))]
    pub moveable: Option<String>,
    /// Whether SERVICEMGR is written.
    pub is_service_managed: bool,
    /// Tier; null without one.
    pub tier: Option<u8>,
    /// Whether CPCSCOPE is written.
    pub is_cpc_scope: bool,
}

/// One VIPARANGE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RangeRow {
    /// The network.
    pub network: IpAddr,
    /// Length of its mask in bits.
    pub prefix_len: u8,
    /// Name of the interface of an IPv6 range; null for IPv4.
    pub interface: Option<String>,
    /// What happens to connections when another stack binds an address.
    #[schemars(extend("enum" = ["NonDisr", "Disr"]))]
    pub moveable: String,
    /// The SAF resource; null without one.
    pub saf: Option<String>,
    /// What the range is for; null for any application.
    #[schemars(extend("enum" = ["ZCX", "ZCONT", "ZCPA", null]))]
    pub used_by: Option<String>,
}

/// One DVIPA of a VIPADISTRIBUTE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// Name of the interface of an IPv6 DVIPA; null for IPv4.
    pub interface: Option<String>,
    /// TCP ports; none where servers choose them (no PORT).
    pub ports: Vec<u16>,
    /// DISTMETHOD, as the profile spells it.
    #[schemars(extend("enum" = ["BASEWLM", "ROUNDROBIN", "SERVERWLM", "WEIGHTEDACTIVE", "HOTSTANDBY", "TARGCONTROLLED", "MAGLEV"]))]
    pub method: String,
    /// DESTIP; none for ALL.
    pub destinations: Vec<DestinationRow>,
    /// Whether DESTIP is ALL: every stack of the group with a DYNAMICXCF address.
    pub is_for_all: bool,
    /// AUTOSWITCHBACK; null with other methods than HOTSTANDBY.
    pub switches_back: Option<bool>,
    /// HEALTHSWITCH; null with other methods than HOTSTANDBY.
    pub minds_health: Option<bool>,
    /// PROCTYPE of BASEWLM: expected use of the kinds of processors, in proportion; null without it.
    pub processors: Option<ProcessorRow>,
    /// PROCXCOST of SERVERWLM: cost of work for a special processor on a normal one, 1 to 100; null
    /// with other methods.
    pub cross_cost: Option<ProcessorRow>,
    /// ILWEIGHTING of SERVERWLM, 0 to 3; null with other methods.
    pub importance: Option<u8>,
    /// OPTLOCAL, 0 to 16; null without it.
    pub opt_local: Option<u8>,
    /// Whether SYSPLEXPORTS is written.
    pub has_sysplex_ports: bool,
    /// TIMEDAFFINITY in seconds; 0 is off.
    pub timed_affinity_s: u16,
    /// Tier; null without one.
    pub tier: Option<u8>,
    /// Name of the tier's group; null without a tier.
    pub group: Option<String>,
    /// How targets outside the group are reached; null for targets of the group.
    #[schemars(extend("enum" = ["GRE", "ENCAP", null]))]
    pub encapsulation: Option<String>,
    /// CONTROLPORT; null without a tier.
    pub control_port: Option<u16>,
}

/// One target of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DestinationRow {
    /// Its DYNAMICXCF address.
    pub dest_xcf: IpAddr,
    /// Its name; null where no stack of that address is present.
    pub target: Option<String>,
    /// WEIGHT, 1 to 99; null with other methods than WEIGHTEDACTIVE and MAGLEV.
    pub weight: Option<u8>,
    /// With HOTSTANDBY: whether it is the preferred target or a backup; else null.
    #[schemars(extend("enum" = ["preferred", "backup", null]))]
    pub standby: Option<String>,
    /// Rank of a HOTSTANDBY backup, 1 to 254: the highest is chosen first; else null.
    pub rank: Option<u8>,
}

/// A number for each kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessorRow {
    /// Normal processors.
    pub cp: u8,
    /// zAAPs.
    pub zaap: u8,
    /// zIIPs.
    pub ziip: u8,
}

/// VIPASMPARMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceManagerRow {
    /// The multicast address of service managers.
    pub multicast: Ipv4Addr,
    /// Their port.
    pub port: u16,
    /// Whether a password is written.
    pub has_password: bool,
}

/// Builds VIPADCFG.
#[must_use]
pub fn vipadcfg(stack: &Stack, filters: &Filters, room: &mut Room) -> Vipadcfg {
    let config = stack.config();
    let mut admit = |address| filters.match_endpoints(&[(address, None)]) && room.admit();
    let (ipv4, ipv6): (Vec<_>, Vec<_>) = config
        .dvipas
        .iter()
        .partition(|dvipa| dvipa.address.is_ipv4());
    let both = ipv4.into_iter().chain(ipv6);
    let dvipas = both.map(|dvipa| dvipa_row(dvipa, config.interface_of(dvipa.address)));
    let dvipas = dvipas.filter(|row| admit(row.dvipa)).collect();
    let ranges = config.ranges.iter().map(range_row);
    let ranges = ranges.filter(|row| admit(row.network)).collect();
    let services = services(stack).filter(|row| admit(row.dvipa)).collect();
    let service_manager = config.service_manager.map(|manager| ServiceManagerRow {
        multicast: manager.multicast,
        port: manager.port,
        has_password: manager.has_password,
    });
    let service_manager = service_manager.filter(|manager| admit(manager.multicast.into()));
    let mut routes = routes(stack);
    routes.retain(|row| admit(row.dest_xcf));
    // No address and no port is theirs alone.
    let mut admit = |_: &QuiescedRow| filters.match_endpoints(&[]) && room.admit();
    let quiesced = stack.quiesced().map(|scope| QuiescedRow { scope });
    let quiesced = quiesced.filter(|row| admit(row)).collect();
    Vipadcfg {
        dvipas,
        ranges,
        services,
        service_manager,
        routes,
        quiesced,
    }
}

fn dvipa_row(dvipa: &config::Dvipa, interface: Option<&str>) -> DvipaRow {
    let (role, rank, moveable) = match dvipa.role {
        DvipaRole::Define { moveable } => ("define", None, Some(moveable)),
        DvipaRole::Backup { rank, moveable } => ("backup", Some(rank), moveable),
    };
    let moveable = moveable.map(|moveable| match moveable {
        Moveable::Immediate => "Immediate".to_owned(),
        Moveable::WhenIdle => "WhenIdle".to_owned(),
    });
    DvipaRow {
        dvipa: dvipa.address,
        prefix_len: dvipa.prefix_len,
        interface: interface.map(ToOwned::to_owned),
        role: role.to_owned(),
        rank,
        moveable,
        is_service_managed: dvipa.options.is_service_managed,
        tier: dvipa.options.tier.map(tier_number),
        is_cpc_scope: dvipa.options.is_cpc_scope,
    }
}

fn range_row(range: &config::VipaRange) -> RangeRow {
    let moveable = match range.moveable {
        RangeMoveable::NonDisruptive => "NonDisr",
        RangeMoveable::Disruptive => "Disr",
    };
    let used_by = match range.used_by {
        RangeUse::Applications => None,
        RangeUse::Zcx => Some("ZCX".to_owned()),
        RangeUse::Zcont => Some("ZCONT".to_owned()),
        RangeUse::Zcpa => Some("ZCPA".to_owned()),
    };
    RangeRow {
        network: range.network,
        prefix_len: range.prefix_len,
        interface: range.interface.clone(),
        moveable: moveable.to_owned(),
        saf: range.saf.clone(),
        used_by,
    }
}

/// The services in the order of the profile; neighbours with the same terms are one.
fn services(stack: &Stack) -> impl Iterator<Item = ServiceRow> {
    let config = stack.config();
    let (ipv4, ipv6): (Vec<_>, Vec<_>) = config
        .services
        .iter()
        .partition(|service| service.dvipa.is_ipv4());
    let mut found: Vec<(IpAddr, Vec<u16>, &Arc<Terms>)> = Vec::new();
    for service in ipv4.into_iter().chain(ipv6) {
        match found.last_mut() {
            Some((dvipa, ports, terms))
                if *dvipa == service.dvipa
                    && (Arc::ptr_eq(terms, &service.terms) || **terms == service.terms) =>
            {
                ports.push(service.port);
            }
            Some(_) | None => found.push((service.dvipa, vec![service.port], &service.terms)),
        }
    }
    let dynamic = config.dynamic_services.iter();
    found.extend(dynamic.map(|service| (service.dvipa, Vec::new(), &service.terms)));
    found
        .into_iter()
        .map(|(dvipa, ports, terms)| service_row(stack, dvipa, ports, terms))
}

fn service_row(stack: &Stack, dvipa: IpAddr, ports: Vec<u16>, terms: &Terms) -> ServiceRow {
    let destinations = terms.destinations.listed().iter();
    let destinations = destinations.map(|listed| DestinationRow {
        dest_xcf: listed.address,
        target: stack.name_of(listed.address).map(ToOwned::to_owned),
        weight: terms.method.has_fixed_weights().then_some(listed.weight),
        standby: listed
            .standby
            .map(|standby| spell_standby(standby).to_owned()),
        rank: listed.standby.and_then(|standby| match standby {
            Standby::Preferred => None,
            Standby::Backup { rank } => Some(rank),
        }),
    });
    let tier = terms.options.tier.as_ref();
    let mut row = ServiceRow {
        dvipa,
        interface: stack.config().interface_of(dvipa).map(ToOwned::to_owned),
        ports,
        method: terms.method.keyword().to_owned(),
        destinations: destinations.collect(),
        is_for_all: terms.destinations == config::Destinations::All,
        switches_back: None,
        minds_health: None,
        processors: None,
        cross_cost: None,
        importance: None,
        opt_local: terms.options.opt_local,
        has_sysplex_ports: terms.options.has_sysplex_ports,
        timed_affinity_s: terms.options.timed_affinity_s,
        tier: tier.map(|group| tier_number(group.tier)),
        group: tier.map(|group| group.name.clone()),
        encapsulation: tier.and_then(|group| {
            Some(match group.encapsulation? {
                Encapsulation::Gre => "GRE".to_owned(),
                Encapsulation::Encap => "ENCAP".to_owned(),
            })
        }),
        control_port: tier.map(|group| group.control_port),
    };
    match terms.method {
        DistMethod::BaseWlm { processors } => row.processors = processors.map(processor_row),
        DistMethod::ServerWlm {
            cross_cost,
            importance,
        } => {
            row.cross_cost = Some(processor_row(cross_cost));
            row.importance = Some(importance);
        }
        DistMethod::HotStandby {
            switches_back,
            minds_health,
        } => {
            row.switches_back = Some(switches_back);
            row.minds_health = Some(minds_health);
        }
        DistMethod::RoundRobin
        | DistMethod::WeightedActive
        | DistMethod::TargControlled
        | DistMethod::Maglev => {}
    }
    row
}

fn processor_row(processors: config::Processors) -> ProcessorRow {
    ProcessorRow {
        cp: processors.cp,
        zaap: processors.zaap,
        ziip: processors.ziip,
    }
}
