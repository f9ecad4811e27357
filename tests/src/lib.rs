//! The namespace lab, and what the end-to-end tests have in common.
//!
//! Nothing here knows how the distributor works: a lab offers networks,
//! machines, servers and clients, and uses the `distributor` program as an
//! administrator does.

pub mod bench;
pub mod certificate;
pub mod cgroup;
pub mod claim;
pub mod host;
pub mod https;
pub mod lab;
pub mod machine;
pub mod namespace;
pub mod neighbour;
pub mod process;
pub mod profile;
pub mod program;
pub mod sandbox;
pub mod scenario;
pub mod snapshot;
pub mod soak;
pub mod stack;
pub mod switch;
pub mod tap;
pub mod tcp;
pub mod terminal;
pub mod transcript;
pub mod unit;
pub mod wait;
