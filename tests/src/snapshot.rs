//! What a daemon could leave behind on a machine, to be compared before and after.
//!
//! Nothing here knows what the daemon changes: everything that the kernel shows
//! of a network namespace's configuration is compared, and every file in the
//! directories that daemons write to.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::Result;

use crate::program;
use crate::stack::Stack;

/// Commands whose output shows a namespace's configuration and no counters.
const COMMANDS: &[&[&str]] = &[
    &["ip", "-oneline", "-details", "link", "show"],
    &["ip", "-oneline", "-details", "address", "show"],
    &["ip", "-4", "route", "show", "table", "all"],
    &["ip", "-6", "route", "show", "table", "all"],
    &["ip", "rule", "show"],
    &["ip", "maddress", "show"],
    &["ip", "neighbour", "show", "nud", "permanent"],
    &["ethtool", "-k", "eth0"],
    &["ethtool", "-k", "xcf0"],
    &[
        "ss",
        "--all",
        "--numeric",
        "--no-header",
        "--tcp",
        "--udp",
        "--raw",
    ],
];

/// A stack's configuration at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// Something cannot be read.
    pub fn of(stack: &Stack) -> Result<Self> {
        let mut facts = BTreeMap::new();
        for command in COMMANDS {
            let mut run = stack.namespace().command(command[0]);
            let output = program::output(run.args(&command[1..]))?;
            for line in output.lines() {
                // A line is a fact whichever number it has.
                facts.insert(format!("{}: {line}", command.join(" ")), "there".to_owned());
            }
        }
        stack.namespace().run(|| {
            // What this shows depends on the reader's namespace.
            read_tree(Path::new("/proc/sys/net"), true, &mut facts);
            Ok(())
        })?;
        for directory in [stack.run_directory(), stack.pins()] {
            read_tree(directory, false, &mut facts);
        }
        Ok(Self(facts))
    }

    /// Whether the kernel has done what it does by itself when a link comes up: both links have a
    /// carrier and an IPv6 address that is no longer being probed for.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let addresses = |fact: &&String| fact.contains("inet6 fe80") && !fact.contains("tentative");
        !self.0.keys().any(|fact| fact.contains("NO-CARRIER"))
            && self.0.keys().filter(addresses).count() >= 2
    }

    /// What differs in `later`, one line per fact; nothing for equal ones.
    #[must_use]
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let keys = self
            .0
            .keys()
            .chain(later.0.keys().filter(|key| !self.0.contains_key(*key)));
        keys.filter_map(|key| {
            let (before, after) = (self.0.get(key), later.0.get(key));
            (before != after).then(|| format!("{key}: before {before:?}, after {after:?}"))
        })
        .collect()
    }
}

/// Notes every file below `directory`, and what is in it if `with_content`.
///
/// What cannot be read is noted as such: write-only settings, and files that end meanwhile.
fn read_tree(directory: &Path, with_content: bool, facts: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return; // that the directory is not there is a fact as well: none of its files are
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            read_tree(&path, with_content, facts);
            continue;
        }
        let content = match with_content {
            true => fs::read_to_string(&path).unwrap_or_else(|error| error.kind().to_string()),
            false if kind.is_socket() => "a socket".to_owned(),
            false => "a file".to_owned(),
        };
        facts.insert(path.display().to_string(), content);
    }
}
