//! VIPADYN: the DVIPAs that are on this stack, and what they are here.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::layout::{Column, Layout, Line, Style, beside, grid, mask, with_prefix};
use crate::engine::config::DvipaRole;
use crate::engine::ownership::Awaits;
use crate::engine::stack::{Placement, Route, Stack};

/// The DVIPAs of this stack, and its VIPAROUTE statements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vipadyn {
    /// One for each DVIPA, those of the profile first.
    pub rows: Vec<VipadynRow>,
    /// One for each VIPAROUTE.
    pub routes: Vec<RouteRow>,
}

/// One DVIPA of this stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VipadynRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// Length of its mask in bits; null where no statement says.
    pub prefix_len: Option<u8>,
    /// The name by which this stack's profile has an IPv6 DVIPA; null for IPv4, and where another
    /// profile has it.
    pub interface: Option<String>,
    /// `Active`: the stack owns it, or holds it hidden as a target. `Backup`: the stack would take
    /// it over. `Moving`: the stack has given it away, and relays what still comes for it.
    /// `Quiescing`: nothing wants it here any more, and its last connections go on. `Deactivated`: by
    /// the operator.
    #[schemars(extend("enum" = ["Active", "Backup", "Moving", "Quiescing", "Deactivated"]))]
    pub status: String,
    /// The statement that brought it: of this stack's profile (`VIPADefine`, `VIPABackup`) or
    /// of its owner's (`VIPADist`); empty where the profile has it no more.
    #[schemars(extend("enum" = ["VIPADefine", "VIPABackup", "VIPADist", ""]))]
    pub origin: String,
    /// Whether the stack distributes it (Dist), is a target of it (Dest), both, or neither (empty).
    #[schemars(extend("enum" = ["Dist", "Dest", "Dist/Dest", ""]))]
    pub distribution: String,
    /// Name of the stack that owns it; null while none does.
    pub owner: Option<String>,
    /// What the stack still waits for before it takes over what it is entitled to; null if it is
    /// entitled to nothing, or has it.
    pub waits_for: Option<String>,
    /// When it became active here, as `MM/DD/YYYY HH:MM:SS` in local time; null if it is not, or was
    /// before this daemon began.
    pub activated: Option<String>,
}

/// One VIPAROUTE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteRow {
    /// DYNAMICXCF address of the target.
    pub dest_xcf: IpAddr,
    /// Name of the target; null where no stack of that address is present.
    pub target: Option<String>,
    /// The address by which the target is to be reached.
    pub target_address: IpAddr,
    /// `Active`: packets for the target take this route. `Inactive`: the next hop does not answer, and
    /// `Unavail`: the kernel has no route; then packets take the paths that the group knows. `Defined`:
    /// the kernel has not been asked yet.
    #[schemars(extend("enum" = ["Active", "Inactive", "Unavail", "Defined"]))]
    pub status: String,
    /// How packets are put into others on the way there.
    #[schemars(extend("enum" = ["GRE", "IPIP"]))]
    pub encapsulation: String,
    /// The router that the way begins with; null when it is not active, or the address is on the link.
    pub gateway: Option<IpAddr>,
    /// The longest packet that the way takes, with the outer header, in bytes; null when it is not active.
    pub mtu: Option<u16>,
}

/// What the layouts call the fields of a DVIPA.
pub(super) const COLUMNS: &[Column] = &[
    Column::only_long("interface", "IntfName"),
    Column::short("dvipa", "IP Address", 15).long("IpAddr"),
    Column::short("prefix_len", "AddressMask", 15).long("PrefixLen"),
    Column::short("status", "Status", 9).long("Status"),
    Column::short("origin", "Origination", 15).long("Origin"),
    Column::short("distribution", "DistStat", 9).long("DistStat"),
    Column::table("activated", "ActTime").long("ActTime"),
    Column::short("owner", "Owner", 16).long("Owner"),
    Column::table("waits_for", "WaitsFor").long("WaitsFor"),
];

/// What the layouts call the fields of a route.
pub(super) const ROUTES: &[Column] = &[
    Column::short("dest_xcf", "XCF Address", 15).long("DestXCF"),
    Column::short("target_address", "TargetIp", 15).long("TargetIp"),
    Column::short("status", "RtStatus", 8).long("RtStatus"),
    Column::table("encapsulation", "Encap").long("Encap"),
    Column::table("gateway", "Gw").long("Gw"),
    Column::table("mtu", "Mtu").long("Mtu"),
    Column::short("target", "Target", 16).long("Stack"),
];

