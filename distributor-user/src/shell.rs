//! The thin shell around the engine: netlink, maps, sockets, files, signals.
//!
//! Nothing in here decides what the distributor should do. It executes the
//! engine's effects in order and turns what the kernel and the network report
//! into the engine's inputs.

pub mod addresses;
pub mod admin;
pub mod carriers;
pub mod cgroup;
pub mod challenge;
pub mod claim;
pub mod confinement;
pub mod connections;
pub mod daemon;
pub mod dataplane;
pub mod doctor;
pub mod group;
mod holders;
pub mod ipv6;
pub mod links;
pub mod listeners;
pub mod load;
pub mod metrics;
pub mod namespace;
pub mod neighbours;
pub mod netlink;
mod objects;
pub mod ports;
pub mod priority;
pub mod probe;
pub mod profile_files;
pub mod responsiveness;
pub mod servers;
mod sock_diag;
pub mod sock_ops;
pub mod supervisor;
pub mod sysctls;
pub mod teller;

#[cfg(test)]
mod testing;
