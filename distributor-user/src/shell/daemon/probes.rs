//! Asking the packet paths of other members whether they live.
//!
//! Beside the loop: an answer, or that there is none, comes back as an event.

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::engine::group::key::ProbeKey;
use crate::engine::stack::Event;
use crate::shell::probe::{self, ProbePath};

/// How long an answer is waited for. A packet path answers in microseconds, whatever its host's
/// daemon does; the rest is for who asks.
const PATIENCE: Duration = Duration::from_millis(100);

/// Answers that may wait for the loop.
const ANSWERS_MAX: usize = 64;

/// What questions are made with.
pub(super) struct Probes {
    key: ProbeKey,
    answers: mpsc::Sender<Event>,
}

impl Probes {
    pub(super) fn new(key: ProbeKey) -> (Self, mpsc::Receiver<Event>) {
        let (answers, received) = mpsc::channel(ANSWERS_MAX);
        (Self { key, answers }, received)
    }

    /// Asks a member, on all of the paths.
    pub(super) fn ask(&self, name: String, target: IpAddr, paths: Vec<ProbePath>) {
        let (key, answers) = (self.key, self.answers.clone());
        tokio::spawn(async move {
            let age = probe::probe(target, &paths, key, PATIENCE).await;
            // Nobody waits for it any more when the daemon ends.
            let _ = answers.send(Event::Probed { name, age }).await;
        });
    }
}
