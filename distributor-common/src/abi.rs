//! What lies in the maps, and how large it is.
//!
//! A pinned map is reused as it is, even by a daemon that was built with other
//! types; so every layout here is fixed by an assertion, and [`ABI_VERSION`]
//! changes whenever the meaning of a byte does. Values that change while
//! packets flow are [`Word`]s; nothing here is ever edited in place in two
//! steps that a packet could see half done.

use core::num::NonZeroU32;

use crate::counter::COUNTER_SLOTS;
use crate::hash::PREFILTER_WORDS;
use crate::wire::Be16;
use crate::word::Word;

/// Version of everything in this module and in [`crate::flow`].
pub const ABI_VERSION: u64 = 3;

/// Number of services that can exist at once.
pub const MAX_SERVICES: u32 = 1 << 16;
/// Number of targets of one service (`VIPADISTRIBUTE` allows 32 `DESTIP` addresses).
pub const MAX_ROWS: u32 = 32;
/// Number of target slots: stacks of the group, and former ones to which flows still lead.
pub const MAX_TARGETS: u32 = 1024;
/// Number of places in all rings together; services with the same ring share it.
pub const MAX_RING_ENTRIES: u32 = 1 << 18;
/// Number of interfaces that packets can be redirected to.
pub const MAX_INTERFACES: u32 = 256;

/// Names of the maps, as in the object file and under the pin directory.
pub mod map {
    /// [`super::Settings`], one value.
    pub const SETTINGS: &str = "SETTINGS";
    /// [`crate::flow::Bucket`]s, a power of two of them.
    pub const FLOWS: &str = "FLOWS";
    /// [`super::ServiceKey`] → index into `SERVICES`.
    pub const SERVICE_INDEX: &str = "SERVICE_INDEX";
    /// [`super::Service`]s.
    pub const SERVICES: &str = "SERVICES";
    /// [`super::RingEntry`]s of all services.
    pub const RINGS: &str = "RINGS";
    /// New connections per service × row.
    pub const CONNECTIONS: &str = "CONNECTIONS";
    /// Interfaces to redirect to, by their index.
    pub const TRANSMIT: &str = "TRANSMIT";
    /// [`super::Counters`], per CPU.
    pub const COUNTERS: &str = "COUNTERS";
}

/// Names of the programs.
pub mod program {
    /// The packet path.
    pub const DISTRIBUTE: &str = "distribute";
    /// Writes `bpf_jiffies64` and `bpf_ktime_get_ns` into the packet; only ever test-run.
    pub const READ_CLOCKS: &str = "read_clocks";
}

/// The one value of `SETTINGS`: what a packet of a known flow reads beside its bucket, found by one
/// look-up. All but the prefilter and the targets is written once, before any packet.
#[derive(Debug)]
#[repr(C)]
pub struct Settings {
    /// [`ABI_VERSION`] of the daemon that created the maps; 0 until all else is written.
    pub abi_version: Word,
    /// `SO_NETNS_COOKIE` of the namespace that the maps serve.
    pub netns_cookie: Word,
    /// Seeds of the flow hash.
    pub seeds: [Word; 2],
    /// Number of buckets in `FLOWS` less one.
    pub bucket_mask: Word,
    /// Jiffies are shifted right by this to make the stamp of a flow.
    pub stamp_shift: Word,
    /// Not used; 0.
    pub reserved: [Word; 2],
    /// Bit `hash::prefilter(address)` is set for every address with services or flows.
    pub prefilter: [Word; PREFILTER_WORDS],
    /// Targets by their slot.
    pub targets: [Target; MAX_TARGETS as usize],
}

/// Key of `SERVICE_INDEX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct ServiceKey {
    /// The DVIPA, an IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2), in the order of memory.
    pub address: [u32; 4],
    /// The port; 0 in the entry that marks the address itself as distributed.
    pub port: Be16,
    /// Transport protocol number.
    pub protocol: u8,
    /// Not used; 0.
    pub reserved: u8,
}

