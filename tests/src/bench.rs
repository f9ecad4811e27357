//! Measurements, each beside what it is compared with and how much it may be.
//!
//! No measurement stands alone: a number of nanoseconds says something about
//! the machine, only its ratio to another one of the same run says something
//! about the program. A gap is what clients see, and is held against a time.

mod config;
mod displays;
mod packet;
pub mod readiness;
mod selection;
pub mod takeover;

use std::fmt;

use anyhow::Result;
use serde::Serialize;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Case {
    /// What something costs.
    Cost(Cost),
    /// What connections see of an event.
    Takeover(takeover::Figures),
}

/// What something costs, and what that is compared with.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// What was measured.
    pub name: String,
    /// How long it took; for memory, bytes.
    pub ns: f64,
    /// What it is compared with.
    pub reference: String,
    /// How long that took, or may take; for memory, bytes.
    pub reference_ns: f64,
    /// The one in terms of the other.
    pub ratio: f64,
    /// What the ratio may be at most.
    pub limit: f64,
}

impl Cost {
    /// Compares `ns` with `reference_ns`.
    #[must_use]
    pub fn new(name: &str, ns: f64, reference: &str, reference_ns: f64, limit: f64) -> Self {
        Self {
            name: name.to_owned(),
            ns,
            reference: reference.to_owned(),
            reference_ns,
            ratio: ns / reference_ns,
            limit,
        }
    }
}

impl Case {
    /// Whether it is within its limit.
    #[must_use]
    pub fn is_within_limit(&self) -> bool {
        match self {
            Self::Cost(cost) => cost.ratio <= cost.limit,
            Self::Takeover(figures) => figures.is_within_limit(),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cost(cost) => write!(
                formatter,
                "{:44} {:>12.1} ns  {:5.2} × {} ({:.1} ns), at most {:.2}",
                cost.name, cost.ns, cost.ratio, cost.reference, cost.reference_ns, cost.limit,
            ),
            Self::Takeover(figures) => write!(formatter, "{figures}"),
        }?;
        if self.is_within_limit() {
            Ok(())
        } else {
            write!(formatter, "  TOO MUCH")
        }
    }
}

/// What is asked of a measurement.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How often what varies is repeated; every measurement knows best how often it is worth it.
    pub repeat: Option<u32>,
    /// Which of its cases are made, by name; all of them if none is named.
    pub cases: Vec<String>,
}

/// A set of measurements that is made in one go.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    /// The names of its cases, where they can be chosen.
    pub cases: fn() -> Vec<&'static str>,
    /// Makes it.
    pub run: fn(&Options) -> Result<Vec<Case>>,
}

/// Every measurement there is.
pub const MEASUREMENTS: &[Measurement] = &[
    config::MEASUREMENT,
    displays::MEASUREMENT,
    packet::MEASUREMENT,
    readiness::MEASUREMENT,
    selection::MEASUREMENT,
    takeover::MEASUREMENT,
];
