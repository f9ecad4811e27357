//! End to end: real servers and clients on the namespace lab.
//!
//! Every test has a lab of its own, and one runs at a time: what they measure
//! must not be another's load.

mod accounting;
mod active;
mod affinity;
mod agreement;
mod apply;
mod attacks;
mod bulk;
mod clean_stop;
mod confinement;
mod connectivity;
mod console;
mod controlled;
mod dataplane;
mod definers;
mod demo;
mod endings;
mod events;
mod icmp;
mod init;
mod instruments;
mod ipv6;
mod joining;
mod leftovers;
mod maglev;
mod members;
mod metrics;
mod misconfig;
mod networks;
mod no_target;
mod package;
mod ports;
mod quiesce;
mod readiness;
mod refusals;
mod reload;
mod reports;
mod responsiveness;
mod round_robin;
mod routes;
mod scenario;
mod servers;
mod slow_start;
mod soak;
mod standby;
mod supervision;
mod survival;
mod takeover;
mod top;
mod tutorial;
mod upgrade;
mod weights;

use std::fs::File;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use nix::fcntl::{Flock, FlockArg};
use tests::lab::{Lab, Layout, PORT, VIPA};

/// What clients connect to.
const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(VIPA), PORT);

/// What a server of Java listens on: every address, of IPv4 too.
const DUAL_STACK: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);

/// Waits until no other test of this machine runs on a lab; held to the test's end.
fn turn() -> Flock<File> {
    let path = std::env::temp_dir().join("distributor-end-to-end.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    Flock::lock(
        file.expect("a writable temporary directory"),
        FlockArg::LockExclusive,
    )
    .map_err(|(_, error)| error)
    .expect("a lock")
}

/// A lab without daemons.
fn built(stacks: u8, clients: u8) -> Lab {
    Lab::build(&Layout {
        name: None,
        stacks,
        clients,
    })
    .expect("a lab")
}

/// A lab whose daemons run, the first of its stacks distributing over `destinations`.
fn started(stacks: u8, clients: u8, destinations: &[&str]) -> Lab {
    let lab = built(stacks, clients);
    lab.start(destinations).expect("daemons");
    lab
}