impl ServiceKey {
    /// The key of a service on an IPv4 address, given in the order of memory.
    #[inline(always)]
    #[must_use]
    pub const fn ipv4(address: u32, port: Be16, protocol: u8) -> Self {
        let prefix = 0xffff_u32.to_be();
        Self {
            address: [0, 0, prefix, address],
            port,
            protocol,
            reserved: 0,
        }
    }
}

/// Value in `SERVICE_INDEX` of the entries that mark an address.
pub const ADDRESS_MARK: u32 = u32::MAX;

/// A service: its ring, its turn, and (for the daemon only) whose rows are whose.
#[derive(Debug)]
#[repr(C)]
pub struct Service {
    /// A [`Ring`]; swapped as a whole.
    pub ring: Word,
    /// Whose turn it is; taken modulo the ring's length.
    pub turn: Word,
    /// Not used; 0.
    pub reserved: [Word; 6],
    /// Target slot plus one of each row, four 16-bit values a word; 0 is a free row.
    pub rows: [Word; MAX_ROWS as usize / 4],
}

#[cfg(any(test, feature = "host"))]
impl Service {
    /// A service without a ring.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            ring: Word::new(0),
            turn: Word::new(0),
            reserved: core::array::from_fn(|_| Word::new(0)),
            rows: core::array::from_fn(|_| Word::new(0)),
        }
    }
}

/// Where a service's ring lies in `RINGS`, and which edition it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// First entry.
    pub start: u32,
    /// Number of entries; 0 when no target is ready.
    pub len: u32,
    /// Differs from that of the ring before, so that a reader notices the change.
    pub edition: u16,
}

impl Ring {
    const FIELD: u64 = (1 << 24) - 1;

    /// Packs the three into the word that is swapped.
    #[must_use]
    pub const fn word(self) -> u64 {
        (self.start as u64 & Self::FIELD)
            | (self.len as u64 & Self::FIELD) << 24
            | (self.edition as u64) << 48
    }

    /// Unpacks a word.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self {
            start: (word & Self::FIELD) as u32,
            len: (word >> 24 & Self::FIELD) as u32,
            edition: (word >> 48) as u16,
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

    /// A place that leads to the target in a slot, whose connections are counted in a row of the
    /// service, below [`MAX_ROWS`].
    #[must_use]
    pub fn new(target: u16, row: u16) -> Self {
        Self(Self::WRITTEN | u32::from(row) << 16 | u32::from(target))
    }

    /// The word in the map.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0.get() as u64
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
}

/// A target by its slot: how it is reached, and who it is.
///
/// The path has two halves. The daemon writes the half that is not in use and
/// then swaps `state`, whose lowest bit names the half that is.
#[derive(Debug)]
#[repr(C)]
pub struct Target {
    /// A [`PathState`].
    pub state: Word,
    /// For each half: destination and source address of the Ethernet header, 12 bytes.
    pub addresses: [[Word; 2]; 2],
    /// The DYNAMICXCF address (an IPv4 address mapped into IPv6), in the order of memory.
    pub identity: [Word; 2],
    /// Not used; 0.
    pub reserved: Word,
}

/// How a target is reached, as a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// No path answers.
    #[default]
    Unreachable,
    /// The target is this stack.
    Local,
    /// The next hop is on a link: new MAC addresses, same packet.
    Link {
        /// Interface to send from.
        ifindex: u32,
        /// First 12 bytes of the Ethernet header, and 4 of nothing, in the order of memory.
        addresses: [u64; 2],
    },
}

impl Path {
    /// A path over a link.
    #[must_use]
    pub fn link(ifindex: u32, source: [u8; 6], next_hop: [u8; 6]) -> Self {
        let mut bytes = [[0; 8]; 2];
        let header = next_hop.iter().chain(&source);
        for (byte, value) in bytes.as_flattened_mut().iter_mut().zip(header) {
            *byte = *value;
        }
        Self::Link {
            ifindex,
            addresses: bytes.map(u64::from_ne_bytes),
        }
    }
}

