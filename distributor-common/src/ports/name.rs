//! Names of programs, and the job names that admit them.
//!
//! All of it without a branch, eight bytes at once: the kernel's verifier
//! follows every way through a program, and a bind has several names to compare
//! with several rules.

/// Bytes of a job name at most.
const JOB_BYTES: usize = 8;

/// A byte in each place of a word.
const fn every(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// The name of a program, of a unit or of a cgroup, as far as a job name can tell it from others.
///
/// That without a byte is nobody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// Its first eight bytes in capitals, zeros behind a shorter one.
    first: u64,
    /// 1 if it is longer than that.
    is_longer: u64,
}

impl Name {
    /// Reads the name of a command, which ends at a zero.
    #[inline(always)]
    #[must_use]
    pub fn of_command(text: &[u8; 16]) -> Self {
        let [first, rest] = words(text);
        Self::ending(first, zeros(first), zeros(rest))
    }

    /// Reads the name of a unit or a cgroup, which ends at a zero or at a dot: what stands behind
    /// tells its kind (`web.service`).
    #[inline(always)]
    #[must_use]
    pub fn of_cgroup(text: &[u8; 16]) -> Self {
        let [first, rest] = words(text);
        let ends = |word| zeros(word) | zeros(word ^ every(b'.'));
        Self::ending(first, ends(first), ends(rest))
    }

    /// The name in `first` up to the lowest mark in `ends`; `ends_behind` are the marks behind it.
    #[inline(always)]
    const fn ending(first: u64, ends: u64, ends_behind: u64) -> Self {
        // Ones below the byte that is marked, or everywhere.
        let kept = ((ends & ends.wrapping_neg()) >> 7).wrapping_sub(1);
        Self {
            first: capitals(first & kept),
            is_longer: is_zero(ends) & (ends_behind >> 7 & 1 ^ 1),
        }
    }
}

#[inline(always)]
fn words(text: &[u8; 16]) -> [u64; 2] {
    let [mut first, mut rest] = [[0; JOB_BYTES]; 2];
    first.copy_from_slice(&text[..JOB_BYTES]);
    rest.copy_from_slice(&text[JOB_BYTES..]);
    [first, rest].map(u64::from_le_bytes)
}

/// Marks the zeros among the bytes of a word by their highest bits. Those above the lowest mark may
/// be wrong.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(every(1)) & !word & every(0x80)
}

/// 1 for zero, 0 for any other.
#[inline(always)]
const fn is_zero(word: u64) -> u64 {
    (word | word.wrapping_neg()) >> 63 ^ 1
}

/// Turns the small letters of ASCII into capitals.
#[inline(always)]
const fn capitals(word: u64) -> u64 {
    let low = word & every(0x7f);
    // No byte carries into the next: what is added to 127 at most is 31 at most.
    let from_a = low + every(0x80 - b'a');
    let beyond_z = low + every(0x7f - b'z');
    let small = (from_a ^ beyond_z) & !word & every(0x80);
    word - (small >> 2)
}

/// A job name: a name in capitals, or the beginning of names.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Job {
    /// Its bytes, zeros behind.
    name: u64,
    /// Which bytes of a name must be these.
    mask: u64,
    /// 1 if a name must not be longer.
    is_whole: u64,
}

impl Job {
    /// The job name that is written so, in capitals; an asterisk at the end stands for any rest.
    ///
    /// `None` when it has no character, or more than eight.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let beginning = text.strip_suffix('*');
        let name = beginning.unwrap_or(text).as_bytes();
        if name.is_empty() {
            return None;
        }
        let mut bytes = [0; JOB_BYTES];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        let mut mask = [0xff; JOB_BYTES];
        if beginning.is_some() {
            mask[name.len()..].fill(0);
        }
        Some(Self {
            name: u64::from_le_bytes(bytes),
            mask: u64::from_le_bytes(mask),
            is_whole: u64::from(beginning.is_none()),
        })
    }

    /// As it lies in the map.
    pub(super) const fn words(self) -> [u64; 3] {
        [self.name, self.mask, self.is_whole]
    }

    /// 1 if the name is this one, or begins so; 0 if not.
    #[inline(always)]
    #[must_use]
    pub const fn is(&self, name: Name) -> u64 {
        is_zero((name.first ^ self.name) & self.mask | name.is_longer & self.is_whole)
    }
}
