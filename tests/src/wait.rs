//! Waiting for a condition, with a deadline.
//!
//! Nothing in this crate sleeps for a fixed time and hopes: every wait names
//! what it waits for, ends as soon as that holds, and fails by name when the
//! deadline has passed.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Pause between two looks at the condition: short against every deadline, long against the
/// cost of a look.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until `look` gives a value; returns it.
///
/// # Errors
///
/// `look` failed, or gave no value within `deadline`; `what` is named in that error.
pub fn until_some<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = look()? {
            return Ok(value);
        }
        if start.elapsed() > deadline {
            bail!("waited {} s in vain: {what}", deadline.as_secs_f32());
        }
        thread::sleep(PAUSE);
    }
}

/// Looks again and again until `look` is true.
///
/// # Errors
///
/// `look` failed, or was not true within `deadline`; `what` is named in that error.
pub fn until(what: &str, deadline: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
    until_some(what, deadline, || Ok(look()?.then_some(())))
}
