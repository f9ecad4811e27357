//! Messages: what the engine tells the operator, each with its z/OS id where one fits.
//!
//! The id, the severity and the wording of every message stand here and nowhere else.

use std::fmt;
use std::net::IpAddr;

use super::ports::PortMessage;
use super::responsiveness::Responsiveness;
use super::stack::Vary;
use super::xcf::XcfAddresses;
use varied::varied;

mod varied;

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
    /// A member has passed on what its operator orders this stack; what that is follows.
    Passed {
        /// The member's name.
        by: String,
    },
    /// No member is heard, and nothing arrives at this stack.
    CutOff,
    /// This stack is among others again, or knows that it is alone.
    Connected,
    /// A member joined.
    Joined {
        /// Its name.
        name: String,
        /// Its DYNAMICXCF addresses.
        xcf: XcfAddresses,
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
    /// Servers of a target no longer take the connections that they are given.
    Unresponsive {
        /// The DVIPA.
        dvipa: IpAddr,
        /// The service's port.
        port: u16,
        /// Name of the target.
        target: String,
        /// How they take them.
        responsiveness: Responsiveness,
    },
    /// They take them again.
    Responsive {
        /// The DVIPA.
        dvipa: IpAddr,
        /// The service's port.
        port: u16,
        /// Name of the target.
        target: String,
    },
    /// SYNs that are sent to a target do not arrive there.
    OutOfReach {
        /// Its name.
        target: String,
        /// How many of a hundred do.
        tcsr: u8,
    },
    /// They arrive again.
    WithinReach {
        /// Its name.
        target: String,
    },
    /// The kernel has no route to the address in a target's VIPAROUTE.
    NoRoute {
        /// DYNAMICXCF address of the target.
        target: IpAddr,
        /// The address in the VIPAROUTE.
        destination: IpAddr,
    },
    /// It has one again.
    Routed {
        /// DYNAMICXCF address of the target.
        target: IpAddr,
        /// The address in the VIPAROUTE.
        destination: IpAddr,
    },
    /// With HOTSTANDBY: another target gets the new connections.
    Switched {
        /// The DVIPA.
        dvipa: IpAddr,
        /// The service's port.
        port: u16,
        /// Name of the target that got them before.
        from: String,
        /// Name of the target that gets them now.
        to: String,
    },
    /// Something happened to a port with a reservation.
    Port(PortMessage),
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

/// What all messages of a kind have in common.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The z/OS message id, or our own (`SDL…`) where z/OS has none.
    pub id: &'static str,
    /// When it is given.
    pub when: &'static str,
    /// Whether an operator should look at it.
    pub is_warning: bool,
}

macro_rules! kinds {
    ($($name:ident = $id:literal $severity:ident $when:literal;)*) => {
        $(static $name: Kind = Kind {
            id: $id,
            when: $when,
            is_warning: kinds!(@$severity),
        };)*

        /// Every kind, in the order of the page.
        pub static KINDS: &[&Kind] = &[$(&$name),*];
    };
    (@warning) => { true };
    (@info) => { false };
}

kinds! {
    ACTIVATED = "EZD1214I" info "this stack owns a DVIPA now";
    TAKEN_OVER = "EZZ8301I" info "a DVIPA was taken over from a stack that is gone, or that gave it up";
    TAKEN_BACK = "EZZ8302I" info "the definer has taken a DVIPA back from its backup";
    GIVEN = "EZZ8303I" info "another stack owns a DVIPA that this one had";
    HELD_AS_TARGET = "SDL0101I" info "a DVIPA is held hidden here: this stack is a target of it";
    RELEASED = "SDL0102I" info "a DVIPA is no longer on this stack";
    SERVER_STARTED = "SDL0103I" info "a target has its first listener for a service";
    SERVER_ENDED = "SDL0104I" info "a target has no listener for a service any more";
    SWITCHED = "SDL0109I" info "HOTSTANDBY sends new connections to another target; what is established stays";
    UNREADABLE = "SDL0105E" warning "what a member publishes cannot be read; it is of another release, or broken";
    LEFT_BY_ORDER = "SDL0106I" info "`vary leavegroup` was obeyed";
    JOINED_BY_ORDER = "EZD1178I" info "`vary joingroup` was obeyed";
    DEACTIVATED = "EZD1197I" info "`vary deactivate` was obeyed";
    REACTIVATED = "EZD1189I" info "`vary reactivate` was obeyed";
    PORT_REFUSED = "SDL0121W" warning "a program was not let bind a port, as PORT or PORTRANGE says";
    PORT_MOVED = "SDL0122I" info "a server that asked for every address is bound to the one that BIND says";
    PORT_OF_OTHER_USER = "SDL0123W" warning "a server cannot share a port with those of another user; SHAREPORT is by user, as the kernel's";
    PORT_NOT_IN_TURN = "SDL0124W" warning "listeners of a shared port do not get connections in turn: the kernel chooses among them";
    PORT_NOT_ASIDE = "SDL0125W" warning "servers are quiesced, and their port's connections are not handed out by PORT's SHAREPORT";
    QUIESCED = "SDL0110I" info "`vary quiesce` was obeyed: no new connection is sent to this target, to a port of it, or to a server";
    WEIGHED = "SDL0113I" info "`vary weight` was obeyed: services that are distributed by TARGCONTROLLED go by it";
    DRAINING = "SDL0112I" info "`drain` was obeyed: no new connection is sent there, and the last ones may be reset";
    PASSED = "SDL0114I" info "an operator has given an order to this stack on another member's host; the next message says which";
    RESUMED = "SDL0111I" info "`vary resume` was obeyed";
    CUT_OFF = "SDL0107W" warning "this stack is cut off: it hears no member, and nothing arrives";
    CONNECTED = "SDL0108I" info "a stack that was cut off is among others again, or knows that it is alone";
    UNRESPONSIVE = "EZD1182I" warning "servers of a target do not take the connections that they are given; VDPT shows TSR, CER and SEF";
    RESPONSIVE = "EZD1183I" info "servers that did not take connections take them again";
    OUT_OF_REACH = "SDL0126W" warning "SYNs that are sent to a target do not arrive there, though it is heard; VDPT shows TCSR";
    WITHIN_REACH = "SDL0127I" info "SYNs that are sent to a target arrive there again";
    NO_ROUTE = "SDL0128I" info "the kernel has no route to the address in a VIPAROUTE: packets take the paths that the group knows; VIPADYN shows RtStatus";
    ROUTED = "SDL0129I" info "the kernel has a route to the address in a VIPAROUTE again";
    JOINED = "EZD1176I" info "a member joined the group, or is back after a restart";
    LEFT = "EZZ9676E" warning "a member left the group, or is not heard any more";
}

