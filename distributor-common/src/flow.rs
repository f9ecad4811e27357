//! The flow table: which client connection goes to which target.
//!
//! An array of buckets. A bucket is a pair of adjacent cache lines with eight
//! slots; a slot is two words:
//!
//! ```text
//!  addresses   destination address (32) | source address (32)           as they lie in the packet
//!  tag         ports (32) | target (16) | stamp (11) | IPv6 (1) | UDP (1) | state (2) | lock (1)
//! ```
//!
//! Of IPv6, `addresses` has the name of the destination and a digest of the source
//! ([`FlowKey`]). The source itself lies beside the table ([`crate::abi::Client`]),
//! for reports; no packet reads it.
//!
//! Readers never lock. They read tag, addresses, tag: ports *and* target share
//! one word, so if both readings agree on them, the addresses between belonged
//! to that target. Whoever inserts holds the bucket's lock, the lowest bit of
//! slot 0's tag, for a bounded time; claims a slot by compare-and-exchange with
//! a placeholder that matches no packet and does not look free; writes the
//! addresses, then the tag. Everybody else changes a tag only by
//! compare-and-exchange on the value read before, so that nothing is lost,
//! least of all the lock bit. The daemon never takes the lock: if it died with
//! it, the bucket would be closed to new flows for good. What a target reports,
//! it stores without.
//!
//! A client that keeps its target ([`crate::stages::affinity`]) has a slot of its
//! own, like a flow from port 0, which no packet comes from. Its state says what
//! is known of the client's connections: *half-open* that it has some that are
//! perhaps not completed, *established* that it has one, *ending* that it has none
//! any more.
//!
//! Nothing in here ever gives the slot of an established flow to another.

use crate::abi::Family;
use crate::wire::tcp;
use crate::word::Word;

pub(crate) use self::insert::next_attempt;
pub use self::insert::{Lock, Place, PlaceKind, Unplaced};
pub use self::key::FlowKey;
#[cfg(not(target_arch = "bpf"))]
pub use self::report::Reported;

mod insert;
mod key;
#[cfg(not(target_arch = "bpf"))]
mod report;

/// Slots of a bucket.
pub const BUCKET_SLOTS: usize = 8;

/// By how much a flow's hash is shifted to the right to be the number of a slot in a table of so many
/// buckets, a power of two. What shifts this out is the number of a bucket, then that of a slot in it.
#[must_use]
pub const fn slot_shift(buckets: usize) -> u64 {
    assert!(buckets.is_power_of_two());
    u64::BITS as u64 - (buckets.trailing_zeros() + BUCKET_SLOTS.trailing_zeros()) as u64
}

/// The bucket of the flows with this hash, and the number of the slot in it that they get first.
#[must_use]
pub const fn place(hash: u64, buckets: usize) -> (usize, usize) {
    let slot = (hash >> slot_shift(buckets)) as usize;
    (slot / BUCKET_SLOTS, slot % BUCKET_SLOTS)
}

/// One slot; see the module's picture.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Slot {
    /// Source and destination address.
    pub addresses: Word,
    /// A [`Tag`].
    pub tag: Word,
}

/// A pair of cache lines.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Bucket {
    /// The slots; the tag of the first holds the lock.
    pub slots: [Slot; BUCKET_SLOTS],
}

const _: () = assert!(size_of::<Bucket>() == 128);

/// Time in the flow table: 2,048 units of about a second, wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp(u16);

impl Stamp {
    const MASK: u16 = 0x7ff;

    /// A half-open flow older than this is stale.
    pub const STALE: u16 = 64;
    /// An ending flow idle for at least this long may be replaced.
    pub const LINGER: u16 = 2;

    /// The stamp of a number of jiffies.
    #[inline(always)]
    #[must_use]
    pub const fn from_jiffies(jiffies: u64, shift: u64) -> Self {
        Self((jiffies >> (shift & 63)) as u16 & Self::MASK)
    }

    /// The units themselves, below 2,048.
    #[inline(always)]
    #[must_use]
    pub const fn units(self) -> u16 {
        self.0
    }

    /// Units from `self` to `now`.
    #[inline(always)]
    #[must_use]
    pub const fn age(self, now: Self) -> u16 {
        now.0.wrapping_sub(self.0) & Self::MASK
    }
}

