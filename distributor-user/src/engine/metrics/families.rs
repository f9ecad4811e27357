//! The table of the families.

use distributor_common::counter::{Action, COUNTERS, Counter, RECEIVED};

use super::{Family, Kind, Sample, Scrape, Value};
use crate::engine::report::{CounterRow, SysplexDvipa, VdptRow};

/// What the labels say.
pub(super) const LABELS: &[(&str, &str)] = &[
    ("stack", "the stack that reports"),
    (
        "action",
        "what became of the packets: `transmit`, `redirect`, `pass` or `drop`",
    ),
    ("address", "the DYNAMICXCF address of the target"),
    ("dvipa", "the DVIPA"),
    ("event", "the name of the [counter](counters.md)"),
    ("interface", "the name of the interface"),
    ("member", "the name of a member, this stack included"),
    (
        "method",
        "the distribution method, as the profile spells it",
    ),
    ("mode", "`native` in the driver, `generic` behind it"),
    ("owner", "the name of the stack that owns it"),
    ("port", "the port of the service"),
    (
        "reason",
        "why; the word of the [report](reports.md), or the name of the [counter](counters.md)",
    ),
    ("status", "the word of the [report](reports.md)"),
    ("target", "the name of the target"),
    ("verdict", "the name of the [counter](counters.md)"),
    ("version", "the program's version"),
];

const TARGET: &[&str] = &["dvipa", "port", "target", "address"];

