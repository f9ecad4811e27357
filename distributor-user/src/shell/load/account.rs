//! What the kernel has counted of a cgroup, and of processes.
//!
//! Nothing in here keeps anything: each reading is of that moment, and what the
//! kernel does not tell is absent from it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::engine::load::Stalls;

/// Where the kernel tells of the whole machine what it tells of a cgroup, if it has no root that does.
const WHOLE_MACHINE: &str = "/proc/pressure";

/// The unit of processors' time in `/proc`, `USER_HZ`: a hundredth of a second on x86-64.
const TICK_MS: u64 = 10;

/// What the processes of a cgroup have used, and how long they have waited.
///
/// # Errors
///
/// There is no `cpu.stat`, or one of another form. All else may be missing.
pub(in crate::shell) fn of_cgroup(cgroup: &Path) -> io::Result<(Duration, Stalls)> {
    let text = fs::read_to_string(cgroup.join("cpu.stat"))?;
    let used = number_of(&text, "usage_usec").ok_or_else(|| {
        let found = text.lines().next().unwrap_or_default();
        io::Error::other(format!(
            "has no line `usage_usec NUMBER` in its `cpu.stat`; it begins `{found}`"
        ))
    })?;
    // Only the root has no `cgroup.type`.
    let is_root = !cgroup.join("cgroup.type").exists();
    let pressure = |what: &str| {
        let own = fs::read_to_string(cgroup.join(format!("{what}.pressure"))).ok();
        own.or_else(|| {
            let whole = Path::new(WHOLE_MACHINE).join(what);
            is_root.then(|| fs::read_to_string(whole).ok()).flatten()
        })
    };
    let stalls = Stalls {
        processor: pressure("cpu").and_then(|text| total(&text, "some")),
        memory: pressure("memory").and_then(|text| total(&text, "full")),
        limit: number_of(&text, "throttled_usec").map(Duration::from_micros),
    };
    Ok((Duration::from_micros(used), stalls))
}

/// How much of the processors a cgroup may use, in thousandths, by its own limit and those around it,
/// up to the directory `root`; absent without a limit.
pub(in crate::shell) fn limit(cgroup: &Path, root: &Path) -> Option<u32> {
    let around = cgroup.ancestors().take_while(|one| one.starts_with(root));
    let limits = around.filter_map(|one| quota(&fs::read_to_string(one.join("cpu.max")).ok()?));
    limits.min()
}

/// What processes have used, and how long their threads have waited for a processor; those that have
/// ended meanwhile are left out.
pub(in crate::shell) fn of_processes(processes: &[i32]) -> (Duration, Stalls) {
    let (mut worked, mut waited) = (Duration::ZERO, None);
    for process in processes {
        let directory = Path::new("/proc").join(process.to_string());
        let stat = fs::read_to_string(directory.join("stat"));
        let ticks = stat.ok().and_then(|text| processor_ticks(&text));
        worked += Duration::from_millis(ticks.unwrap_or_default() * TICK_MS);
        for task in fs::read_dir(directory.join("task")).into_iter().flatten() {
            let path = task.map(|task| task.path().join("schedstat"));
            let text = path.and_then(fs::read_to_string).unwrap_or_default();
            if let Some(more) = run_delay(&text) {
                waited = Some(waited.unwrap_or_default() + more);
            }
        }
    }
    let stalls = Stalls {
        processor: waited,
        ..Stalls::default()
    };
    (worked, stalls)
}

/// The number behind a name that begins a line (`cgroup-v2.rst`, "flat keyed").
fn number_of(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (found, number) = line.split_once(' ')?;
        (found == name).then(|| number.trim().parse().ok())?
    })
}

/// How long `some` or all (`full`) have waited so far (`psi.rst`).
fn total(text: &str, who: &str) -> Option<Duration> {
    let line = text
        .lines()
        .find(|line| line.split(' ').next() == Some(who))?;
    let micros = line
        .split(' ')
        .find_map(|word| word.strip_prefix("total="))?;
    micros.trim().parse().ok().map(Duration::from_micros)
}

/// `cpu.max` in thousandths of a processor; absent where it says `max`.
fn quota(text: &str) -> Option<u32> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    let permille = (quota * 1_000).checked_div(period)?;
    Some(u32::try_from(permille).unwrap_or(u32::MAX))
}

/// `utime` and `stime` of a process, its ended threads included (`proc_pid_stat(5)`, fields 14 and 15).
fn processor_ticks(stat: &str) -> Option<u64> {
    // The command's name may have blanks and brackets; it is the second field.
    let (_, behind) = stat.rsplit_once(") ")?;
    let mut fields = behind.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// How long a thread has waited in the run queue (`sched-stats.rst`, on `schedstat` of a process).
fn run_delay(schedstat: &str) -> Option<Duration> {
    let waited = schedstat.split(' ').nth(1)?;
    waited.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use std::process;
    use std::time::Instant;

    use super::*;

    #[test]
    fn lines_are_found_by_their_names() {
        let text = "usage_usec 69191528175\nuser_usec 60953231890\nthrottled_usec 12\n";
        for (name, expected) in [
            ("usage_usec", Some(69_191_528_175)),
            ("throttled_usec", Some(12)),
            ("usage", None),
            ("nr_throttled", None),
        ] {
            assert_eq!(number_of(text, name), expected, "{name}");
        }
        for text in ["", "usage_usec\n", "usage_usec x\n"] {
            assert_eq!(number_of(text, "usage_usec"), None, "{text}");
        }
    }

    #[test]
    fn pressure_is_what_some_and_what_all_have_waited() {
        let text = "some avg10=7.25 avg60=8.51 avg300=6.01 total=71277198\n\
                    full avg10=0.00 avg60=0.94 avg300=1.32 total=17\n";
        let micros = |who| total(text, who).map(|waited| waited.as_micros());
        assert_eq!(micros("some"), Some(71_277_198));
        assert_eq!(micros("full"), Some(17));
        assert_eq!(total("some avg10=0.00\n", "some"), None);
        assert_eq!(total("", "full"), None);
    }

    #[test]
    fn limits_are_parts_of_processors() {
        for (text, expected) in [
            ("max 100000\n", None),
            ("50000 100000\n", Some(500)),
            ("250000 100000\n", Some(2_500)),
            ("1 0\n", None),
            ("", None),
        ] {
            assert_eq!(quota(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_fields_of_a_process_are_counted_behind_its_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 99 0 0 0 120 30 0 0 20 0 1 0 5";
        assert_eq!(processor_ticks(stat), Some(150));
        assert_eq!(processor_ticks("7 (a"), None);
        assert_eq!(
            run_delay("92467 4003951 2\n"),
            Some(Duration::from_nanos(4_003_951))
        );
        assert_eq!(run_delay(""), None);
    }

    #[test]
    fn what_this_process_works_is_seen() {
        let own = [i32::try_from(process::id()).expect("a small number")];
        let (before, _) = of_processes(&own);
        let began = Instant::now();
        let mut after = before;
        // A tick is ten milliseconds; the machine may be busy with other things.
        while after < before + Duration::from_millis(50) {
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "{before:?} {after:?}"
            );
            (after, _) = of_processes(&own);
        }
        assert_eq!(of_processes(&[]), (Duration::ZERO, Stalls::default()));
    }
}
