//! The paths to one member, and which of them work.
//!
//! A path is up while beats make the round trip: what proves it is the
//! sender's own clock coming back, not the arrival of anything. So a path that
//! works in one direction only is down at both ends, and datagrams that were
//! held back for a while prove nothing.
//!
//! A path that misses a beat which another path to the same member brought is
//! not down yet, but it lags: there is a better one for packets.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::LocalAddress;
use super::message::{Frame, Identity};

/// Most paths to one member.
const PATHS_MAX: usize = 32;

/// One of our addresses and one of another stack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Our address, which names the socket.
    pub local: IpAddr,
    /// The other stack's address and port.
    pub peer: SocketAddr,
}

/// A path and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// Where it leads from and to.
    pub(super) endpoints: Endpoints,
    since: Duration,
    /// When the newest of our beats that came back was sent.
    proven_at: Option<Duration>,
    is_up: bool,
    /// The newest of the member's beats.
    heard_ms: Option<u64>,
    /// Since when it lacks a beat that another path has brought.
    behind_since: Option<Duration>,
    /// Until when it lags.
    lags_until: Option<Duration>,
}

/// All paths to one member.
#[derive(Debug)]
pub(super) struct Paths {
    all: Vec<Path>,
    beat: Duration,
    down_after: Duration,
}

impl Paths {
    /// The paths between `locals` and a member, and the one that it was first heard on.
    pub(super) fn new(
        locals: &[LocalAddress],
        identity: &Identity,
        first: Endpoints,
        (beat, down_after): (Duration, Duration),
        now: Duration,
    ) -> Self {
        let mut paths = Self {
            all: Vec::new(),
            beat,
            down_after,
        };
        paths.add(first, now);
        paths.rearrange(locals, identity, now);
        paths
    }

    /// Follows a change of our addresses or of the member's.
    ///
    /// There is a path from each of our addresses to each of the member's on the same network.
    /// Others exist only when the member was heard on them.
    pub(super) fn rearrange(
        &mut self,
        locals: &[LocalAddress],
        identity: &Identity,
        now: Duration,
    ) {
        self.all.retain(|path| {
            locals
                .iter()
                .any(|local| local.address == path.endpoints.local)
                && identity.is_at(path.endpoints.peer)
        });
        for local in locals {
            for (address, _) in &identity.addresses {
                if local.reaches(*address) {
                    let peer = SocketAddr::new(*address, identity.port);
                    self.add(
                        Endpoints {
                            local: local.address,
                            peer,
                        },
                        now,
                    );
                }
            }
        }
    }

    /// Notes that the member was heard on a path, which may be new.
    pub(super) fn add(&mut self, endpoints: Endpoints, now: Duration) {
        let is_known = self.all.iter().any(|path| path.endpoints == endpoints);
        if !is_known && self.all.len() < PATHS_MAX {
            self.all.push(Path {
                endpoints,
                since: now,
                proven_at: None,
                is_up: false,
                heard_ms: None,
                behind_since: None,
                lags_until: None,
            });
        }
    }

    /// The beat to send now on each path.
    pub(super) fn beats(&self, now: Duration) -> impl Iterator<Item = (Endpoints, Frame<'static>)> {
        self.all
            .iter()
            .map(move |path| (path.endpoints, path.beat(now)))
    }