/// The families, in the order in which they are written.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "build",
        kind: Kind::Info,
        help: "Which program runs.",
        labels: &["version"],
        samples: |_| vec![one([env!("CARGO_PKG_VERSION")])],
    },
    Family {
        name: "start_time_seconds",
        kind: Kind::Gauge,
        help: "When the daemon started, in seconds since 1970.",
        labels: &[],
        samples: |scrape| vec![bare(fraction(scrape.started_ms, 1_000))],
    },
    Family {
        name: "interface",
        kind: Kind::Info,
        help: "The interfaces that the packet path runs on.",
        labels: &["interface", "mode"],
        samples: |scrape| {
            let interfaces = scrape.stats.interfaces.iter();
            interfaces.map(|row| one([&row.name, &row.mode])).collect()
        },
    },
    Family {
        name: "flow_table_capacity",
        kind: Kind::Gauge,
        help: "How many connections the flow table holds.",
        labels: &[],
        samples: |scrape| vec![bare(Value::Whole(scrape.daemon.flow_capacity.into()))],
    },
    Family {
        name: "received_packets",
        kind: Kind::Counter,
        help: "Packets that the packet path received.",
        labels: &[],
        samples: |scrape| {
            let received = counted(scrape, |counter| counter.name == RECEIVED.name);
            received
                .map(|(_, row)| bare(Value::Whole(row.packets)))
                .collect()
        },
    },
    Family {
        name: "packets",
        kind: Kind::Counter,
        help: "Packets by what was decided about them: each has exactly one verdict.",
        labels: &["verdict", "action"],
        samples: |scrape| {
            let verdicts = counted(scrape, |counter| counter.action.is_some());
            verdicts
                .map(|(counter, row)| whole([row.name.as_str(), action(counter)], row.packets))
                .collect()
        },
    },
    Family {
        name: "packet_events",
        kind: Kind::Counter,
        help: "What the packet path noted beside its verdicts.",
        labels: &["event"],
        samples: |scrape| {
            let is_event =
                |counter: &Counter| counter.action.is_none() && counter.name != RECEIVED.name;
            let events = counted(scrape, is_event);
            events
                .map(|(_, row)| whole([&row.name], row.packets))
                .collect()
        },
    },
    Family {
        name: "group_unused_messages",
        kind: Kind::Counter,
        help: "Datagrams and messages of the group that had no effect or were not sent.",
        labels: &["reason"],
        samples: |scrape| {
            let reasons = scrape.stats.group.iter();
            reasons.map(|row| whole([&row.reason], row.count)).collect()
        },
    },
    Family {
        name: "member_status",
        kind: Kind::Gauge,
        help: "1 for the status that each member has.",
        labels: &["member", "status"],
        samples: |scrape| {
            let members = scrape.group.rows.iter();
            members
                .map(|row| whole([&row.stack, &row.status], 1))
                .collect()
        },
    },
    Family {
        name: "member_paths",
        kind: Kind::Gauge,
        help: "Paths to each other member that are known.",
        labels: &["member"],
        samples: |scrape| {
            let members = scrape.group.rows.iter();
            members
                .filter_map(|row| Some(whole([&row.stack], row.paths?)))
                .collect()
        },
    },
    Family {
        name: "member_paths_up",
        kind: Kind::Gauge,
        help: "Paths to each other member that work.",
        labels: &["member"],
        samples: |scrape| {
            let members = scrape.group.rows.iter();
            members
                .filter_map(|row| Some(whole([&row.stack], row.paths_up?)))
                .collect()
        },
    },
    Family {
        name: "dvipa_owner",
        kind: Kind::Gauge,
        help: "1 for who owns each DVIPA, as this stack knows.",
        labels: &["dvipa", "owner"],
        samples: |scrape| {
            let owned = scrape.sysplex.dvipas.iter();
            owned
                .filter_map(|dvipa| Some(whole([dvipa.dvipa.to_string(), owner(dvipa)?], 1)))
                .collect()
        },
    },
    Family {
        name: "dvipa_owned",
        kind: Kind::Gauge,
        help: "Whether anybody owns each DVIPA, as this stack knows.",
        labels: &["dvipa"],
        samples: |scrape| {
            let known = scrape.sysplex.dvipas.iter();
            known
                .map(|dvipa| whole([dvipa.dvipa.to_string()], owner(dvipa).is_some().into()))
                .collect()
        },
    },
    Family {
        name: "dvipa_status",
        kind: Kind::Gauge,
        help: "1 for what this stack is to each DVIPA.",
        labels: &["dvipa", "status"],
        samples: |scrape| {
            let known = scrape.sysplex.dvipas.iter();
            known
                .filter_map(|dvipa| {
                    let mut stacks = dvipa.stacks.iter();
                    let own = stacks.find(|stack| stack.stack == scrape.stack)?;
                    Some(whole([dvipa.dvipa.to_string(), own.status.clone()], 1))
                })
                .collect()
        },
    },
    Family {
        name: "service",
        kind: Kind::Info,
        help: "The services that this stack knows, and how they are distributed.",
        labels: &["dvipa", "port", "method"],
        samples: |scrape| {
            let rows = scrape.vdpt.rows.iter();
            let mut services: Vec<_> = rows
                .map(|row| {
                    one([
                        row.dvipa.to_string(),
                        row.port.to_string(),
                        row.method.clone(),
                    ])
                })
                .collect();
            services.dedup();
            services
        },
    },
    Family {
        name: "connections",
        kind: Kind::Counter,
        help: "Connections handed to each target.",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| Some(Value::Whole(row.total_connections))),
    },
    Family {
        name: "active_connections",
        kind: Kind::Gauge,
        help: "Connections to each target that the flow table holds.",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| Some(Value::Whole(row.active_connections))),
    },
    Family {
        name: "target_listeners",
        kind: Kind::Gauge,
        help: "Listeners of each target whose jobs are not quiesced.",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| Some(Value::Whole(row.ready.into()))),
    },
    Family {
        name: "target_active",
        kind: Kind::Gauge,
        help: "Whether each target is handed new connections.",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| Some(Value::Whole(row.is_active.into()))),
    },
    Family {
        name: "target_idle",
        kind: Kind::Gauge,
        help: "1 for each target that is handed no new connections, and why.",
        labels: &["dvipa", "port", "target", "address", "reason"],
        samples: |scrape| {
            let rows = scrape.vdpt.rows.iter();
            rows.filter_map(|row| {
                let [dvipa, port, target, address] = of(row);
                let reason = row.idle_because.clone()?;
                Some(whole([dvipa, port, target, address, reason], 1))
            })
            .collect()
        },
    },
    Family {
        name: "target_weight",
        kind: Kind::Gauge,
        help: "The weight of each target, with the methods that have weights.",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| Some(Value::Whole(row.wlm?.into()))),
    },
    Family {
        name: "target_responsiveness_ratio",
        kind: Kind::Gauge,
        help: "Target server responsiveness, 0 to 1 (TSR).",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| percent(row.tsr)),
    },
    Family {
        name: "target_connectivity_ratio",
        kind: Kind::Gauge,
        help: "SYNs sent to each target that have arrived, 0 to 1 (TCSR).",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| percent(row.tcsr)),
    },
    Family {
        name: "target_establishment_ratio",
        kind: Kind::Gauge,
        help: "Handshakes completed within a second, 0 to 1 (CER).",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| percent(row.cer)),
    },
    Family {
        name: "target_accept_ratio",
        kind: Kind::Gauge,
        help: "Waiting connections accepted within a quarter of a second, 0 to 1 (SEF).",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| percent(row.sef)),
    },
    Family {
        name: "target_slow_start_ratio",
        kind: Kind::Gauge,
        help: "How much of its share a target gets that has come back, 0 to 1.",
        labels: TARGET,
        samples: |scrape| of_targets(scrape, |row| percent(row.slow_start)),
    },
];

