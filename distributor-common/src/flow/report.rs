//! Taking in a flow that its target has reported.
//!
//! Whoever comes to own a DVIPA learns from the targets which connections they
//! have. The daemon stores these while packets of the same flows come in, and
//! without the bucket's lock: it may die at any moment. So it claims a slot as
//! a holder would, fills it, waits until whoever held the lock at that moment
//! is through, and removes what that one has stored of the same flow.

use super::{Bucket, FlowKey, Place, Slot, Stamp, State, Tag, Unplaced};

/// Attempts to change a slot that packets change too.
const ATTEMPTS: usize = 64;
/// Readings of a lock that somebody holds; the program holds it well below a microsecond.
const READINGS: usize = 1 << 20;

/// What became of a reported flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It was stored.
    New,
    /// It was there; if it led to another target, it leads to the reported one now.
    Known,
    /// There is no place for it: its bucket is full of established flows.
    Full,
}

impl Bucket {
    /// Stores an established flow to the target in a slot, at `home` if there is room, after `note` has
    /// been told the number of the place that it is given. One caller at a time.
    #[must_use]
    pub fn report(
        &self,
        key: &FlowKey,
        home: usize,
        target: u16,
        now: Stamp,
        mut note: impl FnMut(usize),
    ) -> Reported {
        for _ in 0..ATTEMPTS {
            if let Some(found) = self.find(key) {
                let tag = Tag::new(key, target, State::Established, now);
                let is_same = found.tag.target() == target;
                // An ending one stays so: the client has said that it is done.
                if is_same && found.tag.state() >= State::Established {
                    return Reported::Known;
                }
                let lock = found.tag.0 & Tag::LOCK;
                if found.slot.replace(found.tag, Tag(tag.0 | lock)) {
                    return Reported::Known;
                }
                continue;
            }
            match self.claim(home, now) {
                Err(Unplaced::Full) => return Reported::Full,
                Err(Unplaced::Contended) => {}
                Ok(place) => {
                    note(place.index);
                    let slot = place.establish(key, target, now);
                    self.wait_for_holder();
                    self.remove_others(key, slot);
                    return Reported::New;
                }
            }
        }
        Reported::Full
    }

    /// Waits until nobody holds the lock who may have looked for the flow before it was stored.
    fn wait_for_holder(&self) {
        let lock = &self.slots[0].tag;
        for _ in 0..READINGS {
            if lock.load() & Tag::LOCK == 0 {
                return;
            }
            core::hint::spin_loop();
        }
    }

    /// Removes the flow from all slots but one.
    fn remove_others(&self, key: &FlowKey, kept: &Slot) {
        for slot in &self.slots {
            for _ in 0..ATTEMPTS {
                if core::ptr::eq(slot, kept) {
                    break;
                }
                let Some((found, tag)) = slot.read() else {
                    break;
                };
                if found != *key || slot.replace(tag, tag.freed()) {
                    break;
                }
            }
        }
    }
}

impl<'a> Place<'a> {
    /// Stores an established flow, whoever takes or gives back the lock meanwhile.
    fn establish(self, key: &FlowKey, target: u16, now: Stamp) -> &'a Slot {
        self.slot.addresses.store(key.addresses);
        let tag = Tag::new(key, target, State::Established, now);
        // Nobody changes anything of a claimed slot but the lock bit.
        loop {
            let read = Tag(self.slot.tag.load());
            if self.slot.replace(read, Tag(tag.0 | read.0 & Tag::LOCK)) {
                return self.slot;
            }
        }
    }
}

impl Slot {
    /// Whether the slot is claimed by somebody who has not filled it yet.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        Tag(self.tag.load()).is_placeholder()
    }

    /// Frees a slot that is claimed by somebody who will never fill it.
    pub fn abandon(&self) {
        let tag = Tag(self.tag.load());
        if tag.is_placeholder() {
            let _ = self.replace(tag, tag.freed());
        }
    }
}

impl Tag {
    const fn is_placeholder(self) -> bool {
        self.0 & !Self::LOCK == Self::PLACEHOLDER.0
    }
}
