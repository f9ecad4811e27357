//! Fast facts: what a member tells another directly, acknowledged and repeated.
//!
//! Gossip carries the slow state and is only the backstop for these.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::forwarding::FlowKey;
use super::load::{Load, Server};
use super::ownership::Word;
use super::responsiveness::Responsiveness;

/// One fact. Variants are only ever appended: the encoding numbers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The sender's listeners on distributed DVIPAs, all of them; replaces what it said before.
    Readiness {
        /// Grows with every change at the sender; an older one is ignored.
        revision: u64,
        /// One entry per DVIPA × port with at least one listener.
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
    /// Number of listening sockets, at least 1.
    pub listeners: u16,
    /// Whether the operator wants no new connection to go there.
    #[serde(default)]
    pub is_quiesced: bool,
    /// How its servers take connections.
    #[serde(default)]
    pub responsiveness: Responsiveness,
    /// What its operator says that it weighs, 0–64.
    #[serde(default)]
    pub weight: Option<u8>,
}
