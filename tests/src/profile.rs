//! Profiles for labs of any size, in the scenario's shape.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::lab::{PORT, VIPA};

/// The profile of a stack that only receives connections.
#[must_use]
pub fn target(xcf_address: Ipv4Addr) -> String {
    format!("IPCONFIG SYSPLEXROUTING\n    DYNAMICXCF {xcf_address} 255.255.255.0 3\n")
}

/// The profile of the stack that owns the VIPA and distributes it over `destinations`.
#[must_use]
pub fn front_end(xcf_address: Ipv4Addr, destinations: &[Ipv4Addr]) -> String {
    let mut profile = target(xcf_address);
    profile.push_str("VIPADYNAMIC\n");
    // Writing to a string does not fail.
    let _ = writeln!(profile, "   VIPADEFINE 255.255.255.0 {VIPA}");
    let _ = writeln!(
        profile,
        "   VIPADISTRIBUTE DEFINE DISTM ROUNDROBIN {VIPA} PORT {PORT}"
    );
    profile.push_str("      DESTIP\n");
    for destination in destinations {
        let _ = writeln!(profile, "         {destination}");
    }
    profile.push_str("ENDVIPADYNAMIC\n");
    profile
}
