//! What a DVIPA is called in the tables.
//!
//! An IPv4 address is called by itself. An IPv6 address gets a *name* of as many
//! bits, an address out of 240.0.0.0/4, which no network has (RFC 1112 §4); so one
//! flow table and one set of stages serve both. A name never leaves the stack, and
//! says nothing on another one.
//!
//! `NAMES` has two halves of buckets. A word of the settings says which half is
//! valid, and by which seed an address finds its bucket there. An entry is filled
//! address first and emptied name first; one that was emptied is not filled again
//! before every packet that may have read it has gone its way. Where a bucket has
//! no room, the other half is written under another seed, and the word swapped.

use core::num::NonZeroU32;

use super::MAX_VIPAS;
use crate::wire::Be32;
use crate::word::Word;

/// Buckets of one half: twice as many as there can be names.
pub const NAME_BUCKETS: u32 = 2 * MAX_VIPAS;
/// Entries of a bucket.
pub const NAME_ENTRIES: usize = 4;

/// Bits of a hash that choose a bucket.
const PLACE_BITS: u32 = NAME_BUCKETS.trailing_zeros();
const _: () = assert!(NAME_BUCKETS.is_power_of_two());

/// Which version of IP something is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// RFC 791.
    #[default]
    Ipv4 = 0,
    /// RFC 8200.
    Ipv6 = 1,
}

impl Family {
    /// The family that a bit stands for.
    #[inline(always)]
    #[must_use]
    pub const fn from_bit(bit: u8) -> Self {
        match bit & 1 {
            0 => Self::Ipv4,
            _ => Self::Ipv6,
        }
    }
}

/// The name of an IPv6 DVIPA; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Name(NonZeroU32);

impl Name {
    /// First of the addresses that names are taken from, in host order.
    const FIRST: u32 = 0xf000_0000;
    /// Number of names there are.
    pub const COUNT: u32 = 1 << 28;

    /// The name with a number below [`Name::COUNT`].
    #[must_use]
    pub const fn new(number: u32) -> Self {
        let address = Self::FIRST | (number % Self::COUNT);
        match NonZeroU32::new(address.to_be()) {
            Some(word) => Self(word),
            None => unreachable!(),
        }
    }

    /// The name that a word says, in the order of memory; `None` when it says none.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u32) -> Option<Self> {
        match NonZeroU32::new(word) {
            Some(word) => Some(Self(word)),
            None => None,
        }
    }

    /// The word, in the order of memory.
    #[inline(always)]
    #[must_use]
    pub const fn word(self) -> u32 {
        self.0.get()
    }

    /// The number of the name.
    #[must_use]
    pub const fn number(self) -> u32 {
        u32::from_be(self.0.get()) % Self::COUNT
    }
}

/// What a DVIPA is called: an IPv4 address, or the name of an IPv6 address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Called {
    /// Address or name, in the order of memory.
    pub word: u32,
    /// Which of the two.
    pub family: Family,
}

impl Called {
    /// An IPv4 DVIPA.
    #[inline(always)]
    #[must_use]
    pub const fn ipv4(address: Be32) -> Self {
        Self {
            word: address.0,
            family: Family::Ipv4,
        }
    }

    /// An IPv6 DVIPA by its name.
    #[inline(always)]
    #[must_use]
    pub const fn ipv6(name: Name) -> Self {
        Self {
            word: name.word(),
            family: Family::Ipv6,
        }
    }
}

/// An entry of a bucket.
#[derive(Debug, Default)]
#[repr(C)]
struct NameEntry {
    /// The address in the order of memory.
    address: [Word; 2],
    /// A [`Name`] in the lower half; 0 in an entry that is empty.
    name: Word,
}

/// A bucket of `NAMES`.
#[derive(Debug, Default)]
#[repr(C)]
pub struct NameBucket {
    entries: [NameEntry; NAME_ENTRIES],
}

const _: () = assert!(size_of::<NameBucket>() == 24 * NAME_ENTRIES);

impl NameBucket {
    /// The name of an address.
    #[inline(always)]
    #[must_use]
    pub fn find(&self, address: [u64; 2]) -> Option<Name> {
        for entry in &self.entries {
            let [first, second] = &entry.address;
            if (first.load() ^ address[0]) | (second.load() ^ address[1]) == 0
                && let Some(name) = Name::from_word(entry.name.load() as u32)
            {
                return Some(name);
            }
        }
        None
    }

    /// What an entry says; `None` when it is empty. For its only writer.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<([u64; 2], Name)> {
        let entry = self.entries.get(index)?;
        let name = Name::from_word(entry.name.load() as u32)?;
        Some((entry.address.each_ref().map(Word::load), name))
    }

    /// Fills an entry that is empty.
    pub fn fill(&self, index: usize, address: [u64; 2], name: Name) {
        if let Some(entry) = self.entries.get(index) {
            entry.address[0].store(address[0]);
            entry.address[1].store(address[1]);
            entry.name.store(u64::from(name.word()));
        }
    }

    /// Empties an entry.
    pub fn empty(&self, index: usize) {
        if let Some(entry) = self.entries.get(index) {
            entry.name.store(0);
        }
    }
}

/// Which half of `NAMES` is valid, and under which seed: one word, swapped as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct NameTable(u64);

impl NameTable {
    /// A half, 0 or 1, under a seed whose lowest bit is of no importance.
    #[must_use]
    pub const fn new(seed: u64, half: usize) -> Self {
        Self(seed & !1 | half as u64 & 1)
    }

    /// The word in the settings.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Reads the word in the settings.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// Which half is valid.
    #[inline(always)]
    #[must_use]
    pub const fn half(self) -> usize {
        (self.0 & 1) as usize
    }

    /// Index of the first bucket of the valid half.
    #[inline(always)]
    #[must_use]
    pub const fn start(self) -> u32 {
        (self.0 & 1) as u32 * NAME_BUCKETS
    }

    /// Index of the bucket that an address has, by its [hash](crate::hash::address).
    #[inline(always)]
    #[must_use]
    pub const fn bucket(self, hash: u64) -> u32 {
        self.start() + (hash.wrapping_mul(self.0 | 1) >> (64 - PLACE_BITS)) as u32
    }
}

/// Both addresses of an IPv6 packet, in the order of memory: what its key says shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Ends {
    /// The client's.
    pub client: [u64; 2],
    /// The DVIPA's.
    pub dvipa: [u64; 2],
}

/// The client of the flow in a slot of the flow table, if that is one of IPv6.
///
/// Packets write it before they fill the slot, and never read it. Who reads both takes the address
/// for the client's only if the digest in the slot is that of the address.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Client {
    /// The address in the order of memory.
    pub address: [Word; 2],
}
