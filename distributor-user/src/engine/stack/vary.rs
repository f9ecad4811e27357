//! What an operator orders a running stack to do: z/OS's `VARY TCPIP,,SYSPLEX`.
//!
//! An order lasts until it is undone or the stack is stopped; the configuration
//! is kept as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Effect, Stack};
use crate::engine::definitions::Definitions;
use crate::engine::forwarding::ServiceKey;
use crate::engine::message::Message;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vary {
    /// `LEAVEGROUP`: give every DVIPA up, be no target, and define nothing.
    LeaveGroup,
    /// `JOINGROUP`: undo it.
    JoinGroup,
    /// `DEACTIVATE,DVIPA=`: give this one up, and do not take it.
    Deactivate(IpAddr),
    /// `REACTIVATE,DVIPA=`: undo it.
    Reactivate(IpAddr),
    /// `QUIESCE`: send no new connections here; those that are here go on.
    Quiesce(Scope),
    /// `RESUME`: undo it.
    Resume(Scope),
    /// Weigh so much where targets say so themselves (`TARGCONTROLLED`); without a weight, as those do that
    /// say nothing.
    Weigh(Scope, Option<u8>),
    /// Quiesce the whole target for good: what it still has after this time is reset; without a time
    /// nothing is.
    Drain(Option<Duration>),
}

/// For what a stack is no target while it is quiesced, or weighs what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// `TARGET`: for everything.
    Target,
    /// `PORT=`: for services of this port, of every DVIPA.
    Port(u16),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target => f.write_str("this target"),
            Self::Port(port) => write!(f, "port {port} of this target"),
        }
    }
}

const DAY_S: u64 = 24 * 60 * 60;

/// The longest time after which a drain may end.
const LONGEST_DRAIN: Duration = Duration::from_secs(30 * DAY_S);

/// Why an order was not obeyed; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The profile does not mention the DVIPA.
    #[error(
        "{dvipa} is no DVIPA of {stack}; it has {}",
        if known.is_empty() { "none" } else { known }
    )]
    UnknownDvipa {
        /// The address.
        dvipa: IpAddr,
        /// The stack's name.
        stack: String,
        /// The DVIPAs that could be named.
        known: String,
    },
    /// A time that is too long to be meant.
    #[error("expected a deadline of at most 30 days, found {} days", within.as_secs() / DAY_S)]
    TooLong {
        /// The time.
        within: Duration,
    },
    /// It is so already.
    #[error("{0}")]
    Already(String),
}

/// The orders in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    has_left: bool,
    deactivated: BTreeSet<IpAddr>,
    is_quiesced: bool,
    quiesced_ports: BTreeSet<u16>,
    weight: Option<u8>,
    weights_of_ports: BTreeMap<u16, u8>,
    /// When the connections that are left are reset.
    reset_at: Option<Duration>,
}

impl fmt::Display for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut orders = Vec::new();
        if self.has_left {
            orders.push("leavegroup".to_owned());
        }
        orders.extend(
            self.deactivated
                .iter()
                .map(|dvipa| format!("deactivate {dvipa}")),
        );
        if self.is_quiesced {
            orders.push("quiesce target".to_owned());
        }
        orders.extend(
            self.quiesced_ports
                .iter()
                .map(|port| format!("quiesce port={port}")),
        );
        orders.extend(self.weight.map(|weight| format!("weight {weight} target")));
        orders.extend(
            self.weights_of_ports
                .iter()
                .map(|(port, weight)| format!("weight {weight} port={port}")),
        );
        f.write_str(&orders.join(", "))
    }
}

impl Orders {
    /// What they are to a daemon that begins so much later, at zero.
    #[must_use]
    pub fn after(mut self, passed: Duration) -> Self {
        self.reset_at = self.reset_at.map(|at| at.saturating_sub(passed));
        self
    }

    /// Whether this stack must not have a DVIPA.
    pub(super) fn forbid(&self, dvipa: IpAddr) -> bool {
        self.has_left || self.deactivated.contains(&dvipa)
    }

    /// Whether no new connections to a port must be sent to this stack.
    pub(super) fn quiesce(&self, port: u16) -> bool {
        self.is_quiesced || self.quiesced_ports.contains(&port)
    }

    /// What this stack weighs as a target for a port, if it was told.
    pub(super) fn weight(&self, port: u16) -> Option<u8> {
        self.weights_of_ports.get(&port).copied().or(self.weight)
    }

    fn set_weight(&mut self, scope: Scope, weight: Option<u8>) {
        match (scope, weight) {
            (Scope::Target, weight) => self.weight = weight,
            (Scope::Port(port), Some(weight)) => {
                self.weights_of_ports.insert(port, weight);
            }
            (Scope::Port(port), None) => {
                self.weights_of_ports.remove(&port);
            }
        }
    }

    fn has_quiesced(&self, scope: Scope) -> bool {
        match scope {
            Scope::Target => self.is_quiesced,
            Scope::Port(port) => self.quiesced_ports.contains(&port),
        }
    }

    fn set_quiesced(&mut self, scope: Scope, is_quiesced: bool) {
        match scope {
            Scope::Target => {
                self.is_quiesced = is_quiesced;
                self.reset_at = None;
            }
            Scope::Port(port) if is_quiesced => {
                self.quiesced_ports.insert(port);
            }
            Scope::Port(port) => {
                self.quiesced_ports.remove(&port);
            }
        }
    }
}

