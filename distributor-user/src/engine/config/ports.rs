//! PORT and PORTRANGE: who may use which port.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One entry of a `PORT` statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortReservation {
    /// Port, host order.
    pub port: u16,
    /// `TCP` or `UDP`.
    pub protocol: PortProtocol,
    /// Who may use it.
    pub user: PortUser,
    /// `BIND address`.
    pub bind: Option<IpAddr>,
    /// What else the entry says.
    pub options: PortOptions,
}

/// One entry of a `PORTRANGE` statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// First port, host order.
    pub first: u16,
    /// Last port.
    pub last: u16,
    /// `TCP` or `UDP`.
    pub protocol: PortProtocol,
    /// Who may use them.
    pub user: PortUser,
    /// What else the entry says.
    pub options: PortOptions,
}

/// `PORT UNRSV`: who may use ports that nobody has reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreservedPorts {
    /// `TCP` or `UDP`.
    pub protocol: PortProtocol,
    /// Job name or `*`.
    pub user: String,
    /// `DENY`.
    pub is_denied: bool,
    /// `SAF resname`.
    pub saf: Option<String>,
    /// When it is asked.
    pub when: Enforced,
}

/// When the use of an unreserved port is decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Enforced {
    /// `WHENLISTEN`.
    Listen,
    /// `WHENBIND`.
    Bind,
}

/// The user of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortUser {
    /// `RESERVED`: nobody.
    Nobody,
    /// `AUTHPORT`: programs that the FTP server of z/OS lets in.
    Authorised,
    /// A job name, perhaps ending in `*`; `*` alone is any application.
    Job(String),
}

impl PortUser {
    /// The word of the profile language.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Nobody => "RESERVED",
            Self::Authorised => "AUTHPORT",
            Self::Job(name) => name,
        }
    }

    /// Reads the word of the profile language, which is in capitals.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "RESERVED" => Self::Nobody,
            "AUTHPORT" => Self::Authorised,
            name => Self::Job(name.to_owned()),
        }
    }
}

/// Options of a `PORT` or `PORTRANGE` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortOptions {
    /// Whether AUTOLOG restarts the job when it does not listen: not with `NOAUTOLOG`.
    pub has_no_autolog: bool,
    /// `DELAYACKS` or `NODELAYACKS`.
    pub acknowledge: AcknowledgeMode,
    /// `SHAREPORT` or `SHAREPORTWLM`.
    pub share: PortShare,
    /// `SAF resname`.
    pub saf: Option<String>,
    /// `SMC` or `NOSMC`.
    pub smc: SmcMode,
}

/// When segments are acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AcknowledgeMode {
    /// `DELAYACKS`.
    #[default]
    Delayed,
    /// `NODELAYACKS`.
    AtOnce,
}

/// Whether SMC may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SmcMode {
    /// Nothing is written.
    #[default]
    Unsaid,
    /// `SMC`.
    Yes,
    /// `NOSMC`.
    No,
}

/// The transport protocol of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl PortProtocol {
    /// The word of the profile language.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// Whether several listeners may share a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortShare {
    /// One listener only.
    #[default]
    No,
    /// `SHAREPORT`.
    Shareport,
    /// `SHAREPORTWLM`.
    ShareportWlm,
}
