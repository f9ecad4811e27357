//! EXPLAIN: why each target of a service gets the share that it gets.
//!
//! It is made on any stack from what all of them say, by the functions that the
//! owner distributes by; what the owner alone knows is said where it matters.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{Filters, Room};
use super::layout::{Column, beside};
use super::snapshot::Snapshot;
use super::vdpt::{idle_because, method_word};
use crate::engine::config::{Destinations, Service};
use crate::engine::forwarding::{Path, ServiceKey, ServiceTargets};
use crate::engine::selection;
use crate::engine::stack::Stack;

/// Services with their targets, and why each gets what it gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explain {
    /// One for each DVIPA × port that matches the filters.
    pub services: Vec<ExplainedService>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedService {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The service's TCP port.
    pub port: u16,
    /// The distribution method, as the profile spells it.
    pub method: String,
    /// Name of the stack that owns the DVIPA and distributes it; null if none is known.
    pub owner: Option<String>,
    /// Whether that is the stack that reports: then this is what is in force. Else it is what follows
    /// from what this stack has heard: which backup HOTSTANDBY has kept, and how many SYNs were lost on
    /// the way, the owner alone knows.
    pub is_in_force: bool,
    /// The targets that are up and have joined, in the order of the table.
    pub targets: Vec<ExplainedTarget>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedTarget {
    /// DYNAMICXCF address of the target.
    pub dest_xcf: IpAddr,
    /// Name of the target.
    pub target: String,
    /// Number of listeners there.
    pub ready: u16,
    /// How packets for it leave this stack.
    pub path: String,
    /// Why it gets no new connection, as VDPT says it; null if it gets some.
    pub idle_because: Option<String>,
    /// Its weight before it is scaled and reduced, 0 to 64; null where the method has none that is
    /// measured or said, or not all have told theirs.
    pub raw_weight: Option<u16>,
    /// The weight that it is given connections by; null likewise.
    pub weight: Option<u16>,
    /// How much of the new connections it gets, in thousandths.
    pub share_permille: u16,
    /// Each step from what was measured to the share.
    pub reasons: Vec<ReasonRow>,
}

/// One step of the arithmetic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonRow {
    /// What it comes to: `unused`, `usable`, `free`, `average`, `raw`, `scaled`, `TSR`, `weight` or `share`.
    pub step: String,
    /// Inputs with their units, how they are put together, and the result.
    pub arithmetic: String,
}

/// What the text calls the fields of a target.
pub(super) const TARGETS: &[Column] = &[
    Column::only_long("dest_xcf", "Target"),
    Column::only_long("ready", "Rdy"),
    Column::only_long("path", "Path"),
    Column::only_long("weight", "Weight"),
    Column::only_long("share_permille", "Share"),
    Column::only_long("idle_because", "Idle"),
];

/// What is to be explained, as of one moment: there may be thousands of services, and the stack goes on
/// meanwhile.
#[derive(Clone, Debug)]
pub struct Unexplained {
    stack: Snapshot,
    /// With the names of their DVIPAs' owners.
    services: Vec<(Service, Option<String>)>,
}

impl Unexplained {
    /// Takes a copy of what `stack` knows now of the services that match.
    #[must_use]
    pub fn of(stack: &Stack, filters: &Filters, room: &mut Room) -> Self {
        let snapshot = Snapshot::of(stack);
        let mut services = Vec::new();
        for dvipa in stack.known_dvipas() {
            let distributed = if snapshot.forwarding.distributes(dvipa) {
                stack.own_distribution(dvipa)
            } else {
                stack.distribution(dvipa)
            };
            for service in distributed {
                let endpoint = (dvipa, Some(service.port));
                if filters.match_endpoints(&[endpoint]) && room.admit() {
                    let owner = stack.owner(dvipa).map(ToOwned::to_owned);
                    services.push((service.clone(), owner));
                }
            }
        }
        Self {
            stack: snapshot,
            services,
        }
    }

    /// Explains all of it.
    #[must_use]
    pub fn explain(self) -> Explain {
        let Self { stack, services } = self;
        let explain = |(service, owner): (Service, Option<String>)| {
            let key = ServiceKey::of(&service);
            let applied = stack.forwarding.services.get(&key);
            let targets = match applied {
                Some(applied) => applied.clone(),
                None => heard(&stack, &service),
            };
            ExplainedService {
                dvipa: key.dvipa,
                port: key.port,
                method: service.terms.method.keyword().to_owned(),
                owner,
                is_in_force: applied.is_some(),
                targets: explained(&stack, &service, &targets),
            }
        };
        Explain {
            services: services.into_iter().map(explain).collect(),
        }
    }
}

