//! What goes to and fro in a session that is open.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::GroupEngine;
use super::drops::DropReason;
use super::interface::{EncodedFact, GroupEvent, LeftReason, LocalAddress, Output};
use super::message::{Frame, Letter, encode, read_frame, read_letter};
use super::path::Endpoints;
use super::reassembly::{GOSSIP_BYTES_MAX, split};
use super::session::{Ids, Session};
use super::settings::GroupSettings;
use crate::engine::fact::Fact;

/// How often goodbye is said, since nobody will acknowledge it.
const GOODBYES: usize = 3;

/// How long segments are gathered before they are acknowledged together.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(1);

/// How long a stack is looked for that gossip knows and this stack does not.
const RUMOUR_SEARCH: Duration = Duration::from_mins(1);

impl GroupEngine {
    /// Takes a message of a session, which is new and authentic.
    pub(super) fn take_message(
        &mut self,
        ids: Ids,
        message: &[u8],
        path: Endpoints,
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Result<(), DropReason> {
        let Some(session) = self.sessions.get_mut(&ids) else {
            return Err(DropReason::Session);
        };
        session.heard_at = Some(now);
        if session.identity.is_at(path.peer) {
            session.paths.add(path, now);
        }
        match read_frame(message)? {
            Frame::Beat { time_ms, echo_ms } => {
                let is_answer_due = session.paths.beaten(path, time_ms, echo_ms, now);
                if is_answer_due && let Some(frame) = session.paths.beat(path, now) {
                    let datagram = session.seal(&self.keys, &frame);
                    out.push(Output::Transmit {
                        paths: vec![path],
                        datagram,
                    });
                }
                self.tell_paths(ids, out);
            }
            Frame::Goodbye => {
                self.opening.withdraw_offers(session.identity.instance);
                self.close(ids, LeftReason::Goodbye, now, out);
            }
            Frame::Refused { what } => {
                if session.is_member() && !session.is_refusal_reported {
                    session.is_refusal_reported = true;
                    let by = session.identity.name.clone();
                    out.push(Output::Event(GroupEvent::Refused { what, by }));
                }
            }
            Frame::Ack { next, ahead } => {
                session.outbox.acknowledge(next, ahead);
                self.flush(ids, now, out);
            }
            Frame::Segment { sequence, chunk } => {
                self.take_segment(ids, sequence, chunk, now, out)?;
            }
            Frame::Gossip {
                message,
                part,
                parts,
                chunk,
            } => {
                if !session.is_member() {
                    return Err(DropReason::NotAdmitted);
                }
                let mut given_up = 0;
                let number = (message, part, parts);
                let whole = session.reassembly.take(number, chunk, now, &mut given_up);
                (0..given_up).for_each(|_| self.drops.count(DropReason::Fragments));
                if let Some(bytes) = whole? {
                    out.push(Output::Gossip {
                        from: session.identity.xcf.first(),
                        bytes,
                    });
                }
            }
        }
        Ok(())
    }

    fn take_segment(
        &mut self,
        ids: Ids,
        sequence: u64,
        chunk: &[u8],
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Result<(), DropReason> {
        let Some(session) = self.sessions.get_mut(&ids) else {
            return Err(DropReason::Session);
        };
        if !session.is_member() {
            return Err(DropReason::NotAdmitted);
        }
        if self.is_paused {
            return Err(DropReason::Paused);
        }
        session
            .acknowledge_at
            .get_or_insert(now + ACKNOWLEDGE_AFTER);
        let Ok(messages) = session.inbox.take(sequence, chunk) else {
            self.close(ids, LeftReason::Broken, now, out);
            return Err(DropReason::Malformed);
        };
        for message in messages {
            if let Err(reason) = self.take_letter(ids, &message, now, out) {
                self.drops.count(reason);
            }
        }
        Ok(())
    }

    /// Says which segments have arrived, when it is time to.
    pub(super) fn acknowledge(&mut self, ids: Ids, now: Duration, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get_mut(&ids) else {
            return;
        };
        if session.acknowledge_at.is_some_and(|at| now >= at) {
            session.acknowledge_at = None;
            let acknowledgement = session.inbox.acknowledgement();
            self.say(ids, &acknowledgement, now, out);
        }
    }

    fn take_letter(
        &mut self,
        ids: Ids,
        letter: &[u8],
        now: Duration,
        out: &mut Vec<Output>,
    ) -> Result<(), DropReason> {
        let Some(session) = self.sessions.get_mut(&ids) else {
            return Err(DropReason::Session);
        };
        let name = session.identity.name.clone();
        match read_letter(letter)? {
            Letter::Fact(bytes) => {
                // A kind of fact that only a newer release knows is none of ours.
                let Ok((fact, _)) = postcard::take_from_bytes::<Fact>(&bytes) else {
                    return Err(DropReason::Kind);
                };
                out.push(Output::Event(GroupEvent::Fact { from: name, fact }));
            }
            Letter::Addresses(addresses) => {
                let before = std::mem::replace(&mut session.identity.addresses, addresses.clone());
                if !session.identity.is_sound() {
                    session.identity.addresses = before;
                    return Err(DropReason::Malformed);
                }
                session
                    .paths
                    .rearrange(&self.settings.locals, &session.identity, now);
                self.tell_paths(ids, out);
                out.push(Output::Event(GroupEvent::Addresses { name, addresses }));
            }
        }
        Ok(())
    }

    /// Sends a fact to a member. There is nobody to tell if it is none: its `Left` says it all.
    pub(super) fn send_fact(
        &mut self,
        to: &str,
        fact: &EncodedFact,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let mut all = self.sessions.iter();
        let found = all.find(|(_, session)| session.is_member() && session.identity.name == to);
        if let Some((ids, _)) = found {
            self.send_letter(*ids, &fact.0, now, out);
        }
    }

    fn send_letter(&mut self, ids: Ids, letter: &[u8], now: Duration, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get_mut(&ids) else {
            return;
        };
        match session.outbox.push(letter) {
            Ok(()) => self.flush(ids, now, out),
            Err(super::delivery::Overrun) => self.close(ids, LeftReason::Overrun, now, out),
        }
    }

    /// Sends a gossip message; looks for its receiver if that is unknown.
    pub(super) fn send_gossip(
        &mut self,
        to: IpAddr,
        bytes: &[u8],
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let mut all = self.sessions.iter();
        let is_receiver =
            |session: &Session| session.is_member() && session.identity.xcf.contain(to);
        let found = all.find(|(_, session)| is_receiver(session));
        let Some(ids) = found.map(|(ids, _)| *ids) else {
            self.drops.count(DropReason::NoMember);
            let address = SocketAddr::new(to, self.settings.port);
            self.search.ask_until(address, now + RUMOUR_SEARCH, now);
            return;
        };
        if bytes.len() > GOSSIP_BYTES_MAX {
            self.drops.count(DropReason::Fragments);
            return;
        }
        let number = self.sessions.get_mut(&ids).map_or(0, Session::next_gossip);
        for frame in split(number, bytes) {
            self.say(ids, &frame, now, out);
        }
    }

    /// Follows a change of this stack's addresses, and tells the members.
    pub(super) fn change_locals(
        &mut self,
        locals: Vec<LocalAddress>,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if locals == self.settings.locals || GroupSettings::check_locals(&locals).is_err() {
            return;
        }
        self.settings.locals = locals;
        let letter = encode(&Letter::Addresses(self.addresses()));
        let all: Vec<_> = self.sessions.keys().copied().collect();
        for ids in all {
            if let Some(session) = self.sessions.get_mut(&ids) {
                session
                    .paths
                    .rearrange(&self.settings.locals, &session.identity, now);
            }
            self.tell_paths(ids, out);
            self.send_letter(ids, &letter, now, out);
        }
    }

    /// Tells everybody that this stack leaves.
    pub(super) fn say_goodbye(&mut self, now: Duration, out: &mut Vec<Output>) {
        let all: Vec<_> = self.sessions.keys().copied().collect();
        for ids in all {
            for _ in 0..GOODBYES {
                self.say(ids, &Frame::Goodbye, now, out);
            }
        }
        self.sessions.clear();
    }

    /// Sends the segments that are due.
    pub(super) fn flush(&mut self, ids: Ids, now: Duration, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get_mut(&ids) else {
            return;
        };
        let paths = session.paths.usable(now);
        for datagram in session.segments(&self.keys, now) {
            out.push(Output::Transmit {
                paths: paths.clone(),
                datagram,
            });
        }
    }

    /// Sends a frame on every path that may work.
    pub(super) fn say(
        &mut self,
        ids: Ids,
        frame: &Frame<'_>,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.sessions.get_mut(&ids) else {
            return;
        };
        let paths = session.paths.usable(now);
        let datagram = session.seal(&self.keys, frame);
        out.push(Output::Transmit { paths, datagram });
    }

    /// Tells the daemon which paths to a member came up or went down.
    ///
    /// Several pairs of addresses may be one path to it; that is up while one of them is.
    pub(super) fn tell_paths(&mut self, ids: Ids, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get(&ids) else {
            return;
        };
        if !session.is_member() {
            return;
        }
        let name = &session.identity.name;
        let up = session
            .paths
            .up()
            .map(|path| (self.ifindex(path.local), path.peer.ip()));
        let up: BTreeSet<_> = up.collect();
        for (ifindex, peer_address) in session.told_paths.difference(&up).copied() {
            let name = name.clone();
            out.push(Output::Event(GroupEvent::PathDown {
                name,
                ifindex,
                peer_address,
            }));
        }
        for (ifindex, peer_address) in up.difference(&session.told_paths).copied() {
            let name = name.clone();
            out.push(Output::Event(GroupEvent::PathUp {
                name,
                ifindex,
                peer_address,
            }));
        }
        let lagging = session
            .paths
            .lagging()
            .map(|path| (self.ifindex(path.local), path.peer.ip()));
        let lagging: BTreeSet<_> = lagging.collect();
        for (ifindex, peer_address) in session.told_lagging.symmetric_difference(&lagging) {
            out.push(Output::Event(GroupEvent::PathLags {
                name: name.clone(),
                ifindex: *ifindex,
                peer_address: *peer_address,
                lags: lagging.contains(&(*ifindex, *peer_address)),
            }));
        }
        if let Some(session) = self.sessions.get_mut(&ids) {
            session.told_paths = up;
            session.told_lagging = lagging;
        }
    }
}
