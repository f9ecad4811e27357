//! Everything that doctor can find: the only place that says what it means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::Severity;

mod group;
mod host;

/// A part of the way of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The daemon and what it needs to start.
    Daemon,
    /// The group of stacks.
    Group,
    /// Who owns the address, and where it is.
    Address,
    /// The interfaces and what runs on them.
    Interface,
    /// The settings of the kernel.
    Kernel,
    /// The rules of the firewall.
    Firewall,
    /// The targets of a service.
    Target,
    /// The servers of this stack.
    Server,
    /// The way back to the client.
    Return,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Daemon,
        Self::Group,
        Self::Address,
        Self::Interface,
        Self::Kernel,
        Self::Firewall,
        Self::Target,
        Self::Server,
        Self::Return,
    ];

    /// What the documentation calls it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Daemon => "The daemon",
            Self::Group => "The group",
            Self::Address => "The address and its owner",
            Self::Interface => "Interfaces, drivers and the program",
            Self::Kernel => "Settings of the kernel",
            Self::Firewall => "The firewall",
            Self::Target => "Services and their targets",
            Self::Server => "Servers on this host",
            Self::Return => "The way back",
        }
    }
}

/// Something that can be found.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name.
    pub id: &'static str,
    /// Where on the way.
    pub stage: Stage,
    /// How bad it is, as a rule.
    pub severity: Severity,
    /// What it is.
    pub what: &'static str,
    /// Why it matters, or where it comes from.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// The place of a finding among others: causes before what follows from them, in the order of the way.
pub(super) fn place(id: &str) -> usize {
    let found = entries().position(|entry| entry.id == id);
    found.unwrap_or(usize::MAX)
}

/// The entry of this name.
pub(super) fn entry(id: &str) -> Option<&'static Entry> {
    entries().find(|entry| entry.id == id)
}

const fn entry_of(
    id: &'static str,
    stage: Stage,
    severity: Severity,
    what: &'static str,
    cause: &'static str,
    remedy: &'static str,
) -> Entry {
    Entry {
        id,
        stage,
        severity,
        what,
        cause,
        remedy,
    }
}

/// All that can be found: what is seen where it is wrong first, what only follows from something after
/// it.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    host::ENTRIES.iter().chain(&group::ENTRIES)
}
