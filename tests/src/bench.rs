//! Measurements, each beside what it is compared with and how much it may cost.
//!
//! No measurement stands alone: a number of nanoseconds says something about
//! the machine, only its ratio to another one of the same run says something
//! about the program.

mod config;
mod packet;
pub mod readiness;

use anyhow::Result;
use serde::Serialize;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
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

impl Case {
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

    /// Whether the ratio is within its limit.
    #[must_use]
    pub fn is_within_limit(&self) -> bool {
        self.ratio <= self.limit
    }
}

/// A set of measurements that is made in one go.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    /// Makes it, with every number the median of so many repetitions where it repeats.
    pub run: fn(u32) -> Result<Vec<Case>>,
}

/// Every measurement there is.
pub const MEASUREMENTS: &[Measurement] = &[
    config::MEASUREMENT,
    packet::MEASUREMENT,
    readiness::MEASUREMENT,
];
