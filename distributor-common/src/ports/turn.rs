//! Whose turn it is among the listeners that share a port.
//!
//! Exact, whatever the number of CPUs: the one that moves the cursor from a
//! listener to the next gives out that one. One that has ended is no turn. Where
//! listeners weigh differently, the daemon has written down an order of turns, and
//! whoever takes a number gives out the listener in that place.

use super::MAX_SLOTS;
use crate::word::{Word, hidden, lowest};

/// Listeners that a search tries at most. Each that it tries in vain has ended a moment ago, was
/// given out by another CPU, or takes only the other family.
const MOST_TRIES: u32 = 16;

/// How long a turn is remembered, in units of [`RecentTurn`]: two seconds, which
/// a client that uses a port again soon is unlikely to stay below.
const REMEMBERED: u64 = 2_000;

/// One address and port that listeners share.
#[repr(C)]
#[derive(Debug)]
pub struct Share {
    /// The slot that had the last turn.
    pub cursor: Word,
    /// A bit for each slot that has a listener, or had one until a moment ago.
    pub live: Word,
    /// The cookies of the sockets in the slots; of one that has ended until the slot has another.
    pub cookies: [Word; MAX_SLOTS as usize],
    /// Numbers that were taken of an [`Order`].
    pub number: Word,
    /// Connections that were given to each slot.
    pub given: [Word; MAX_SLOTS as usize],
}

const _: () = assert!(MAX_SLOTS == u64::BITS as u64);
const _: () = assert!(size_of::<Share>() == 131 * 8);

/// Where the words of a [`Share`] are, for who copies it.
pub mod share {
    use super::MAX_SLOTS;

    /// [`Share::live`](super::Share::live).
    pub const LIVE: usize = 1;
    /// The first of [`Share::cookies`](super::Share::cookies).
    pub const FIRST_COOKIE: usize = 2;
    /// The first of [`Share::given`](super::Share::given).
    pub const FIRST_GIVEN: usize = FIRST_COOKIE + MAX_SLOTS as usize + 1;
}

const _: () = assert!(core::mem::offset_of!(Share, live) == 8 * share::LIVE);
const _: () = assert!(core::mem::offset_of!(Share, cookies) == 8 * share::FIRST_COOKIE);
const _: () = assert!(core::mem::offset_of!(Share, given) == 8 * share::FIRST_GIVEN);

/// Places of an [`Order`] at most: a weight of 16 for each listener.
pub const MAX_PLACES: usize = MAX_SLOTS as usize * 16;

/// Slots in one word of an [`Order`].
const SLOTS_IN_WORD: usize = 8;

/// In which order listeners get connections that do not weigh alike.
#[repr(C)]
#[derive(Debug)]
pub struct Order {
    /// The listeners that it was made for, a bit for each slot: with others, turns are plain.
    pub live: Word,
    /// Number of places.
    pub len: Word,
    /// Their slots, eight in a word.
    pub places: [Word; MAX_PLACES / SLOTS_IN_WORD],
}

/// An [`Order`] as it is written.
pub type OrderWords = [u64; size_of::<Order>() / 8];

const _: () = assert!(size_of::<Order>() == 130 * 8);

impl Order {
    /// Puts down an order of slots for these listeners; at most [`MAX_PLACES`] of them.
    #[must_use]
    pub fn words(live: u64, slots: &[u8]) -> OrderWords {
        let mut words = [0; size_of::<Self>() / 8];
        let (head, places) = words.split_at_mut(2);
        let slots = &slots[..slots.len().min(MAX_PLACES)];
        head[0] = live;
        head[1] = slots.len() as u64;
        for (word, slots) in places.iter_mut().zip(slots.chunks(SLOTS_IN_WORD)) {
            let mut bytes = [0; SLOTS_IN_WORD];
            bytes[..slots.len()].copy_from_slice(slots);
            *word = u64::from_le_bytes(bytes);
        }
        words
    }

    /// Takes the next number of a share, and returns the slot in that place; `None` if the order is not of
    /// the listeners that there are.
    #[inline(always)]
    #[must_use]
    pub fn take_number(&self, share: &Share) -> Option<u64> {
        let len = self.len.load();
        if len == 0 || self.live.load() != share.live.load() {
            return None;
        }
        let place = share.number.fetch_add(1) % len;
        let word = self.places.get(place as usize / SLOTS_IN_WORD)?.load();
        let byte = place % SLOTS_IN_WORD as u64;
        Some(word >> (8 * byte) & (MAX_SLOTS - 1))
    }
}

