//! The daemon's sign of life, and its engine's clock.
//!
//! The packet path goes on for the grace without a sign of life, and the others
//! wait as long. So a daemon that finds itself later than that says so to the
//! engine before it gives another sign: somebody else may own what it owned.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::Daemon;
use super::open::Sources;
use crate::engine::stack::Event;

/// How often a sign of life is given, at least.
const BEAT: Duration = Duration::from_millis(50);

/// When the daemon last gave a sign of life.
#[derive(Debug)]
pub(super) struct Life {
    grace: Duration,
    beaten_at: Instant,
}

impl Life {
    /// Begins with a first sign at this moment.
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            beaten_at: Instant::now(),
        }
    }

    /// Waits until a sign of life, or the engine's timer, is due. Safe to cancel.
    pub(super) async fn due(&self, timer: Option<Instant>) {
        let beat = self.beaten_at + BEAT;
        sleep_until(timer.map_or(beat, |timer| timer.min(beat)).into()).await;
    }

    /// Whether the others may have stopped waiting. A tenth of the grace is left for doubt.
    pub(super) fn is_late(&self) -> bool {
        self.beaten_at.elapsed() >= self.grace * 9 / 10
    }
}

impl Daemon {
    /// When the engine's timer is due.
    pub(super) fn timer(&self) -> Option<Instant> {
        self.stack.next_timer().map(|timer| self.began + timer)
    }

    /// Gives a sign of life, and does what is due.
    pub(super) async fn live(&mut self, sources: &mut Sources) {
        if self.life.is_late() {
            self.handle(Event::Overslept).await;
        }
        if self.stack.looks_for_packets() {
            self.count_arrivals().await;
        }
        if self.stack.may_live() {
            self.dataplane.beat();
        }
        self.life.beaten_at = Instant::now();
        self.attend().await;
        if self.is_misplaced {
            self.place_all().await;
        }
        let is_due = self
            .stack
            .next_timer()
            .is_some_and(|timer| timer <= self.now());
        if is_due {
            // What the others have said in time is heard in time, however late this is.
            self.hear(sources).await;
            self.handle(Event::Timer).await;
        }
    }

    /// Does what comes before everything else: who has stood still finds that out, and who listens hears
    /// what was said in time.
    pub(super) async fn catch_up(&mut self, sources: &mut Sources) {
        if self.life.is_late() {
            self.live(sources).await;
        }
        if self.stack.is_listening() {
            self.hear(sources).await;
        }
    }

    async fn hear(&mut self, sources: &mut Sources) {
        for event in sources.group_events() {
            self.take_group(event).await;
        }
    }

    async fn count_arrivals(&mut self) {
        let arrivals = self.dataplane.counters().of_hosts();
        self.handle(Event::Arrivals(arrivals)).await;
    }
}
