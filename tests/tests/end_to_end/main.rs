//! End to end: real servers and clients on the namespace lab.
//!
//! Every test has a lab of its own, and one runs at a time: what they measure
//! must not be another's load.

mod dataplane;
mod networks;

use std::fs::File;

use nix::fcntl::{Flock, FlockArg};

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
