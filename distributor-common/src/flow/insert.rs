//! Giving a new flow a slot.
//!
//! Only a holder of the bucket's [`Lock`] gets here, and the daemon when it
//! stores what a target reports. Nothing in here decides where a flow goes; it says what kind of place there is, and stores what it
//! is told.

use super::{BUCKET_SLOTS, Bucket, FlowKey, Found, Slot, Stamp, State, Tag};

/// Attempts to take a bucket's lock; a holder needs well below a microsecond.
const LOCK_ATTEMPTS: u32 = 32;

/// The right to insert into a bucket.
#[derive(Debug)]
pub struct Lock<'a> {
    bucket: &'a Bucket,
    /// The slot that is looked at first.
    home: usize,
}

/// What a new flow takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// Of nothing, of a half-open flow that is stale, or of an ending one that is idle.
    Vacant,
    /// Of an ending flow with the same addresses and ports.
    Reopened,
    /// Of a half-open flow that is still young.
    Displaced,
}

/// A claimed slot, empty for everybody else.
#[derive(Debug)]
#[must_use = "a claimed slot stays claimed until it is filled"]
pub struct Place<'a> {
    pub(super) slot: &'a Slot,
    /// What the slot is taken from.
    pub kind: PlaceKind,
    /// The slot's number in its bucket.
    pub index: usize,
    lock: u64,
}

impl Bucket {
    /// Takes the lock, for a flow that gets the slot `home` first; `None` when another CPU keeps it too
    /// long.
    #[inline(always)]
    #[must_use]
    pub fn lock(&self, home: usize) -> Option<Lock<'_>> {
        let word = &self.slots[0].tag;
        let mut attempt = 0;
        while attempt < LOCK_ATTEMPTS {
            let tag = word.load();
            if tag & Tag::LOCK == 0 && word.replace(tag, tag | Tag::LOCK) {
                return Some(Lock { bucket: self, home });
            }
            attempt = next_attempt(attempt);
        }
        None
    }

    /// Claims the slot that is given away most willingly; see [`Lock::claim`].
    #[inline(always)]
    pub(super) fn claim(&self, home: usize, now: Stamp) -> Result<Place<'_>, Unplaced> {
        self.claim_of(RANK_YOUNG, home, now)
    }

    /// Claims the slot that is given away most willingly, if it is at least as willingly as `least`.
    #[inline(always)]
    fn claim_of(&self, least: u32, home: usize, now: Stamp) -> Result<Place<'_>, Unplaced> {
        let mut best = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            // Of equals the one at home, where it is found soonest; then those in the same cache line.
            let place = BUCKET_SLOTS - 1 - (index ^ (home % BUCKET_SLOTS));
            let score = score(Tag(slot.tag.load()), now) << 3 | place as u32;
            if score > best {
                best = score;
            }
        }
        let rank = best >> (3 + AGE_BITS);
        if rank < least {
            return Err(Unplaced::Full);
        }
        let place = BUCKET_SLOTS - 1 - best as usize % BUCKET_SLOTS;
        let index = (place ^ home) % BUCKET_SLOTS;
        let slot = &self.slots[index];
        let tag = Tag(slot.tag.load());
        if score(tag, now) != best >> 3 {
            return Err(Unplaced::Contended);
        }
        let kind = if rank == RANK_YOUNG {
            PlaceKind::Displaced
        } else {
            PlaceKind::Vacant
        };
        claim(slot, index, tag, kind).ok_or(Unplaced::Contended)
    }
}

impl<'a> Lock<'a> {
    /// Finds the flow again: it may have been inserted while the lock was waited for.
    #[inline(always)]
    #[must_use]
    pub fn find(&self, key: &FlowKey) -> Option<Found<'a>> {
        self.bucket.find(key)
    }

    /// Claims the slot of an ending flow for a new connection with the same key.
    #[inline(always)]
    #[must_use]
    pub fn reopen(&self, found: &Found<'a>) -> Option<Place<'a>> {
        claim(found.slot, found.index, found.tag, PlaceKind::Reopened)
    }

    /// Claims a slot: free, stale half-open, idle ending, oldest half-open; never another.
    ///
    /// `Err(Full)` when there is none, `Err(Contended)` when the chosen flow was seen again just now.
    ///
    /// # Errors
    ///
    /// See [`Unplaced`].
    #[inline(always)]
    pub fn claim(&self, now: Stamp) -> Result<Place<'a>, Unplaced> {
        self.bucket.claim(self.home, now)
    }

    /// Claims a slot for what is not to push out a flow that may still become a connection.
    ///
    /// # Errors
    ///
    /// See [`Unplaced`].
    #[inline(always)]
    pub fn claim_spare(&self, now: Stamp) -> Result<Place<'a>, Unplaced> {
        self.bucket.claim_of(RANK_ENDING, self.home, now)
    }

    /// Gives the lock back.
    #[inline(always)]
    pub fn release(self) {
        self.bucket.slots[0].tag.keep(!Tag::LOCK);
    }
}

/// Why there is no place for a new flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplaced {
    /// All slots belong to established flows, or to ending ones that are still in use.
    Full,
    /// The slot that was chosen came back to life.
    Contended,
}

impl Place<'_> {
    /// Stores the flow: addresses first, so that no reader sees the tag without them.
    #[inline(always)]
    pub fn fill(self, key: &FlowKey, target: u16, now: Stamp) {
        self.slot.addresses.store(key.addresses);
        let tag = Tag::new(key, target, State::HalfOpen, now);
        self.slot.tag.store(tag.0 | self.lock);
    }
}

const AGE_BITS: u32 = 11;
const RANK_NEVER: u32 = 0;
const RANK_YOUNG: u32 = 1;
const RANK_ENDING: u32 = 2;
const RANK_STALE: u32 = 3;
const RANK_FREE: u32 = 4;

/// How willingly a slot is given away: its rank above its age.
#[inline(always)]
fn score(tag: Tag, now: Stamp) -> u32 {
    let age = tag.stamp().age(now);
    let rank = match tag.state() {
        State::Free => return RANK_FREE << AGE_BITS,
        State::HalfOpen if age > Stamp::STALE => RANK_STALE,
        State::HalfOpen => RANK_YOUNG,
        // A placeholder is an ending flow without ports; its owner is about to fill it.
        State::Ending if age >= Stamp::LINGER && tag.ports() != 0 => RANK_ENDING,
        State::Ending | State::Established => RANK_NEVER,
    };
    if rank == RANK_NEVER {
        0
    } else {
        rank << AGE_BITS | u32::from(age)
    }
}

/// Makes the slot match nothing, unless its flow was seen again.
#[inline(always)]
fn claim(slot: &Slot, index: usize, read: Tag, kind: PlaceKind) -> Option<Place<'_>> {
    let lock = read.0 & Tag::LOCK;
    slot.replace(read, Tag(Tag::PLACEHOLDER.0 | lock))
        .then_some(Place {
            slot,
            kind,
            index,
            lock,
        })
}

/// Counts an attempt in a way that the compiler cannot see through, or it unrolls the loop.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub(crate) fn next_attempt(mut attempt: u32) -> u32 {
    // SAFETY: the instruction changes only its operand.
    unsafe { core::arch::asm!("{0} += 1", inout(reg) attempt, options(nomem, nostack)) };
    attempt
}

/// Counts an attempt, and lets the holder go on.
#[cfg(not(target_arch = "bpf"))]
pub(crate) fn next_attempt(attempt: u32) -> u32 {
    core::hint::spin_loop();
    attempt + 1
}
