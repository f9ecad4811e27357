//! Namespaces for what needs a kernel but no network: the packet path's programs on single packets.
//!
//! Nothing of a sandbox can be seen from outside, and nothing outlives it.

use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};

/// Runs `work` on a thread of its own, in new network and mount namespaces, and passes it a directory
/// on a bpffs of its own.
///
/// # Errors
///
/// The caller may not do that, or `work` failed.
pub fn run<T: Send>(work: impl FnOnce(&Path) -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| match scope.spawn(|| enter_and(work)).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn enter_and<T>(work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
        .context("cannot make namespaces; run as root")?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount::<str, str, str, str>(None, "/", None, flags, None)
        .context("cannot make mounts private")?;
    let directory = tempfile::tempdir()?;
    let flags = MsFlags::empty();
    mount::<str, _, str, str>(Some("bpf"), directory.path(), Some("bpf"), flags, None)
        .context("cannot mount a bpffs")?;
    let result = work(&directory.path().join("TCPIP"));
    umount(directory.path()).context("the bpffs is still in use")?;
    result
}