/// The targets of a service of another stack, as far as this one has heard.
fn heard(snapshot: &Snapshot, service: &Service) -> ServiceTargets {
    let terms = &service.terms;
    let rows: Vec<IpAddr> = match &terms.destinations {
        Destinations::List(_) => terms.destinations.addresses().collect(),
        Destinations::All => snapshot.addresses().collect(),
    };
    let mut targets = ServiceTargets {
        rows: rows.into(),
        ..ServiceTargets::default()
    };
    let known = snapshot.rows(ServiceKey::of(service), &targets, Some(terms));
    targets.ring = selection::ring(terms, &known, None).into();
    targets
}

fn explained(
    snapshot: &Snapshot,
    service: &Service,
    targets: &ServiceTargets,
) -> Vec<ExplainedTarget> {
    let (key, terms) = (ServiceKey::of(service), &service.terms);
    let known = snapshot.rows(key, targets, Some(terms));
    let servers = targets.rows.iter();
    let servers: Vec<_> = servers
        .map(|target| snapshot.servers(key, *target))
        .collect();
    let explained = selection::explain(terms, &known, &servers, &targets.ring);
    let tsr = selection::responsiveness(&known);
    let rows = targets.rows.iter().zip(explained).zip(tsr).zip(0..);
    rows.filter_map(|(((address, explained), tsr), row)| {
        let target = snapshot.target(*address, key)?;
        let listed = terms.destinations.listed().iter();
        let standby = listed
            .filter(|listed| listed.address == *address)
            .find_map(|listed| listed.standby);
        let is_active = targets.ring.contains(&row);
        let because = idle_because(&target, explained.weight, Some(tsr.into()), standby);
        let because = because.filter(|_| !is_active);
        let reason = |reason: selection::Reason| ReasonRow {
            step: reason.step.to_owned(),
            arithmetic: reason.arithmetic,
        };
        Some(ExplainedTarget {
            dest_xcf: *address,
            target: target.name.to_owned(),
            ready: target.listeners,
            path: way(snapshot.path(*address)),
            idle_because: because.map(ToOwned::to_owned),
            raw_weight: explained.raw,
            weight: explained.weight,
            share_permille: explained.share_permille,
            reasons: explained.reasons.into_iter().map(reason).collect(),
        })
    })
    .collect()
}

/// How packets leave by a path, in words.
fn way(path: Path) -> String {
    match path {
        Path::Local => "to this stack itself".to_owned(),
        Path::Link { .. } => "as they are, to the target's own Ethernet address".to_owned(),
        Path::Tunnel { tunnel, .. } => format!(
            "in {} from {} to {}, up to {} bytes",
            tunnel.encapsulation.keyword(),
            tunnel.ends.source,
            tunnel.ends.destination,
            tunnel.mtu
        ),
        Path::Unreachable => "none that this stack has asked for, or that answers".to_owned(),
    }
}

pub(super) fn text(out: &mut String, explain: &Explain) -> fmt::Result {
    for service in &explain.services {
        let method = method_word(&service.method);
        write!(out, "Service:  {}..{}", service.dvipa, service.port)?;
        writeln!(out, "  DistMethod: {method}")?;
        match (&service.owner, service.is_in_force) {
            (_, true) => writeln!(out, "  In force on this stack.")?,
            (Some(owner), false) => writeln!(
                out,
                "  As far as this stack has heard; {owner} owns the DVIPA and decides."
            )?,
            (None, false) => writeln!(
                out,
                "  As far as this stack has heard; nobody owns the DVIPA."
            )?,
        }
        for target in &service.targets {
            one(out, target)?;
        }
    }
    Ok(())
}

fn one(out: &mut String, target: &ExplainedTarget) -> fmt::Result {
    let name = beside(&target.dest_xcf.to_string(), Some(&target.target));
    let weight = target.weight;
    let weight = weight.map_or_else(|| "--".to_owned(), |weight| weight.to_string());
    let share = target.share_permille;
    writeln!(out, "  Target: {name}")?;
    writeln!(
        out,
        "    Rdy: {:03}  Weight: {weight}  Share: {}.{} %",
        target.ready,
        share / 10,
        share % 10
    )?;
    writeln!(out, "    Path: {}", target.path)?;
    if let Some(because) = &target.idle_because {
        writeln!(out, "    Idle: {because}")?;
    }
    for reason in &target.reasons {
        writeln!(out, "      {:<8} {}", reason.step, reason.arithmetic)?;
    }
    Ok(())
}
