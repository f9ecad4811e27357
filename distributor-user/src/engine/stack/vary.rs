//! What an operator orders a running stack to do: z/OS's `VARY TCPIP,,SYSPLEX`.
//!
//! An order lasts until it is undone or the stack is stopped; the configuration
//! is kept as it is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Effect, Orders, Scope, Stack};
use crate::engine::definitions::Definitions;
use crate::engine::forwarding::ServiceKey;
use crate::engine::message::Message;
use crate::engine::servers::JobName;

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
    /// Quiesce for good: what is still there after this time is reset; without a time nothing is.
    Drain {
        /// What.
        scope: Scope,
        /// The time.
        within: Option<Duration>,
    },
}

/// Connections to some services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The services.
    pub services: BTreeSet<ServiceKey>,
    /// The job whose servers have them; absent: whoever.
    pub job: Option<JobName>,
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
    /// One server has no weight.
    #[error("a server has no weight of its own; say what the target weighs, or `port=`")]
    WeightOfServer,
    /// It is so already.
    #[error("{0}")]
    Already(String),
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
            Vary::Resume(scope @ (Scope::Port(_) | Scope::Server(_)))
                if self.orders.has_quiesced(Scope::Target) && !self.orders.has_quiesced(*scope) =>
            {
                already(format!(
                    "{scope} is not quiesced by itself, the whole target is; `resume target` \
                     undoes that"
                ))
            }
            Vary::Resume(scope) if !self.orders.has_quiesced(*scope) => {
                already(format!("{scope} is not quiesced"))
            }
            Vary::Weigh(Scope::Server(_), _) => Err(Refused::WeightOfServer),
            Vary::Drain {
                within: Some(within),
                ..
            } if *within > LONGEST_DRAIN => Err(Refused::TooLong { within: *within }),
            Vary::LeaveGroup
            | Vary::JoinGroup
            | Vary::Weigh(..)
            | Vary::Quiesce(_)
            | Vary::Resume(_)
            | Vary::Drain { .. } => Ok(()),
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
            Vary::Drain { scope, within } => {
                self.orders.drain(*scope, within.map(|within| now + within));
            }
        }
        effects.push(Effect::Tell(Message::Varied(vary.clone())));
        effects.push(Effect::KeepOrders);
        effects.push(self.set_aside());
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

    /// The servers that are to get no new connections.
    pub(super) fn set_aside(&self) -> Effect {
        Effect::SetAside(self.orders.quiesced_servers().clone())
    }

    /// All that is quiesced here, as it was ordered.
    pub fn quiesced(&self) -> impl Iterator<Item = String> {
        self.orders.quiesced()
    }

    /// Whether servers of a job that PORT names get no new connections to a port.
    #[must_use]
    pub fn has_quiesced_job(&self, port: u16, job: &str) -> bool {
        self.orders.quiesce_job(port, job)
    }

    /// When a drain is over, whatever is left.
    pub(super) fn drain_deadline(&self) -> Option<Duration> {
        self.orders.next_reset()
    }

    /// Ends what is left when a drain is over.
    pub(super) fn end_drain(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let due = self.orders.due(now);
        if !due.is_empty() {
            effects.push(Effect::KeepOrders);
        }
        for scope in due {
            effects.push(Effect::ResetConnections(self.served(scope)));
        }
    }

    /// The connections that end here: to what the owners of the DVIPAs distribute, and to what listens
    /// here.
    #[must_use]
    pub fn served(&self, scope: Scope) -> Served {
        let held = self.applied.placements.keys();
        let distributed = held.flat_map(|dvipa| self.distribution(*dvipa));
        let listened = self.listeners.iter().map(|row| ServiceKey {
            dvipa: row.dvipa,
            port: row.port,
        });
        let services = distributed.map(ServiceKey::of).chain(listened);
        Served {
            services: services.filter(|key| scope.concerns(key.port)).collect(),
            job: scope.job(),
        }
    }

    /// What this stack publishes of its configuration; apart from the rest, what it was ordered not to
    /// have.
    pub(super) fn published(&self) -> Definitions {
        let mut definitions = self.own.clone();
        let orders = &self.orders;
        let forbidden = definitions
            .dvipas
            .extract_if(.., |dvipa| orders.forbid(dvipa.address));
        definitions.deactivated = forbidden.collect();
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
