//! Measures the servers of single ports: what each has used, and how long it had to wait.
//!
//! A server is whoever has a listening socket. It is measured by its cgroup where
//! it has one for itself, else by its processes. What that means for weights is
//! the engine's to say.
//!
//! One task owns all of this. It measures when it is asked to, beside the daemon's
//! loop, because looking for the holders of a socket means to look at the files
//! of every process; it ends when nobody asks any more.

mod watcher;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::RangeInclusive;

use netlink_packet_sock_diag::inet::StateFlags;
use tokio::sync::{mpsc, watch};
use tracing::warn;

use super::sock_diag::{Entry, Scope, SockDiag};
use crate::engine::forwarding::ServiceKey;
use crate::engine::load::{Load, Server};
use watcher::Watcher;

/// What was asked for, as far as it could be measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The servers of each service.
    pub services: BTreeMap<ServiceKey, Vec<Server>>,
    /// The listeners of each port.
    pub listeners: Vec<ListenerLoad>,
}

/// What the server behind one listening socket could still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLoad {
    /// The port.
    pub port: u16,
    /// The socket's cookie.
    pub cookie: u64,
    /// What its server could do.
    pub load: Load,
}

/// `lo` has this index in every network namespace.
const LOOPBACK: u32 = 1;

/// What to measure.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The servers of these services.
    pub services: BTreeSet<ServiceKey>,
    /// Each listener on these ports.
    pub ports: Vec<RangeInclusive<u16>>,
    /// What the stack itself has left, in thousandths of a processor.
    pub within: Option<u32>,
}

impl Question {
    fn is_empty(&self) -> bool {
        self.services.is_empty() && self.ports.is_empty()
    }
}

/// The task that measures servers.
#[derive(Debug)]
pub struct Servers {
    question: watch::Sender<Question>,
}

impl Servers {
    /// Starts the task, in the network namespace of the calling thread, on a stack that can do `capacity`,
    /// in thousandths of a processor.
    ///
    /// # Errors
    ///
    /// The kernel refuses `sock_diag` sockets.
    pub fn start(capacity: u32) -> io::Result<(Self, mpsc::Receiver<Measured>)> {
        let (question, questions) = watch::channel(Question::default());
        let (answers, measured) = mpsc::channel(1);
        let task = Task {
            sock_diag: SockDiag::open()?,
            questions,
            answers,
            watcher: Watcher::new(capacity),
        };
        tokio::spawn(task.run());
        Ok((Self { question }, measured))
    }

    /// Measures what is asked for. What was asked for before and has not been measured yet is not measured
    /// any more.
    pub fn measure(&self, question: Question) {
        self.question.send_if_modified(|asked| {
            // Where nothing goes by servers, one answer says so.
            let is_new = !(question.is_empty() && asked.is_empty());
            *asked = question;
            is_new
        });
    }
}

struct Task {
    sock_diag: SockDiag,
    questions: watch::Receiver<Question>,
    answers: mpsc::Sender<Measured>,
    watcher: Watcher,
}

impl Task {
    async fn run(mut self) {
        while self.questions.changed().await.is_ok() {
            let question = self.questions.borrow_and_update().clone();
            let measured = if question.is_empty() {
                Measured::default()
            } else {
                match self.listeners().await {
                    Ok(listeners) => match self.look(question, listeners).await {
                        Some(measured) => measured,
                        None => return,
                    },
                    Err(error) => {
                        warn!(%error, "servers cannot be measured");
                        Measured::default()
                    }
                }
            };
            if self.answers.send(measured).await.is_err() {
                return;
            }
        }
    }

    async fn listeners(&mut self) -> io::Result<Vec<Entry>> {
        let mut listeners = Vec::new();
        let dump = self
            .sock_diag
            .dump(StateFlags::LISTEN, Scope::Everything, |entry| {
                if entry.ifindex != LOOPBACK {
                    listeners.push(*entry);
                }
            });
        dump.await?;
        Ok(listeners)
    }

    /// Measures on another thread; `None` when that has panicked.
    async fn look(&mut self, question: Question, listeners: Vec<Entry>) -> Option<Measured> {
        let mut watcher = std::mem::take(&mut self.watcher);
        let looked = tokio::task::spawn_blocking(move || {
            let measured = watcher.measure(&question, &listeners);
            (watcher, measured)
        });
        let (watcher, measured) = looked.await.ok()?;
        self.watcher = watcher;
        Some(measured)
    }
}

#[cfg(test)]
mod tests;
