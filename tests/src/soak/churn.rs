//! Connections that come and go, ten a second.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::tcp::Conversation;

/// Time between two connections.
const PACE: Duration = Duration::from_millis(100);

/// Every so many of them is held open for a while.
const HELD_EVERY: u64 = 10;
/// How many are held at most.
const HELD_MAX: usize = 50;

/// What came of the connections so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Churned {
    pub(super) connections: u64,
    pub(super) failures: Vec<String>,
    is_over: bool,
}

/// Connections from one client, one after the other, as long as it lives.
#[derive(Debug)]
pub(super) struct Churn {
    churned: Arc<Mutex<Churned>>,
    // Held while a connection is opened, until its server has answered.
    opening: Arc<Mutex<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Churn {
    pub(super) fn start(client: &Host, to: SocketAddr) -> Self {
        let churned = Arc::new(Mutex::new(Churned::default()));
        let opening = Arc::default();
        let (of_thread, namespace) = (Arc::clone(&churned), client.namespace().clone());
        let opening_of_thread = Arc::clone(&opening);
        let thread = thread::spawn(move || {
            if let Err(error) = namespace.enter() {
                lock(&of_thread).failures.push(format!("{error:#}"));
                return;
            }
            connect(&of_thread, &opening_of_thread, to);
        });
        Self {
            churned,
            opening,
            thread: Some(thread),
        }
    }

    /// Waits for so long, or until a connection has failed.
    pub(super) fn wait(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && lock(&self.churned).failures.is_empty() {
            thread::sleep(PACE.min(end.saturating_duration_since(Instant::now())));
        }
    }

    /// Waits until no connection is half open, and lets none begin until the result is dropped.
    pub(super) fn pause(&self) -> MutexGuard<'_, ()> {
        lock(&self.opening)
    }

    /// What has gone wrong so far.
    pub(super) fn failures(&self) -> Vec<String> {
        lock(&self.churned).failures.clone()
    }

    pub(super) fn stop(mut self) -> Churned {
        lock(&self.churned).is_over = true;
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
        lock(&self.churned).clone()
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        lock(&self.churned).is_over = true;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is counted is never half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(churned: &Mutex<Churned>, opening: &Mutex<()>, to: SocketAddr) {
    let mut held = Vec::new();
    loop {
        let began = Instant::now();
        let number = {
            let mut churned = lock(churned);
            if churned.is_over {
                return;
            }
            churned.connections += 1;
            churned.connections
        };
        let conversation = {
            let _opening = lock(opening);
            converse(to)
        };
        match conversation {
            Ok(conversation) if number.is_multiple_of(HELD_EVERY) => held.push(conversation),
            Ok(_) => {}
            Err(error) => {
                let failure = format!(
                    "connection {number} failed after {} ms: {error}",
                    began.elapsed().as_millis()
                );
                lock(churned).failures.push(failure);
            }
        }
        if held.len() > HELD_MAX {
            let oldest: Conversation = held.remove(0);
            let server = oldest.server().to_owned();
            if let Err(error) = oldest.echo_and_half_close(b"and the end") {
                let failure = format!("a connection to {server} that was held failed: {error}");
                lock(churned).failures.push(failure);
            }
        }
        thread::sleep(PACE.saturating_sub(began.elapsed()));
    }
}

fn converse(to: SocketAddr) -> std::io::Result<Conversation> {
    let mut conversation = Conversation::open(to)?;
    conversation.start_echo()?;
    conversation.echo(b"a few bytes")?;
    Ok(conversation)
}
