//! VDPT: each service with its targets.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::layout::{Column, Layout, Line, Style, beside, grid, number};
use super::snapshot::{Snapshot, Target};
use crate::engine::config::{DistMethod, Standby, Terms, Tier};
use crate::engine::forwarding::{Path, ServiceKey};
use crate::engine::responsiveness::UNRESPONSIVE;
use crate::engine::selection;

pub(super) use flags::FLAGS;
use flags::{letters, words};

mod flags;

/// Connections per service and target.
pub type Totals = BTreeMap<(ServiceKey, IpAddr), u64>;

/// The destination port table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vdpt {
    /// One for each DVIPA × port × target that is up and has joined.
    pub rows: Vec<VdptRow>,
}

/// One target of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VdptRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The service's TCP port.
    pub port: u16,
    /// DYNAMICXCF address of the target.
    pub dest_xcf: IpAddr,
    /// Name of the target.
    pub target: String,
    /// Number of listeners there whose jobs are not quiesced; with 0 it gets nothing.
    pub ready: u16,
    /// Whether it is handed new connections: something listens there, a path to it answers, and the
    /// method gives it any.
    pub is_active: bool,
    /// Why it is handed none: nothing listens there (`no-listener`), its operator has
    /// quiesced it (`quiesced`), no path to it answers (`unreachable`), its servers do not accept or nothing
    /// that is sent to them arrives (`unresponsive`), nothing of its capacity is free while others have some (`no-capacity`), its
    /// operator has it weigh 0 (`no-weight`), or with HOTSTANDBY another one gets them all (`standby`); null
    /// if it is handed connections, and while this stack starts or stops.
    #[schemars(extend("enum" = ["no-listener", "quiesced", "unreachable", "unresponsive", "no-capacity", "no-weight", "standby", null]))]
    pub idle_because: Option<String>,
    /// How packets for it leave: `local` if it is this stack, `link` as they are, `gre` or `ipip` inside
    /// others, by its VIPAROUTE; null if no path to it answers.
    #[schemars(extend("enum" = ["local", "link", "gre", "ipip", null]))]
    pub path: Option<String>,
    /// Number of connections handed to it since the row exists; wraps.
    pub total_connections: u64,
    /// Number of connections to it that the flow table holds, ending ones included.
    pub active_connections: u64,
    /// Normalised weight: with WEIGHTEDACTIVE and MAGLEV the configured one; with BASEWLM and SERVERWLM the
    /// target's part of all free capacity, its stack's or its servers', after TSR, null until all targets
    /// have reported theirs; with TARGCONTROLLED what the target says. Null with other methods. `distributor
    /// explain` shows how it comes about.
    pub wlm: Option<u16>,
    /// The same before it is scaled to 16 and reduced by TSR: with BASEWLM and SERVERWLM the target's part of
    /// 64, with TARGCONTROLLED what it says; null likewise.
    pub raw_weight: Option<u16>,
    /// Target server responsiveness in percent: `tcsr` and `cer`, each relative to that of the best target,
    /// times `sef`; null without a listener. Below 10 a target gets nothing while another has more.
    pub tsr: Option<u16>,
    /// Target connectivity success rate in percent: SYNs sent by this stack that have arrived; null without
    /// a listener, and until some were sent.
    pub tcsr: Option<u16>,
    /// Connection establishment rate in percent: handshakes that are completed within a second; null
    /// without a listener.
    pub cer: Option<u16>,
    /// Server accept efficiency fraction in percent: waiting connections that are accepted within a
    /// quarter of a second; null without a listener.
    pub sef: Option<u16>,
    /// Slow start: how much of its share a target gets so far that has come back, in percent; null once it
    /// gets all of it, and with HOTSTANDBY and MAGLEV.
    pub slow_start: Option<u16>,
    /// Abnormal terminations of connections per 1,000; null until something measures it.
    pub abnormal: Option<u16>,
    /// Health that the application reports, 0 to 100; null until something reports it.
    pub health: Option<u16>,
    /// The distribution method, as the profile spells it.
    #[schemars(extend("enum" = ["BASEWLM", "ROUNDROBIN", "SERVERWLM", "WEIGHTEDACTIVE", "HOTSTANDBY", "TARGCONTROLLED", "MAGLEV"]))]
    pub method: String,
    /// With HOTSTANDBY: whether the target is the preferred one or a backup; else null.
    #[schemars(extend("enum" = ["preferred", "backup", null]))]
    pub standby: Option<String>,
    /// OPTLOCAL of the service; null without it.
    pub opt_local: Option<u8>,
    /// Tier of the service; null without tiers.
    pub tier: Option<u8>,
}

