//! systemd's units, as far as the distributor's uses them, for hosts that have no systemd.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The directory of an administrator's units.
const UNITS: &str = "etc/systemd/system";

/// The words of the command line by which `template@instance` is started on the host whose root is
/// `root`; paths in it are the host's own.
///
/// # Errors
///
/// There is no such unit, or its environment file cannot be read.
pub fn command_line(root: &Path, template: &str, instance: &str) -> Result<Vec<String>> {
    let unit = read(&root.join(UNITS).join(format!("{template}@.service")))?;
    let unit = unit.replace("%i", instance);
    let environment = value(&unit, "EnvironmentFile")?;
    let environment = read(&below(root, environment.trim_start_matches('-')))?;
    let options = value(&environment, "OPTIONS")?;
    let line = value(&unit, "ExecStart")?.replace("$OPTIONS", options);
    Ok(line.split_whitespace().map(str::to_owned).collect())
}

/// Where a host's file is found from outside.
#[must_use]
pub fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn value<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .with_context(|| format!("no `{name}=` in:\n{text}"))
}