/// How far a connection has come, as the client's half shows it.
///
/// ```text
///            SYN              first segment          FIN, RST, target's report
///  Free ───────────▶ HalfOpen ─────────────▶ Established ─────────────▶ Ending ──▶ Free
///                        └───────────────── FIN, RST ──────────────────▶ │ SYN
///                        ◀────────────────── a new connection ───────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// No flow.
    Free = 0,
    /// The client's SYN was seen, its first segment after it not yet.
    HalfOpen = 1,
    /// The client has completed the handshake.
    Established = 2,
    /// A FIN, a RST or the target's report was seen; the target may still know the connection.
    Ending = 3,
}

/// The second word of a slot, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub u64);

impl Tag {
    /// The lock bit; only in slot 0.
    pub const LOCK: u64 = 1;
    const STATE_SHIFT: u32 = 1;
    const UDP: u64 = 1 << 3;
    const IPV6_SHIFT: u32 = 4;
    const STAMP_SHIFT: u32 = 5;
    const TARGET_SHIFT: u32 = 16;
    const PORTS_SHIFT: u32 = 32;
    const OWNER_MASK: u64 = 0xffff_ffff << Self::PORTS_SHIFT | Self::UDP | 1 << Self::IPV6_SHIFT;
    const TARGET_MASK: u64 = 0xffff << Self::TARGET_SHIFT;

    /// The tag of a claimed slot: no packet has ports of 0, and the state is not free.
    const PLACEHOLDER: Self = Self((State::Ending as u64) << Self::STATE_SHIFT);

    /// The part of a tag that the key decides.
    #[inline(always)]
    const fn owner(key: &FlowKey) -> u64 {
        let protocol = if key.protocol == tcp::PROTOCOL {
            0
        } else {
            Self::UDP
        };
        (key.ports as u64) << Self::PORTS_SHIFT | protocol | (key.family as u64) << Self::IPV6_SHIFT
    }

    #[inline(always)]
    const fn new(key: &FlowKey, target: u16, state: State, now: Stamp) -> Self {
        Self(Self::owner(key) | (target as u64) << Self::TARGET_SHIFT)
            .with_state(state)
            .with_stamp(now)
    }

    /// Whether ports, protocol and family are the key's.
    #[inline(always)]
    #[must_use]
    pub const fn is_of(self, key: &FlowKey) -> bool {
        self.0 & Self::OWNER_MASK == Self::owner(key)
    }

    /// Whether both tell the same about ports, protocol, family and target.
    #[inline(always)]
    const fn agrees(self, other: Self) -> bool {
        (self.0 ^ other.0) & (Self::OWNER_MASK | Self::TARGET_MASK) == 0
    }

    /// Source and destination port, as in [`FlowKey::ports`]; 0 in a placeholder.
    #[inline(always)]
    #[must_use]
    pub const fn ports(self) -> u32 {
        (self.0 >> Self::PORTS_SHIFT) as u32
    }

    /// Whether the flow is not TCP but UDP.
    #[inline(always)]
    #[must_use]
    pub const fn is_udp(self) -> bool {
        self.0 & Self::UDP != 0
    }

    /// Which version of IP the flow is of.
    #[inline(always)]
    #[must_use]
    pub const fn family(self) -> Family {
        Family::from_bit((self.0 >> Self::IPV6_SHIFT) as u8)
    }

    /// Slot of the target.
    #[inline(always)]
    #[must_use]
    pub const fn target(self) -> u16 {
        (self.0 >> Self::TARGET_SHIFT) as u16
    }

    /// When the flow was last seen.
    #[inline(always)]
    #[must_use]
    pub const fn stamp(self) -> Stamp {
        Stamp((self.0 >> Self::STAMP_SHIFT) as u16 & Stamp::MASK)
    }

    /// How far the connection has come.
    #[inline(always)]
    #[must_use]
    pub const fn state(self) -> State {
        match self.0 >> Self::STATE_SHIFT & 3 {
            0 => State::Free,
            1 => State::HalfOpen,
            2 => State::Established,
            _ => State::Ending,
        }
    }

    /// The same flow in another state.
    #[inline(always)]
    #[must_use]
    pub const fn with_state(self, state: State) -> Self {
        Self(self.0 & !(3 << Self::STATE_SHIFT) | (state as u64) << Self::STATE_SHIFT)
    }

