//! Whether the daemon lives, as its packet path sees it, and how it tells others.

use crate::wire::{Be32, mapped};
use crate::word::Word;

/// Keys of the probe that are taken at the same time: the present one, and one during rotation.
pub const PROBE_KEYS: usize = 2;

/// Signs of the daemon's life, and what a probe is answered with.
#[derive(Debug)]
#[repr(C)]
pub struct Life {
    /// `CLOCK_MONOTONIC` at the daemon's last sign of life, in nanoseconds; 0 before the first.
    pub beat_ns: Word,
    /// The daemon is silent when its last sign of life is older than this; 0: never.
    pub grace_ns: Word,
    /// Low 16 bits: UDP port of the probe, 0 if none is answered; then the number of keys, and from
    /// bit 32 on an edition, whose lowest bit names the half that is valid.
    probe: Word,
    /// Not used; 0.
    pub reserved: [Word; 5],
    halves: [Secrets; 2],
}

/// What a question must show to be answered.
#[derive(Debug)]
#[repr(C)]
struct Secrets {
    /// The DYNAMICXCF address of this stack (an IPv4 address mapped into IPv6), in the order of memory;
    /// of two, the IPv4 address.
    identity: [Word; 2],
    /// The IPv6 DYNAMICXCF address of this stack; 0 if it has none.
    ipv6: [Word; 2],
    keys: [[Word; 2]; PROBE_KEYS],
}

/// Which probes are answered at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeState(u64);

impl Life {
    /// Nobody has lived yet.
    #[cfg(any(test, feature = "host"))]
    #[must_use]
    pub fn empty() -> Self {
        let pair = || [Word::new(0), Word::new(0)];
        Self {
            beat_ns: Word::new(0),
            grace_ns: Word::new(0),
            probe: Word::new(0),
            reserved: core::array::from_fn(|_| Word::new(0)),
            halves: core::array::from_fn(|_| Secrets {
                identity: pair(),
                ipv6: pair(),
                keys: core::array::from_fn(|_| pair()),
            }),
        }
    }

    /// Nanoseconds from the daemon's last sign of life to `now_ns`.
    #[inline(always)]
    #[must_use]
    pub fn silence_ns(&self, now_ns: u64) -> u64 {
        // A coarse clock may show the time before the beat.
        now_ns.saturating_sub(self.beat_ns.load())
    }

    /// Which probes are answered.
    #[inline(always)]
    #[must_use]
    pub fn probe(&self) -> ProbeState {
        ProbeState(self.probe.load())
    }

    /// One of the keys that go with a state; `None` when there are not so many.
    #[inline(always)]
    #[must_use]
    pub fn probe_key(&self, state: ProbeState, index: usize) -> Option<[u64; 2]> {
        if index >= state.keys() {
            return None;
        }
        let [low, high] = &self.halves[state.half()].keys[index % PROBE_KEYS];
        Some([low.load(), high.load()])
    }

    /// Who this stack is, as goes with a state.
    #[inline(always)]
    #[must_use]
    pub fn identity(&self, state: ProbeState) -> [u64; 2] {
        let [high, low] = &self.halves[state.half()].identity;
        [high.load(), low.load()]
    }

    /// The IPv4 DYNAMICXCF address of this stack; `None` before it is known, or without one.
    #[inline(always)]
    #[must_use]
    pub fn address(&self) -> Option<Be32> {
        mapped(self.identity(self.probe()))
    }

    /// The IPv6 DYNAMICXCF address of this stack, in the order of memory; `None` before it is known, or
    /// without one.
    #[inline(always)]
    #[must_use]
    pub fn address6(&self) -> Option<[u64; 2]> {
        let [high, low] = &self.halves[self.probe().half()].ipv6;
        let address = [high.load(), low.load()];
        if address[0] | address[1] == 0 {
            None
        } else {
            Some(address)
        }
    }

    /// Changes who this stack is, port and keys in one step, as packets see it; keys beyond
    /// [`PROBE_KEYS`] are left out. `ipv6` is 0 for a stack without an IPv6 DYNAMICXCF address. One
    /// writer at a time.
    pub fn set_probe(&self, identity: [u64; 2], ipv6: [u64; 2], port: u16, keys: &[[u64; 2]]) {
        let edition = (self.probe.load() >> 32).wrapping_add(1) & 0xffff_ffff;
        let half = &self.halves[(edition & 1) as usize];
        let pairs = half.keys.iter().zip(keys);
        let addresses = [(&half.identity, &identity), (&half.ipv6, &ipv6)];
        for (words, pair) in pairs.chain(addresses) {
            words[0].store(pair[0]);
            words[1].store(pair[1]);
        }
        let count = keys.len().min(PROBE_KEYS) as u64;
        self.probe
            .store(u64::from(port) | count << 16 | edition << 32);
    }
}

impl ProbeState {
    /// UDP port, host order; 0 if no probe is answered.
    #[inline(always)]
    #[must_use]
    pub const fn port(self) -> u16 {
        self.0 as u16
    }

    #[inline(always)]
    const fn keys(self) -> usize {
        (self.0 >> 16) as usize & 0xff
    }

    #[inline(always)]
    const fn half(self) -> usize {
        (self.0 >> 32) as usize & 1
    }
}
