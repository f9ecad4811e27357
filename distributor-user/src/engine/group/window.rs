//! The replay window: which counters of a session were seen already.
//!
//! A ring of bits as in RFC 6479. Nothing older than the window is ever taken.

const WORDS: usize = 32;
/// Counters that the window remembers, at least; the word in use may be partly ahead.
pub(super) const WINDOW: u64 = (WORDS as u64 - 1) * 64;

/// The counters seen, up to [`WINDOW`] below the highest.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplayWindow {
    highest: u64,
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// Whether `counter` is new. Asked before a datagram is opened, so that replays cost little.
    pub(super) fn is_new(&self, counter: u64) -> bool {
        if counter > self.highest {
            return true;
        }
        self.highest - counter < WINDOW && self.seen[slot(counter / 64)] & bit(counter) == 0
    }

    /// Takes `counter`; false if it is not new. Called after the datagram was opened.
    pub(super) fn take(&mut self, counter: u64) -> bool {
        if !self.is_new(counter) {
            return false;
        }
        if counter > self.highest {
            let steps = counter / 64 - self.highest / 64;
            for step in 1..=steps.min(WORDS as u64) {
                self.seen[slot(self.highest / 64 + step)] = 0;
            }
            self.highest = counter;
        }
        self.seen[slot(counter / 64)] |= bit(counter);
        true
    }
}

fn slot(word: u64) -> usize {
    usize::try_from(word % WORDS as u64).expect("the remainder is below the ring's length")
}

fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}

#[cfg(test)]
mod tests;