/// A part of VIPADYN that can be asked for alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// `DVIPA`.
    Dvipa,
    /// `VIPAROUTE`.
    Viparoute,
}

/// Builds VIPADYN; `activated` gives the time at which a DVIPA became active here.
#[must_use]
pub fn vipadyn(
    stack: &Stack,
    activated: impl Fn(IpAddr) -> Option<String>,
    part: Option<Part>,
    filters: &Filters,
    room: &mut Room,
) -> Vipadyn {
    let mut rows = Vec::new();
    if part != Some(Part::Viparoute) {
        rows = dvipas(stack, activated);
        rows.retain(|row| filters.match_endpoints(&[(row.dvipa, None)]) && room.admit());
    }
    let mut routes = Vec::new();
    if part != Some(Part::Dvipa) {
        routes = self::routes(stack);
        routes.retain(|route| {
            let endpoints = [(route.dest_xcf, None), (route.target_address, None)];
            filters.match_endpoints(&endpoints) && room.admit()
        });
    }
    Vipadyn { rows, routes }
}

fn dvipas(stack: &Stack, activated: impl Fn(IpAddr) -> Option<String>) -> Vec<VipadynRow> {
    let placements = &stack.applied().placements;
    let mut rows = Vec::new();
    for dvipa in &stack.config().dvipas {
        let origin = match dvipa.role {
            DvipaRole::Define { .. } => "VIPADefine",
            DvipaRole::Backup { .. } => "VIPABackup",
        };
        let status = match placements.get(&dvipa.address) {
            Some(Placement::Owned) if stack.is_quiescing(dvipa.address) => "Quiescing",
            Some(Placement::Owned) => "Active",
            Some(Placement::Hidden) if stack.is_unwanted(dvipa.address) => "Quiescing",
            Some(Placement::Hidden) if stack.is_moving(dvipa.address) => "Moving",
            _ if stack.is_deactivated(dvipa.address) => "Deactivated",
            Some(Placement::Hidden) | None => "Backup",
        };
        let prefix_len = dvipa.prefix_len;
        rows.push(row(
            stack,
            dvipa.address,
            prefix_len,
            origin,
            status,
            &activated,
        ));
    }
    for (address, placement) in placements {
        let mut own = stack.config().dvipas.iter();
        if own.any(|dvipa| dvipa.address == *address) {
            continue;
        }
        let prefix_len = stack
            .members()
            .values()
            .flat_map(|member| &member.definitions.dvipas)
            .filter(|dvipa| dvipa.address == *address)
            .find_map(|dvipa| dvipa.prefix_len);
        let (origin, status) = match placement {
            Placement::Owned if stack.is_quiescing(*address) => ("", "Quiescing"),
            Placement::Hidden if stack.is_unwanted(*address) => ("VIPADist", "Quiescing"),
            Placement::Owned | Placement::Hidden => ("VIPADist", "Active"),
        };
        rows.push(row(stack, *address, prefix_len, origin, status, &activated));
    }
    rows
}

fn row(
    stack: &Stack,
    dvipa: IpAddr,
    prefix_len: Option<u8>,
    origin: &str,
    status: &str,
    activated: impl Fn(IpAddr) -> Option<String>,
) -> VipadynRow {
    let owner = stack.owner(dvipa).map(ToOwned::to_owned);
    let is_distributor =
        owner.as_deref() == Some(stack.name()) && stack.applied().forwarding.distributes(dvipa);
    let distribution = match (is_distributor, stack.is_target(dvipa)) {
        (true, true) => "Dist/Dest",
        (true, false) => "Dist",
        (false, true) => "Dest",
        (false, false) => "",
    };
    VipadynRow {
        dvipa,
        prefix_len,
        interface: stack.config().interface_of(dvipa).map(ToOwned::to_owned),
        status: status.to_owned(),
        origin: origin.to_owned(),
        distribution: distribution.to_owned(),
        waits_for: waits_for(stack, dvipa, owner.as_deref()),
        owner,
        activated: (status == "Active").then(|| activated(dvipa)).flatten(),
    }
}

/// What a stack waits for before it takes a DVIPA over, in words.
pub(super) fn waits_for(stack: &Stack, dvipa: IpAddr, owner: Option<&str>) -> Option<String> {
    let owner = owner.unwrap_or("the owner");
    let text = match stack.awaits(dvipa)? {
        Awaits::Owner => format!("{owner} to hand over; it may wait until it is idle"),
        Awaits::Flows => {
            let flows: Vec<&str> = stack.missing_flows(dvipa).collect();
            if flows.is_empty() {
                let targets: Vec<&str> = stack.missing_targets(dvipa).collect();
                format!("a sign of life of {}", targets.join(", "))
            } else {
                format!("the connections of {}", flows.join(", "))
            }
        }
        Awaits::Members => "the consent of the other members".to_owned(),
    };
    Some(text)
}

