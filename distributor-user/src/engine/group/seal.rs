//! The datagram: a plain header, and a message sealed under it.
//!
//! Nothing in here decides whether a datagram is wanted; it only says who can
//! have made it. The header is authenticated with the message, and holds the
//! nonce: the sender's session, the receiver's, and a counter. A sender never
//! uses a counter twice with the same two sessions, and every session id is
//! fresh, so no nonce ever repeats under a key; and a datagram that was sealed
//! for one receiver does not open for another.
//!
//! ```text
//!  0        2         3      4        8                16                 24        32
//! ┌────────┬─────────┬──────┬────────┬────────────────┬──────────────────┬─────────┬────────┬─────┐
//! │ magic  │ version │ kind │ key id │ sender session │ receiver session │ counter │ sealed │ tag │
//! └────────┴─────────┴──────┴────────┴────────────────┴──────────────────┴─────────┴────────┴─────┘
//! ```

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{Tag, XNonce};

use super::drops::DropReason;
use super::key::{KeyId, KeyRing};

/// Longest datagram: fits every network with IPv6's minimum MTU (RFC 8200 section 5).
pub const DATAGRAM_MAX: usize = 1_200;
/// Longest message in a datagram.
pub(super) const MESSAGE_MAX: usize = DATAGRAM_MAX - HEADER_LEN - TAG_LEN;

/// The form of datagrams that this release speaks.
pub(super) const VERSION: u8 = 1;

const MAGIC: [u8; 2] = *b"SD";
const HEADER_LEN: usize = 32;
const TAG_LEN: usize = 16;

/// One side's name for a session; 0 is nobody's.
pub(super) type SessionId = u64;

/// What a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Asks whoever gets it for a session.
    Hello = 1,
    /// Offers the session that was asked for.
    Offer = 2,
    /// Belongs to a session.
    Session = 3,
}

/// The plain part of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// What the datagram is for.
    pub(super) kind: Kind,
    /// The sender's name for the session.
    pub(super) sender: SessionId,
    /// The receiver's name for the session; 0 in a hello.
    pub(super) receiver: SessionId,
    /// Grows with every datagram of the session in this direction.
    pub(super) counter: u64,
}

impl Header {
    fn nonce(&self) -> XNonce {
        let mut nonce = XNonce::default();
        nonce[..8].copy_from_slice(&self.sender.to_be_bytes());
        nonce[8..16].copy_from_slice(&self.receiver.to_be_bytes());
        nonce[16..].copy_from_slice(&self.counter.to_be_bytes());
        nonce
    }
}

/// Seals `message` under `header` with the ring's first key.
///
/// # Panics
///
/// If `message` is longer than [`MESSAGE_MAX`].
pub(super) fn seal(keys: &KeyRing, header: Header, message: &[u8]) -> Vec<u8> {
    assert!(
        message.len() <= MESSAGE_MAX,
        "a message of {} bytes was not split",
        message.len()
    );
    let key = keys.sealing();
    let mut datagram = Vec::with_capacity(HEADER_LEN + message.len() + TAG_LEN);
    datagram.extend_from_slice(&MAGIC);
    datagram.push(VERSION);
    datagram.push(header.kind as u8);
    datagram.extend_from_slice(&key.id().0.to_be_bytes());
    datagram.extend_from_slice(&header.sender.to_be_bytes());
    datagram.extend_from_slice(&header.receiver.to_be_bytes());
    datagram.extend_from_slice(&header.counter.to_be_bytes());
    datagram.extend_from_slice(message);
    let (plain, sealed) = datagram.split_at_mut(HEADER_LEN);
    let tag = key
        .cipher()
        .encrypt_in_place_detached(&header.nonce(), plain, sealed)
        .expect("a datagram is within the cipher's limit");
    datagram.extend_from_slice(&tag);
    datagram
}

/// Reads the header of a datagram, and the id of the key that it names.
pub(super) fn read_header(datagram: &[u8]) -> Result<(Header, KeyId), DropReason> {
    if datagram.len() < HEADER_LEN + TAG_LEN || datagram.len() > DATAGRAM_MAX {
        return Err(DropReason::Malformed);
    }
    if datagram[..2] != MAGIC {
        return Err(DropReason::Malformed);
    }
    if datagram[2] != VERSION {
        return Err(DropReason::Version);
    }
    let kind = match datagram[3] {
        1 => Kind::Hello,
        2 => Kind::Offer,
        3 => Kind::Session,
        _ => return Err(DropReason::Kind),
    };
    let word = |at: usize| {
        let bytes = datagram[at..at + 8]
            .try_into()
            .expect("the slice has eight bytes");
        u64::from_be_bytes(bytes)
    };
    let key = u32::from_be_bytes(datagram[4..8].try_into().expect("the slice has four bytes"));
    let header = Header {
        kind,
        sender: word(8),
        receiver: word(16),
        counter: word(24),
    };
    Ok((header, KeyId(key)))
}

/// Opens a datagram whose header [`read_header`] has read.
pub(super) fn open(
    keys: &KeyRing,
    header: &Header,
    key: KeyId,
    datagram: &[u8],
) -> Result<Vec<u8>, DropReason> {
    let key = keys.opening(key).ok_or(DropReason::ForeignKey)?;
    let (plain, rest) = datagram.split_at(HEADER_LEN);
    let (sealed, tag) = rest.split_at(rest.len() - TAG_LEN);
    let mut message = sealed.to_vec();
    match key.cipher().decrypt_in_place_detached(
        &header.nonce(),
        plain,
        &mut message,
        Tag::from_slice(tag),
    ) {
        Ok(()) => Ok(message),
        Err(chacha20poly1305::Error) => Err(DropReason::Forged),
    }
}

#[cfg(test)]
mod tests;
