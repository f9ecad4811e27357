//! Measures what this stack could still do: the processors' time that its cgroup has used, against its
//! capacity.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tracing::warn;

use super::cgroup;
use crate::engine::load::{Load, Meter, Reading};

/// The file of a cgroup that says what it has used.
const FILE: &str = "cpu.stat";

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
    let read = read(&cgroup.join(FILE));
    read.map(|_worked| ()).map_err(|source| NoCgroup {
        path: cgroup.to_owned(),
        source,
    })
}

/// Reads what a cgroup has used, as often as it is asked to.
#[derive(Debug)]
pub struct LoadMeter {
    meter: Meter,
    file: Option<PathBuf>,
    began: Instant,
    last: Option<Duration>,
}

impl LoadMeter {
    /// Measures `cgroup`, or the whole machine, as far as it can be seen from here; its capacity is
    /// `capacity` in thousandths of a processor, or all processors that this process may use.
    /// What cannot be measured is said once.
    #[must_use]
    pub fn open(cgroup: Option<&Path>, capacity: Option<u32>) -> Self {
        let all = || {
            let processors = available_parallelism().map_or(1, usize::from);
            u32::try_from(processors * 1_000).unwrap_or(u32::MAX)
        };
        let directory = match cgroup.map(Path::to_owned).map_or_else(cgroup::root, Ok) {
            Ok(directory) => Some(directory),
            Err(error) => {
                warn!("this stack's load is not measured: {error}");
                None
            }
        };
        Self {
            meter: Meter::new(capacity.unwrap_or_else(all)),
            file: directory.map(|directory| directory.join(FILE)),
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
        let file = self.file.as_ref().filter(|_| is_due)?;
        self.last = Some(at);
        match read(file) {
            Ok(worked) => self.meter.take(Reading { worked, at }).map(Some),
            Err(error) => {
                let path = file.display();
                warn!("this stack's load is not measured any more: `{path}` {error}");
                self.file = None;
                Some(None)
            }
        }
    }
}

fn read(file: &Path) -> io::Result<Duration> {
    let text = fs::read_to_string(file)?;
    usage(&text).ok_or_else(|| {
        let found = text.lines().next().unwrap_or_default();
        io::Error::other(format!(
            "has no line `usage_usec NUMBER`; it begins `{found}`"
        ))
    })
}

/// What a cgroup has used, by its `cpu.stat` (`cgroup-v2.rst`, "cpu.stat").
fn usage(text: &str) -> Option<Duration> {
    let mut lines = text.lines();
    let used = lines.find_map(|line| line.strip_prefix("usage_usec "))?;
    used.trim().parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_usage_is_found() {
        let text = "usage_usec 69191528175\nuser_usec 60953231890\nsystem_usec 8238296284\n";
        assert_eq!(usage(text), Some(Duration::from_micros(69_191_528_175)));
        for text in ["", "user_usec 1\n", "usage_usec\n", "usage_usec x\n"] {
            assert_eq!(usage(text), None, "{text}");
        }
    }

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
