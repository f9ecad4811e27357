//! What goes into the group's engine and what comes out of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::message::{Letter, encode};
use super::{Endpoints, delivery};
use crate::engine::fact::Fact;
use crate::engine::xcf::XcfAddresses;

/// An address that this stack has on one of the group's networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// Name of the interface.
    pub ifname: String,
    /// Index of the interface.
    pub ifindex: u32,
    /// The address.
    pub address: IpAddr,
    /// Length of its network's prefix in bits.
    pub prefix_len: u8,
    /// Whether this is the DYNAMICXCF network.
    pub is_xcf: bool,
}

impl LocalAddress {
    /// Whether `other` is another address of the same network.
    #[must_use]
    pub fn reaches(&self, other: IpAddr) -> bool {
        let differing = match (self.address, other) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                u128::from(ours.to_bits() ^ theirs.to_bits()) << 96
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => ours.to_bits() ^ theirs.to_bits(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        differing != 0 && differing.leading_zeros() >= u32::from(self.prefix_len)
    }
}

/// What happens to the engine.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram {
        /// The local address of the socket.
        local: IpAddr,
        /// Where it came from.
        from: SocketAddr,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// The time that `next_timer` named has come.
    Timer,
    /// A fact is to be sent.
    Fact {
        /// Name of the member.
        to: &'a str,
        /// The fact.
        fact: EncodedFact,
    },
    /// A gossip message is to be sent; it may get lost.
    Gossip {
        /// The first of the receiver's DYNAMICXCF addresses.
        to: IpAddr,
        /// The message.
        bytes: &'a [u8],
    },
    /// The stack's addresses have changed to these.
    Locals(Vec<LocalAddress>),
    /// Members are looked for at these addresses now, besides multicast.
    Seeds(Vec<SocketAddr>),
    /// Whether facts are refused for now, so that members keep and repeat them.
    Pause(bool),
    /// The stack leaves the group. Nothing is to be put in afterwards.
    Stop,
}

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram, on every one of these paths.
    Transmit {
        /// From where and to where.
        paths: Vec<Endpoints>,
        /// The datagram.
        datagram: Vec<u8>,
    },
    /// Tell the daemon.
    Event(GroupEvent),
    /// Hand a gossip message to chitchat.
    Gossip {
        /// The first of the sender's DYNAMICXCF addresses.
        from: IpAddr,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Tell the operator.
    Notice(Notice),
}

/// What the daemon learns from the group.
///
/// A member is `Joined` first and `Left` last, and everything else about it comes in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// A stack is a member now.
    Joined {
        /// Its name.
        name: String,
        /// Its DYNAMICXCF addresses.
        xcf: XcfAddresses,
        /// Its addresses with their prefix lengths, on every network that it has.
        addresses: Vec<(IpAddr, u8)>,
    },
    /// A member's addresses have changed.
    Addresses {
        /// Its name.
        name: String,
        /// Its addresses with their prefix lengths, on every network that it has.
        addresses: Vec<(IpAddr, u8)>,
    },
    /// The key-values that a member publishes have changed: all of them.
    State {
        /// Its name.
        name: String,
        /// What it publishes.
        values: BTreeMap<String, String>,
    },
    /// A stack is a member no longer. Facts that it has not acknowledged are lost.
    Left {
        /// Its name.
        name: String,
        /// Why.
        reason: LeftReason,
    },
    /// A member said something.
    Fact {
        /// Its name.
        from: String,
        /// What it said.
        fact: Fact,
    },
    /// A path to a member works.
    PathUp {
        /// The member's name.
        name: String,
        /// Our interface.
        ifindex: u32,
        /// The member's address on that network.
        peer_address: IpAddr,
    },
    /// A path to a member works no longer.
    PathDown {
        /// The member's name.
        name: String,
        /// Our interface.
        ifindex: u32,
        /// The member's address on that network.
        peer_address: IpAddr,
    },
    /// A path to a member lags behind another one, or no longer; it works all the same.
    PathLags {
        /// The member's name.
        name: String,
        /// Our interface.
        ifindex: u32,
        /// The member's address on that network.
        peer_address: IpAddr,
        /// Whether it does.
        lags: bool,
    },
    /// A stack is not admitted, because what it calls its own belongs to a living stack.
    Conflict {
        /// What is taken.
        what: ConflictKind,
        /// The name of the stack that is not admitted.
        name: String,
        /// Its DYNAMICXCF addresses.
        xcf: XcfAddresses,
        /// Where it is.
        at: IpAddr,
    },
    /// A member does not admit this stack, because what it calls its own belongs to another.
    Refused {
        /// What is taken.
        what: ConflictKind,
        /// The member's name.
        by: String,
    },
}

/// Why a stack is a member no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftReason {
    /// It said so.
    Goodbye,
    /// No beat has made the round trip on any path for too long.
    Silent,
    /// It was started again, or another stack has taken its place.
    Replaced,
    /// It had lost this stack for a while, and starts anew with it.
    Reconnected,
    /// It takes facts more slowly than this stack has them.
    Overrun,
    /// It said what no member says.
    Broken,
}

/// What two living stacks must not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConflictKind {
    /// The stack's name.
    Name,
    /// A DYNAMICXCF address.
    DynamicXcf,
}

/// What an operator should know, told at a limited rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Somebody sends datagrams that are sealed with a key that this stack does not hold.
    ForeignKey {
        /// Where they come from.
        from: IpAddr,
    },
    /// A stack of a release that speaks another version of the protocol.
    ForeignVersion {
        /// Where its datagrams come from.
        from: IpAddr,
    },
}

/// A member as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Which start of the stack this is: random, another one after each.
    pub instance: u64,
    /// Its DYNAMICXCF addresses.
    pub xcf: XcfAddresses,
    /// Its addresses with their prefix lengths, on every network that it has.
    pub addresses: Vec<(IpAddr, u8)>,
    /// The paths that are up: our interface and the member's address.
    pub paths: Vec<(u32, IpAddr)>,
}

/// A fact that is longer than the group carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a fact of at most {limit} bytes, found {found}: send it in parts")]
pub struct FactTooLong {
    /// Its length in bytes.
    pub found: usize,
    /// The limit in bytes.
    pub limit: usize,
}

/// A fact, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFact(pub(super) Vec<u8>);

impl EncodedFact {
    /// Encodes `fact`.
    ///
    /// # Errors
    ///
    /// The encoded fact must not be longer than 64 KiB: room for 1,500 flows of IPv6.
    pub fn new(fact: &Fact) -> Result<Self, FactTooLong> {
        let bytes = encode(&Letter::Fact(encode(fact)));
        let limit = delivery::MESSAGE_BYTES_MAX;
        if bytes.len() > limit {
            return Err(FactTooLong {
                found: bytes.len(),
                limit,
            });
        }
        Ok(Self(bytes))
    }
}
