//! A cgroup, for what a stack's processors are used for.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use distributor_user::shell::cgroup;

use crate::lab::Lab;
use crate::wait;

/// How long the kernel may take to let go of processes that were killed.
const EMPTY: Duration = Duration::from_secs(5);

/// A cgroup (v2) of its own; removed when it is dropped, which its last process must have left by then.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes the cgroup of a stack of a lab.
    ///
    /// # Errors
    ///
    /// There is no hierarchy, or it may not be changed.
    pub fn create(lab: &Lab, stack: &str) -> Result<Self> {
        let path = cgroup::root()?.join(format!("{}-{stack}", lab.name()));
        fs::create_dir(&path).with_context(|| format!("cannot make `{}`", path.display()))?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves a process into it.
    ///
    /// # Errors
    ///
    /// There is no such process any more.
    pub fn take(&self, process: u32) -> Result<()> {
        let file = self.path.join("cgroup.procs");
        fs::write(&file, process.to_string())
            .with_context(|| format!("cannot move process {process} to `{}`", file.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let removed = wait::until("an empty cgroup", EMPTY, || {
            Ok(fs::remove_dir(&self.path).is_ok() || !self.path.exists())
        });
        if let Err(error) = removed {
            eprintln!("`{}` stays behind: {error:#}", self.path.display());
        }
    }
}