/// What the layouts call the fields of a row.
pub(super) const COLUMNS: &[Column] = &[
    Column::short("dvipa", "Dest IPaddr", 15).long("Dest"),
    Column::short("port", "DPort", 5).long("Dest"),
    Column::short("dest_xcf", "DestXCF Addr", 15).long("DestXCF"),
    Column::short("ready", "Rdy", 3).long("Rdy"),
    Column::short("total_connections", "TotalConn", 10).long("TotalConn"),
    Column::short("wlm", "WLM", 4).long("WLM"),
    Column::short("tsr", "TSR", 3).long("TSR"),
    Column::short("is_active", "Flg", 3).long("Flg"),
    Column::table("active_connections", "ActConn").long("ActConn"),
    Column::table("method", "DistMethod").long("DistMethod"),
    Column::table("idle_because", "Idle").long("Idle"),
    Column::short("target", "Target", 16).long("Stack"),
    Column::only_long("standby", "SrvType"),
    Column::only_long("path", "Path"),
    Column::only_long("raw_weight", "Raw"),
    Column::only_long("tcsr", "TCSR"),
    Column::only_long("cer", "CER"),
    Column::only_long("sef", "SEF"),
    Column::only_long("slow_start", "SlowStart"),
    Column::only_long("abnormal", "Abnorm"),
    Column::only_long("health", "Health"),
];

/// Builds VDPT: the targets that are up and have joined, this stack included.
#[must_use]
pub fn vdpt(
    stack: &Snapshot,
    totals: &Totals,
    active: &Totals,
    filters: &Filters,
    room: &mut Room,
) -> Vdpt {
    let terms: BTreeMap<ServiceKey, &Terms> = stack
        .services
        .iter()
        .map(|service| (ServiceKey::of(service), &*service.terms))
        .collect();
    let forwarding = &stack.forwarding;
    let mut rows = Vec::new();
    for (key, service) in &forwarding.services {
        let terms = terms.get(key).copied();
        let known = stack.rows(*key, service, terms);
        let weights = terms.map_or_else(Vec::new, |terms| selection::weights(terms, &known));
        let raw = terms.map_or_else(Vec::new, |terms| selection::raw_weights(terms, &known));
        let responsiveness = selection::responsiveness(&known);
        for (row, address) in (0..).zip(&*service.rows) {
            let Some(target) = stack.target(*address, *key) else {
                continue;
            };
            let endpoints = [(key.dvipa, Some(key.port)), (*address, None)];
            if !filters.match_endpoints(&endpoints) || !room.admit() {
                continue;
            }
            let count = |counts: &Totals| counts.get(&(*key, *address)).copied().unwrap_or(0);
            let listed = terms.and_then(|terms| {
                let mut listed = terms.destinations.listed().iter();
                listed.find(|listed| listed.address == *address)
            });
            let method = terms.map_or(DistMethod::RoundRobin, |terms| terms.method);
            let weight = weights.get(usize::from(row)).copied().flatten();
            let has_listener = target.listeners > 0;
            let measured = |percent| Some(u16::from(percent)).filter(|_| has_listener);
            let tsr = measured(responsiveness[usize::from(row)]);
            let configured = listed.map(|listed| u16::from(listed.weight));
            let configured = configured.filter(|_| method.has_fixed_weights());
            let standby = listed.and_then(|listed| listed.standby);
            let tier = terms.and_then(|terms| terms.options.tier.as_ref());
            let is_active = service.ring.contains(&row);
            let warmth = stack.warmth(*address, *key);
            let is_warming = is_active && !warmth.is_full();
            let idle_because = idle_because(&target, weight, tsr, standby).filter(|_| !is_active);
            rows.push(VdptRow {
                dvipa: key.dvipa,
                port: key.port,
                dest_xcf: *address,
                target: target.name.to_owned(),
                ready: target.listeners,
                is_active,
                idle_because: idle_because.map(ToOwned::to_owned),
                path: path_word(stack.path(*address)),
                total_connections: count(totals),
                active_connections: count(active),
                wlm: weight.or(configured),
                raw_weight: raw.get(usize::from(row)).copied().flatten(),
                tsr,
                tcsr: target.tcsr.map(u16::from).filter(|_| has_listener),
                cer: measured(target.responsiveness.cer),
                sef: measured(target.responsiveness.sef),
                slow_start: is_warming.then(|| warmth.percent()),
                abnormal: None,
                health: None,
                method: method.keyword().to_owned(),
                standby: standby.map(|standby| spell_standby(standby).to_owned()),
                opt_local: terms.and_then(|terms| terms.options.opt_local),
                tier: tier.map(|group| tier_number(group.tier)),
            });
        }
    }
    Vdpt { rows }
}

/// Why a target that is handed nothing is not.
pub(super) fn idle_because(
    target: &Target<'_>,
    weight: Option<u16>,
    tsr: Option<u16>,
    standby: Option<Standby>,
) -> Option<&'static str> {
    if target.is_quiesced {
        Some("quiesced")
    } else if target.listeners == 0 {
        Some("no-listener")
    } else if !target.is_reachable {
        Some("unreachable")
    } else if tsr.is_some_and(|tsr| tsr < UNRESPONSIVE.into()) {
        Some("unresponsive")
    } else if weight == Some(0) {
        Some(match target.weight {
            Some(0) => "no-weight",
            _ => "no-capacity",
        })
    } else {
        standby.map(|_| "standby")
    }
}

