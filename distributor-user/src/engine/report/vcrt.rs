//! VCRT: each connection with its target.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::layout::{Column, Layout, Line, Style, beside, grid, number};
use super::snapshot::Snapshot;
use crate::engine::forwarding::{Flow, FlowKey, FlowState, Path, ServiceKey};

/// The connection routing table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vcrt {
    /// One for each connection: what this stack routes, and what ends here.
    pub rows: Vec<VcrtRow>,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VcrtRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The service's TCP port.
    pub port: u16,
    /// The client's address.
    pub client: IpAddr,
    /// The client's port.
    pub client_port: u16,
    /// DYNAMICXCF address of the target.
    pub dest_xcf: IpAddr,
    /// Name of the target; null where no stack of that address is present.
    pub target: Option<String>,
    /// How far the connection has come: `half-open`, `established` or `ending`, as the owner sees
    /// the client's half of it; `terminated-here` for a connection that ends at this stack and is
    /// routed by another.
    #[schemars(extend("enum" = ["half-open", "established", "ending", "terminated-here"]))]
    pub state: String,
    /// TIMEDAFFINITY of its service in seconds, 0 is off; null where this stack does not distribute
    /// the service.
    pub timed_affinity_s: Option<u16>,
    /// Interface by which its packets leave for the target; null if they do not leave, or no path
    /// answers.
    pub interface: Option<String>,
    /// Whether the packet path forwards it without this host's own stack; null where this stack does
    /// not route it.
    pub is_accelerated: Option<bool>,
}

/// What the layouts call the fields of a row.
pub(super) const COLUMNS: &[Column] = &[
    Column::short("dvipa", "Dest IPaddr", 15).long("Dest"),
    Column::short("port", "DPort", 5).long("Dest"),
    Column::short("client", "Src IPaddr", 15).long("Source"),
    Column::short("client_port", "SPort", 5).long("Source"),
    Column::short("dest_xcf", "DestXCF Addr", 15).long("DestXCF"),
    Column::short("state", "State", 15).long("State"),
    Column::table("interface", "Intf").long("Intf"),
    Column::short("target", "Target", 16).long("Stack"),
    Column::only_long("timed_affinity_s", "CfgTimAff"),
    Column::only_long("is_accelerated", "Accelerator"),
];

/// Builds VCRT from the flows of this stack's table and the connections that end here.
///
/// `name_of` gives the name of an interface by its index.
pub fn vcrt(
    stack: &Snapshot,
    flows: impl Iterator<Item = Flow>,
    terminated_here: &[FlowKey],
    name_of: impl Fn(u32) -> Option<String>,
    filters: &Filters,
    room: &mut Room,
) -> Vcrt {
    let is_wanted = |key: &FlowKey, target: IpAddr| {
        filters.match_endpoints(&[
            (key.dvipa, Some(key.port)),
            (key.client, Some(key.client_port)),
            (target, None),
        ])
    };
    let mut found: Vec<(FlowKey, IpAddr, Option<FlowState>)> = flows
        .filter(|flow| is_wanted(&flow.key, flow.target))
        .map(|flow| (flow.key, flow.target, Some(flow.state)))
        .collect();
    if let Some(own) = stack.own {
        let routed: HashSet<FlowKey> = if terminated_here.is_empty() {
            HashSet::new()
        } else {
            found.iter().map(|(key, ..)| *key).collect()
        };
        let here = terminated_here
            .iter()
            .filter(|key| !routed.contains(key) && is_wanted(key, own));
        found.extend(here.map(|key| (*key, own, None)));
    }
    let order = |(key, ..): &(FlowKey, IpAddr, Option<FlowState>)| {
        (key.dvipa, key.port, key.client, key.client_port)
    };
    // Of a million connections only those are sorted that are shown.
    let shown = room.admit_of(found.len());
    if shown < found.len() {
        found.select_nth_unstable_by_key(shown, order);
        found.truncate(shown);
    }
    found.sort_unstable_by_key(order);
    let forwarding = &stack.forwarding;
    let affinities: HashMap<ServiceKey, u16> = stack
        .services
        .iter()
        .map(|service| {
            (
                ServiceKey::of(service),
                service.terms.options.timed_affinity_s,
            )
        })
        .collect();
    let rows = found.into_iter().map(|(key, target, state)| {
        let path = state.and_then(|_| forwarding.targets.get(&target));
        let service = ServiceKey {
            dvipa: key.dvipa,
            port: key.port,
        };
        VcrtRow {
            dvipa: key.dvipa,
            port: key.port,
            client: key.client,
            client_port: key.client_port,
            dest_xcf: target,
            target: stack.name_of(target).map(ToOwned::to_owned),
            state: match state {
                Some(FlowState::HalfOpen) => "half-open",
                Some(FlowState::Established) => "established",
                Some(FlowState::Ending) => "ending",
                None => "terminated-here",
            }
            .to_owned(),
            timed_affinity_s: forwarding
                .services
                .get(&service)
                .map(|_| affinities.get(&service).copied().unwrap_or_default()),
            interface: path.and_then(|path| match path {
                Path::Link { ifindex, .. } => name_of(*ifindex),
                Path::Local | Path::Unreachable => None,
            }),
            is_accelerated: path.map(|path| matches!(path, Path::Link { .. })),
        }
    });
    Vcrt {
        rows: rows.collect(),
    }
}

pub(super) fn text(out: &mut String, vcrt: &Vcrt, style: Style) -> fmt::Result {
    writeln!(out, "Dynamic VIPA Connection Routing Table:")?;
    if style.layout == Layout::Long {
        return vcrt.rows.iter().try_for_each(|row| long(out, row, style));
    }
    let lines: Vec<Line> = vcrt.rows.iter().map(|row| cells(row).into()).collect();
    grid(out, "", COLUMNS, &lines, style.layout)
}

fn cells(row: &VcrtRow) -> Vec<String> {
    vec![
        row.dvipa.to_string(),
        number(Some(row.port), 5),
        row.client.to_string(),
        number(Some(row.client_port), 5),
        row.dest_xcf.to_string(),
        row.state.clone(),
        row.interface.clone().unwrap_or_else(|| "-".to_owned()),
        row.target.clone().unwrap_or_default(),
    ]
}

fn long(out: &mut String, row: &VcrtRow, style: Style) -> fmt::Result {
    let target = beside(&row.dest_xcf.to_string(), row.target.as_deref());
    writeln!(out, "Dest:      {}..{}", row.dvipa, row.port)?;
    writeln!(out, "  Source:  {}..{}", row.client, row.client_port)?;
    writeln!(out, "  DestXCF: {target}")?;
    writeln!(out, "  State:   {}", row.state)?;
    if !style.has_detail {
        return Ok(());
    }
    writeln!(out, "  PolicyRule:    *NONE*")?;
    writeln!(out, "  PolicyAction:  *NONE*")?;
    writeln!(
        out,
        "  CfgTimAff: {}  TimAffCnt: ----------  TimAffLft: ----",
        number(row.timed_affinity_s, 4)
    )?;
    let interface = row.interface.as_deref().unwrap_or("---");
    writeln!(out, "  Intf: {interface}")?;
    let accelerator = row.is_accelerated.map_or("---", super::layout::yes);
    writeln!(out, "  Accelerator: {accelerator}")
}
