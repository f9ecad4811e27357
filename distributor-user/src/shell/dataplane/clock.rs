//! What a jiffy is.
//!
//! The packet path counts time in jiffies, the only clock that costs nothing.
//! The kernel tells no program how long a jiffy is, and `USER_HZ` is something
//! else; so a program of ours is run once and tells jiffies and nanoseconds at
//! one moment. Both began when the machine started, jiffies at a known negative
//! value.

use std::thread;
use std::time::Duration;

use aya::programs::{ProgramError, TestRun, TestRunOptions, Xdp};
use distributor_common::flow::Stamp;

/// What `CONFIG_HZ` can be (Linux, kernel/Kconfig.hz).
const RATES: [u64; 4] = [100, 250, 300, 1000];

/// Jiffies begin this long before 0, as a 32-bit number (Linux, `INITIAL_JIFFIES`).
const BEFORE_ZERO_S: u64 = 300;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// `bpf_jiffies64`.
    pub(super) jiffies: u64,
    /// `CLOCK_MONOTONIC`.
    pub(super) monotonic_ns: u64,
}

/// The unit of the flow table's stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StampUnit {
    /// Jiffies a second.
    pub(super) rate: u64,
    /// Jiffies are shifted right by this.
    pub(super) shift: u64,
}

/// Runs the program that reads both clocks.
pub(super) fn read(program: &Xdp) -> Result<Reading, ProgramError> {
    let input = [0; 64];
    let mut output = [0; 64];
    program.test_run(TestRunOptions {
        data_in: Some(&input),
        data_out: Some(&mut output),
        ..TestRunOptions::default()
    })?;
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&output[at..at + 8]);
        u64::from_ne_bytes(bytes)
    };
    Ok(Reading {
        jiffies: word(0),
        monotonic_ns: word(8),
    })
}

/// Finds out what a jiffy is.
///
/// Around the moment when jiffies pass 0 all rates agree; then, and only then, this waits.
pub(super) fn rate(program: &Xdp) -> Result<u64, ProgramError> {
    loop {
        let reading = read(program)?;
        if let Some(rate) = reading.rate() {
            return Ok(rate);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

impl Reading {
    /// The rate at which both clocks show the same time since the machine started; `None` while
    /// that cannot be told.
    fn rate(self) -> Option<u64> {
        let since_zero_ns =
            i128::from(self.monotonic_ns) - i128::from(BEFORE_ZERO_S) * 1_000_000_000;
        if since_zero_ns.abs() < 1_000_000_000 {
            return None;
        }
        // Counted from the moment when the 32-bit number wrapped to 0.
        let jiffies = i128::from(self.jiffies) - (1 << 32);
        RATES.into_iter().min_by_key(|&rate| {
            let shown_ns = jiffies * 1_000_000_000 / i128::from(rate);
            (shown_ns - since_zero_ns).abs()
        })
    }
}

impl StampUnit {
    /// The unit that is nearest to a second.
    pub(super) fn nearest_to_second(rate: u64) -> Self {
        let distance = |shift: u64| (1_u64 << shift).abs_diff(rate);
        let shift = (0..16)
            .min_by_key(|&shift| distance(shift))
            .unwrap_or_default();
        Self { rate, shift }
    }

    /// The stamp of a reading.
    pub(super) fn stamp(self, reading: Reading) -> Stamp {
        Stamp::from_jiffies(reading.jiffies, self.shift)
    }

    /// The number of units in `seconds`, rounded up.
    pub(super) fn units(self, seconds: u64) -> u16 {
        let units = (seconds * self.rate).div_ceil(1 << self.shift);
        u16::try_from(units).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests;
