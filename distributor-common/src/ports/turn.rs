//! Whose turn it is among the listeners that share a port.
//!
//! Exact, whatever the number of CPUs: the one that moves the cursor from a
//! listener to the next gives out that one. One that has ended is no turn.

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
}

const _: () = assert!(MAX_SLOTS == u64::BITS as u64);
const _: () = assert!(size_of::<Share>() == 66 * 8);

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
