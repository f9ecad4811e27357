//! Signs of the daemon's life, for its own packet path and for those who ask.
//!
//! Nothing here decides when the daemon is dead; it only leaves the time of the
//! last beat where the packet path finds it, and says how long that may be ago.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use aya::maps::MapData;
use distributor_common::abi::{Life, Settings, map};
use distributor_common::probe;
use nix::time::{ClockId, clock_gettime};

use super::shared::Shared;
use super::{Dataplane, DataplaneError};
use crate::engine::group::key::ProbeKey;
use crate::engine::xcf::XcfAddresses;

/// How often a daemon that is starting gives a sign of life.
const EARLY_BEAT: Duration = Duration::from_millis(50);

/// The life of a daemon that is going to take over a packet path.
///
/// A start takes its time, most of it for programs that the kernel verifies, and whoever waits for a dead
/// daemon need not wait for that. Dropping this ends the signs of life.
#[derive(Debug)]
pub struct EarlyLife {
    _lives: mpsc::Sender<()>,
}

impl EarlyLife {
    /// Gives signs of life to the packet path that is pinned in `pin_dir`, for so long at most, unless
    /// there has been none for the grace.
    ///
    /// # Errors
    ///
    /// There is no packet path, or none of this version.
    pub fn begin(pin_dir: &Path, limit: Duration) -> Result<Self, DataplaneError> {
        let map = MapData::from_pin(pin_dir.join(map::SETTINGS))
            .map_err(DataplaneError::map(map::SETTINGS))?;
        let settings = Shared::<Settings>::map(&map, map::SETTINGS)?;
        let (lives, ended) = mpsc::channel();
        beat_in_time(&settings[0].life);
        let ends = Instant::now() + limit;
        let beating = move || {
            while ended.recv_timeout(EARLY_BEAT) == Err(RecvTimeoutError::Timeout)
                && Instant::now() < ends
            {
                beat_in_time(&settings[0].life);
            }
        };
        let thread = thread::Builder::new().name("early-life".to_owned());
        let context = || "begin a thread that gives signs of life".to_owned();
        let _detached = thread
            .spawn(beating)
            .map_err(DataplaneError::system(context()))?;
        Ok(Self { _lives: lives })
    }
}

/// Notes that a daemon lives, unless there has been none for the grace.
fn beat_in_time(life: &Life) {
    let (before, now_ns) = (life.beat_ns.load(), monotonic_ns());
    if before != 0 && life.silence_ns(now_ns) < life.grace_ns.load() {
        // Who fences the packet path at this moment has the last word.
        let _ = life.beat_ns.replace(before, now_ns);
    }
}

impl Dataplane {
    /// Tells the packet path that the daemon lives at this moment. A system call at most.
    pub fn beat(&self) {
        self.settings[0].life.beat_ns.store(monotonic_ns());
    }

    /// Lets the packet path go on as if the daemon had been silent for ever, until the next beat.
    pub fn fence(&self) {
        self.settings[0].life.beat_ns.store(1);
    }

    /// Sets how long the daemon may be silent before the packet path hands out no new connections
    /// for DVIPAs that another member could own; zero is for ever.
    ///
    /// Call [`Dataplane::beat`] before, or the predecessor's silence counts.
    pub fn set_grace(&self, grace: Duration) {
        let grace_ns = u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX);
        self.settings[0].life.grace_ns.store(grace_ns);
    }

    /// Says how long ago the last beat was; `None` when there has been none since the maps were made.
    #[must_use]
    pub fn last_beat_age(&self) -> Option<Duration> {
        let beat_ns = self.settings[0].life.beat_ns.load();
        (beat_ns != 0).then(|| Duration::from_nanos(monotonic_ns().saturating_sub(beat_ns)))
    }

    /// Lets the packet path answer probes at a UDP port that are meant for this stack, by the first of
    /// its DYNAMICXCF addresses, and made with one of the first two of these keys; none without a key.
    pub fn set_probe_keys(&self, stack: XcfAddresses, port: u16, keys: &[ProbeKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.words()).collect();
        let identity = probe::identity(stack.first());
        let ipv6 = stack.ipv6().map(|ipv6| probe::identity(ipv6.into()));
        let life = &self.settings[0].life;
        life.set_probe(identity, ipv6.unwrap_or_default(), port, &keys);
    }
}

/// `CLOCK_MONOTONIC`, as `bpf_ktime_get_ns` reads it; 0 only if the machine has no clock.
fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map(|time| u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX))
        .unwrap_or_default()
}
