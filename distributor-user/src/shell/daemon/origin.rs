//! The programs for connections that start on this stack, opened beside the loop.
//!
//! Loading them takes the kernel as long as loading the packet path, and nobody
//! waits for them: until they are there, such connections go where the kernel
//! takes them. A stack that cannot have them goes on without.

use std::path::PathBuf;

use tokio::task::{self, JoinHandle};
use tracing::{info, warn};

use crate::shell::dataplane::{DataplaneError, Lookout, Origin};

/// How far the programs are.
#[derive(Debug)]
pub(super) enum OwnConnections {
    /// The kernel looks at them.
    Opening(JoinHandle<Result<Origin, DataplaneError>>),
    /// They are attached.
    Attached(Origin),
    /// They cannot be had.
    Without,
}

impl OwnConnections {
    /// Begins to load and attach them; the maps that they share are pinned in the directory.
    pub(super) fn open(pin_dir: PathBuf) -> Self {
        Self::Opening(task::spawn_blocking(move || Origin::open(&pin_dir)))
    }

    /// Takes them when they are there.
    pub(super) async fn tend(&mut self) {
        if let Self::Opening(opening) = self
            && opening.is_finished()
        {
            self.settle().await;
        }
    }

    /// What to look at to know whether they are still attached.
    pub(super) fn lookout(&self) -> Lookout {
        let Self::Attached(origin) = self else {
            return Lookout::default();
        };
        origin.lookout().unwrap_or_else(|error| {
            warn!("the programs for own connections cannot be looked at: {error}");
            Lookout::default()
        })
    }

    /// Attaches again what somebody has detached.
    pub(super) fn attach_again(&mut self) {
        let Self::Attached(origin) = self else {
            return;
        };
        match origin.reattach() {
            Ok(repaired) => {
                for program in repaired {
                    warn!("the program `{program}` was detached by somebody and is back");
                }
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                warn!(error, "a program could not be attached again");
            }
        }
    }

    /// Waits until nothing is being attached any more.
    pub(super) async fn settle(&mut self) {
        let Self::Opening(opening) = self else {
            return;
        };
        *self = match opening.await {
            Ok(Ok(origin)) => {
                info!("connections to DVIPAs that start here are distributed");
                Self::Attached(origin)
            }
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                warn!(
                    error,
                    "connections to DVIPAs that start here stay here, whether a server listens or not"
                );
                Self::Without
            }
            // It has panicked, and said why.
            Err(_) => Self::Without,
        };
    }
}
