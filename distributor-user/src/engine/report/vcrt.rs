//! VCRT: each connection with its target, and each client that keeps one.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::layout::{Column, Layout, Line, Style, Widths, beside, grid_page, number, yes};
use super::snapshot::Snapshot;
use crate::engine::config::Service;
use crate::engine::forwarding::{
    ClientKey, Flow, FlowKey, FlowState, KeptClient, Path, ServiceKey,
};

/// The connection routing table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vcrt {
    /// One for each connection: what this stack routes, and what ends here. One with the client's
    /// port 0 for each client that keeps its target by TIMEDAFFINITY, on the stack that distributes.
    pub rows: Vec<VcrtRow>,
}

/// One connection, or one client that keeps its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VcrtRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The service's TCP port.
    pub port: u16,
    /// The client's address.
    pub client: IpAddr,
    /// The client's port; 0 where the row is not a connection but a client that keeps its target.
    pub client_port: u16,
    /// DYNAMICXCF address of the target.
    pub dest_xcf: IpAddr,
    /// Name of the target; null where no stack of that address is present.
    pub target: Option<String>,
    /// How far the connection has come: `half-open`, `established` or `ending`, as the owner sees
    /// the client's half of it; `terminated-here` for a connection that ends at this stack and is
    /// routed by another; `affinity` for a client that keeps its target.
    #[schemars(extend("enum" = ["half-open", "established", "ending", "terminated-here", "affinity"]))]
    pub state: String,
    /// TIMEDAFFINITY of its service in seconds, 0 is off; null where this stack does not distribute
    /// the service.
    pub timed_affinity_s: Option<u16>,
    /// Connections of a client that keeps its target, those that have begun to end not among them;
    /// null for a connection.
    pub affinity_connections: Option<u64>,
    /// Seconds until a client that has no connection no longer keeps its target; null while it has
    /// one, and for a connection.
    pub affinity_left_s: Option<u16>,
    /// Interface by which its packets leave for the target; null if they do not leave, or no path
    /// answers.
    pub interface: Option<String>,
    /// Whether they take the target's VIPAROUTE; null where the profile has none, or this stack does not
    /// route it.
    pub has_route: Option<bool>,
    /// The first hop of that; null without.
    pub gateway: Option<IpAddr>,
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
    Column::only_long("affinity_connections", "TimAffCnt"),
    Column::only_long("affinity_left_s", "TimAffLft"),
    Column::only_long("has_route", "VipaRoute"),
    Column::only_long("gateway", "Gw"),
    Column::only_long("is_accelerated", "Accelerator"),
];

/// The connections that VCRT is made of.
#[derive(Debug)]
pub struct Connections<'a, F, K> {
    /// The flows of this stack's table.
    pub flows: F,
    /// The clients that keep their targets.
    pub kept: K,
    /// What ends here.
    pub terminated_here: &'a [FlowKey],
}

/// What a row is about.
#[derive(Clone, Copy)]
enum Subject {
    /// A flow of this stack's table.
    Routed(FlowState),
    /// A connection that ends here, and is routed by another stack.
    Here,
    /// A client that keeps its target; the seconds that are left.
    Kept(Option<u16>),
}

impl Subject {
    const fn word(self) -> &'static str {
        match self {
            Self::Routed(FlowState::HalfOpen) => "half-open",
            Self::Routed(FlowState::Established) => "established",
            Self::Routed(FlowState::Ending) => "ending",
            Self::Here => "terminated-here",
            Self::Kept(_) => "affinity",
        }
    }
}

type Found = (FlowKey, IpAddr, Subject);

