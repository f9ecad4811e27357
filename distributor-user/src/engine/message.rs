//! Messages: what the engine tells the operator, each with its z/OS id where one fits.
//!
//! The id, the severity and the wording of every message stand here and nowhere else.

use std::fmt;
use std::net::IpAddr;

use super::stack::Vary;

/// One message of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// This stack owns the DVIPA now.
    Activated {
        /// The DVIPA.
        dvipa: IpAddr,
    },
    /// This stack holds the DVIPA hidden, as a target.
    HeldAsTarget {
        /// The DVIPA.
        dvipa: IpAddr,
    },
    /// This stack no longer holds the DVIPA.
    Released {
        /// The DVIPA.
        dvipa: IpAddr,
    },
    /// This stack has taken the DVIPA over from one that is gone, or that gave it up.
    TakenOver {
        /// The DVIPA.
        dvipa: IpAddr,
        /// Name of the stack that owned it.
        from: String,
    },
    /// This stack has taken the DVIPA back from its backup.
    TakenBack {
        /// The DVIPA.
        dvipa: IpAddr,
        /// Name of the backup.
        from: String,
    },
    /// Another stack owns the DVIPA that this one had.
    Given {
        /// The DVIPA.
        dvipa: IpAddr,
        /// Name of the other stack.
        to: String,
    },
    /// The operator's order was obeyed.
    Varied(Vary),
    /// A member joined.
    Joined {
        /// Its name.
        name: String,
        /// Its DYNAMICXCF address.
        dynamic_xcf: IpAddr,
    },
    /// A member left.
    Left {
        /// Its name.
        name: String,
    },
    /// A target has its first listener for a service.
    ServerStarted {
        /// The DVIPA.
        dvipa: IpAddr,
        /// The service's port.
        port: u16,
        /// Name of the target.
        target: String,
    },
    /// A target has no listener for a service any more.
    ServerEnded {
        /// The DVIPA.
        dvipa: IpAddr,
        /// The service's port.
        port: u16,
        /// Name of the target.
        target: String,
    },
    /// What a member published could not be read.
    Unreadable {
        /// Name of the member.
        name: String,
        /// Which part of it.
        key: &'static str,
        /// Why.
        reason: String,
    },
}

impl Message {
    /// Returns the z/OS message id, or our own (`SDL…`) where z/OS has none.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::Activated { .. } => "EZD1214I",
            Self::HeldAsTarget { .. } => "SDL0101I",
            Self::Released { .. } => "SDL0102I",
            Self::TakenOver { .. } => "EZZ8301I",
            Self::TakenBack { .. } => "EZZ8302I",
            Self::Given { .. } => "EZZ8303I",
            Self::Varied(Vary::LeaveGroup) => "EZD1177I",
            Self::Varied(Vary::JoinGroup) => "EZD1178I",
            Self::Varied(Vary::Deactivate(_)) => "EZD1197I",
            Self::Varied(Vary::Reactivate(_)) => "EZD1189I",
            Self::Joined { .. } => "EZD1176I",
            Self::Left { .. } => "EZZ9676E",
            Self::ServerStarted { .. } => "SDL0103I",
            Self::ServerEnded { .. } => "SDL0104I",
            Self::Unreadable { .. } => "SDL0105E",
        }
    }

    /// Says whether an operator should look at it.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::Left { .. })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activated { dvipa } => write!(f, "VIPA {dvipa} is active on this stack"),
            Self::HeldAsTarget { dvipa } => {
                write!(f, "VIPA {dvipa} is held hidden on this stack, as a target")
            }
            Self::Released { dvipa } => write!(f, "VIPA {dvipa} is no longer on this stack"),
            Self::TakenOver { dvipa, from } => write!(f, "VIPA {dvipa} taken over from {from}"),
            Self::TakenBack { dvipa, from } => write!(f, "VIPA {dvipa} taken back from {from}"),
            Self::Given { dvipa, to } => write!(f, "VIPA {dvipa} given to {to}"),
            Self::Varied(Vary::LeaveGroup) => {
                f.write_str("this stack has left the group by order; its configuration is kept")
            }
            Self::Varied(Vary::JoinGroup) => f.write_str("this stack joins the group by order"),
            Self::Varied(Vary::Deactivate(dvipa)) => write!(f, "VIPA {dvipa} is deactivated"),
            Self::Varied(Vary::Reactivate(dvipa)) => write!(f, "VIPA {dvipa} is reactivated"),
            Self::Joined { name, dynamic_xcf } => {
                write!(f, "{name} ({dynamic_xcf}) joined the group")
            }
            Self::Left { name } => write!(f, "{name} left the group"),
            Self::ServerStarted {
                dvipa,
                port,
                target,
            } => {
                write!(f, "server for {dvipa} port {port} started at {target}")
            }
            Self::ServerEnded {
                dvipa,
                port,
                target,
            } => {
                write!(f, "no server for {dvipa} port {port} at {target} any more")
            }
            Self::Unreadable { name, key, reason } => {
                write!(
                    f,
                    "`{key}` of {name} cannot be read and is ignored: {reason}"
                )
            }
        }
    }
}