/// A sample of an info family.
fn one<const N: usize>(labels: [impl Into<String>; N]) -> Sample {
    whole(labels, 1)
}

fn whole<const N: usize>(labels: [impl Into<String>; N], value: u64) -> Sample {
    Sample {
        labels: labels.into_iter().map(Into::into).collect(),
        value: Value::Whole(value),
    }
}

/// A sample without labels of its own.
fn bare(value: Value) -> Sample {
    let labels = Vec::new();
    Sample { labels, value }
}

/// A part of a whole, as a fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 need 41 bits, and a real number has 52"
)]
fn fraction(part: u64, of: u32) -> Value {
    Value::Real(part as f64 / f64::from(of))
}

fn percent(percent: Option<u16>) -> Option<Value> {
    Some(fraction(percent?.into(), 100))
}

/// The counters of a kind, with their rows of the report.
fn counted(
    scrape: &Scrape,
    is_meant: impl Fn(&Counter) -> bool,
) -> impl Iterator<Item = (&'static Counter, &CounterRow)> {
    scrape.stats.counters.iter().filter_map(move |row| {
        let mut known = COUNTERS.iter().chain([&RECEIVED]);
        let counter = known.find(|counter| counter.name == row.name)?;
        is_meant(counter).then_some((counter, row))
    })
}

fn action(counter: &Counter) -> &'static str {
    match counter.action {
        Some(Action::Transmit) => "transmit",
        Some(Action::Redirect) => "redirect",
        Some(Action::Pass) => "pass",
        Some(Action::Drop) => "drop",
        None => "",
    }
}

fn owner(dvipa: &SysplexDvipa) -> Option<String> {
    let mut stacks = dvipa.stacks.iter();
    Some(stacks.find(|stack| stack.is_owner)?.stack.clone())
}

/// The labels of a target.
fn of(row: &VdptRow) -> [String; 4] {
    [
        row.dvipa.to_string(),
        row.port.to_string(),
        row.target.clone(),
        row.dest_xcf.to_string(),
    ]
}

fn of_targets(scrape: &Scrape, value: impl Fn(&VdptRow) -> Option<Value>) -> Vec<Sample> {
    let rows = scrape.vdpt.rows.iter();
    rows.filter_map(|row| {
        Some(Sample {
            labels: of(row).to_vec(),
            value: value(row)?,
        })
    })
    .collect()
}
