//! What the operator is told about ports.

use std::fmt;
use std::net::IpAddr;

/// Something that happened to a port with a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortMessage {
    /// A program was not let bind a port.
    Refused {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// The port.
        port: u16,
        /// The program.
        program: Program,
        /// Why.
        why: Refusal,
    },
    /// A server that asked for all addresses got the one of `BIND`.
    Moved {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// The port.
        port: u16,
        /// The program.
        program: Program,
        /// What BIND says; absent when the profile says something else by now.
        address: Option<IpAddr>,
    },
    /// A server will not share a port with those of another user.
    OtherUser {
        /// The port.
        port: u16,
        /// The program.
        program: Program,
        /// Whose listeners the port has.
        user: u32,
    },
    /// The listeners of a shared port do not get connections in turn.
    NotInTurn {
        /// The port.
        port: u16,
        /// How many listeners are out of reach.
        listeners: usize,
        /// Why.
        reason: String,
    },
    /// Listeners of quiesced servers get connections of a port all the same.
    NotAside {
        /// The port.
        port: u16,
    },
}

/// Why a program was not let bind a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `RESERVED`.
    Reserved,
    /// The port is for others, by these job names.
    OtherJob(Vec<String>),
    /// The socket takes IPv6 only, and `BIND` says this IPv4 address.
    V6Only(Option<IpAddr>),
}

/// A program that binds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// The command's name.
    pub command: String,
    /// The process.
    pub process: u32,
    /// The user whose socket it is.
    pub user: u32,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            process,
            user,
        } = self;
        write!(f, "`{command}` (process {process}, user {user})")
    }
}

impl fmt::Display for PortMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused {
                protocol,
                port,
                program,
                why,
            } => write!(f, "{protocol} port {port} is refused to {program}: {why}"),
            Self::Moved {
                protocol,
                port,
                program,
                address,
            } => {
                write!(f, "{protocol} port {port}: {program} is bound to ")?;
                match address {
                    Some(address) => write!(f, "{address}, and not to every address"),
                    None => f.write_str("one address, and not to every address"),
                }
            }
            Self::OtherUser {
                port,
                program,
                user,
            } => write!(
                f,
                "TCP port {port}: {program} cannot share it with the listeners of user {user}: the \
                 kernel lets only sockets of one user share a port"
            ),
            Self::NotInTurn {
                port,
                listeners,
                reason,
            } => write!(
                f,
                "TCP port {port}: {listeners} of its listeners cannot be given connections in turn, \
                 so the kernel chooses among all of them: {reason}"
            ),
            Self::NotAside { port } => write!(
                f,
                "TCP port {port}: the servers that are quiesced may still be given connections, since \
                 the kernel chooses among its listeners; `PORT {port} TCP … SHAREPORT` has them \
                 given in turn, and these none"
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved => f.write_str("the profile has it RESERVED"),
            Self::OtherJob(jobs) => write!(f, "the profile has it for {}", jobs.join(", ")),
            Self::V6Only(address) => {
                f.write_str("its socket takes IPv6 only, and BIND says ")?;
                match address {
                    Some(address) => write!(f, "{address}")?,
                    None => f.write_str("an IPv4 address")?,
                }
                f.write_str("; let it listen on 0.0.0.0, or on [::] for IPv4 too")
            }
        }
    }
}
