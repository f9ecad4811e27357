//! Whether everything is still attached, looked at beside the loop.
//!
//! The kernel tells it under its lock of all interfaces (RTNL). A container
//! runtime, or a network card that is reset, may hold that for seconds, and a
//! daemon that waited for it would give no sign of life. Only what somebody has
//! really detached is attached again by the loop itself.

use std::mem;

use tokio::task::{self, JoinHandle};
use tracing::warn;

use super::Daemon;
use crate::shell::dataplane::{DataplaneError, Lookout};

/// A look at what is attached.
#[derive(Debug, Default)]
pub(super) enum Attended {
    /// None is under way.
    #[default]
    Resting,
    Looking(JoinHandle<Result<bool, DataplaneError>>),
}

impl Attended {
    fn look(&mut self, lookouts: [Lookout; 2]) {
        *self = Self::Looking(task::spawn_blocking(move || {
            let [path, own] = lookouts;
            Ok(path.is_intact()? && own.is_intact()?)
        }));
    }
}

impl Daemon {
    /// Begins to look whether everything is still attached, unless that is under way.
    pub(super) fn look_around(&mut self) {
        if let Attended::Looking(_) = self.attended {
            return;
        }
        match self.dataplane.lookout() {
            Ok(path) => self.attended.look([path, self.own_connections.lookout()]),
            Err(error) => warn!("the program cannot be looked at: {error}"),
        }
    }

    /// Attaches again what was found detached, if a look has come to its end.
    pub(super) async fn attend(&mut self) {
        let Attended::Looking(look) = &self.attended else {
            return;
        };
        if !look.is_finished() {
            return;
        }
        let Attended::Looking(look) = mem::take(&mut self.attended) else {
            return;
        };
        match look.await {
            // A look that has panicked has said why.
            Ok(Ok(true)) | Err(_) => {}
            Ok(Ok(false)) => self.attach_again(),
            Ok(Err(error)) => warn!("whether everything is attached is not known: {error}"),
        }
    }

    fn attach_again(&mut self) {
        match self.dataplane.reattach() {
            Ok(repaired) => {
                for interface in repaired {
                    warn!(
                        "the program on {} was detached by somebody and is back",
                        interface.name
                    );
                }
            }
            Err(error) => warn!("the program could not be attached again: {error}"),
        }
        self.own_connections.attach_again();
    }
}
