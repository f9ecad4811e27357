//! A 64-bit word that the kernel's program, on any CPU, and the daemon share.
//!
//! Everything that changes while packets flow is made of these words, and
//! nothing wider is ever assumed to change at once.
//!
//! On the host a word is an `AtomicU64`. In the kernel's program the compiler
//! offers neither atomic loads below cpu v4 nor any compare-and-exchange
//! (rustc 1.96, LLVM 22), so loads and stores are volatile and the rest is
//! inline assembly, whose atomic operations are full barriers (kernel,
//! Documentation/bpf/standardization/instruction-set.rst, "Atomic operations").
//! Volatile loads are kept in order by x86 but not by every machine; that is
//! why the distributor is offered for `x86_64` only.

#[cfg(target_arch = "bpf")]
pub use self::kernel::Word;
#[cfg(not(target_arch = "bpf"))]
pub use self::user::Word;

/// The number of the lowest bit of a word that is not zero: those below it, counted side by side.
///
/// The machine of the kernel's programs has no instruction for it, and what the compiler would put
/// in its place is a table.
#[inline(always)]
pub(crate) const fn lowest(word: u64) -> u64 {
    let mut bits = !word & word.wrapping_sub(1);
    bits -= bits >> 1 & 0x5555_5555_5555_5555;
    bits = (bits & 0x3333_3333_3333_3333) + (bits >> 2 & 0x3333_3333_3333_3333);
    bits = (bits + (bits >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    bits.wrapping_mul(0x0101_0101_0101_0101) >> 56
}

/// The same, in a way that the compiler cannot see through.
#[cfg(target_arch = "bpf")]
#[inline(always)]
#[must_use]
pub fn hidden(mut word: u64) -> u64 {
    // SAFETY: the instruction changes only its operand, and not that.
    unsafe { core::arch::asm!("{0} += 0", inout(reg) word, options(nomem, nostack)) };
    word
}

/// The same.
#[cfg(not(target_arch = "bpf"))]
#[must_use]
pub const fn hidden(word: u64) -> u64 {
    word
}

#[cfg(not(target_arch = "bpf"))]
mod user {
    use core::sync::atomic::AtomicU64;
    use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};

    /// A shared 64-bit word.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct Word(AtomicU64);

    impl Word {
        /// Makes a word with a first value.
        #[must_use]
        pub const fn new(value: u64) -> Self {
            Self(AtomicU64::new(value))
        }

        /// Reads the word; later reads are not moved before it.
        #[must_use]
        pub fn load(&self) -> u64 {
            self.0.load(Acquire)
        }

        /// Writes the word; earlier writes are not moved behind it.
        pub fn store(&self, value: u64) {
            self.0.store(value, Release);
        }

        /// Writes `new` if the word is `current`, and tells whether it was.
        #[must_use]
        pub fn replace(&self, current: u64, new: u64) -> bool {
            self.0
                .compare_exchange(current, new, AcqRel, Acquire)
                .is_ok()
        }

        /// Adds, and returns what was there before.
        pub fn fetch_add(&self, addend: u64) -> u64 {
            self.0.fetch_add(addend, AcqRel)
        }

        /// Keeps only the bits of `mask`.
        pub fn keep(&self, mask: u64) {
            self.0.fetch_and(mask, AcqRel);
        }

        /// Sets the bits of `bits`.
        pub fn set(&self, bits: u64) {
            self.0.fetch_or(bits, AcqRel);
        }
    }
}

#[cfg(target_arch = "bpf")]
mod kernel {
    use core::arch::asm;
    use core::cell::UnsafeCell;

    /// A shared 64-bit word.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct Word(UnsafeCell<u64>);

    // SAFETY: every access below is a single 64-bit load, store or atomic
    // operation on an aligned word, which no CPU of the target tears.
    unsafe impl Sync for Word {}

    impl Word {
        /// Reads the word.
        #[inline(always)]
        #[must_use]
        pub fn load(&self) -> u64 {
            // SAFETY: the pointer comes from a live reference; see `Sync`.
            unsafe { self.0.get().read_volatile() }
        }

        /// Writes the word.
        #[inline(always)]
        pub fn store(&self, value: u64) {
            // SAFETY: the pointer comes from a live reference; see `Sync`.
            unsafe { self.0.get().write_volatile(value) }
        }

        /// Writes `new` if the word is `current`, and tells whether it was.
        #[inline(always)]
        #[must_use]
        pub fn replace(&self, current: u64, new: u64) -> bool {
            let seen: u64;
            // SAFETY: the instruction touches only the word and `r0`.
            unsafe {
                asm!(
                    "r0 = cmpxchg_64({word} + 0, r0, {new})",
                    word = in(reg) self.0.get(),
                    new = in(reg) new,
                    inlateout("r0") current => seen,
                );
            }
            seen == current
        }

        /// Adds, and returns what was there before.
        #[inline(always)]
        pub fn fetch_add(&self, addend: u64) -> u64 {
            let mut operand = addend;
            // SAFETY: the instruction touches only the word and its operand.
            unsafe {
                asm!(
                    "{operand} = atomic_fetch_add((u64 *)({word} + 0), {operand})",
                    word = in(reg) self.0.get(),
                    operand = inout(reg) operand,
                );
            }
            operand
        }

        /// Keeps only the bits of `mask`.
        #[inline(always)]
        pub fn keep(&self, mask: u64) {
            let mut operand = mask;
            // SAFETY: the instruction touches only the word and its operand.
            unsafe {
                asm!(
                    "{operand} = atomic_fetch_and((u64 *)({word} + 0), {operand})",
                    word = in(reg) self.0.get(),
                    operand = inout(reg) operand,
                );
            }
            let _ = operand;
        }

        /// Sets the bits of `bits`.
        #[inline(always)]
        pub fn set(&self, bits: u64) {
            let mut operand = bits;
            // SAFETY: the instruction touches only the word and its operand.
            unsafe {
                asm!(
                    "{operand} = atomic_fetch_or((u64 *)({word} + 0), {operand})",
                    word = in(reg) self.0.get(),
                    operand = inout(reg) operand,
                );
            }
            let _ = operand;
        }
    }
}

#[cfg(test)]
mod tests;