/// The VIPAROUTE statements of a stack.
pub(super) fn routes(stack: &Stack) -> Vec<RouteRow> {
    let routes = stack.config().routes.iter().map(|route| {
        let (status, open) = match stack.route(route.target) {
            Some(Route::Open(open)) => ("Active", Some(open)),
            Some(Route::Unanswered) => ("Inactive", None),
            Some(Route::None) => ("Unavail", None),
            None => ("Defined", None),
        };
        RouteRow {
            dest_xcf: route.dynamic_xcf,
            target: stack.name_of(route.dynamic_xcf).map(ToOwned::to_owned),
            target_address: route.target,
            status: status.to_owned(),
            encapsulation: route.encapsulation.keyword().to_owned(),
            gateway: open.and_then(|open| open.gateway),
            mtu: open.map(|open| open.mtu),
        }
    });
    routes.collect()
}

pub(super) fn text(out: &mut String, vipadyn: &Vipadyn, style: Style) -> fmt::Result {
    writeln!(out, "Dynamic VIPA:")?;
    if style.layout == Layout::Long {
        vipadyn.rows.iter().try_for_each(|row| long(out, row))?;
    } else {
        let lines: Vec<Line> = vipadyn.rows.iter().map(line).collect();
        grid(out, "  ", COLUMNS, &lines, style.layout)?;
    }
    if vipadyn.routes.is_empty() {
        return Ok(());
    }
    writeln!(out, "VIPA Route:")?;
    if style.layout == Layout::Long {
        for route in &vipadyn.routes {
            let target = beside(&route.dest_xcf.to_string(), route.target.as_deref());
            writeln!(out, "  DestXCF:  {target}")?;
            writeln!(out, "    TargetIp: {}", route.target_address)?;
            writeln!(out, "    RtStatus: {}", route.status)?;
            writeln!(out, "    Encap:    {}", route.encapsulation)?;
            if let Some(gateway) = route.gateway {
                writeln!(out, "    Gw:       {gateway}")?;
            }
            if let Some(mtu) = route.mtu {
                writeln!(out, "    Mtu:      {mtu}")?;
            }
        }
        return Ok(());
    }
    let lines: Vec<Line> = vipadyn
        .routes
        .iter()
        .map(|route| {
            Line::from(vec![
                route.dest_xcf.to_string(),
                route.target_address.to_string(),
                route.status.clone(),
                route.encapsulation.clone(),
                text_of(route.gateway),
                text_of(route.mtu),
                route.target.clone().unwrap_or_default(),
            ])
        })
        .collect();
    grid(out, "  ", ROUTES, &lines, style.layout)
}

/// What a cell shows of something that may be absent.
fn text_of(value: Option<impl fmt::Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn line(row: &VipadynRow) -> Line {
    let activated = row.activated.as_ref();
    Line {
        cells: vec![
            row.dvipa.to_string(),
            mask(row.dvipa, row.prefix_len),
            row.status.clone(),
            row.origin.clone(),
            row.distribution.clone(),
            activated.cloned().unwrap_or_default(),
            row.owner.clone().unwrap_or_default(),
            row.waits_for.clone().unwrap_or_default(),
        ],
        below: activated
            .map(|activated| format!("  ActTime: {activated}"))
            .into_iter()
            .collect(),
    }
}

fn long(out: &mut String, row: &VipadynRow) -> fmt::Result {
    let address = with_prefix(row.dvipa, row.prefix_len);
    match &row.interface {
        Some(interface) => writeln!(out, "  IntfName: {interface}\n    IpAddr: {address}")?,
        None => writeln!(out, "  IpAddr/PrefixLen: {address}")?,
    }
    let status = format!(
        "    Status: {:<9} Origin: {:<15} DistStat: {}",
        row.status, row.origin, row.distribution
    );
    writeln!(out, "{}", status.trim_end())?;
    if let Some(activated) = &row.activated {
        writeln!(out, "    ActTime: {activated}")?;
    }
    if let Some(owner) = &row.owner {
        writeln!(out, "    Owner: {owner}")?;
    }
    match &row.waits_for {
        Some(waits_for) => writeln!(out, "    WaitsFor: {waits_for}"),
        None => Ok(()),
    }
}
