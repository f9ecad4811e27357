//! Keys of a group, and their text form.
//!
//! Nothing in here opens a file or prints a key: a key's `Debug` shows its id
//! only. The secret itself never seals anything. It is stretched once into
//! the sealing key, the key of the probe, that of choices and a public key id, so
//! that none of them gives away anything of another.

use std::fmt::Write as _;

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

/// First line of a key file; the second is the secret in hexadecimal.
const TITLE: &str = "distributor group key, version 1";

/// Length of a secret in bytes.
pub const SECRET_LEN: usize = 32;

/// The nonce under which a secret yields its sealing key and id; the secret is used with no other.
const DERIVATION: &[u8; 24] = b"distributor group kdf v1";

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The first line is another one.
    #[error("expected the first line `{TITLE}`, found another: this is not a group key")]
    Title,
    /// The secret has another length.
    #[error("expected {} hexadecimal digits on the second line, found {found} characters", SECRET_LEN * 2)]
    Length {
        /// Characters on the second line.
        found: usize,
    },
    /// The secret contains something else than hexadecimal digits.
    #[error("expected hexadecimal digits on the second line, found another character at {column}")]
    Digit {
        /// Column, from 1.
        column: usize,
    },
    /// Something follows the secret.
    #[error("expected nothing after the second line, found more: one file holds one key")]
    Trailing,
    /// No key at all.
    #[error("expected at least one key, found none")]
    None,
    /// The same key twice.
    #[error("expected different keys, found the key with the id `{0}` twice")]
    Twice(KeyId),
}

/// Names a key on the wire without giving anything away about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u32);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What questions whether a stack's daemon lives, and their answers, are hashed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ProbeKey([u64; 2]);

impl ProbeKey {
    /// Makes a key of its two words.
    #[must_use]
    pub const fn from_words(words: [u64; 2]) -> Self {
        Self(words)
    }

    /// The two words of the key.
    #[must_use]
    pub const fn words(self) -> [u64; 2] {
        self.0
    }
}

impl std::fmt::Debug for ProbeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeKey").finish_non_exhaustive()
    }
}

/// What flows are hashed with where every stack of the group must choose the same target, and nobody
/// else be able to tell which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChoiceKey([u64; 2]);

impl ChoiceKey {
    /// Makes a key of its two words.
    #[must_use]
    pub const fn from_words(words: [u64; 2]) -> Self {
        Self(words)
    }

    /// The two words of the key.
    #[must_use]
    pub const fn words(self) -> [u64; 2] {
        self.0
    }
}

impl std::fmt::Debug for ChoiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChoiceKey").finish_non_exhaustive()
    }
}

/// One key of a group.
#[derive(Clone)]
pub struct GroupKey {
    id: KeyId,
    probe: ProbeKey,
    choice: ChoiceKey,
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl GroupKey {
    /// Derives the key from its secret.
    #[must_use]
    pub fn from_secret(secret: &[u8; SECRET_LEN]) -> Self {
        // The cipher's key stream is a pseudorandom function of secret and nonce: the first 32
        // bytes become the sealing key, the next four the id, 16 the key of the probe, and the last
        // 16 that of choices.
        let mut derived = [0_u8; 68];
        XChaCha20Poly1305::new(secret.into())
            .encrypt_in_place_detached(XNonce::from_slice(DERIVATION), &[], &mut derived)
            .expect("68 bytes are within the cipher's limit");
        let (sealing, rest) = derived.split_at(32);
        let (id, rest) = rest.split_at(4);
        let (probe, choice) = rest.split_at(16);
        Self {
            id: KeyId(u32::from_be_bytes(
                id.try_into().expect("the id is four bytes"),
            )),
            probe: ProbeKey(words(probe)),
            choice: ChoiceKey(words(choice)),
            cipher: XChaCha20Poly1305::new(sealing.into()),
        }
    }

    /// Reads the text form that [`to_text`] writes.
    ///
    /// # Errors
    ///
    /// Says what the text should have been; never repeats any of it.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let mut lines = text.lines().map(str::trim_end);
        if lines.next() != Some(TITLE) {
            return Err(KeyError::Title);
        }
        let digits = lines.next().unwrap_or_default();
        if lines.any(|line| !line.is_empty()) {
            return Err(KeyError::Trailing);
        }
        if let Some(at) = digits.bytes().position(|byte| !byte.is_ascii_hexdigit()) {
            return Err(KeyError::Digit { column: at + 1 });
        }
        if digits.len() != SECRET_LEN * 2 {
            return Err(KeyError::Length {
                found: digits.len(),
            });
        }
        let mut secret = [0_u8; SECRET_LEN];
        for (byte, pair) in secret.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        Ok(Self::from_secret(&secret))
    }

    /// The id that datagrams name this key by.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key of the probe that goes with this key.
    #[must_use]
    pub fn probe(&self) -> ProbeKey {
        self.probe
    }

    /// The key of choices that goes with this key.
    #[must_use]
    pub fn choice(&self) -> ChoiceKey {
        self.choice
    }

    pub(super) fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }
}

/// The two words of 16 bytes.
fn words(bytes: &[u8]) -> [u64; 2] {
    let (low, high) = bytes.split_at(8);
    [low, high].map(|half| u64::from_le_bytes(half.try_into().expect("a word is eight bytes")))
}

/// The value of a hexadecimal digit.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// The text form of a secret: what a key file contains.
#[must_use]
pub fn to_text(secret: &[u8; SECRET_LEN]) -> String {
    let mut text = format!("{TITLE}\n");
    for byte in secret {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text.push('\n');
    text
}

/// The keys that a stack holds: the first seals, all open.
#[derive(Clone, Debug)]
pub struct KeyRing(Vec<GroupKey>);

impl KeyRing {
    /// Makes a ring of `keys`, the sealing one first.
    ///
    /// # Errors
    ///
    /// There must be at least one key, and no key twice.
    pub fn new(keys: Vec<GroupKey>) -> Result<Self, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::None);
        }
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|other| other.id == key.id) {
                return Err(KeyError::Twice(key.id));
            }
        }
        Ok(Self(keys))
    }

    /// The key that seals what this stack sends.
    #[must_use]
    pub fn sealing(&self) -> &GroupKey {
        &self.0[0]
    }

    /// The keys of the probe, the one to ask with first.
    pub fn probes(&self) -> impl Iterator<Item = ProbeKey> {
        self.0.iter().map(GroupKey::probe)
    }

    /// The key named `id`, if this stack holds it.
    #[must_use]
    pub fn opening(&self, id: KeyId) -> Option<&GroupKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

#[cfg(test)]
mod tests;