impl Stack {
    /// Says whether an order can be obeyed; [`Event::Vary`](super::Event::Vary) carries it out.
    ///
    /// # Errors
    ///
    /// It names what is not there, or asks for what is so already.
    pub fn consider(&self, vary: &Vary) -> Result<(), Refused> {
        let already = |text: String| Err(Refused::Already(text));
        let stack = &self.name;
        match vary {
            Vary::LeaveGroup if self.orders.has_left => {
                already(format!("{stack} has left the group already"))
            }
            Vary::JoinGroup if !self.orders.has_left => {
                already(format!("{stack} is in the group already"))
            }
            Vary::Deactivate(dvipa) | Vary::Reactivate(dvipa) => {
                let mut known = self.config.dvipas.iter().map(|dvipa| dvipa.address);
                if !known.any(|known| known == *dvipa) {
                    let known: Vec<String> = self
                        .config
                        .dvipas
                        .iter()
                        .map(|dvipa| dvipa.address.to_string())
                        .collect();
                    return Err(Refused::UnknownDvipa {
                        dvipa: *dvipa,
                        stack: stack.clone(),
                        known: known.join(", "),
                    });
                }
                let is_deactivated = self.orders.deactivated.contains(dvipa);
                let deactivates = matches!(vary, Vary::Deactivate(_));
                match (deactivates, is_deactivated) {
                    (true, true) => already(format!("{dvipa} is deactivated already")),
                    (false, false) => already(format!("{dvipa} is not deactivated")),
                    (true, false) | (false, true) => Ok(()),
                }
            }
            Vary::Quiesce(scope) if self.orders.has_quiesced(*scope) => {
                already(format!("{scope} is quiesced already"))
            }
            Vary::Resume(Scope::Port(port))
                if self.orders.is_quiesced && !self.orders.quiesced_ports.contains(port) =>
            {
                already(format!(
                    "port {port} is not quiesced by itself, the whole target is; `resume target` \
                     undoes that"
                ))
            }
            Vary::Resume(scope) if !self.orders.has_quiesced(*scope) => {
                already(format!("{scope} is not quiesced"))
            }
            Vary::Drain(Some(within)) if *within > LONGEST_DRAIN => {
                Err(Refused::TooLong { within: *within })
            }
            Vary::LeaveGroup
            | Vary::JoinGroup
            | Vary::Weigh(..)
            | Vary::Quiesce(_)
            | Vary::Resume(_)
            | Vary::Drain(_) => Ok(()),
        }
    }

    pub(super) fn obey_order(&mut self, vary: &Vary, now: Duration, effects: &mut Vec<Effect>) {
        self.is_dirty = true;
        match vary {
            Vary::LeaveGroup => self.orders.has_left = true,
            Vary::JoinGroup => self.orders.has_left = false,
            Vary::Deactivate(dvipa) => {
                self.orders.deactivated.insert(*dvipa);
            }
            Vary::Reactivate(dvipa) => {
                self.orders.deactivated.remove(dvipa);
            }
            Vary::Quiesce(scope) => self.orders.set_quiesced(*scope, true),
            Vary::Resume(scope) => self.orders.set_quiesced(*scope, false),
            Vary::Weigh(scope, weight) => self.orders.set_weight(*scope, *weight),
            Vary::Drain(within) => {
                self.orders.set_quiesced(Scope::Target, true);
                self.orders.reset_at = within.map(|within| now + within);
            }
        }
        effects.push(Effect::Tell(Message::Varied(vary.clone())));
        self.update_readiness(effects);
        effects.extend(self.publish_definitions());
        effects.push(self.publish_readiness());
        self.informed.clear();
    }

    /// The orders in force, as they are to a daemon that begins now.
    #[must_use]
    pub fn orders(&self, now: Duration) -> Orders {
        self.orders.clone().after(now)
    }

    /// When a drain is over, whatever is left.
    pub(super) fn drain_deadline(&self) -> Option<Duration> {
        self.orders.reset_at
    }

    /// Ends what is left when a drain is over.
    pub(super) fn end_drain(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.orders.reset_at.is_some_and(|at| now >= at) {
            self.orders.reset_at = None;
            effects.push(Effect::ResetConnections(self.served()));
        }
    }

    /// The services whose connections end here: what the owners of the DVIPAs distribute, and what
    /// listens here.
    #[must_use]
    pub fn served(&self) -> BTreeSet<ServiceKey> {
        let held = self.applied.placements.keys();
        let distributed = held.flat_map(|dvipa| self.distribution(*dvipa));
        let listened = self.listeners.iter().map(|row| ServiceKey {
            dvipa: row.dvipa,
            port: row.port,
        });
        distributed.map(ServiceKey::of).chain(listened).collect()
    }

    /// What this stack publishes of its configuration: all but what it was ordered not to have.
    pub(super) fn published(&self) -> Definitions {
        let mut definitions = self.own.clone();
        let orders = &self.orders;
        definitions
            .dvipas
            .retain(|dvipa| !orders.forbid(dvipa.address));
        definitions
            .services
            .retain(|service| !orders.forbid(service.dvipa));
        definitions
    }

    /// Says whether a DVIPA was deactivated by the operator.
    #[must_use]
    pub fn is_deactivated(&self, dvipa: IpAddr) -> bool {
        self.orders.forbid(dvipa)
    }

    /// Says whether the operator has had this stack leave the group.
    #[must_use]
    pub fn has_left_group(&self) -> bool {
        self.orders.has_left
    }
}
