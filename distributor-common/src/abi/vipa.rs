//! A DVIPA on this stack: who owns it, and who is asked about its unknown flows.
//!
//! Every DVIPA that is here has an entry, owned or hidden. What it says about
//! distribution is in the services; what is in here decides about the packets
//! that no flow and no service of this stack explains.

use core::num::NonZeroU32;

use super::Family;
use crate::word::Word;

/// Readings of an entry before the last one is taken as it is; the daemon changes one in
/// microseconds.
const ATTEMPTS: u32 = 3;

/// The entry of a DVIPA in `VIPAS`.
///
/// It has two halves. The daemon writes the half that is not in use and then
/// swaps `edition`, whose lowest bit names the half that is.
#[derive(Debug)]
#[repr(C)]
pub struct Vipa {
    edition: Word,
    halves: [[Word; 3]; 2],
    /// Counter of the owner's epoch; kept for the daemon's successor, not for packets.
    pub epoch: Word,
}

impl Vipa {
    /// An entry of which nothing is known.
    #[cfg(any(test, feature = "host"))]
    #[must_use]
    pub fn empty() -> Self {
        Self {
            edition: Word::new(0),
            halves: core::array::from_fn(|_| core::array::from_fn(|_| Word::new(0))),
            epoch: Word::new(0),
        }
    }

    /// Reads the half that is valid, and again if it was changed meanwhile.
    #[inline(always)]
    #[must_use]
    pub fn standing(&self) -> Standing {
        let mut edition = self.edition.load();
        let mut standing = self.half(edition);
        for _ in 1..ATTEMPTS {
            let again = self.edition.load();
            if again == edition {
                break;
            }
            edition = again;
            standing = self.half(edition);
        }
        standing
    }

    #[inline(always)]
    fn half(&self, edition: u64) -> Standing {
        let half = &self.halves[(edition & 1) as usize];
        Standing {
            parties: half[0].load(),
            offers: half[1].load(),
            targets: half[2].load(),
        }
    }

    /// Changes the entry in one step, as packets see it. One writer at a time.
    pub fn set_standing(&self, standing: Standing) {
        let edition = self.edition.load().wrapping_add(1);
        let half = &self.halves[(edition & 1) as usize];
        half[0].store(standing.parties);
        half[1].store(standing.offers);
        half[2].store(standing.targets);
        self.edition.store(edition);
    }
}

/// What an entry says, packed into three words.
///
/// ```text
///  parties   owner (16) | claimant (16) | former owner (16) | own place (16)   none: all bits set
///  offers    first place in RINGS (24) | number (16) | flags (3)
///  targets   one bit for each target, by its slot modulo 64
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    parties: u64,
    offers: u64,
    targets: u64,
}

/// What a [`Standing`] is made of. Stacks are named by their target slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Whose DVIPA it is.
    pub owner: Option<u16>,
    /// Who is about to own it; the owner itself as long as it does not know all of its targets.
    pub claimant: Option<u16>,
    /// Who owned it before the owner: its relays are a client's packets.
    pub former: Option<u16>,
    /// This stack's own place among the offers.
    pub place: Option<u16>,
    /// Where in `RINGS` the targets are that unknown flows are offered to, and how many.
    pub offers: (u32, u16),
    /// A bit for each of these targets; see [`Standing::target_bit`].
    pub targets: u64,
    /// Whether this stack is the owner.
    pub is_owned: bool,
    /// Whether another member could own it.
    pub has_successor: bool,
    /// Whether some port of it is distributed from here.
    pub is_distributed: bool,
}

impl Standing {
    const NONE: u16 = u16::MAX;
    const OWNED: u64 = 1 << 40;
    const SUCCESSOR: u64 = 1 << 41;
    const DISTRIBUTED: u64 = 1 << 42;

    /// Of a DVIPA of which nothing is known.
    pub const UNKNOWN: Self = Self {
        parties: u64::MAX,
        offers: 0,
        targets: 0,
    };

    /// Packs the roles.
    #[must_use]
    pub fn new(roles: &Roles) -> Self {
        let party = |slot: Option<u16>| u64::from(slot.unwrap_or(Self::NONE));
        let flag = |is_set: bool, bit: u64| if is_set { bit } else { 0 };
        let (start, len) = roles.offers;
        Self {
            parties: party(roles.owner)
                | party(roles.claimant) << 16
                | party(roles.former) << 32
                | party(roles.place) << 48,
            offers: u64::from(start & 0xff_ffff)
                | u64::from(len) << 24
                | flag(roles.is_owned, Self::OWNED)
                | flag(roles.has_successor, Self::SUCCESSOR)
                | flag(roles.is_distributed, Self::DISTRIBUTED),
            targets: roles.targets,
        }
    }

    /// Unpacks the roles.
    #[must_use]
    pub fn roles(self) -> Roles {
        let party = |shift: u32| {
            let slot = (self.parties >> shift) as u16;
            (slot != Self::NONE).then_some(slot)
        };
        Roles {
            owner: party(0),
            claimant: party(16),
            former: party(32),
            place: party(48),
            offers: (self.start(), self.offers() as u16),
            targets: self.targets,
            is_owned: self.is_owned(),
            has_successor: self.has_successor(),
            is_distributed: self.is_distributed(),
        }
    }

