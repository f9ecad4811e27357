//! What the daemon gives up before it does anything: capabilities, and system calls.
//!
//! Whoever takes the daemon over by a defect gets no more than what `engine/confinement`
//! lists, and nothing that is executed later gets more either.

use std::collections::BTreeMap;
use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::engine::confinement::{CALLS, CAPABILITIES};

/// How many filters there may be before none is added: a program that takes over in place inherits
/// those of its predecessors, and the kernel takes some forty like ours.
const FILTERS: u32 = 8;

/// Why the daemon is not confined.
#[derive(Debug, thiserror::Error)]
pub enum ConfinementError {
    /// Capabilities could not be given up.
    #[error("capabilities cannot be given up")]
    Capabilities(#[from] caps::errors::CapsError),
    /// The filter of system calls could not be made.
    #[error("the filter of system calls cannot be made")]
    Filter(#[from] seccompiler::BackendError),
    /// The kernel does not take it.
    #[error("the filter of system calls cannot be used")]
    Apply(#[from] seccompiler::Error),
    /// The state of this process cannot be read.
    #[error("`/proc/self/status` cannot be read")]
    Status(#[from] io::Error),
}

/// Gives up everything that the daemon does not need, for this thread and all that it starts.
///
/// # Errors
///
/// The kernel refuses. Some of it may have been given up then.
pub fn confine() -> Result<(), ConfinementError> {
    let kept: CapsHashSet = CAPABILITIES.iter().map(|(kept, _)| *kept).collect();
    let held = caps::read(None, CapSet::Permitted)?;
    if held.contains(&Capability::CAP_SETPCAP) {
        for other in caps::read(None, CapSet::Bounding)?.difference(&kept) {
            caps::drop(None, CapSet::Bounding, *other)?;
        }
    }
    // A container may have given it less.
    let kept: CapsHashSet = kept.intersection(&held).copied().collect();
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    if filters()? < FILTERS {
        // In tests a call that is missing in the table must not go unnoticed.
        let otherwise = if cfg!(debug_assertions) {
            SeccompAction::KillProcess
        } else {
            MISSING
        };
        seccompiler::apply_filter(&filter(otherwise)?)?;
    }
    Ok(())
}

/// How many filters of system calls this process has.
fn filters() -> io::Result<u32> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines();
    let count = lines.find_map(|line| line.strip_prefix("Seccomp_filters:"));
    // Kernels before 5.9 do not say; those are too old for the packet path anyway.
    Ok(count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0))
}

/// What a call that is not allowed is like: one that the kernel does not have, for which libraries are
/// prepared.
const MISSING: SeccompAction = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());

/// Allows the calls of the table and nothing else.
fn filter(otherwise: SeccompAction) -> Result<BpfProgram, seccompiler::BackendError> {
    let calls = CALLS.iter();
    let rules: BTreeMap<i64, _> = calls.map(|(number, _)| (*number, Vec::new())).collect();
    let target = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, otherwise, SeccompAction::Allow, target)?.try_into()
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;
    use nix::mount::{MntFlags, umount2};
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn what_is_not_listed_is_as_if_it_did_not_exist() {
        // A filter is a thread's, and goes with it.
        let refused = std::thread::spawn(|| {
            let filter = filter(MISSING).expect("a filter");
            seccompiler::apply_filter(&filter).expect("a kernel that knows filters");
            let refused = [
                unshare(CloneFlags::CLONE_FILES),
                umount2("/nowhere", MntFlags::MNT_DETACH),
                nix::unistd::chroot("/"),
            ];
            // What is listed works.
            (refused, nix::unistd::getpid())
        });
        let (refused, _) = refused.join().expect("no panic");
        assert_eq!(refused, [Err(Errno::ENOSYS); 3]);
    }

    #[test]
    fn so_many_filters_fit_into_the_kernel() {
        // Each instruction becomes two at most, and each filter counts four more (`MAX_INSNS_PER_PATH`).
        let instructions = filter(MISSING).expect("a filter").len();
        let filters = usize::try_from(FILTERS).expect("few");
        assert!(filters * (2 * instructions + 4) < 32_768, "{instructions}");
    }
}
