//! Fast facts: what a member tells another directly, acknowledged and repeated.
//!
//! Gossip carries the slow state and is only the backstop for these.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::forwarding::FlowKey;
use super::load::{Load, Server};
use super::ownership::Word;
use super::responsiveness::Responsiveness;
use super::stack::Scope;

/// One fact. Variants are only ever appended: the encoding numbers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The sender's listeners on distributed DVIPAs, all of them; replaces what it said before.
    Readiness {
        /// Grows with every change at the sender; an older one is ignored.
        revision: u64,
        /// One entry per DVIPA × port with at least one listener, quiesced or not.
        ready: Vec<ReadyRow>,
    },
    /// Connections whose end has begun at the sender: their sockets were closed there.
    FlowsEnding {
        /// The connections.
        flows: Vec<FlowKey>,
    },
    /// Connections that the sender's socket dump no longer has, `TIME_WAIT` included.
    FlowsGone {
        /// The connections.
        flows: Vec<FlowKey>,
    },
    /// Asks for every connection to these DVIPAs that the receiver terminates.
    FlowsRequest {
        /// Returned in the answer.
        request: u64,
        /// The DVIPAs.
        dvipas: Vec<IpAddr>,
    },
    /// Part of an answer to `FlowsRequest`.
    Flows {
        /// From the request.
        request: u64,
        /// Parts still to come; 0 in the last.
        parts_left: u32,
        /// Connections in any state, `TIME_WAIT` included.
        flows: Vec<FlowKey>,
    },
    /// What the sender's ownership machine says to the receiver's, in order.
    Ownership {
        /// About which DVIPA, and what.
        words: Vec<(IpAddr, Word)>,
    },
    /// What the sender could still do; absent from when it can no longer measure it.
    Load(Option<Load>),
    /// An operator of the sender's host asks the receiver for something.
    Asked {
        /// Returned in the answer.
        request: u64,
        /// For what.
        ask: Ask,
    },
    /// Answers `Asked`, or part of that.
    Answered {
        /// From the request.
        request: u64,
        /// Parts still to come; 0 in the last.
        parts_left: u32,
        /// What came of it.
        outcome: Outcome,
    },
    /// Part of what the sender says of its servers of single services, as far as they are measured; the
    /// last part completes what replaces all that it said before.
    Servers {
        /// Parts still to come; 0 in the last.
        parts_left: u32,
        /// One entry per DVIPA × port.
        rows: Vec<ServerRow>,
    },
    /// Asks how many SYNs the receiver has taken from the sender.
    SynsRequest {
        /// Returned in the answer.
        request: u64,
    },
    /// The answer to `SynsRequest`.
    SynsTaken {
        /// From the request.
        request: u64,
        /// How many, since its packet path began to count.
        taken: u64,
    },
}

/// What an operator may ask of another member, as on its own host. Variants are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Get no new connections.
    Quiesce(Scope),
    /// Get them again.
    Resume(Scope),
    /// Weigh so much.
    Weigh(Scope, Option<u8>),
    /// Quiesce for good, and reset what is left after a time.
    Drain {
        /// What.
        scope: Scope,
        /// The time; absent: never.
        within: Option<Duration>,
    },
    /// Say how many connections are left.
    Remaining(Scope),
}

/// What came of that. Variants are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was done, and what that was.
    Done(String),
    /// It was refused, and why; nothing has changed.
    Refused(String),
    /// The connections that are left, by service; of those that have any.
    Remaining(Vec<Remaining>),
    /// Nobody knows, and why.
    Unknown(String),
}

/// How many living connections to a service end at a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remaining {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// TCP port, host order.
    pub port: u16,
    /// The connections; those in `TIME_WAIT` do not count.
    pub connections: u64,
}

impl Remaining {
    /// Counts connections by service.
    #[must_use]
    pub fn count(flows: &[FlowKey]) -> Vec<Self> {
        let mut counts = BTreeMap::new();
        for flow in flows {
            *counts.entry((flow.dvipa, flow.port)).or_default() += 1;
        }
        let row = |((dvipa, port), connections)| Self {
            dvipa,
            port,
            connections,
        };
        counts.into_iter().map(row).collect()
    }
}

/// The servers of one DVIPA × port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// TCP port, host order.
    pub port: u16,
    /// Each of its servers.
    pub servers: Vec<Server>,
}

/// Listeners on one DVIPA × port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReadyRow {
    /// The DVIPA.
    pub dvipa: IpAddr,
    /// TCP port, host order.
    pub port: u16,
    /// Number of listening sockets that may get connections; 0 when their jobs are all quiesced.
    pub listeners: u16,
    /// Whether the operator wants no new connection to go there; also when every listener's job is
    /// quiesced.
    #[serde(default)]
    pub is_quiesced: bool,
    /// How its servers take connections.
    #[serde(default)]
    pub responsiveness: Responsiveness,
    /// What its operator says that it weighs, 0–64.
    #[serde(default)]
    pub weight: Option<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::servers::Server;

    #[test]
    fn what_is_asked_is_what_arrives() {
        let job = "WEB*".parse().expect("a job name");
        let scopes = [
            Scope::Target,
            Scope::Port(8443),
            Scope::Server(Server { port: None, job }),
            Scope::Server(Server {
                port: Some(8443),
                job,
            }),
        ];
        let within = Some(Duration::from_mins(10));
        let asks = scopes.into_iter().flat_map(|scope| {
            [
                Ask::Quiesce(scope),
                Ask::Resume(scope),
                Ask::Weigh(scope, Some(5)),
                Ask::Drain { scope, within },
                Ask::Remaining(scope),
            ]
        });
        for ask in asks {
            let fact = Fact::Asked { request: 7, ask };
            let bytes = postcard::to_stdvec(&fact).expect("bytes");
            let read: Fact = postcard::from_bytes(&bytes).expect("a fact");
            assert_eq!(read, fact);
        }
    }

    #[test]
    fn connections_are_counted_by_service() {
        let flow = |port, client_port| FlowKey {
            client: [10, 1, 1, 101].into(),
            client_port,
            dvipa: [10, 1, 3, 10].into(),
            port,
        };
        let counted = Remaining::count(&[flow(8443, 1), flow(80, 1), flow(8443, 2)]);
        let counted: Vec<_> = counted
            .iter()
            .map(|row| (row.port, row.connections))
            .collect();
        assert_eq!(counted, [(80, 1), (8443, 2)]);
        assert_eq!(Remaining::count(&[]), []);
    }
}
