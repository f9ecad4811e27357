//! What members say to each other, inside the seal.
//!
//! Nothing here is trusted for its size: what a message names is bounded when
//! it is read. Variants and fields are only ever appended. An older release
//! ignores a variant that it does not know, and fields after those it knows.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::ConflictKind;
use super::drops::DropReason;
use super::seal::MESSAGE_MAX;
use crate::engine::xcf::XcfAddresses;

/// Longest stack name in bytes.
pub const NAME_MAX: usize = 64;
/// Most addresses that a stack can have in the group: they must fit into one hello.
pub const ADDRESSES_MAX: usize = 32;

/// Payload bytes of a segment or fragment: a message less the frame's own fields.
pub(super) const CHUNK_MAX: usize = MESSAGE_MAX - 24;

/// Who a stack is. A restarted stack has another instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Random, one per start of a stack.
    pub(super) instance: u64,
    /// The stack's name.
    pub(super) name: String,
    /// Its DYNAMICXCF addresses.
    pub(super) xcf: XcfAddresses,
    /// The port on which it is reached at each of its addresses.
    pub(super) port: u16,
    /// Its addresses with their prefix lengths, on every network that it has.
    pub(super) addresses: Vec<(IpAddr, u8)>,
}

/// An identity as it is sent, without what was appended.
#[derive(Serialize, Deserialize)]
struct IdentityHead {
    instance: u64,
    name: String,
    /// The first DYNAMICXCF address.
    dynamic_xcf: IpAddr,
    port: u16,
    addresses: Vec<(IpAddr, u8)>,
}

/// What was appended to it: the IPv6 DYNAMICXCF address beside one of IPv4.
type IdentityTail = Option<Ipv6Addr>;

impl Identity {
    /// Encodes it for a hello or an offer.
    pub(super) fn encode(&self) -> Vec<u8> {
        let head = IdentityHead {
            instance: self.instance,
            name: self.name.clone(),
            dynamic_xcf: self.xcf.first(),
            port: self.port,
            addresses: self.addresses.clone(),
        };
        let tail: IdentityTail = self.xcf.ipv4().and_then(|_| self.xcf.ipv6());
        encode(&(head, tail))
    }

    /// Whether `peer` is one of this stack's addresses.
    pub(super) fn is_at(&self, peer: SocketAddr) -> bool {
        self.port == peer.port()
            && self
                .addresses
                .iter()
                .any(|(address, _)| *address == peer.ip())
    }

    /// Whether everything is within its bounds.
    pub(super) fn is_sound(&self) -> bool {
        !self.name.is_empty()
            && self.name.len() <= NAME_MAX
            && self.name.chars().all(|c| c.is_ascii_graphic())
            && self.port != 0
            && self.addresses.len() <= ADDRESSES_MAX
            && self
                .addresses
                .iter()
                .all(|(address, prefix_len)| match address {
                    IpAddr::V4(_) => *prefix_len <= 32,
                    IpAddr::V6(_) => *prefix_len <= 128,
                })
    }
}

/// A message of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Frame<'a> {
    /// Shows that a path works: what the receiver returns of it proves the round trip.
    Beat {
        /// The sender's clock, in milliseconds since its start.
        time_ms: u64,
        /// The last `time_ms` that the sender has seen from the receiver on this path.
        echo_ms: Option<u64>,
    },
    /// The sender leaves the group.
    Goodbye,
    /// The receiver is not admitted: what it calls its own belongs to another living stack.
    Refused {
        /// What is taken.
        what: ConflictKind,
    },
    /// Part of the stream of [`Letter`]s, which arrive once and in order.
    Segment {
        /// Number of the segment in the stream, from 0.
        sequence: u64,
        /// The bytes.
        #[serde(borrow)]
        chunk: &'a [u8],
    },
    /// Which segments have arrived.
    Ack {
        /// All below have.
        next: u64,
        /// Bit n: `next + 1 + n` has.
        ahead: u64,
    },
    /// Part of a gossip message, which may get lost.
    Gossip {
        /// Number of the message.
        message: u32,
        /// Which part, from 0.
        part: u8,
        /// How many there are.
        parts: u8,
        /// The bytes.
        #[serde(borrow)]
        chunk: &'a [u8],
    },
}

/// Number of the last variant of [`Frame`].
const LAST_FRAME: u32 = 5;

/// A message of the reliable stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Letter {
    /// An encoded [`crate::engine::fact::Fact`].
    Fact(Vec<u8>),
    /// The sender's addresses have changed to these.
    Addresses(Vec<(IpAddr, u8)>),
}

/// Encodes a message; everything here can be encoded.
pub(super) fn encode(message: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(message).expect("messages are plain structures of bounded size")
}

/// Reads an identity out of a hello or an offer.
pub(super) fn read_identity(bytes: &[u8]) -> Result<Identity, DropReason> {
    let malformed = |_| DropReason::Malformed;
    let (head, rest) = postcard::take_from_bytes::<IdentityHead>(bytes).map_err(malformed)?;
    let tail: IdentityTail = if rest.is_empty() {
        None
    } else {
        postcard::take_from_bytes(rest).map_err(malformed)?.0
    };
    let second = tail.map(IpAddr::V6);
    let identity = Identity {
        instance: head.instance,
        name: head.name,
        xcf: XcfAddresses::of([head.dynamic_xcf].into_iter().chain(second))
            .ok_or(DropReason::Malformed)?,
        port: head.port,
        addresses: head.addresses,
    };
    if identity.is_sound() {
        Ok(identity)
    } else {
        Err(DropReason::Malformed)
    }
}

/// Reads a message of a session.
pub(super) fn read_frame(bytes: &[u8]) -> Result<Frame<'_>, DropReason> {
    if let Ok((variant, _)) = postcard::take_from_bytes::<u32>(bytes)
        && variant > LAST_FRAME
    {
        return Err(DropReason::Kind);
    }
    match postcard::take_from_bytes(bytes) {
        Ok((frame, _)) => Ok(frame),
        Err(_) => Err(DropReason::Malformed),
    }
}

/// Reads a message of the reliable stream; one of a newer release is skipped.
pub(super) fn read_letter(bytes: &[u8]) -> Result<Letter, DropReason> {
    match postcard::take_from_bytes(bytes) {
        Ok((letter, _)) => Ok(letter),
        Err(_) => Err(DropReason::Kind),
    }
}

#[cfg(test)]
mod tests;
