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

/// Reads what a cgroup has used, as often as it is asked to.
#[derive(Debug)]
pub struct LoadMeter {
    meter: Meter,
    file: PathBuf,
    began: Instant,
    last: Option<Duration>,
    is_broken: bool,
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
        let (directory, is_broken) = match cgroup {
            Some(cgroup) => (cgroup.to_owned(), false),
            None => match cgroup::root() {
                Ok(root) => (root, false),
                Err(error) => {
                    warn!("this stack's load is not measured: {error}");
                    (PathBuf::new(), true)
                }
            },
        };
        Self {
            meter: Meter::new(capacity.unwrap_or_else(all)),
            file: directory.join(FILE),
            began: Instant::now(),
            last: None,
            is_broken,
        }
    }

    /// Measures, if the last time was at least `interval` ago; the first time says nothing yet.
    pub fn measure(&mut self, interval: Duration) -> Option<Load> {
        let at = self.began.elapsed();
        let is_due = self
            .last
            .is_none_or(|last| at.saturating_sub(last) >= interval);
        if self.is_broken || !is_due {
            return None;
        }
        self.last = Some(at);
        match read(&self.file) {
            Ok(worked) => self.meter.take(Reading { worked, at }),
            Err(error) => {
                let path = self.file.display();
                warn!("this stack's load is not measured any more: `{path}` {error}");
                self.is_broken = true;
                None
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
        let load = meter.measure(Duration::ZERO).expect("a second reading");
        assert!(load.free > 0 && load.capacity == 1_000_000, "{load:?}");
        assert_eq!(meter.measure(Duration::from_mins(1)), None);

        let mut meter = LoadMeter::open(Some(Path::new("/nowhere")), None);
        for _ in 0..3 {
            assert_eq!(meter.measure(Duration::ZERO), None);
        }
    }
}
