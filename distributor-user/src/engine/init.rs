//! The profiles of a whole group, from what is said once about it.
//!
//! Nothing here knows more of the language than how to write it: whether a
//! method or an address is right is found by reading what was written, as any
//! profile is read.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// The cost metric of DYNAMICXCF, where nothing depends on it.
const COST_METRIC: u8 = 1;
/// The rank of the first backup; each further one has one less.
const FIRST_RANK: u8 = 254;
/// Prefix length of the DYNAMICXCF network, where none is said, of IPv4 and of IPv6.
const XCF_PREFIX: [u8; 2] = [24, 64];
/// What the interfaces of IPv6 DVIPAs are called, before a number.
const INTERFACE: &str = "VIPA6N";

/// A group, as its administrator thinks of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The addresses of the application, with the prefix lengths of their networks.
    pub vipa: Vec<Network>,
    /// The ports that are distributed.
    pub port: Vec<u16>,
    /// How connections are distributed, with the options of the method.
    #[serde(default = "round_robin")]
    pub method: String,
    /// The interfaces on which packets for the addresses arrive, where stacks name no others; without any,
    /// each daemon takes every interface that has an address.
    #[serde(default)]
    pub interface: Vec<String>,
    /// The interface of the DYNAMICXCF network, where stacks name no other; without it, the one that has
    /// the DYNAMICXCF address or one of its network.
    pub xcf_interface: Option<String>,
    /// The stacks; the first one owns the addresses.
    pub stack: Vec<Member>,
}

/// The method of a group that names none.
#[must_use]
pub fn round_robin() -> String {
    "ROUNDROBIN".to_owned()
}

/// One stack of a group.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its DYNAMICXCF address.
    pub xcf: Network,
    /// Whether it runs servers.
    #[serde(default = "yes")]
    pub serves: bool,
    /// Whether it takes the addresses over when the owner is gone.
    #[serde(default = "yes")]
    pub takes_over: bool,
    /// Its interfaces, if they are not those of the group.
    #[serde(default)]
    pub interface: Vec<String>,
    /// Its interface of the DYNAMICXCF network, if it is not that of the group.
    pub xcf_interface: Option<String>,
}

const fn yes() -> bool {
    true
}

/// An address, and how much of it is that of its network, if that is said.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network.
    pub prefix_len: Option<u8>,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected an address such as `10.1.3.10/24`, found `{text}`");
        let (address, prefix_len) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_error| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_error| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix_len.is_some_and(|bits| bits > longest) {
            return Err(wrong());
        }
        Ok(Self {
            address,
            prefix_len,
        })
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Member {
    type Err = String;

    /// Reads `NAME=ADDRESS[/BITS]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, xcf)) = text.split_once('=') else {
            return Err(format!(
                "expected a stack such as `TCPIP=172.1.1.1/24`, found `{text}`"
            ));
        };
        Ok(Self {
            name: name.to_owned(),
            xcf: xcf.parse()?,
            serves: true,
            takes_over: true,
            interface: Vec::new(),
            xcf_interface: None,
        })
    }
}

/// Why there are no profiles.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InitError {
    /// Something is missing altogether.
    #[error("expected at least one {0}, found none")]
    Missing(&'static str),
    /// A VIPA without its network.
    #[error("expected the prefix length of {0}'s network, as in `{0}/24`, found none")]
    NoPrefix(IpAddr),
    /// Two stacks are called alike.
    #[error("expected each stack once, found `{0}` again")]
    Again(String),
    /// No stack runs servers.
    #[error("expected at least one stack that runs servers, found none")]
    NoTarget,
    /// More backups than there are ranks.
    #[error("expected at most {FIRST_RANK} backups, found {0}")]
    Backups(usize),
    /// What no interface can be called.
    #[error("expected the name of an interface, such as `eth0`, found `{0}`")]
    Interface(String),
    /// No target has an address of the VIPA's family.
    #[error("expected stacks with DYNAMICXCF addresses of the family of {0}, found none")]
    Family(IpAddr),
}

impl Group {
    /// Writes the profile of each stack, in the order of the stacks.
    ///
    /// # Errors
    ///
    /// The group lacks something that every profile needs.
    pub fn profiles(&self) -> Result<Vec<(&str, String)>, InitError> {
        self.check()?;
        let mut rank = FIRST_RANK;
        let stacks = self.stack.iter().enumerate();
        let profiles = stacks.map(|(number, member)| {
            let role = if number == 0 {
                Some(Role::Owner)
            } else if member.takes_over {
                let role = Role::Backup(rank);
                rank -= 1;
                Some(role)
            } else {
                None
            };
            (member.name.as_str(), self.profile(member, role))
        });
        Ok(profiles.collect())
    }

    /// What the daemon of a stack is told beside its name, profile and key.
    #[must_use]
    pub fn options(&self, member: &Member) -> String {
        let interfaces = if member.interface.is_empty() {
            &self.interface
        } else {
            &member.interface
        };
        let mut words: Vec<String> = interfaces
            .iter()
            .map(|interface| format!("--interface {interface}"))
            .collect();
        let xcf = member.xcf_interface.as_ref();
        if let Some(interface) = xcf.or(self.xcf_interface.as_ref()) {
            words.push(format!("--xcf-interface {interface}"));
        }
        words.join(" ")
    }

