//! The program that runs, and the one that is in its place in the file system now.
//!
//! A new program is put into the place of the running one without a new
//! process: supervisors see nothing, and what is pinned in the kernel goes on.
//! Before that the new program must have shown that it can go on from there.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::shell::daemon::signals::followed;

/// Makes a program check everything that a start would need, and change nothing.
const REHEARSE: &str = "--rehearse";

/// The running program.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: PathBuf,
    file: File,
}

/// What tells one file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct File {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    len: u64,
}

impl Program {
    /// Finds the file of the running program.
    pub(super) fn running() -> anyhow::Result<Self> {
        let path = std::env::current_exe().context("cannot find this program's own file")?;
        let file = examine(&path)?;
        Ok(Self { path, file })
    }

    /// Says whether another file is in the program's place.
    pub(super) fn is_replaced(&self) -> anyhow::Result<bool> {
        Ok(examine(&self.path)? != self.file)
    }

    /// Lets the new program check that it could go on from here.
    pub(super) async fn rehearse(&self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.path);
        command.args(arguments()).arg(REHEARSE).stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .context("the new program was not run to its end")?
            .with_context(|| format!("cannot run `{}`", self.path.display()))?;
        if !output.status.success() {
            bail!(
                "the new program `{}` refuses to take over ({}):\n{}",
                self.path.display(),
                output.status,
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(())
    }

    /// Puts the new program in this one's place; returns only if that cannot be done.
    pub(super) fn execute(&self) -> anyhow::Error {
        // A signal that comes before the new program listens waits for it.
        if let Err(error) = followed().thread_block() {
            return anyhow::Error::new(error).context("signals cannot be held back");
        }
        let error = Command::new(&self.path).args(arguments()).exec();
        let context = format!("cannot execute `{}`", self.path.display());
        if let Err(error) = followed().thread_unblock() {
            return anyhow::Error::new(error).context(context);
        }
        anyhow::Error::new(error).context(context)
    }
}

fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1)
}

fn examine(path: &std::path::Path) -> anyhow::Result<File> {
    let metadata = fs::metadata(path)
        .with_context(|| format!("expected a program at `{}`, found none", path.display()))?;
    Ok(File {
        device: metadata.dev(),
        inode: metadata.ino(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        len: metadata.len(),
    })
}
