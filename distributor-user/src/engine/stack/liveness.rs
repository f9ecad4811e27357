//! Whether the other members live.
//!
//! ```text
//!   Alive ──no beat on any path──▶ Doubtful ──no answer, or silent for the grace──▶ Dead
//!     ▲                               │  ▲                                           │
//!     │                               └──┘ its packet path answers: probed again     │
//!     └────────────────────────── a beat, or it joins anew ──────────────────────────┘
//! ```
//!
//! A member whose daemon is silent may still distribute: its packet path is
//! asked, and answers by itself. Only who does not answer at all, or has been
//! without a daemon for the whole grace and so has fenced itself, is dead.

use std::time::Duration;

use super::{Effect, NextHopKey, Stack};
use crate::engine::definitions::Readiness;
use crate::engine::message::Message;
use crate::engine::ownership::{Input, Liveness};

/// How long after that an unreachable member's connections are kept, in case it is only cut off for a
/// moment.
const GIVE_UP: Duration = Duration::from_millis(600);
/// How often the packet path of a doubtful member is probed, at least.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

impl Stack {
    /// Takes note that beats arrive on a path, or that none does any more.
    pub(super) fn take_path(
        &mut self,
        name: &str,
        path: NextHopKey,
        is_up: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.is_dirty = true;
        if let Some(member) = self.members.get_mut(name) {
            member.paths.insert(path, is_up);
            if is_up {
                member.heard.insert(path);
            }
        }
        self.judge(name, now, effects);
    }

    /// Takes note that an interface of this stack has got a carrier, or lost it.
    pub(super) fn take_link(&mut self, ifindex: u32, is_up: bool) {
        self.is_dirty = true;
        if is_up {
            self.dead_links.remove(&ifindex);
        } else {
            self.dead_links.insert(ifindex);
        }
    }

    /// Takes note that a path lags behind another one, or no longer: which one is used depends on it,
    /// and nothing else.
    pub(super) fn take_lag(&mut self, name: &str, path: NextHopKey, lags: bool) {
        self.is_dirty = true;
        if let Some(member) = self.members.get_mut(name) {
            if lags {
                member.lagging.insert(path);
            } else {
                member.lagging.remove(&path);
            }
        }
    }

    /// Takes note that beats of a member arrive, or that none does any more.
    pub(super) fn judge(&mut self, name: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        match (member.is_heard(), member.liveness) {
            (true, Liveness::Doubtful | Liveness::Dead) => {
                member.probe_at = None;
                member.is_unreachable = false;
                member.give_up_at = None;
                member.is_given_up = false;
                self.declare(name, Liveness::Alive, now, effects);
            }
            (false, Liveness::Alive) => self.doubt(name, now, effects),
            (true, Liveness::Alive) | (false, Liveness::Doubtful | Liveness::Dead) => {}
        }
    }

    /// Takes note that a member has left, or was given up.
    pub(super) fn take_leave(
        &mut self,
        name: &str,
        is_goodbye: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        member.left_at = Some(now);
        member.readiness = Readiness::default();
        effects.push(Effect::Tell(Message::Left {
            name: name.to_owned(),
        }));
        if is_goodbye {
            member.liveness = Liveness::Dead;
            member.probe_at = None;
            self.rebuilds_without(name, now, effects);
            self.decide(Input::Left(name.to_owned()), now, effects);
        } else if member.liveness == Liveness::Alive {
            self.doubt(name, now, effects);
        }
    }

    fn doubt(&mut self, name: &str, now: Duration, effects: &mut Vec<Effect>) {
        effects.extend(self.members.get(name).map(|member| member.probe(name)));
        self.declare(name, Liveness::Doubtful, now, effects);
    }

    /// Takes what the packet path of a member said, or that it said nothing.
    pub(super) fn take_probe(
        &mut self,
        name: &str,
        age: Option<Duration>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let grace = self.grace;
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        if member.is_heard() || member.liveness == Liveness::Alive {
            return;
        }
        self.is_dirty |= member.is_unreachable != age.is_none();
        member.is_unreachable = age.is_none();
        let rest = age.and_then(|age| grace.checked_sub(age));
        if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
            member.probe_at = Some(now + rest.min(PROBE_INTERVAL));
            self.declare(name, Liveness::Doubtful, now, effects);
        } else {
            member.probe_at = None;
            if age.is_none() {
                member.give_up_at = Some(now + GIVE_UP);
            }
            self.declare(name, Liveness::Dead, now, effects);
        }
    }

    /// Probes whom it is time to probe again.
    pub(super) fn probe_again(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for (name, member) in &mut self.members {
            if member.probe_at.is_some_and(|at| now >= at) {
                member.probe_at = None;
                effects.push(member.probe(name));
            }
        }
    }

    /// Gives up those that have been unreachable for too long, host and all: their connections end,
    /// and their clients learn it by a RST. Who is cut off itself waits: it is not the others who are
    /// gone, and no client would learn anything.
    pub(super) fn give_up(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let is_cut_off = self.is_cut_off() || self.has_no_link();
        for member in self.members.values_mut() {
            if member.give_up_at.is_some_and(|at| now >= at) {
                if is_cut_off {
                    member.give_up_at = Some(now + GIVE_UP);
                    continue;
                }
                member.give_up_at = None;
                member.is_given_up = true;
                self.is_dirty = true;
                effects.extend(member.xcf.iter().map(Effect::ResetTarget));
            }
        }
    }

    fn declare(
        &mut self,
        name: &str,
        liveness: Liveness,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        if member.liveness == liveness {
            return;
        }
        member.liveness = liveness;
        self.is_dirty = true;
        if liveness == Liveness::Dead {
            self.rebuilds_without(name, now, effects);
        }
        self.decide(Input::Member(name.to_owned(), liveness), now, effects);
    }
}
