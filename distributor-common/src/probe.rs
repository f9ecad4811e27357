//! The question whether a stack's daemon lives, and the answer that its packet path gives.
//!
//! ```text
//!  0       4         5      6          8        24       32     40
//! ┌───────┬─────────┬──────┬──────────┬────────┬────────┬──────┐
//! │ magic │ version │ kind │ 0        │ nonce  │ age    │ hash │   UDP payload, both ways
//! └───────┴─────────┴──────┴──────────┴────────┴────────┴──────┘
//! ```
//!
//! The hash is keyed, and covers all before it and the DYNAMICXCF address of the
//! stack that is asked: a question for one member is answered by no other,
//! whichever way it went, and an answer is good for one question only. The age is that of the daemon's last sign of life, in
//! milliseconds, and 0 in a question. An answer is as long as its question, so
//! that nobody is flooded by way of a member.

use core::net::IpAddr;

use crate::siphash;

/// Length of a question, and of an answer.
pub const LEN: usize = 40;

/// The words of a message as they lie in memory: the fixed part, the nonce in two, age, hash.
pub type Words = [u64; LEN / 8];

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Asks whether the daemon lives.
    Question = 1,
    /// Says how old its last sign of life is.
    Answer = 2,
}

impl Kind {
    /// The fixed part of a message, in the order of memory; `SDLP`, version 1.
    #[inline(always)]
    #[must_use]
    pub const fn head(self) -> u64 {
        u64::from_ne_bytes([b'S', b'D', b'L', b'P', 1, self as u8, 0, 0])
    }
}

/// Makes a message to or from the stack with this [identity].
#[inline(always)]
#[must_use]
pub const fn message(
    kind: Kind,
    nonce: [u64; 2],
    age_ms: u64,
    stack: [u64; 2],
    key: [u64; 2],
) -> Words {
    let head = kind.head();
    let age = age_ms.to_be();
    let hash = hash(head, nonce, age, stack, key);
    [head, nonce[0], nonce[1], age, hash]
}

/// Reads a message; `None` when it is of another kind or length, was made for another stack, or
/// without the key. Returns the nonce and the age.
#[inline(always)]
#[must_use]
pub const fn read(
    kind: Kind,
    words: &Words,
    stack: [u64; 2],
    key: [u64; 2],
) -> Option<([u64; 2], u64)> {
    let [head, nonce_0, nonce_1, age, found] = *words;
    let nonce = [nonce_0, nonce_1];
    if head != kind.head() || found != hash(head, nonce, age, stack, key) {
        return None;
    }
    Some((nonce, u64::from_be(age)))
}

#[inline(always)]
const fn hash(head: u64, nonce: [u64; 2], age: u64, stack: [u64; 2], key: [u64; 2]) -> u64 {
    let words = [head, nonce[0], nonce[1], age, stack[0], stack[1]];
    siphash::hash(key, &words).to_le()
}

/// A stack by its DYNAMICXCF address, as the hash covers it: an IPv4 address mapped into IPv6, in the
/// order of memory.
#[must_use]
pub fn identity(address: IpAddr) -> [u64; 2] {
    let octets = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let mut words = [[0; 8]; 2];
    words.as_flattened_mut().copy_from_slice(&octets);
    words.map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests;
