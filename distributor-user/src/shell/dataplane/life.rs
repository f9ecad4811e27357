//! Signs of the daemon's life, for its own packet path and for those who ask.
//!
//! Nothing here decides when the daemon is dead; it only leaves the time of the
//! last beat where the packet path finds it, and says how long that may be ago.

use std::path::Path;
use std::time::Duration;

use aya::maps::MapData;
use distributor_common::abi::{Settings, map};
use distributor_common::probe;
use nix::time::{ClockId, clock_gettime};

use super::shared::Shared;
use super::{Dataplane, DataplaneError};
use crate::engine::group::key::ProbeKey;
use crate::engine::xcf::XcfAddresses;

impl Dataplane {
    /// Tells the packet path that is pinned in `pin_dir` that a daemon lives which is going to take it over,
    /// unless there has been none for the grace. The kernel verifies programs before it is taken over,
    /// and whoever waits for a dead daemon need not wait for that.
    ///
    /// # Errors
    ///
    /// There is no packet path, or none of this version.
    pub fn beat_before_opening(pin_dir: &Path) -> Result<(), DataplaneError> {
        let map = MapData::from_pin(pin_dir.join(map::SETTINGS))
            .map_err(DataplaneError::map(map::SETTINGS))?;
        let settings = Shared::<Settings>::map(&map, map::SETTINGS)?;
        let life = &settings[0].life;
        let now_ns = monotonic_ns();
        if life.beat_ns.load() != 0 && life.silence_ns(now_ns) < life.grace_ns.load() {
            life.beat_ns.store(now_ns);
        }
        Ok(())
    }

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