/// Readings of a path before it counts as unreachable; the daemon changes one in microseconds.
const PATH_ATTEMPTS: u32 = 3;

impl Target {
    /// A slot without a target.
    #[cfg(any(test, feature = "host"))]
    #[must_use]
    pub fn empty() -> Self {
        Self {
            state: Word::new(0),
            addresses: core::array::from_fn(|_| core::array::from_fn(|_| Word::new(0))),
            identity: core::array::from_fn(|_| Word::new(0)),
            reserved: Word::new(0),
        }
    }

    /// Reads the half that is valid, and again if the path was changed meanwhile.
    #[inline(always)]
    #[must_use]
    pub fn path(&self) -> Path {
        let mut word = self.state.load();
        for _ in 0..PATH_ATTEMPTS {
            let state = PathState::from_word(word);
            match state.kind {
                PathKind::Local => return Path::Local,
                PathKind::Unreachable => return Path::Unreachable,
                PathKind::Link => {}
            }
            let half = &self.addresses[state.half()];
            let addresses = [half[0].load(), half[1].load()];
            let again = self.state.load();
            if again == word {
                return Path::Link {
                    ifindex: state.ifindex,
                    addresses,
                };
            }
            word = again;
        }
        Path::Unreachable
    }

    /// Changes the path in one step, as packets see it. One writer at a time.
    pub fn set_path(&self, path: Path) {
        let edition = PathState::from_word(self.state.load())
            .edition
            .wrapping_add(1);
        let (kind, ifindex) = match path {
            Path::Unreachable => (PathKind::Unreachable, 0),
            Path::Local => (PathKind::Local, 0),
            Path::Link { ifindex, addresses } => {
                let half = &self.addresses[(edition & 1) as usize];
                half[0].store(addresses[0]);
                half[1].store(addresses[1]);
                (PathKind::Link, ifindex)
            }
        };
        self.state.store(
            PathState {
                ifindex,
                kind,
                edition,
            }
            .word(),
        );
    }
}

/// The state word of a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathState {
    /// Interface to send from; meaningful for [`PathKind::Link`].
    pub ifindex: u32,
    /// How the target is reached.
    pub kind: PathKind,
    /// Grows by one with every change; its lowest bit names the valid half. 24 bits.
    pub edition: u32,
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum PathKind {
    /// No path answers.
    #[default]
    Unreachable = 0,
    /// The target is this stack.
    Local = 1,
    /// The next hop is on a link: new MAC addresses, same packet.
    Link = 2,
}

impl PathState {
    /// Packs the three into the word that is swapped.
    #[must_use]
    pub const fn word(self) -> u64 {
        (self.edition as u64 & 0xff_ffff) | (self.kind as u64) << 24 | (self.ifindex as u64) << 32
    }

    /// Unpacks a word; an unknown kind is no path.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        let kind = match (word >> 24) as u8 {
            1 => PathKind::Local,
            2 => PathKind::Link,
            _ => PathKind::Unreachable,
        };
        Self {
            ifindex: (word >> 32) as u32,
            kind,
            edition: (word & 0xff_ffff) as u32,
        }
    }

    /// Index of the half that is valid.
    #[inline(always)]
    #[must_use]
    pub const fn half(self) -> usize {
        (self.edition & 1) as usize
    }
}

/// One CPU's counters; [`crate::counter`] says which is which.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Counters(pub [u64; COUNTER_SLOTS]);

const _: () = {
    assert!(size_of::<Settings>() == 64 + 8 * PREFILTER_WORDS + 64 * MAX_TARGETS as usize);
    assert!(size_of::<ServiceKey>() == 20);
    assert!(size_of::<Service>() == 128);
    assert!(size_of::<Target>() == 64);
    assert!(size_of::<Counters>() == 512);
};

#[cfg(test)]
mod tests;