    fn check(&self) -> Result<(), InitError> {
        for (what, is_missing) in [
            ("VIPA", self.vipa.is_empty()),
            ("port", self.port.is_empty()),
            ("stack", self.stack.is_empty()),
        ] {
            if is_missing {
                return Err(InitError::Missing(what));
            }
        }
        let of_members = self
            .stack
            .iter()
            .flat_map(|member| member.interface.iter().chain(&member.xcf_interface));
        let mut interfaces = self
            .interface
            .iter()
            .chain(&self.xcf_interface)
            .chain(of_members);
        if let Some(wrong) = interfaces.find(|name| !is_interface(name)) {
            return Err(InitError::Interface(wrong.clone()));
        }
        for (number, member) in self.stack.iter().enumerate() {
            let mut others = self.stack[..number].iter();
            if others.any(|other| other.name.eq_ignore_ascii_case(&member.name)) {
                return Err(InitError::Again(member.name.clone()));
            }
        }
        let backups = self.stack.iter().skip(1);
        let backups = backups.filter(|member| member.takes_over).count();
        if backups > FIRST_RANK.into() {
            return Err(InitError::Backups(backups));
        }
        if !self.stack.iter().any(|member| member.serves) {
            return Err(InitError::NoTarget);
        }
        for vipa in &self.vipa {
            if vipa.prefix_len.is_none() {
                return Err(InitError::NoPrefix(vipa.address));
            }
            if self.targets(vipa.address).next().is_none() {
                return Err(InitError::Family(vipa.address));
            }
        }
        Ok(())
    }

    /// The stacks that can serve a VIPA.
    fn targets(&self, vipa: IpAddr) -> impl Iterator<Item = &Member> {
        let targets = self.stack.iter().filter(|member| member.serves);
        targets.filter(move |member| member.xcf.address.is_ipv4() == vipa.is_ipv4())
    }

    fn profile(&self, member: &Member, role: Option<Role>) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(text, "; {}: {}.\n", member.name, describe(member, role));
        let _ = match member.xcf.address {
            IpAddr::V4(address) => writeln!(
                text,
                "IPCONFIG SYSPLEXROUTING\n    DYNAMICXCF {address} {} {COST_METRIC}",
                mask(member.xcf.prefix_len.unwrap_or(XCF_PREFIX[0]))
            ),
            IpAddr::V6(address) => writeln!(
                text,
                "IPCONFIG SYSPLEXROUTING\nIPCONFIG6 DYNAMICXCF {address}/{}",
                member.xcf.prefix_len.unwrap_or(XCF_PREFIX[1])
            ),
        };
        let Some(role) = role else {
            return text;
        };
        text.push_str("\nVIPADYNAMIC\n");
        for (number, vipa) in (1..).zip(&self.vipa) {
            self.distribute(&mut text, *vipa, number, role);
        }
        text.push_str("ENDVIPADYNAMIC\n");
        text
    }

    fn distribute(&self, text: &mut String, vipa: Network, number: usize, role: Role) {
        let statement = match role {
            Role::Owner => "VIPADEFINE MOVEABLE IMMEDIATE".to_owned(),
            Role::Backup(rank) => format!("VIPABACKUP {rank} MOVEABLE IMMEDIATE"),
        };
        let bits = vipa.prefix_len.unwrap_or_default();
        let address = vipa.address;
        let ports: Vec<String> = self.port.iter().map(ToString::to_string).collect();
        let (of, called) = match address {
            IpAddr::V4(_) => (format!("{} {address}", mask(bits)), address.to_string()),
            IpAddr::V6(_) => {
                let interface = format!("{INTERFACE}{number}");
                (format!("{interface} {address}/{bits}"), interface)
            }
        };
        let _ = writeln!(
            text,
            "   {statement} {of}\n   VIPADISTRIBUTE DEFINE DISTMETHOD {} {called} PORT {}\n      \
             DESTIP",
            self.method,
            ports.join(" "),
        );
        for target in self.targets(address) {
            let _ = writeln!(text, "         {} ; {}", target.xcf.address, target.name);
        }
    }
}

/// What a stack is to the addresses of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Owner,
    Backup(u8),
}

fn describe(member: &Member, role: Option<Role>) -> &'static str {
    match (role, member.serves) {
        (Some(Role::Owner), true) => "owns the addresses whenever it is up, and runs servers",
        (Some(Role::Owner), false) => "owns the addresses whenever it is up",
        (Some(Role::Backup(_)), true) => {
            "takes the addresses over when those before it are gone, and runs servers"
        }
        (Some(Role::Backup(_)), false) => "takes the addresses over when those before it are gone",
        (None, true) => "runs servers",
        (None, false) => "is a member, and nothing else",
    }
}

/// A mask of IPv4 with so many bits.
fn mask(bits: u8) -> IpAddr {
    let host = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
    IpAddr::from((!host).to_be_bytes())
}

/// Says whether Linux lets an interface have this name, and nobody has to quote it.
fn is_interface(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_graphic() && !"/\"'\\$".contains(letter);
    (1..=15).contains(&name.len()) && name.chars().all(is_plain)
}