    /// The beat to send now on one path.
    pub(super) fn beat(&self, endpoints: Endpoints, now: Duration) -> Option<Frame<'static>> {
        let path = self.all.iter().find(|path| path.endpoints == endpoints)?;
        Some(path.beat(now))
    }

    /// Takes a beat of the member; returns whether it waits for one on this path in turn, to
    /// know that the path works.
    pub(super) fn beaten(
        &mut self,
        endpoints: Endpoints,
        time_ms: u64,
        echo_ms: Option<u64>,
        now: Duration,
    ) -> bool {
        let Some(path) = self.all.iter_mut().find(|path| path.endpoints == endpoints) else {
            return false;
        };
        path.heard_ms = path.heard_ms.max(Some(time_ms));
        // A clock reading of the future is none of ours.
        if let Some(echo) = echo_ms
            .map(Duration::from_millis)
            .filter(|echo| *echo <= now)
        {
            path.proven_at = path.proven_at.max(Some(echo));
        }
        let was_up = path.is_up;
        path.is_up = path.is_proven(now, self.down_after);
        let waits = echo_ms.is_none() || (path.is_up && !was_up);
        self.compare(now);
        waits
    }

    /// Takes note of which paths lack a beat that another has brought.
    fn compare(&mut self, now: Duration) {
        let Some(newest) = self.all.iter().filter_map(|path| path.heard_ms).max() else {
            return;
        };
        for path in &mut self.all {
            let is_behind = path.heard_ms.is_some_and(|heard_ms| {
                Duration::from_millis(newest.saturating_sub(heard_ms)) > self.beat / 2
            });
            path.behind_since = is_behind.then(|| path.behind_since.unwrap_or(now));
        }
    }

    /// Since when a path that is behind lags: copies of one beat do not arrive at once.
    fn lags_from(&self, path: &Path) -> Option<Duration> {
        Some(path.behind_since? + self.beat * 2 / 5)
    }

    /// The paths that are up and lag.
    pub(super) fn lagging(&self) -> impl Iterator<Item = Endpoints> {
        let lagging = self.all.iter();
        lagging
            .filter(|path| path.is_up && path.lags_until.is_some())
            .map(|path| path.endpoints)
    }

    /// Marks the paths that have gone down by now. A stack that stood still until `awake_since` has
    /// not listened before.
    pub(super) fn expire(&mut self, now: Duration, awake_since: Duration) {
        if now < awake_since + self.down_after {
            return;
        }
        let lags: Vec<bool> = self
            .all
            .iter()
            .map(|path| self.lags_from(path).is_some_and(|from| now >= from))
            .collect();
        for (path, lags) in self.all.iter_mut().zip(lags) {
            path.is_up &= path.is_proven(now, self.down_after);
            if lags {
                path.lags_until = Some(now + self.down_after);
            } else if path.lags_until.is_some_and(|until| now >= until) {
                path.lags_until = None;
            }
        }
    }

    /// The paths that messages go on: those that are up, and new ones until they are known to
    /// be down. If there are none, all.
    pub(super) fn usable(&self, now: Duration) -> Vec<Endpoints> {
        let usable: Vec<_> = self
            .all
            .iter()
            .filter(|path| {
                path.is_up || (path.proven_at.is_none() && now < path.since + self.down_after)
            })
            .map(|path| path.endpoints)
            .collect();
        if usable.is_empty() {
            self.all.iter().map(|path| path.endpoints).collect()
        } else {
            usable
        }
    }

    /// The paths that are up.
    pub(super) fn up(&self) -> impl Iterator<Item = Endpoints> {
        self.all
            .iter()
            .filter(|path| path.is_up)
            .map(|path| path.endpoints)
    }

    /// When the member was surely alive last.
    pub(super) fn proven_at(&self) -> Option<Duration> {
        self.all.iter().filter_map(|path| path.proven_at).max()
    }

    /// When the next path goes down unless it is proven again.
    pub(super) fn deadline(&self, awake_since: Duration) -> Option<Duration> {
        let proven = self
            .all
            .iter()
            .filter(|path| path.is_up)
            .filter_map(|path| path.proven_at);
        let down = proven
            .min()
            .map(|proven_at| proven_at.max(awake_since) + self.down_after);
        let lag = self.all.iter().filter_map(|path| {
            // While it lags, it is looked at again when it could have recovered.
            path.lags_until.or_else(|| self.lags_from(path))
        });
        let lag = lag.map(|at| at.max(awake_since + self.down_after));
        down.into_iter().chain(lag).min()
    }
}

impl Path {
    fn is_proven(&self, now: Duration, down_after: Duration) -> bool {
        self.proven_at
            .is_some_and(|proven_at| now < proven_at + down_after)
    }

    fn beat(&self, now: Duration) -> Frame<'static> {
        let time_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Frame::Beat {
            time_ms,
            echo_ms: self.heard_ms,
        }
    }
}

#[cfg(test)]
mod tests;