    /// The bit of a target in [`Roles::targets`]; exact for groups of up to 64 stacks.
    #[inline(always)]
    #[must_use]
    pub const fn target_bit(slot: u16) -> u64 {
        1 << (slot & 63)
    }

    /// Slot of the owner; [`crate::abi::MAX_TARGETS`] or more when nobody is known to be it.
    #[inline(always)]
    #[must_use]
    pub const fn owner(self) -> u16 {
        self.parties as u16
    }

    /// Whether the stack in `slot` may hand out new connections: as the owner, or soon.
    #[inline(always)]
    #[must_use]
    pub const fn is_authority(self, slot: u16) -> bool {
        slot == self.parties as u16 || slot == (self.parties >> 16) as u16
    }

    /// Whether the stack in `slot` owned the DVIPA before its owner.
    #[inline(always)]
    #[must_use]
    pub const fn is_former(self, slot: u16) -> bool {
        slot == (self.parties >> 32) as u16
    }

    /// Whether unknown flows are offered to the stack in `slot`.
    #[inline(always)]
    #[must_use]
    pub const fn is_target(self, slot: u16) -> bool {
        self.targets & Self::target_bit(slot) != 0
    }

    /// Whether somebody is about to own the DVIPA, or its owner does not know all of its targets yet.
    #[inline(always)]
    #[must_use]
    pub const fn has_claimant(self) -> bool {
        (self.parties >> 16) as u16 != Self::NONE
    }

    /// Whether it is settled who owns the DVIPA.
    #[inline(always)]
    #[must_use]
    pub const fn is_settled(self) -> bool {
        self.parties as u16 != Self::NONE && (self.parties >> 16) as u16 == Self::NONE
    }

    /// This stack's place among the offers; not below [`offers`](Self::offers) when it has none.
    #[inline(always)]
    #[must_use]
    pub const fn place(self) -> u32 {
        (self.parties >> 48) as u32
    }

    /// The first of the offers in `RINGS`.
    #[inline(always)]
    #[must_use]
    pub const fn start(self) -> u32 {
        (self.offers & 0xff_ffff) as u32
    }

    /// Number of targets that unknown flows are offered to.
    #[inline(always)]
    #[must_use]
    pub const fn offers(self) -> u32 {
        (self.offers >> 24) as u32 & 0xffff
    }

    /// Whether this stack is the owner.
    #[inline(always)]
    #[must_use]
    pub const fn is_owned(self) -> bool {
        self.offers & Self::OWNED != 0
    }

    /// Whether another member could own the DVIPA.
    #[inline(always)]
    #[must_use]
    pub const fn has_successor(self) -> bool {
        self.offers & Self::SUCCESSOR != 0
    }

    /// Whether some port of the DVIPA is distributed from here.
    #[inline(always)]
    #[must_use]
    pub const fn is_distributed(self) -> bool {
        self.offers & Self::DISTRIBUTED != 0
    }
}

/// Value in `SENDERS`: the member that sends from an Ethernet address, by its target slots. It has one
/// for each family of which it has a DYNAMICXCF address.
///
/// It is never 0, for the same reason as a [`super::RingEntry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Sender(NonZeroU32);

impl Sender {
    const WRITTEN: NonZeroU32 = NonZeroU32::new(1 << 31).expect("not 0");
    /// Bits of a slot.
    const BITS: u32 = 15;
    /// Stands for no slot.
    const NONE: u32 = (1 << Self::BITS) - 1;

    /// The member in these slots, for IPv4 and for IPv6.
    #[must_use]
    pub fn new(ipv4: Option<u16>, ipv6: Option<u16>) -> Self {
        let field = |slot: Option<u16>| slot.map_or(Self::NONE, u32::from) & Self::NONE;
        Self(Self::WRITTEN | field(ipv4) | field(ipv6) << Self::BITS)
    }

    /// The value in the map.
    #[must_use]
    pub const fn word(self) -> u32 {
        self.0.get()
    }

    /// Reads the value in the map.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u32) -> Option<Self> {
        match NonZeroU32::new(word) {
            Some(word) => Some(Self(word)),
            None => None,
        }
    }

    /// Slot of the member by its IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn ipv4(self) -> Option<u16> {
        Self::slot(self.0.get())
    }

    /// Slot of the member by its IPv6 address.
    #[inline(always)]
    #[must_use]
    pub const fn ipv6(self) -> Option<u16> {
        Self::slot(self.0.get() >> Self::BITS)
    }

    /// The member by its address of a family.
    #[inline(always)]
    #[must_use]
    pub const fn member(self, family: Family) -> Option<Member> {
        let field = self.0.get() >> (Self::BITS * family as u32) & Self::NONE;
        match NonZeroU32::new(field ^ Self::NONE) {
            Some(word) => Some(Member(word)),
            None => None,
        }
    }

    #[inline(always)]
    const fn slot(field: u32) -> Option<u16> {
        match field & Self::NONE {
            Self::NONE => None,
            slot => Some(slot as u16),
        }
    }
}

/// A member by its slot; an option of it is one word, for the same reason as a
/// [`super::RingEntry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Member(NonZeroU32);

impl Member {
    /// The slot.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self) -> u16 {
        (self.0.get() ^ Sender::NONE) as u16
    }
}
