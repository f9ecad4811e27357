//! Which thread runs first when the processors are all taken.

use std::io;

/// Lets the calling thread run before all that is not as urgent, whatever the load.
///
/// For threads that work in bursts of microseconds and whose lateness others take for death.
/// What such a thread starts does not inherit it.
///
/// # Errors
///
/// The process may not (`CAP_SYS_NICE`, or a cgroup without a real-time budget).
pub fn hurry() -> io::Result<()> {
    let lowest = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the pointer is to a value that lives, which the kernel only reads; 0 is this thread.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const lowest) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
