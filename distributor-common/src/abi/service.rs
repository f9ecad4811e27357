//! A service: how it is found, its rows, and its ring.
//!
//! A ring is never edited where packets read it: another one is written, and one
//! word swapped.

use core::num::NonZeroU32;

use super::{Called, Family, MAX_ROWS};
use crate::wire::{Be16, tcp};
use crate::word::{Word, lowest};

/// Key of `SERVICE_INDEX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct ServiceKey {
    /// The DVIPA as it is [called](Called).
    pub dvipa: u32,
    /// The port; 0 in the entry of the DVIPA itself.
    pub port: Be16,
    /// Transport protocol number.
    pub protocol: u8,
    /// Which version of IP the DVIPA is of.
    pub family: Family,
}

impl ServiceKey {
    /// The key of a service.
    #[inline(always)]
    #[must_use]
    pub const fn new(dvipa: Called, port: Be16, protocol: u8) -> Self {
        Self {
            dvipa: dvipa.word,
            port,
            protocol,
            family: dvipa.family,
        }
    }

    /// The key of a DVIPA itself.
    #[inline(always)]
    #[must_use]
    pub const fn of_vipa(dvipa: Called) -> Self {
        Self::new(dvipa, Be16(0), tcp::PROTOCOL)
    }

    /// The key as it lies in a map.
    #[must_use]
    pub const fn bytes(self) -> [u8; 8] {
        let [a, b, c, d] = self.dvipa.to_ne_bytes();
        let [high, low] = self.port.0.to_ne_bytes();
        [a, b, c, d, high, low, self.protocol, self.family as u8]
    }

    /// The key that lies in a map as these bytes.
    #[must_use]
    pub const fn from_bytes([a, b, c, d, high, low, protocol, family]: [u8; 8]) -> Self {
        Self {
            dvipa: u32::from_ne_bytes([a, b, c, d]),
            port: Be16(u16::from_ne_bytes([high, low])),
            protocol,
            family: Family::from_bit(family),
        }
    }

    /// The DVIPA.
    #[inline(always)]
    #[must_use]
    pub const fn called(self) -> Called {
        Called {
            word: self.dvipa,
            family: self.family,
        }
    }
}

/// A service: its ring, its turn, and (for the daemon only) whose rows are whose.
#[derive(Debug)]
#[repr(C)]
pub struct Service {
    /// A [`Ring`]; swapped as a whole.
    pub ring: Word,
    /// Whose turn it is; taken modulo the ring's length.
    pub turn: Word,
    /// An [`Affinity`]; swapped as a whole.
    pub affinity: Word,
    /// Not used; 0.
    pub reserved: [Word; 5],
    /// Target slot plus one of each row, four 16-bit values a word; 0 is a free row.
    pub rows: [Word; MAX_ROWS as usize / 4],
}

impl Service {
    /// The row of the target in a slot, if that is one of these: a bit for each.
    ///
    /// Four rows at once and without a branch: the kernel's verifier would follow each of 32 ways
    /// through all that comes after.
    #[inline(always)]
    #[must_use]
    pub fn row_among(&self, rows: u32, slot: u16) -> Option<u16> {
        let wanted = (u64::from(slot) + 1) * every(1);
        let mut found = 0;
        for (word, first) in self.rows.iter().zip((0..).step_by(4)) {
            // A row is 0 now if it is the one; then, and only then, its highest bit is set.
            let other = word.load() ^ wanted;
            let carry = (other & every(0x7fff)) + every(0x7fff);
            let is_it = !(carry | other | every(0x7fff));
            // The bits of the four are brought together.
            let four = (is_it >> 15).wrapping_mul(0x0001_0002_0004_0008) >> 48;
            found |= four << first;
        }
        let found = found & u64::from(rows);
        (found != 0).then(|| lowest(found) as u16)
    }
}

/// The same in each quarter of a word.
#[inline(always)]
const fn every(quarter: u64) -> u64 {
    quarter * 0x0001_0001_0001_0001
}

#[cfg(any(test, feature = "host"))]
impl Service {
    /// A service without a ring.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            ring: Word::new(0),
            turn: Word::new(0),
            affinity: Word::new(0),
            reserved: core::array::from_fn(|_| Word::new(0)),
            rows: core::array::from_fn(|_| Word::new(0)),
        }
    }
}

/// How long a client keeps its target, and which targets can be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    /// Seconds from the end of its last connection on; 0 where no client keeps anything.
    pub seconds: u16,
    /// A bit for each row whose target may be handed a connection, whether it is in the ring or not.
    pub ready: u32,
}

impl Affinity {
    /// Packs both into the word that is swapped.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.seconds as u64 | (self.ready as u64) << 32
    }

    /// Unpacks a word.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self {
            seconds: word as u16,
            ready: (word >> 32) as u32,
        }
    }

    /// Whether clients keep their targets.
    #[inline(always)]
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.seconds != 0
    }

    /// Whether the target in a row can be kept.
    #[inline(always)]
    #[must_use]
    pub const fn is_ready(self, row: u16) -> bool {
        self.ready >> (row & (MAX_ROWS as u16 - 1)) & 1 != 0
    }
}

