//! Reports: what NETSTAT shows, as data and in z/OS's layouts.
//!
//! A report is built once, as plain data; the table that a person reads and
//! the JSON that a program reads are two renderings of it. Nothing that was
//! not measured is shown as a number: the table has dashes there, JSON has null.

mod build;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::config::{Dvipa, Service};

pub use build::{Totals, vcrt, vdpt, vipadcfg, vipadyn};
pub use table::render;

/// The reports, by the names that NETSTAT knows them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReportName {
    /// The DVIPA statements of this stack's profile.
    Vipadcfg,
    /// The DVIPAs that are on this stack, and what they are here.
    Vipadyn,
    /// The destination port table: each service with its targets.
    Vdpt,
    /// The connection routing table: each connection with its target.
    Vcrt,
    /// What the packet path received and did, by reason.
    Stats,
}

/// One report with its frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the stack that reports.
    pub stack: String,
    /// When, as `HH:MM:SS` local time.
    pub time: String,
    /// What it reports.
    #[serde(flatten)]
    pub body: Body,
}

/// The content of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "lowercase")]
pub enum Body {
    /// See [`ReportName::Vipadcfg`].
    Vipadcfg {
        /// `VIPADEFINE` and `VIPABACKUP`, in the order of the profile.
        dvipas: Vec<Dvipa>,
        /// `VIPADISTRIBUTE`, one entry per DVIPA × port.
        services: Vec<Service>,
    },
    /// See [`ReportName::Vipadyn`].
    Vipadyn {
        /// One entry per DVIPA.
        rows: Vec<VipadynRow>,
    },
    /// See [`ReportName::Vdpt`].
    Vdpt {
        /// One entry per DVIPA × port × target that has joined.
        rows: Vec<VdptRow>,
    },
    /// See [`ReportName::Vcrt`].
    Vcrt {
        /// One entry per connection.
        rows: Vec<VcrtRow>,
    },
    /// See [`ReportName::Stats`].
    Stats {
        /// One entry per interface.
        interfaces: Vec<InterfaceRow>,
        /// Every counter of the packet path.
        counters: Vec<CounterRow>,
        /// What of the group's traffic had no effect, or was not sent, by reason.
        group: Vec<GroupRow>,
    },
}

/// One DVIPA of this stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipadynRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// Length of its mask; absent where no statement says.
    pub prefix_len: Option<u8>,
    /// `Active`, `Backup`, `Quiescing`.
    pub status: String,
    /// `VIPADefine`, `VIPABackup` or `VIPADist`.
    pub origin: String,
    /// `Dist`, `Dest`, `Dist/Dest`, or empty.
    pub distribution: String,
    /// Name of the stack that owns it; absent while none does.
    pub owner: Option<String>,
    /// When it became active here, as `MM/DD/YYYY HH:MM:SS` local time.
    pub activated: Option<String>,
}

/// One target of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VdptRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The service's port.
    pub port: u16,
    /// DYNAMICXCF address of the target.
    pub dest_xcf: IpAddr,
    /// Name of the target.
    pub target: String,
    /// Listeners there.
    pub ready: u16,
    /// Whether it is handed new connections: something listens there, and a path to it answers.
    pub is_active: bool,
    /// Connections forwarded to it since the row exists.
    pub total_connections: u64,
    /// Connections to it in the flow table.
    pub active_connections: u64,
    /// Normalised weight; null for a method without weights.
    pub wlm: Option<u16>,
    /// Target server responsiveness in percent; null while it is not measured.
    pub tsr: Option<u16>,
    /// The distribution method, as the profile spells it.
    pub method: String,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VcrtRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// The service's port.
    pub port: u16,
    /// The client's address.
    pub client: IpAddr,
    /// The client's port.
    pub client_port: u16,
    /// DYNAMICXCF address of the target.
    pub dest_xcf: IpAddr,
    /// Name of the target, where it is known.
    pub target: Option<String>,
    /// `half-open`, `established` or `ending` at the owner; `terminated-here` at a target.
    pub state: String,
}

/// One interface of the packet path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceRow {
    /// Its name.
    pub name: String,
    /// `native` or `generic`.
    pub mode: String,
}

/// One counter of the packet path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterRow {
    /// Its name.
    pub name: String,
    /// Packets.
    pub packets: u64,
    /// What it counts.
    pub meaning: String,
}

/// One reason why something of the group's traffic had no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRow {
    /// The reason; docs/group.md explains each.
    pub reason: String,
    /// Datagrams and messages.
    pub count: u64,
}
