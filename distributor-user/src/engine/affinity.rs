//! Until when a client keeps its server, by TIMEDAFFINITY.
//!
//! A client that has a connection keeps it. From the end of the last one on a
//! timer runs, which a new connection stops. The owner of a DVIPA goes by this for
//! the target that a client keeps, and the target for the listener. Which
//! connections there are is counted by whoever asks, about once a second; nothing
//! here looks for them.

use std::collections::HashMap;
use std::time::Duration;

use super::forwarding::ClientKey;

/// Half of the time between two rounds: that much too early is nearer than a whole round too late.
const SLACK: Duration = Duration::from_millis(500);

/// What is known of a client's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It has one.
    Connected,
    /// It has none any more, and had one since it was last asked about.
    Recent,
    /// It has none, and had none.
    Idle,
}

/// What becomes of what a client keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in use.
    Used,
    /// The timer runs.
    Idle,
    /// The time is over.
    Over,
}

/// Since when clients have no connection.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    idle_since: HashMap<ClientKey, Duration>,
    /// Of those that were asked about in this round.
    this_round: HashMap<ClientKey, Duration>,
}

impl Timers {
    /// Says what becomes of what a client keeps for so many seconds. A client whose timer is not known,
    /// because another daemon has started it, gets the whole time.
    pub fn judge(
        &mut self,
        client: ClientKey,
        connections: Use,
        seconds: u16,
        now: Duration,
    ) -> Fate {
        let since = match connections {
            Use::Connected => return Fate::Used,
            Use::Recent => now,
            Use::Idle => self.idle_since.get(&client).copied().unwrap_or(now),
        };
        let idle = now.saturating_sub(since);
        if connections == Use::Idle && idle + SLACK >= Duration::from_secs(seconds.into()) {
            return Fate::Over;
        }
        self.this_round.insert(client, since);
        Fate::Idle
    }

    /// Ends a round, in which every client was asked about that keeps anything.
    pub fn end_round(&mut self) {
        self.idle_since = std::mem::take(&mut self.this_round);
    }

    /// Seconds that are left to a client; `None` while its timer does not run.
    #[must_use]
    pub fn left_s(&self, client: &ClientKey, seconds: u16, now: Duration) -> Option<u16> {
        let idle = now.saturating_sub(*self.idle_since.get(client)?);
        let idle_s = u16::try_from(idle.as_secs()).unwrap_or(u16::MAX);
        Some(seconds.saturating_sub(idle_s))
    }

    /// Whether no timer runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.idle_since.is_empty()
    }
}

#[cfg(test)]
mod tests;