    /// The same flow, seen at another time.
    #[inline(always)]
    #[must_use]
    pub const fn with_stamp(self, stamp: Stamp) -> Self {
        let mask = (Stamp::MASK as u64) << Self::STAMP_SHIFT;
        Self(self.0 & !mask | (stamp.0 as u64) << Self::STAMP_SHIFT)
    }

    /// The same flow to another target.
    #[inline(always)]
    #[must_use]
    pub const fn with_target(self, target: u16) -> Self {
        Self(self.0 & !Self::TARGET_MASK | (target as u64) << Self::TARGET_SHIFT)
    }

    /// A free slot, with the lock bit as it was.
    #[inline(always)]
    #[must_use]
    pub const fn freed(self) -> Self {
        Self(self.0 & Self::LOCK)
    }
}

/// A flow that was found: its slot, and what the slot said.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    slot: &'a Slot,
    /// The slot's number in its bucket.
    index: usize,
    /// The tag as it was read.
    pub tag: Tag,
}

impl Slot {
    /// Reads tag, addresses and tag again; `None` if the slot changed hands meanwhile or is empty.
    #[must_use]
    pub fn read(&self) -> Option<(FlowKey, Tag)> {
        let tag = Tag(self.tag.load());
        if tag.ports() == 0 || tag.state() == State::Free {
            return None;
        }
        let addresses = self.addresses.load();
        if !Tag(self.tag.load()).agrees(tag) {
            return None;
        }
        let protocol = if tag.is_udp() { 17 } else { tcp::PROTOCOL };
        Some((
            FlowKey {
                addresses,
                ports: tag.ports(),
                protocol,
                family: tag.family(),
            },
            tag,
        ))
    }

    /// Finds the flow of a key in this slot, the one with this number in its bucket; `None` also when
    /// the slot is changed at this moment.
    #[inline(always)]
    #[must_use]
    pub fn find(&self, key: &FlowKey, index: usize) -> Option<Found<'_>> {
        let tag = Tag(self.tag.load());
        let is_it =
            tag.is_of(key) && self.addresses.load() == key.addresses && self.tag.load() == tag.0;
        is_it.then_some(Found {
            slot: self,
            index,
            tag,
        })
    }

    /// Changes the tag if it is still the one that was read.
    #[inline(always)]
    #[must_use]
    pub fn replace(&self, read: Tag, new: Tag) -> bool {
        self.tag.replace(read.0, new.0)
    }
}

impl Bucket {
    /// Finds the flow of a key.
    #[inline(always)]
    #[must_use]
    pub fn find(&self, key: &FlowKey) -> Option<Found<'_>> {
        for (index, slot) in self.slots.iter().enumerate() {
            let tag = Tag(slot.tag.load());
            if tag.is_of(key)
                && slot.addresses.load() == key.addresses
                && Tag(slot.tag.load()).agrees(tag)
            {
                return Some(Found { slot, index, tag });
            }
        }
        None
    }
}

impl<'a> Found<'a> {
    /// Where the flow was found.
    #[inline(always)]
    #[must_use]
    pub fn slot(&self) -> &'a Slot {
        self.slot
    }

    /// Notes that the flow was seen, at most once a unit of time.
    ///
    /// If another CPU changes the slot at this moment, that one has seen it too.
    #[inline(always)]
    pub fn touch(&self, now: Stamp) {
        let new = self.tag.with_stamp(now);
        if new != self.tag {
            let _ = self.slot.replace(self.tag, new);
        }
    }

    /// Whether the flow is not ending, or has been brought back from there; `false` when it was
    /// changed meanwhile.
    #[inline(always)]
    #[must_use]
    pub fn revive(&self, now: Stamp) -> bool {
        let new = self.tag.with_state(State::HalfOpen).with_stamp(now);
        self.tag.state() != State::Ending || self.slot.replace(self.tag, new)
    }

    /// Notes that the flow was seen and has come at least to `state`; tries again when another CPU
    /// was faster.
    ///
    /// Gives up when the slot has changed hands, or after a few attempts: then the connection's next
    /// segment, or the target's report, brings the flow to its state.
    #[inline(always)]
    pub fn advance(&self, state: State, now: Stamp) {
        let mut tag = self.tag;
        for _ in 0..4 {
            let reached = if tag.state() > state {
                tag.state()
            } else {
                state
            };
            let new = tag.with_state(reached).with_stamp(now);
            if new == tag || self.slot.replace(tag, new) {
                return;
            }
            tag = Tag(self.slot.tag.load());
            if !tag.agrees(self.tag) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
