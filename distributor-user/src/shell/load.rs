//! Measures what this stack could still do: the processors' time that its cgroup has used, against its
//! capacity, and how long work in it had to wait.

mod account;

use std::io;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tracing::warn;

use super::cgroup;
use crate::engine::load::{Load, Meter, Reading};

pub(super) use account::{limit, of_cgroup, of_processes};

/// Why a cgroup that was named cannot be measured.
#[derive(Debug, thiserror::Error)]
#[error("expected a cgroup (v2) for `--load-cgroup`, found `{path}`")]
pub struct NoCgroup {
    /// What was named.
    path: PathBuf,
    /// What its `cpu.stat` says.
    source: io::Error,
}

/// Checks that a directory is a cgroup that can be measured.
///
/// # Errors
///
/// It has no `cpu.stat`, or one of another form.
pub fn check(cgroup: &Path) -> Result<(), NoCgroup> {
    of_cgroup(cgroup)
        .map(|_read| ())
        .map_err(|source| NoCgroup {
            path: cgroup.to_owned(),
            source,
        })
}

/// How much a stack can do that was not told: all processors that this process may use, in thousandths.
#[must_use]
pub fn all_processors() -> u32 {
    let processors = available_parallelism().map_or(1, usize::from);
    u32::try_from(processors * 1_000).unwrap_or(u32::MAX)
}

/// Reads what a cgroup has used, as often as it is asked to.
#[derive(Debug)]
pub struct LoadMeter {
    meter: Meter,
    cgroup: Option<PathBuf>,
    /// Whether the kernel was found to tell how long work waits; absent until it is asked.
    tells_stalls: Option<bool>,
    began: Instant,
    last: Option<Duration>,
}

impl LoadMeter {
    /// Measures `cgroup`, or the whole machine, as far as it can be seen from here; its capacity is
    /// `capacity` in thousandths of a processor, or all processors that this process may use.
    /// What cannot be measured is said once.
    #[must_use]
    pub fn open(cgroup: Option<&Path>, capacity: Option<u32>) -> Self {
        let cgroup = match cgroup.map(Path::to_owned).map_or_else(cgroup::root, Ok) {
            Ok(directory) => Some(directory),
            Err(error) => {
                warn!("this stack's load is not measured: {error}");
                None
            }
        };
        Self {
            meter: Meter::new(capacity.unwrap_or_else(all_processors)),
            cgroup,
            tells_stalls: None,
            began: Instant::now(),
            last: None,
        }
    }

    /// Measures, if the last time was at least `interval` ago: returns the load, or that it is not known
    /// any more. The first time says nothing yet.
    pub fn measure(&mut self, interval: Duration) -> Option<Option<Load>> {
        let at = self.began.elapsed();
        let is_due = self
            .last
            .is_none_or(|last| at.saturating_sub(last) >= interval);
        let cgroup = self.cgroup.as_ref().filter(|_| is_due)?;
        self.last = Some(at);
        match of_cgroup(cgroup) {
            Ok((worked, stalls)) => {
                let tells = stalls.processor.is_some();
                if !tells && self.tells_stalls != Some(false) {
                    let path = cgroup.display();
                    warn!(
                        "what is free of this stack's capacity is told without how long work waits: \
                         the kernel keeps no pressure for `{path}` (`psi=1`)"
                    );
                }
                self.tells_stalls = Some(tells);
                let reading = Reading { worked, stalls, at };
                self.meter.take(reading, None).map(Some)
            }
            Err(error) => {
                let path = cgroup.display();
                warn!("this stack's load is not measured any more: `{path}` {error}");
                self.cgroup = None;
                Some(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_measured_and_what_is_not_there_is_not() {
        let mut meter = LoadMeter::open(None, Some(1_000_000));
        assert_eq!(meter.measure(Duration::ZERO), None);
        let load = meter.measure(Duration::ZERO).flatten();
        let load = load.expect("a second reading");
        assert!(load.free > 0 && load.capacity == 1_000_000, "{load:?}");
        assert_eq!(meter.measure(Duration::from_mins(1)), None);

        let nowhere = Path::new("/nowhere");
        let error = check(nowhere).expect_err("no cgroup").to_string();
        assert!(
            error.contains("--load-cgroup") && error.contains("/nowhere"),
            "{error}"
        );
        let mut meter = LoadMeter::open(Some(nowhere), None);
        assert_eq!(meter.measure(Duration::ZERO), Some(None), "it is gone");
        assert_eq!(meter.measure(Duration::ZERO), None, "that is said once");
    }
}
