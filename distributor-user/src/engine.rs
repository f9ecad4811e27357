//! The pure core: profile → configuration → plan, group state, reports.
//!
//! Nothing in here performs I/O, reads a clock, draws a random number or
//! awaits. The same inputs always give the same outputs, which is what lets a
//! whole group of stacks be tested in one process.

pub mod addresses;
pub mod affinity;
pub mod agreement;
pub mod config;
pub mod confinement;
pub mod connectivity;
pub mod console;
pub mod definitions;
pub mod difference;
pub mod doctor;
pub mod events;
pub mod fact;
pub mod forwarding;
#[cfg(test)]
pub(crate) mod golden;
pub mod group;
pub mod history;
pub mod init;
pub mod links;
pub mod load;
pub mod message;
pub mod metrics;
pub mod ownership;
pub mod ports;
pub mod profile;
pub mod reference;
pub mod report;
pub mod responsiveness;
pub mod selection;
pub mod servers;
pub mod stack;
pub mod sysctls;
pub mod xcf;
