//! Does what PORT and PORTRANGE say, by programs in the kernel that go on without the daemon.
//!
//! What is pinned decides about binds and hands out connections while no
//! daemon lives; the next one takes it over, listeners, turns and the clients that
//! keep their listeners. Without any reservation nothing is loaded, and nothing is
//! left at a clean stop: servers stay where they were bound. One task owns all of this; it may be dropped at
//! any time.

mod attach;
mod clients;
mod error;
mod fetch;
mod govern;
mod listeners;
mod nonlocal;
mod reports;
mod task;
#[cfg(test)]
mod tests;
mod weigh;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tokio::sync::{mpsc, oneshot, watch};

use super::listeners::Aside;
use super::servers::ListenerLoad;
use super::sock_diag::SockDiag;
use super::teller::Teller;
use crate::engine::config::Config;
use crate::engine::forwarding::ServiceKey;

pub use error::PortsError;

use task::{Task, Watched};

/// Where the pins are, below the stack's.
const DIRECTORY: &str = "ports";

/// The reservations of a running stack.
#[derive(Debug)]
pub struct Ports {
    commands: mpsc::Sender<Command>,
    keeping: watch::Sender<Option<Keeping>>,
}

/// The services whose clients keep their listeners, and for how many seconds.
type Keeping = BTreeMap<ServiceKey, u16>;

/// What the task is asked to do, and who waits for it.
enum Command {
    Apply(Box<Config>, oneshot::Sender<Result<(), PortsError>>),
    Remove(oneshot::Sender<Result<(), PortsError>>),
    Weigh(Vec<ListenerLoad>),
}

impl Ports {
    /// Starts the task, in the network namespace of the calling thread, with the reservations of a
    /// configuration; `pin_dir` is the stack's. The future ends when they are in force. The listeners in
    /// `aside` get no connections; before that is known, those from before the start do not yet.
    ///
    /// # Errors
    ///
    /// The kernel refuses `sock_diag` sockets.
    pub fn start(
        pin_dir: &Path,
        config: &Config,
        aside: watch::Receiver<Option<Aside>>,
        teller: Teller,
    ) -> io::Result<(Self, impl Future<Output = Result<(), PortsError>> + use<>)> {
        let (commands, received) = mpsc::channel(1);
        let (keeping, wanted) = watch::channel(None);
        let watched = Watched { wanted, aside };
        let task = Task::new(pin_dir.join(DIRECTORY), SockDiag::open()?, watched, teller);
        let (done, answer) = oneshot::channel();
        let first = Command::Apply(Box::new(config.clone()), done);
        tokio::spawn(task.run(first, received));
        let reserving = async { answer.await.map_err(|_ended| PortsError::Ended)? };
        Ok((Self { commands, keeping }, reserving))
    }

    /// Lets clients keep their listeners on the shared ports of exactly these services, until so many
    /// seconds after their last connection. Until this is said for the first time, those of an earlier
    /// daemon do.
    pub fn keep(&self, services: BTreeMap<ServiceKey, u16>) {
        self.keeping.send_replace(Some(services));
    }

    /// Puts the reservations of a configuration in force, and takes those back that it does not have.
    ///
    /// # Errors
    ///
    /// What was in force before still is.
    pub async fn apply(&self, config: &Config) -> Result<(), PortsError> {
        let config = Box::new(config.clone());
        self.ask(|done| Command::Apply(config, done)).await
    }

    /// Has the listeners of ports that are shared by weight get connections by these loads, all of them at
    /// this moment. Nobody waits: if the task is busy, the next loads will do.
    pub fn weigh(&self, listeners: Vec<ListenerLoad>) {
        let _ = self.commands.try_send(Command::Weigh(listeners));
    }

    /// Takes everything out of the kernel.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub async fn remove(&self) -> Result<(), PortsError> {
        self.ask(Command::Remove).await
    }

    async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), PortsError>>) -> Command,
    ) -> Result<(), PortsError> {
        let (done, answer) = oneshot::channel();
        let sent = self.commands.send(command(done)).await;
        sent.map_err(|_ended| PortsError::Ended)?;
        answer.await.map_err(|_ended| PortsError::Ended)?
    }
}