/// Builds VCRT; `name_of` gives the name of an interface by its index.
pub fn vcrt(
    stack: &Snapshot,
    connections: Connections<'_, impl Iterator<Item = Flow>, impl Iterator<Item = KeptClient>>,
    name_of: impl Fn(u32) -> Option<String>,
    filters: &Filters,
    room: &mut Room,
) -> Vcrt {
    let after = filters.after.as_ref().map(order);
    let is_wanted = |key: &FlowKey, target: IpAddr| {
        let is_behind = after.is_none_or(|after| order(key) > after);
        is_behind
            && filters.match_endpoints(&[
                (key.dvipa, Some(key.port)),
                (key.client, Some(key.client_port)),
                (target, None),
            ])
    };
    let kept = connections.kept.map(|kept| {
        let key = FlowKey {
            client: kept.key.client,
            client_port: 0,
            dvipa: kept.key.dvipa,
            port: kept.key.port,
        };
        (key, kept.target, Subject::Kept(kept.left_s))
    });
    let mut found: Vec<Found> = kept
        .filter(|(key, target, _)| is_wanted(key, *target))
        .collect();
    // How many connections each of them has.
    let kept = found.iter().map(|(key, ..)| (ClientKey::from(key), 0));
    let mut counts: HashMap<ClientKey, u64> = kept.collect();
    for flow in connections.flows {
        if flow.state != FlowState::Ending
            && let Some(count) = counts.get_mut(&ClientKey::from(&flow.key))
        {
            *count += 1;
        }
        if is_wanted(&flow.key, flow.target) {
            found.push((flow.key, flow.target, Subject::Routed(flow.state)));
        }
    }
    if let Some(own) = stack.own {
        let here = connections.terminated_here;
        let routed: HashSet<FlowKey> = if here.is_empty() {
            HashSet::new()
        } else {
            found.iter().map(|(key, ..)| *key).collect()
        };
        let here = here
            .iter()
            .map(|key| (*key, own.about(key.dvipa), Subject::Here))
            .filter(|(key, own, _)| !routed.contains(key) && is_wanted(key, *own));
        found.extend(here);
    }
    let order = |(key, ..): &Found| order(key);
    // Of a million connections only those are sorted that are shown.
    let shown = room.admit_of(found.len());
    if shown < found.len() {
        found.select_nth_unstable_by_key(shown, order);
        found.truncate(shown);
    }
    found.sort_unstable_by_key(order);
    let affinities = affinities(stack);
    let forwarding = &stack.forwarding;
    let rows = found.into_iter().map(|(key, target, subject)| {
        let path = match subject {
            Subject::Routed(_) | Subject::Kept(_) => forwarding.targets.get(&target),
            Subject::Here => None,
        };
        let service = ServiceKey::from(&key);
        let (count, left_s) = match subject {
            Subject::Kept(left_s) => (counts.get(&ClientKey::from(&key)).copied(), left_s),
            Subject::Routed(_) | Subject::Here => (None, None),
        };
        VcrtRow {
            dvipa: key.dvipa,
            port: key.port,
            client: key.client,
            client_port: key.client_port,
            dest_xcf: target,
            target: stack.name_of(target).map(ToOwned::to_owned),
            state: subject.word().to_owned(),
            timed_affinity_s: forwarding
                .services
                .get(&service)
                .map(|_| affinities.get(&service).copied().unwrap_or_default()),
            affinity_connections: count,
            affinity_left_s: left_s,
            interface: path.and_then(|path| name_of(path.interface()?)),
            has_route: path
                .filter(|_| stack.has_routes)
                .map(|path| matches!(path, Path::Tunnel { .. })),
            gateway: path
                .filter(|path| matches!(path, Path::Tunnel { .. }))
                .and_then(|_| stack.gateways.get(&target).copied()),
            is_accelerated: path.map(|path| path.interface().is_some()),
        }
    });
    Vcrt {
        rows: rows.collect(),
    }
}

/// TIMEDAFFINITY of each service, in seconds.
fn affinities(stack: &Snapshot) -> HashMap<ServiceKey, u16> {
    let services = stack.services.iter();
    let affinity = |service: &Service| service.terms.options.timed_affinity_s;
    services
        .map(|service| (ServiceKey::of(service), affinity(service)))
        .collect()
}

/// By what the rows are ordered.
fn order(key: &FlowKey) -> (IpAddr, u16, IpAddr, u16) {
    (key.dvipa, key.port, key.client, key.client_port)
}

impl VcrtRow {
    /// The connection that the row is about.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        FlowKey {
            client: self.client,
            client_port: self.client_port,
            dvipa: self.dvipa,
            port: self.port,
        }
    }
}

impl Vcrt {
    /// Whether it can be the page behind a connection.
    #[must_use]
    pub fn is_behind(&self, after: &FlowKey) -> bool {
        let first = self.rows.first().map(VcrtRow::key);
        first.is_none_or(|first| order(&first) > order(after))
    }

    /// The connection of the last row, behind which the next page begins.
    #[must_use]
    pub fn last(&self) -> Option<FlowKey> {
        self.rows.last().map(VcrtRow::key)
    }
}

pub(super) fn text(out: &mut String, vcrt: &Vcrt, style: Style) -> fmt::Result {
    page(out, vcrt, style, &mut Widths::default())
}

/// Writes a page of the report; the first one has the heads.
pub(super) fn page(
    out: &mut String,
    vcrt: &Vcrt,
    style: Style,
    widths: &mut Widths,
) -> fmt::Result {
    if widths.is_first() {
        writeln!(out, "Dynamic VIPA Connection Routing Table:")?;
    }
    if style.layout == Layout::Long {
        widths.begin();
        return vcrt.rows.iter().try_for_each(|row| long(out, row, style));
    }
    let lines: Vec<Line> = vcrt.rows.iter().map(|row| cells(row).into()).collect();
    grid_page(out, "", COLUMNS, &lines, style.layout, widths)
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
        "  CfgTimAff: {}  TimAffCnt: {}  TimAffLft: {}",
        number(row.timed_affinity_s, 4),
        number(row.affinity_connections, 10),
        number(row.affinity_left_s, 4)
    )?;
    let interface = row.interface.as_deref().unwrap_or("---");
    writeln!(out, "  Intf: {interface}")?;
    if let Some(has_route) = row.has_route {
        let gateway = row.gateway.map(|gateway| gateway.to_string());
        let gateway = gateway.as_deref().unwrap_or("*NONE*");
        writeln!(out, "    VipaRoute: {:<12}  Gw: {gateway}", yes(has_route))?;
    }
    let accelerator = row.is_accelerated.map_or("---", yes);
    writeln!(out, "  Accelerator: {accelerator}")
}
