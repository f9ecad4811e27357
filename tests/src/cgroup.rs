//! The cgroups of a lab: one for each stack, below one for the lab, wherever the v2 hierarchy is mounted.
//!
//! A stack's cgroup has what is started on the stack, its daemon included, so that
//! what a stack's processors are used for is its own. Servers that are threads of a
//! test are in the test's.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use distributor_user::shell::cgroup;
use nix::unistd::Pid;

/// In a cgroup: its processes, and where one is written that is to join them.
const PROCESSES: &str = "cgroup.procs";

/// A cgroup (v2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Names the cgroup of a lab, which need not exist; absent where there is no hierarchy.
    #[must_use]
    pub fn of_lab(name: &str) -> Option<Self> {
        let path = cgroup::root().ok()?.join(name);
        Some(Self { path })
    }

    /// The names in the hierarchy that start with `prefix`.
    #[must_use]
    pub fn starting_with(prefix: &str) -> Vec<String> {
        let entries = cgroup::root().ok().and_then(|root| fs::read_dir(root).ok());
        let names = entries.into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.starts_with(prefix)).collect()
    }

    /// Names a cgroup in this one, which need not exist.
    #[must_use]
    pub fn within(&self, name: &str) -> Self {
        let path = self.path.join(name);
        Self { path }
    }

    /// Makes it, and those around it.
    ///
    /// # Errors
    ///
    /// The hierarchy may not be changed.
    pub fn create(&self) -> Result<()> {
        fs::create_dir_all(&self.path)
            .with_context(|| format!("cannot make `{}`", self.path.display()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves a process into it; one that has ended meanwhile need not be moved.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn take(&self, process: u32) -> Result<()> {
        let file = self.path.join(PROCESSES);
        match fs::write(&file, process.to_string()) {
            Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Ok(()),
            moved => moved
                .with_context(|| format!("cannot move process {process} to `{}`", file.display())),
        }
    }

    /// The processes in it and in those within.
    #[must_use]
    pub fn processes(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.path.join(PROCESSES)).unwrap_or_default();
        let own = text.lines().filter_map(|line| line.parse().ok());
        let mut found: Vec<_> = own.map(Pid::from_raw).collect();
        for within in self.all_within() {
            found.extend(within.processes());
        }
        found
    }

    /// Removes it and those within, which no process is in any more; says whether that was so. One that
    /// is not there is removed.
    ///
    /// # Errors
    ///
    /// The kernel refuses for another reason.
    pub fn remove(&self) -> Result<bool> {
        for within in self.all_within() {
            if !within.remove()? {
                return Ok(false);
            }
        }
        match fs::remove_dir(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) if error.kind() == ErrorKind::ResourceBusy => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("cannot remove `{}`", self.path.display()))
            }
        }
    }

    fn all_within(&self) -> Vec<Self> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let within = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        within.map(|entry| Self { path: entry.path() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;
    use crate::process::Process;
    use crate::wait;

    #[test]
    fn a_cgroup_goes_when_its_last_process_has() {
        let name = format!("sdtest{}", std::process::id());
        let outer = Cgroup::of_lab(&name).expect("a hierarchy");
        let inner = outer.within("tcpip").within("web.service");
        inner.create().expect("needs root");
        assert_eq!(Cgroup::starting_with(&name), std::slice::from_ref(&name));
        let files = tempfile::tempdir().expect("a directory");
        let mut sleep = Command::new("sleep");
        let log = files.path().join("sleep.log");
        let mut process = Process::start("sleep", log, sleep.arg("60")).expect("a process");
        inner.take(process.id()).expect("it lives");
        let id = i32::try_from(process.id()).expect("a process id");
        assert_eq!(outer.processes(), [Pid::from_raw(id)]);
        assert!(!outer.remove().expect("it is busy"));
        process.kill().expect("it ends");
        inner.take(process.id()).expect("nothing to move");
        wait::until("an empty cgroup", Duration::from_secs(5), || outer.remove())
            .expect("it is removed");
        assert!(outer.remove().expect("it is gone"));
        assert_eq!(Cgroup::starting_with(&name), Vec::<String>::new());
    }
}
