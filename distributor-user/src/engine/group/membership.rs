//! Opening sessions, admitting stacks as members, and giving them up.
//!
//! No name and no DYNAMICXCF address ever belongs to two members. Who comes
//! second waits until the first is gone; a restarted stack's former start
//! falls silent at once, so it waits for three beats only.

use std::time::Duration;

use super::GroupEngine;
use super::drops::DropReason;
use super::interface::{ConflictKind, GroupEvent, LeftReason, Output};
use super::message::{Frame, Identity, read_identity};
use super::path::{Endpoints, Paths};
use super::seal::{Kind, SessionId};
use super::session::{Ids, Sealer, Session, Standing};

/// Beats after which a stack that was not heard makes room for one of the same name.
const SILENT_BEATS: u32 = 3;

/// How long a stack is looked for where it was last.
const FORMER_MEMBER_SEARCH: Duration = Duration::from_hours(1);

impl GroupEngine {
    /// Answers a hello.
    pub(super) fn take_hello(
        &mut self,
        remote: SessionId,
        message: &[u8],
        path: Endpoints,
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Result<(), DropReason> {
        let identity = read_identity(message)?;
        if identity.instance == self.instance {
            return Err(DropReason::Own);
        }
        if !identity.is_at(path.peer) {
            return Err(DropReason::Source);
        }
        if self.session_with(identity.instance).is_some() {
            return Err(DropReason::Unwanted);
        }
        let fresh = self.fresh_id();
        let answer = self.identity().encode();
        let offer = self.opening.offer(remote, fresh, identity, path, now)?;
        let datagram = offer.sealer.seal(&self.keys, Kind::Offer, &answer);
        out.push(Output::Transmit {
            paths: vec![path],
            datagram,
        });
        Ok(())
    }

    /// Opens the session that was asked for and is offered.
    pub(super) fn take_offer(
        &mut self,
        ids: Ids,
        counter: u64,
        message: &[u8],
        path: Endpoints,
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Result<(), DropReason> {
        let identity = read_identity(message)?;
        if identity.instance == self.instance {
            return Err(DropReason::Own);
        }
        if !identity.is_at(path.peer) {
            return Err(DropReason::Source);
        }
        if ids.remote == 0 || self.session_with(identity.instance).is_some() {
            return Err(DropReason::Unwanted);
        }
        // Had the other side asked as well, its session would win only if it is the smaller one.
        if self.instance < identity.instance {
            self.opening.withdraw_offers(identity.instance);
        }
        let paths = self.paths_of(&identity, path, now);
        let mut session = Session::new(Sealer::new(ids), identity, true, paths, now);
        session.window.take(counter);
        self.open(ids, session, now, out);
        Ok(())
    }

    /// Opens the session that was offered: the other side has used it.
    pub(super) fn take_up_offer(
        &mut self,
        ids: Ids,
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Result<(), DropReason> {
        let offer = self.opening.take_offer(ids).ok_or(DropReason::Session)?;
        self.opening.withdraw_offers(offer.identity.instance);
        let paths = self.paths_of(&offer.identity, offer.path, now);
        let mut session = Session::new(offer.sealer, offer.identity, false, paths, now);
        // Both sides have asked at once, and both were answered; what the smaller one asked for
        // stays. This side has the other session, and used it in vain so far; or the other side
        // had used it, and has lost it since.
        if let Some(other) = self.session_with(session.identity.instance) {
            let is_new_there = self
                .sessions
                .get(&other)
                .is_some_and(|old| old.heard_at.is_none());
            if is_new_there && let Some(old) = self.forget(other) {
                session.outbox = old.outbox.restart();
                session.standing = old.standing;
                self.sessions.insert(ids, session);
                return Ok(());
            }
            self.close(other, LeftReason::Reconnected, now, out);
        }
        self.open(ids, session, now, out);
        Ok(())
    }

    /// Takes in an open session, and admits the stack if nothing stands against it.
    fn open(&mut self, ids: Ids, mut session: Session, now: Duration, out: &mut Vec<Output>) {
        let conflict = self.conflict(ids, &session.identity, now, out);
        if let Some(what) = conflict {
            session.standing = Standing::Contender {
                what,
                since: now,
                is_reported: false,
            };
        }
        let event = joined(&session);
        self.sessions.insert(ids, session);
        if conflict.is_none() {
            out.push(Output::Event(event));
        }
        self.beat(ids, now, out);
    }

    /// What stands against admitting a stack. Makes room where the holder is silent.
    fn conflict(
        &mut self,
        ids: Ids,
        identity: &Identity,
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Option<ConflictKind> {
        if identity.name == self.settings.name {
            return Some(ConflictKind::Name);
        }
        if identity.xcf.overlap(self.settings.xcf) {
            return Some(ConflictKind::DynamicXcf);
        }
        let patience = self.settings.beat * SILENT_BEATS;
        let mut silent = Vec::new();
        for (other_ids, other) in &self.sessions {
            let has_name = other.identity.name == identity.name;
            let has_address = other.identity.xcf.overlap(identity.xcf);
            if *other_ids == ids || !other.is_member() || !(has_name || has_address) {
                continue;
            }
            if now < other.heard_at.unwrap_or(other.opened_at) + patience {
                let what = if has_name {
                    ConflictKind::Name
                } else {
                    ConflictKind::DynamicXcf
                };
                return Some(what);
            }
            silent.push(*other_ids);
        }
        for ids in silent {
            self.close(ids, LeftReason::Replaced, now, out);
        }
        None
    }

    /// Sees to every session: paths, silence, beats, contenders, repetitions.
    pub(super) fn tend_sessions(&mut self, now: Duration, out: &mut Vec<Output>) {
        let all: Vec<_> = self.sessions.keys().copied().collect();
        for ids in all {
            let Some(session) = self.sessions.get_mut(&ids) else {
                continue;
            };
            session.paths.expire(now, self.awake_since);
            self.tell_paths(ids, out);
            if self
                .sessions
                .get(&ids)
                .is_some_and(|session| now >= self.silence(session))
            {
                self.close(ids, LeftReason::Silent, now, out);
                continue;
            }
            if self
                .sessions
                .get(&ids)
                .is_some_and(|session| now >= session.next_beat)
            {
                self.judge_again(ids, now, out);
                self.beat(ids, now, out);
            }
            self.acknowledge(ids, now, out);
            self.flush(ids, now, out);
        }
    }

    /// When [`tend_sessions`](Self::tend_sessions) has something to do for a session.
    pub(super) fn session_deadline(&self, session: &Session) -> Option<Duration> {
        let own = [session.next_beat, self.silence(session)];
        let others = [
            session.paths.deadline(self.awake_since),
            session.outbox.deadline(),
            session.acknowledge_at,
        ];
        own.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// When a stack counts as gone unless a beat makes the round trip.
    fn silence(&self, session: &Session) -> Duration {
        session.proven_at().max(self.awake_since) + self.settings.gone_after
    }

    /// Admits a contender if nothing stands against it any more; else says so on both sides.
    fn judge_again(&mut self, ids: Ids, now: Duration, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get(&ids) else {
            return;
        };
        let Standing::Contender {
            since, is_reported, ..
        } = session.standing
        else {
            return;
        };
        let identity = session.identity.clone();
        let conflict = self.conflict(ids, &identity, now, out);
        let Some(session) = self.sessions.get_mut(&ids) else {
            return;
        };
        let Some(what) = conflict else {
            session.standing = Standing::Member;
            out.push(Output::Event(joined(session)));
            self.tell_paths(ids, out);
            return;
        };
        // A restart is over by then; what is left is a conflict.
        let is_due = now >= since + self.settings.gone_after;
        session.standing = Standing::Contender {
            what,
            since,
            is_reported: is_due,
        };
        if is_due && !is_reported {
            let identity = &session.identity;
            out.push(Output::Event(GroupEvent::Conflict {
                what,
                name: identity.name.clone(),
                xcf: identity.xcf,
                at: session
                    .paths
                    .usable(now)
                    .first()
                    .map_or(identity.xcf.first(), |path| path.peer.ip()),
            }));
        }
        if is_due {
            self.say(ids, &Frame::Refused { what }, now, out);
        }
    }

    /// Sends a beat on every path.
    fn beat(&mut self, ids: Ids, now: Duration, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get_mut(&ids) else {
            return;
        };
        session.next_beat = now + self.settings.beat;
        for (path, datagram) in session.beats(&self.keys, now) {
            out.push(Output::Transmit {
                paths: vec![path],
                datagram,
            });
        }
    }

    /// Gives a stack up, and looks for it from now on.
    pub(super) fn close(
        &mut self,
        ids: Ids,
        reason: LeftReason,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.forget(ids) else {
            return;
        };
        for (address, _) in &session.identity.addresses {
            let address = std::net::SocketAddr::new(*address, session.identity.port);
            self.search
                .ask_anew(address, now + FORMER_MEMBER_SEARCH, now);
        }
        if session.is_member() {
            let name = session.identity.name;
            out.push(Output::Event(GroupEvent::Left { name, reason }));
        }
    }

    /// Removes a session so that its ids are never used again.
    fn forget(&mut self, ids: Ids) -> Option<Session> {
        let session = self.sessions.remove(&ids)?;
        if session.is_ours {
            self.opening.forget_hello(ids.local);
        }
        Some(session)
    }

    /// The session with one start of a stack.
    fn session_with(&self, instance: u64) -> Option<Ids> {
        let mut all = self.sessions.iter();
        all.find(|(_, session)| session.identity.instance == instance)
            .map(|(ids, _)| *ids)
    }

    fn paths_of(&self, identity: &Identity, first: Endpoints, now: Duration) -> Paths {
        let settings = &self.settings;
        let pace = (settings.beat, settings.down_after);
        Paths::new(&settings.locals, identity, first, pace, now)
    }
}

fn joined(session: &Session) -> GroupEvent {
    let identity = session.identity.clone();
    GroupEvent::Joined {
        name: identity.name,
        xcf: identity.xcf,
        addresses: identity.addresses,
    }
}