impl Share {
    /// Takes note that a slot has a listener now.
    #[inline(always)]
    pub fn note(&self, slot: u64, cookie: u64) {
        if let Some(word) = self.cookies.get((slot % MAX_SLOTS) as usize) {
            word.store(cookie);
        }
        self.live.set(bit(slot));
    }

    /// The cookie of the socket in a slot, which may have ended.
    #[inline(always)]
    #[must_use]
    pub fn cookie(&self, slot: u64) -> u64 {
        // The compiler knows where slots come from, and would leave out what bounds them; the kernel's
        // verifier does not.
        let word = self.cookies.get((hidden(slot) % MAX_SLOTS) as usize);
        word.map_or(0, Word::load)
    }

    /// Counts a connection that was given to a slot.
    #[inline(always)]
    pub fn count(&self, slot: u64) {
        if let Some(given) = self.given.get((slot % MAX_SLOTS) as usize) {
            given.fetch_add(1);
        }
    }

    /// The slot that comes after `last`, of those with a listener.
    #[inline(always)]
    fn next(&self, last: u64) -> Option<u64> {
        let live = self.live.load();
        let above = live & !(bit(last) | (bit(last) - 1));
        let candidates = if above == 0 { live } else { above };
        if candidates == 0 {
            return None;
        }
        Some(lowest(candidates))
    }
}

#[inline(always)]
const fn bit(slot: u64) -> u64 {
    1 << (slot % MAX_SLOTS)
}

/// The sockets in the slots of a [`Share`].
pub trait Listeners {
    /// Finds and holds the socket in a slot; says whether there is one.
    fn hold(&mut self, slot: u64) -> bool;

    /// Gives the connection to the held socket, and lets go of it; says whether it can take it.
    fn give(&mut self) -> bool;

    /// Lets go of the held socket.
    fn release(&mut self);
}

/// Gives a connection to the next listener that can take it; returns its slot.
#[inline(always)]
pub fn take_turn<L: Listeners>(share: &Share, listeners: &mut L) -> Option<u64> {
    let mut last = share.cursor.load();
    let mut tries = 0;
    while tries < MOST_TRIES {
        tries += 1;
        let slot = share.next(last)?;
        if !listeners.hold(slot) {
            share.live.keep(!bit(slot));
            // One that began to listen at that moment has set its bit before it was taken away.
            if !listeners.hold(slot) {
                continue;
            }
            listeners.release();
            share.live.set(bit(slot));
            continue;
        }
        if !share.cursor.replace(last, slot) {
            // Another CPU had this turn.
            listeners.release();
            last = share.cursor.load();
            continue;
        }
        last = slot;
        if listeners.give() {
            return Some(slot);
        }
    }
    None
}

/// Who had the turn for a connection a moment ago.
///
/// A connection is looked up again at the ACK that brings a SYN cookie back, at
/// a SYN that is repeated, and at what still comes when it has ended here: a RST
/// behind another. None of that may be another turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentTurn(u64);

impl RecentTurn {
    /// Remembers that the connection with this hash got a slot at a time in nanoseconds.
    #[inline(always)]
    #[must_use]
    pub const fn new(hash: u64, slot: u64, now_ns: u64) -> Self {
        Self(hash & Self::HASH | Self::time(now_ns) << 8 | slot & 0xff)
    }

    /// The slot, if it is this connection's and not long ago.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self, hash: u64, now_ns: u64) -> Option<u64> {
        let age = Self::time(now_ns).wrapping_sub(self.0 >> 8) & Self::TIME;
        if self.0 & Self::HASH == hash & Self::HASH && age < REMEMBERED {
            Some(self.0 & 0xff)
        } else {
            None
        }
    }

    /// As it lies in the map.
    #[inline(always)]
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// From what lies in the map.
    #[inline(always)]
    #[must_use]
    pub const fn of(word: u64) -> Self {
        Self(word)
    }

    const HASH: u64 = 0xffff_ffff_0000_0000;
    const TIME: u64 = 0xff_ffff;

    /// Time in units of 2^20 ns, about a millisecond.
    #[inline(always)]
    const fn time(now_ns: u64) -> u64 {
        now_ns >> 20 & Self::TIME
    }
}

#[cfg(test)]
mod tests;
