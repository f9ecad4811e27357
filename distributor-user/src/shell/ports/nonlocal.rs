//! Lets servers be bound to an address that is not on this host yet.
//!
//! A DVIPA is on a target only while somebody owns it, but a server that asks
//! for every address starts at any time. What was changed is noted in a pinned
//! map, beside the programs that need it.

use std::fs;
use std::io;

/// A setting of the namespace by which any address may be bound, of IPv4 and of IPv6.
const SETTINGS: [&str; 2] = [
    "/proc/sys/net/ipv4/ip_nonlocal_bind",
    "/proc/sys/net/ipv6/ip_nonlocal_bind",
];

/// Which settings were changed from 0 to 1, of IPv4 and of IPv6.
pub(super) type Changed = [bool; 2];

/// Sets what is needed, and puts back what is not; returns what is changed then.
pub(super) fn adjust(needed: [bool; 2], changed: Changed) -> Changed {
    let mut now = changed;
    for (at, path) in SETTINGS.iter().enumerate() {
        let done = match (needed[at], changed[at]) {
            (true, false) => change(path, "0", "1"),
            (false, true) => change(path, "1", "0"),
            (true, true) | (false, false) => continue,
        };
        match done {
            Ok(is_changed) => now[at] = needed[at] && is_changed,
            Err(error) => tracing::warn!(%error, "cannot change `{path}`"),
        }
    }
    now
}

/// Writes a setting that has the value `from`; says whether it had.
fn change(path: &str, from: &str, to: &str) -> io::Result<bool> {
    if fs::read_to_string(path)?.trim() != from {
        return Ok(false);
    }
    fs::write(path, to)?;
    tracing::info!(setting = path, from, to, "a setting was changed");
    Ok(true)
}
