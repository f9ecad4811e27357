//! What the daemon's supervisor is told, as systemd defined it (`sd_notify(3)`).
//!
//! Nothing depends on it: without a supervisor that listens, all of this does
//! nothing, and what cannot be told is not told.

use std::io;

use sd_notify::NotifyState;
use tracing::debug;

/// Tells that the daemon is up, after its start or after a reload.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that a reload has begun; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => failed(&error),
    }
}

/// Tells that the daemon is on its way down.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Tells that the daemon's loop turns, if a watchdog wants to know.
pub fn alive() {
    if sd_notify::watchdog_enabled().is_some() {
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        failed(&error);
    }
}

fn failed(error: &io::Error) {
    debug!("the supervisor was not told: {error}");
}
