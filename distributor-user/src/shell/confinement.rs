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
/// those of its predecessors, and the kernel allows some two hundred like ours.
const FILTERS: u32 = 32;

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
        seccompiler::apply_filter(&filter()?)?;
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

/// Allows the calls of the table and nothing else.
fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules: BTreeMap<i64, _> = CALLS
        .iter()
        .map(|(number, _)| (*number, Vec::new()))
        .collect();
    // In tests a call that is missing in the table must not go unnoticed.
    let otherwise = if cfg!(debug_assertions) {
        SeccompAction::KillProcess
    } else {
        SeccompAction::Errno(libc::EPERM.unsigned_abs())
    };
    let target = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, otherwise, SeccompAction::Allow, target)?.try_into()
}