/// How a new connection gets its place in a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Choice {
    /// One place after the other.
    #[default]
    Turn = 0,
    /// By a hash of its addresses and ports, under the group's key: on every stack the same.
    Hash = 1,
    /// The one whose target has the fewest connections for its weight. A target has one place.
    Active = 2,
}

/// What was handed to a row of a service, and what of it has ended.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Tally {
    /// Connections that were handed to it; packets count these.
    pub handed: Word,
    /// Connections of it that the flow table has no longer, less those that the table has and that
    /// were not handed out here. The daemon counts these, and only with [`Choice::Active`].
    pub ended: Word,
}

impl Tally {
    /// Connections that it has.
    #[inline(always)]
    #[must_use]
    pub fn active(&self) -> u64 {
        let active = self.handed.load().wrapping_sub(self.ended.load());
        // More have ended than were handed out, until the daemon has counted again.
        active.cast_signed().max(0).cast_unsigned()
    }
}

/// Where a service's ring lies in `RINGS`, how a place of it is chosen, and which edition it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// First entry.
    pub start: u32,
    /// Number of entries; 0 when no target is ready.
    pub len: u32,
    /// How a new connection gets its place.
    pub choice: Choice,
    /// Differs from that of the ring before, so that a reader notices the change; 14 bits, 0 only
    /// where there was no ring.
    pub edition: u16,
}

impl Ring {
    const FIELD: u64 = (1 << 24) - 1;

    const CHOICE: u64 = 3;

    const EDITION: u16 = (1 << 14) - 1;

    /// The same ring as the edition after that of `before`.
    ///
    /// An edition is never 0, so that the word is 0 only where no ring has ever been.
    #[must_use]
    pub const fn following(self, before: Self) -> Self {
        Self {
            edition: before.edition % Self::EDITION + 1,
            ..self
        }
    }

    /// Packs the four into the word that is swapped.
    #[must_use]
    pub const fn word(self) -> u64 {
        (self.start as u64 & Self::FIELD)
            | (self.len as u64 & Self::FIELD) << 24
            | (self.choice as u64) << 48
            | (self.edition as u64) << 50
    }

    /// Unpacks a word.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self {
            start: (word & Self::FIELD) as u32,
            len: (word >> 24 & Self::FIELD) as u32,
            choice: match word >> 48 & Self::CHOICE {
                1 => Choice::Hash,
                2 => Choice::Active,
                _ => Choice::Turn,
            },
            edition: (word >> 50) as u16,
        }
    }
}

/// One place of a ring. In the map it is a whole [`Word`], because an array pads smaller values to
/// 8 bytes; one bit tells it from a place that was never written.
///
/// It is never 0, so that an `Option` of it is one word too: of an option in two words, the
/// compiler leaves the second undefined, and the kernel's verifier finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct RingEntry(NonZeroU32);

impl RingEntry {
    const WRITTEN: NonZeroU32 = NonZeroU32::new(1 << 31).expect("not 0");

    const WEIGHT_SHIFT: u32 = 21;
    const WEIGHT: u8 = 127;

    /// A place that leads to the target in a slot, whose connections are counted in a row of the
    /// service, below [`MAX_ROWS`].
    #[inline(always)]
    #[must_use]
    pub fn new(target: u16, row: u16) -> Self {
        Self(Self::WRITTEN | u32::from(row) << 16 | u32::from(target))
    }

    /// The same with a weight, at most 127; it matters with [`Choice::Active`].
    #[must_use]
    pub fn weighted(self, weight: u8) -> Self {
        Self(self.0 | u32::from(weight & Self::WEIGHT) << Self::WEIGHT_SHIFT)
    }

    /// The word in the map.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0.get() as u64
    }

    /// The same in half a word, for maps whose values are that small.
    #[inline(always)]
    #[must_use]
    pub const fn word32(self) -> u32 {
        self.0.get()
    }

    /// Reads the word in the map.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Option<Self> {
        match NonZeroU32::new(word as u32) {
            Some(word) => Some(Self(word)),
            None => None,
        }
    }

    /// Slot of the target.
    #[inline(always)]
    #[must_use]
    pub const fn target(self) -> u16 {
        self.0.get() as u16
    }

    /// Row of the service.
    #[inline(always)]
    #[must_use]
    pub const fn row(self) -> u16 {
        (self.0.get() >> 16) as u16 & (MAX_ROWS as u16 - 1)
    }

    /// Weight of the target.
    #[inline(always)]
    #[must_use]
    pub const fn weight(self) -> u8 {
        (self.0.get() >> Self::WEIGHT_SHIFT) as u8 & Self::WEIGHT
    }
}
