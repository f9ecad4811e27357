//! STATS: what the packet path received and did, and what of the group's traffic had no effect.

use std::fmt::{self, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::Column;

/// Every counter of this stack; a report of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// One for each interface that the packet path runs on.
    pub interfaces: Vec<InterfaceRow>,
    /// Every counter of the packet path; counters.md explains them.
    pub counters: Vec<CounterRow>,
    /// What of the group's traffic had no effect, or was not sent, by reason.
    pub group: Vec<GroupRow>,
}

/// One interface of the packet path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceRow {
    /// Its name.
    pub name: String,
    /// How the program is attached: in the driver, or behind it.
    #[schemars(extend("enum" = ["native", "generic"]))]
    pub mode: String,
}

/// One counter of the packet path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CounterRow {
    /// Its name.
    pub name: String,
    /// Number of packets, since the packet path was loaded.
    pub packets: u64,
    /// What it counts.
    pub meaning: String,
}

/// One reason why something of the group's traffic had no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupRow {
    /// Its name.
    pub reason: String,
    /// Number of datagrams and messages, since the daemon began.
    pub count: u64,
    /// What it means.
    pub meaning: String,
}

/// What the layouts call the fields of an interface.
pub(super) const INTERFACES: &[Column] = &[
    Column::only_long("name", "Interface"),
    Column::only_long("mode", "Mode"),
];

pub(super) fn text(out: &mut String, stats: &Stats) -> fmt::Result {
    writeln!(out, "Packet Path Statistics:")?;
    for row in &stats.interfaces {
        writeln!(out, "  Interface: {:<15} Mode: {}", row.name, row.mode)?;
    }
    for row in &stats.counters {
        line(out, &row.name, row.packets, &row.meaning)?;
    }
    writeln!(out, "Group Statistics, without effect or not sent:")?;
    for row in &stats.group {
        line(out, &row.reason, row.count, &row.meaning)?;
    }
    Ok(())
}

fn line(out: &mut String, name: &str, count: u64, meaning: &str) -> fmt::Result {
    writeln!(out, "  {name:<20} {count:>14}  {meaning}")
}
