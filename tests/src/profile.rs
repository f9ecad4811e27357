//! Profiles for labs of any size, in the scenario's shape.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::lab::{PORT, VIPA};

/// The profile of a stack that only receives connections.
#[must_use]
pub fn target(xcf_address: Ipv4Addr) -> String {
    format!("IPCONFIG SYSPLEXROUTING\n    DYNAMICXCF {xcf_address} 255.255.255.0 3\n")
}

/// The profile of the stack that owns the VIPA and distributes it by `method`, with its options; a
/// destination is an address with what the method says of it.
#[must_use]
pub fn distributed(xcf_address: Ipv4Addr, method: &str, destinations: &[String]) -> String {
    let profile = target(xcf_address);
    let destinations = destinations.join(" ");
    format!(
        "{profile}VIPADYNAMIC\n   VIPADEFINE 255.255.255.0 {VIPA}\n   VIPADISTRIBUTE DISTMETHOD \
         {method} {VIPA} PORT {PORT}\n      DESTIP {destinations}\nENDVIPADYNAMIC\n"
    )
}

/// The profile of the stack that owns the VIPA and distributes it over `destinations`.
#[must_use]
pub fn front_end(xcf_address: Ipv4Addr, destinations: &[Ipv4Addr]) -> String {
    let dvipa = Dvipa {
        role: Role::Define,
        moveable: None,
        destinations,
    };
    dvipa.profile(xcf_address)
}

/// What a stack's profile says of the VIPA.
#[derive(Clone, Copy, Debug)]
pub struct Dvipa<'a> {
    /// By which statement.
    pub role: Role,
    /// What follows MOVEABLE; without it the statement has none.
    pub moveable: Option<Moveable>,
    /// Over which stacks it is distributed; without any there is no VIPADISTRIBUTE.
    pub destinations: &'a [Ipv4Addr],
}

/// The statement for a VIPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// VIPADEFINE.
    Define,
    /// VIPABACKUP with this rank.
    Backup(u8),
}

/// When a stack that has the VIPA gives it to one that comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moveable {
    /// At once.
    Immediate,
    /// When no connection is left.
    WhenIdle,
}

impl Dvipa<'_> {
    /// The whole profile of the stack with this DYNAMICXCF address.
    #[must_use]
    pub fn profile(&self, xcf_address: Ipv4Addr) -> String {
        const MASK: &str = "255.255.255.0";
        let statement = match self.role {
            Role::Define => "VIPADEFINE".to_owned(),
            Role::Backup(rank) => format!("VIPABACKUP {rank}"),
        };
        let moveable = match (self.moveable, self.role) {
            (Some(Moveable::Immediate), _) => format!(" MOVEABLE IMMEDIATE {MASK}"),
            (Some(Moveable::WhenIdle), _) => format!(" MOVEABLE WHENIDLE {MASK}"),
            (None, Role::Define) => format!(" {MASK}"),
            // It takes over only what somebody else has created, mask and all.
            (None, Role::Backup(_)) => String::new(),
        };
        let mut profile = target(xcf_address);
        // Writing to a string does not fail.
        let _ = write!(profile, "VIPADYNAMIC\n   {statement}{moveable} {VIPA}\n");
        if !self.destinations.is_empty() {
            let _ = writeln!(
                profile,
                "   VIPADISTRIBUTE DEFINE DISTM ROUNDROBIN {VIPA} PORT {PORT}\n      DESTIP"
            );
        }
        for destination in self.destinations {
            let _ = writeln!(profile, "         {destination}");
        }
        profile.push_str("ENDVIPADYNAMIC\n");
        profile
    }
}