pub(super) fn text(out: &mut String, vdpt: &Vdpt, style: Style) -> fmt::Result {
    if style.layout == Layout::Long {
        writeln!(
            out,
            "Dynamic VIPA Destination Port Table for TCP/IP stacks:"
        )?;
        return vdpt.rows.iter().try_for_each(|row| long(out, row, style));
    }
    writeln!(out, "Dynamic VIPA Destination Port Table:")?;
    let lines: Vec<Line> = vdpt.rows.iter().map(|row| cells(row).into()).collect();
    grid(out, "", COLUMNS, &lines, style.layout)
}

fn cells(row: &VdptRow) -> Vec<String> {
    vec![
        row.dvipa.to_string(),
        number(Some(row.port), 5),
        row.dest_xcf.to_string(),
        number(Some(row.ready), 3),
        number(Some(row.total_connections), 10),
        number(row.wlm, 2),
        number(row.tsr, 3),
        letters(row),
        number(Some(row.active_connections), 10),
        method_word(&row.method).to_owned(),
        row.idle_because.clone().unwrap_or_default(),
        row.target.clone(),
    ]
}

fn long(out: &mut String, row: &VdptRow, style: Style) -> fmt::Result {
    let target = beside(&row.dest_xcf.to_string(), Some(&row.target));
    writeln!(out, "Dest:        {}..{}", row.dvipa, row.port)?;
    writeln!(out, "  DestXCF:   {target}")?;
    writeln!(
        out,
        "  TotalConn: {}  Rdy: {}  WLM: {}  TSR: {}",
        number(Some(row.total_connections), 10),
        number(Some(row.ready), 3),
        number(row.wlm, 2),
        number(row.tsr, 3)
    )?;
    let method = method_word(&row.method);
    match row.standby.as_deref() {
        Some(standby) => writeln!(
            out,
            "  DistMethod: {method}  SrvType: {}",
            standby_word(standby)
        )?,
        None => writeln!(out, "  DistMethod: {method}")?,
    }
    writeln!(out, "{}", format!("  Flg: {}", words(row)).trim_end())?;
    if let Some(reason) = &row.idle_because {
        writeln!(out, "  Idle: {reason}")?;
    }
    if !style.has_detail {
        return Ok(());
    }
    writeln!(out, "    Path: {}", row.path.as_deref().unwrap_or("---"))?;
    writeln!(
        out,
        "    TCSR: {}  CER: {}  SEF: {}",
        number(row.tcsr, 3),
        number(row.cer, 3),
        number(row.sef, 3)
    )?;
    writeln!(out, "    Weight: {}", number(row.wlm, 2))?;
    if let Some(percent) = row.slow_start {
        writeln!(out, "    SlowStart: {}", number(Some(percent), 3))?;
    }
    if matches!(row.method.as_str(), "BASEWLM" | "SERVERWLM") {
        // Processors are all of one kind.
        let raw = number(row.raw_weight, 2);
        writeln!(out, "      Raw          CP: {raw}  zAAP: --  zIIP: --")?;
        writeln!(out, "      Proportional CP: {raw}  zAAP: --  zIIP: --")?;
    }
    writeln!(
        out,
        "    Abnorm: {}       Health: {}",
        number(row.abnormal, 4),
        number(row.health, 3)
    )?;
    let active = number(Some(row.active_connections), 10);
    writeln!(out, "    ActConn:   {active}")?;
    writeln!(out, "    QosPlcAct: *DEFAULT*")?;
    writeln!(out, "      W/Q: --")
}

/// How packets leave by a path, in a word.
fn path_word(path: Path) -> Option<String> {
    match path {
        Path::Local => Some("local".to_owned()),
        Path::Link { .. } => Some("link".to_owned()),
        Path::Tunnel { tunnel, .. } => Some(tunnel.encapsulation.keyword().to_lowercase()),
        Path::Unreachable => None,
    }
}

/// A distribution method as LONG spells it.
pub(super) fn method_word(keyword: &str) -> &str {
    match keyword {
        "BASEWLM" => "BaseWLM",
        "ROUNDROBIN" => "RoundRobin",
        "SERVERWLM" => "ServerWLM",
        "WEIGHTEDACTIVE" => "WeightedActive",
        "HOTSTANDBY" => "HotStandby",
        "TARGCONTROLLED" => "TargControlled",
        "MAGLEV" => "Maglev",
        other => other,
    }
}

pub(super) fn spell_standby(standby: Standby) -> &'static str {
    match standby {
        Standby::Preferred => "preferred",
        Standby::Backup { .. } => "backup",
    }
}

pub(super) fn standby_word(standby: &str) -> &'static str {
    match standby {
        "preferred" => "Preferred",
        _ => "Backup",
    }
}

pub(super) fn tier_number(tier: Tier) -> u8 {
    match tier {
        Tier::One => 1,
        Tier::Two => 2,
    }
}
