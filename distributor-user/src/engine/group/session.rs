//! One session: everything that this stack keeps about one start of another.
//!
//! A session is never reopened. When it is over, the next one has other ids,
//! so nothing that was sealed for this one can be used again.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::delivery::{Inbox, Outbox};
use super::interface::ConflictKind;
use super::key::KeyRing;
use super::message::{Frame, Identity, encode};
use super::path::{Endpoints, Paths};
use super::reassembly::Reassembly;
use super::seal::{self, Header, Kind, SessionId};
use super::window::ReplayWindow;

/// The names that the two sides have for a session; they are what finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ids {
    /// Ours.
    pub(super) local: SessionId,
    /// The other side's.
    pub(super) remote: SessionId,
}

/// The sealing side of a session: owns its counter.
#[derive(Debug)]
pub(super) struct Sealer {
    ids: Ids,
    counter: u64,
}

impl Sealer {
    /// A sealer for a session that nothing was sealed for yet.
    pub(super) fn new(ids: Ids) -> Self {
        Self { ids, counter: 0 }
    }

    /// Seals an encoded message under a counter of its own.
    pub(super) fn seal(&mut self, keys: &KeyRing, kind: Kind, message: &[u8]) -> Vec<u8> {
        let Ids { local, remote } = self.ids;
        let header = Header {
            kind,
            sender: local,
            receiver: remote,
            counter: self.counter,
        };
        self.counter += 1;
        seal::seal(keys, header, message)
    }
}

/// What the other side is to this stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A member of the group.
    Member,
    /// Not admitted, because what it calls its own is taken.
    Contender {
        /// What is taken.
        what: ConflictKind,
        /// When it was not admitted first.
        since: Duration,
        /// Whether the daemon was told.
        is_reported: bool,
    },
}

/// A session that is open: the other side answered a fresh challenge.
#[derive(Debug)]
pub(super) struct Session {
    /// Who the other side is.
    pub(super) identity: Identity,
    /// Whether this stack asked for the session.
    pub(super) is_ours: bool,
    /// What the other side is to this stack.
    pub(super) standing: Standing,
    /// When the session was opened.
    pub(super) opened_at: Duration,
    /// When something was heard on it last, if ever.
    pub(super) heard_at: Option<Duration>,
    /// The counters that were seen.
    pub(super) window: ReplayWindow,
    /// Where the other side is reached.
    pub(super) paths: Paths,
    /// The paths that the daemon knows to be up: our interface and the other side's address.
    pub(super) told_paths: BTreeSet<(u32, IpAddr)>,
    /// Which of them the daemon knows to lag.
    pub(super) told_lagging: BTreeSet<(u32, IpAddr)>,
    /// Messages for it.
    pub(super) outbox: Outbox,
    /// Messages from it.
    pub(super) inbox: Inbox,
    /// When to say what has arrived of them.
    pub(super) acknowledge_at: Option<Duration>,
    /// Gossip from it.
    pub(super) reassembly: Reassembly,
    /// When the next beats go out.
    pub(super) next_beat: Duration,
    /// Whether the daemon knows that the other side does not admit this stack.
    pub(super) is_refusal_reported: bool,
    sealer: Sealer,
    gossip_count: u32,
}

impl Session {
    /// Opens a session.
    pub(super) fn new(
        sealer: Sealer,
        identity: Identity,
        is_ours: bool,
        paths: Paths,
        now: Duration,
    ) -> Self {
        Self {
            identity,
            is_ours,
            standing: Standing::Member,
            opened_at: now,
            heard_at: None,
            window: ReplayWindow::default(),
            paths,
            told_paths: BTreeSet::new(),
            told_lagging: BTreeSet::new(),
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            acknowledge_at: None,
            reassembly: Reassembly::default(),
            next_beat: now,
            is_refusal_reported: false,
            sealer,
            gossip_count: 0,
        }
    }

    /// Whether the other side is a member of the group.
    pub(super) fn is_member(&self) -> bool {
        self.standing == Standing::Member
    }

    /// When the other side was surely alive last.
    pub(super) fn proven_at(&self) -> Duration {
        self.paths
            .proven_at()
            .map_or(self.opened_at, |proven_at| proven_at.max(self.opened_at))
    }

    /// Seals a frame for the other side.
    pub(super) fn seal(&mut self, keys: &KeyRing, frame: &Frame<'_>) -> Vec<u8> {
        self.sealer.seal(keys, Kind::Session, &encode(frame))
    }

    /// The beats to send now, each on its own path.
    pub(super) fn beats(&mut self, keys: &KeyRing, now: Duration) -> Vec<(Endpoints, Vec<u8>)> {
        let beats: Vec<_> = self.paths.beats(now).collect();
        beats
            .into_iter()
            .map(|(path, frame)| (path, self.seal(keys, &frame)))
            .collect()
    }

    /// The segments to send now.
    pub(super) fn segments(&mut self, keys: &KeyRing, now: Duration) -> Vec<Vec<u8>> {
        let messages: Vec<_> = self.outbox.due(now).iter().map(encode).collect();
        let seal = |message: Vec<u8>| self.sealer.seal(keys, Kind::Session, &message);
        messages.into_iter().map(seal).collect()
    }

    /// Number of the next gossip message.
    pub(super) fn next_gossip(&mut self) -> u32 {
        self.gossip_count = self.gossip_count.wrapping_add(1);
        self.gossip_count
    }
}