impl Message {
    /// Returns what this message has in common with others of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        match self {
            Self::Activated { .. } => &ACTIVATED,
            Self::HeldAsTarget { .. } => &HELD_AS_TARGET,
            Self::Released { .. } => &RELEASED,
            Self::TakenOver { .. } => &TAKEN_OVER,
            Self::TakenBack { .. } => &TAKEN_BACK,
            Self::Given { .. } => &GIVEN,
            Self::Varied(Vary::LeaveGroup) => &LEFT_BY_ORDER,
            Self::Varied(Vary::JoinGroup) => &JOINED_BY_ORDER,
            Self::Varied(Vary::Deactivate(_)) => &DEACTIVATED,
            Self::Varied(Vary::Reactivate(_)) => &REACTIVATED,
            Self::Varied(Vary::Quiesce(_)) => &QUIESCED,
            Self::Varied(Vary::Resume(_)) => &RESUMED,
            Self::Varied(Vary::Weigh(..)) => &WEIGHED,
            Self::Varied(Vary::Drain { .. }) => &DRAINING,
            Self::Passed { .. } => &PASSED,
            Self::CutOff => &CUT_OFF,
            Self::Connected => &CONNECTED,
            Self::Joined { .. } => &JOINED,
            Self::Left { .. } => &LEFT,
            Self::ServerStarted { .. } => &SERVER_STARTED,
            Self::ServerEnded { .. } => &SERVER_ENDED,
            Self::Unresponsive { .. } => &UNRESPONSIVE,
            Self::Responsive { .. } => &RESPONSIVE,
            Self::OutOfReach { .. } => &OUT_OF_REACH,
            Self::WithinReach { .. } => &WITHIN_REACH,
            Self::NoRoute { .. } => &NO_ROUTE,
            Self::Routed { .. } => &ROUTED,
            Self::Switched { .. } => &SWITCHED,
            Self::Port(PortMessage::Refused { .. }) => &PORT_REFUSED,
            Self::Port(PortMessage::Moved { .. }) => &PORT_MOVED,
            Self::Port(PortMessage::OtherUser { .. }) => &PORT_OF_OTHER_USER,
            Self::Port(PortMessage::NotInTurn { .. }) => &PORT_NOT_IN_TURN,
            Self::Port(PortMessage::NotAside { .. }) => &PORT_NOT_ASIDE,
            Self::Unreadable { .. } => &UNREADABLE,
        }
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
            Self::Varied(vary) => varied(vary, f),
            Self::Passed { by } => write!(f, "{by} passes on an order of its operator"),
            Self::CutOff => f.write_str(
                "no member is heard and nothing arrives: this stack is cut off, and takes no new \
                 connection for a VIPA that another could have",
            ),
            Self::Connected => f.write_str("this stack is no longer cut off"),
            Self::Joined { name, xcf } => {
                write!(f, "{name} ({xcf}) joined the group")
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
            Self::Unresponsive {
                dvipa,
                port,
                target,
                responsiveness: Responsiveness { cer, sef },
            } => {
                write!(
                    f,
                    "server for {dvipa} port {port} at {target} is not responsive: CER {cer}, SEF {sef}"
                )
            }
            Self::OutOfReach { target, tcsr } => write!(
                f,
                "new connections do not arrive at {target}, though it is heard: TCSR {tcsr}"
            ),
            Self::WithinReach { target } => {
                write!(f, "new connections arrive at {target} again")
            }
            Self::NoRoute {
                target,
                destination,
            } => write!(
                f,
                "no route to {destination}, the VIPAROUTE of {target}: packets for it take the group's \
                 networks"
            ),
            Self::Routed {
                target,
                destination,
            } => write!(
                f,
                "there is a route to {destination}, the VIPAROUTE of {target}, again"
            ),
            Self::Responsive {
                dvipa,
                port,
                target,
            } => {
                write!(
                    f,
                    "server for {dvipa} port {port} at {target} is responsive again"
                )
            }
            Self::Switched {
                dvipa,
                port,
                from,
                to,
            } => {
                write!(
                    f,
                    "new connections for {dvipa} port {port} go to {to}, no longer to {from}"
                )
            }
            Self::Port(message) => message.fmt(f),
            Self::Unreadable { name, key, reason } => {
                write!(
                    f,
                    "`{key}` of {name} cannot be read and is ignored: {reason}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_messages_have_one_id() {
        let ids: BTreeSet<_> = KINDS.iter().map(|kind| kind.id).collect();
        assert_eq!(ids.len(), KINDS.len(), "{ids:?}");
    }
}
