//! Namespaces for what needs a kernel but no network: the packet path's programs on single packets.
//!
//! Nothing of a sandbox can be seen from outside, and nothing outlives it.

use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};

use crate::program::BPFFS;

/// Stack of the thread: values of maps are read as a whole, and copied more than once without
/// optimisation.
const STACK: usize = 16 << 20;

/// Runs `work` on a thread of its own, in new network and mount namespaces, and passes it a directory
/// on a bpffs of its own.
///
/// # Errors
///
/// The caller may not do that, or `work` failed.
pub fn run<T: Send>(work: impl FnOnce(&Path) -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let thread = builder
            .spawn_scoped(scope, || enter_and(work))
            .context("cannot start a thread")?;
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn enter_and<T>(work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
        .context("cannot make namespaces; run as root")?;
    // Where bpffs is mounted there is a mount to be made private; in a plain chroot, `/` is none.
    mount::<str, str, str, str>(None, BPFFS, None, MsFlags::MS_PRIVATE, None)
        .with_context(|| format!("no bpffs at `{BPFFS}`: run `mount -t bpf bpf {BPFFS}`"))?;
    let flags = MsFlags::empty();
    mount::<str, str, str, str>(Some("bpf"), BPFFS, Some("bpf"), flags, None)
        .context("cannot mount a bpffs")?;
    let result = work(&Path::new(BPFFS).join("TCPIP"));
    umount(BPFFS).context("the bpffs is still in use")?;
    result
}
