//! Profiles for labs of any size, in the scenario's shape.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use crate::lab::{DVIPA6, PORT, VIPA, VIPA6, in_ipv6};

/// The profile of a stack that only receives connections.
#[must_use]
pub fn target(xcf_address: Ipv4Addr) -> String {
    format!("IPCONFIG SYSPLEXROUTING\n    DYNAMICXCF {xcf_address} 255.255.255.0 3\n")
}

/// The same of a stack that receives connections over IPv6 too.
#[must_use]
pub fn dual_target(xcf_address: Ipv4Addr) -> String {
    let ipv4 = target(xcf_address);
    let ipv6 = in_ipv6(xcf_address);
    format!("{ipv4}IPCONFIG6 DYNAMICXCF {ipv6}/64\n")
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
        let statements = self.statements(VIPA.into());
        let profile = target(xcf_address);
        format!("{profile}VIPADYNAMIC\n{statements}ENDVIPADYNAMIC\n")
    }

    /// The same, and of the IPv6 VIPA what is said of the IPv4 one.
    #[must_use]
    pub fn dual_profile(&self, xcf_address: Ipv4Addr) -> String {
        let statements = self.statements(VIPA.into()) + &self.statements(VIPA6.into());
        let profile = dual_target(xcf_address);
        format!("{profile}VIPADYNAMIC\n{statements}ENDVIPADYNAMIC\n")
    }

    fn statements(&self, vipa: IpAddr) -> String {
        /// What is before an IPv4 address, and only where it may be created.
        const MASK: &str = "255.255.255.0 ";

        let is_ipv6 = vipa.is_ipv6();
        let statement = match self.role {
            Role::Define => "VIPADEFINE".to_owned(),
            Role::Backup(rank) => format!("VIPABACKUP {rank}"),
        };
        let moveable = match self.moveable {
            Some(Moveable::Immediate) => " MOVEABLE IMMEDIATE",
            Some(Moveable::WhenIdle) => " MOVEABLE WHENIDLE",
            None => "",
        };
        let interface = if is_ipv6 {
            format!("{DVIPA6} ")
        } else {
            String::new()
        };
        // A backup without MOVEABLE takes over only what somebody else has created, mask and all.
        let creates = self.moveable.is_some() || self.role == Role::Define;
        let mask = if creates && !is_ipv6 { MASK } else { "" };
        let mut text = format!("   {statement}{moveable} {mask}{interface}{vipa}\n");
        if !self.destinations.is_empty() {
            let named = if is_ipv6 {
                DVIPA6.to_owned()
            } else {
                vipa.to_string()
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "   VIPADISTRIBUTE DEFINE DISTM ROUNDROBIN {named} PORT {PORT}\n      DESTIP"
            );
        }
        for destination in self.destinations {
            let _ = if is_ipv6 {
                writeln!(text, "         {}", in_ipv6(*destination))
            } else {
                writeln!(text, "         {destination}")
            };
        }
        text
    }
}
