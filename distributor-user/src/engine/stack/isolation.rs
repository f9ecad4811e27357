//! An owner that hears nobody any more.
//!
//! Either all others are dead, and it must go on; or it is cut off, another owns
//! what it owned, and it must answer nobody when the network comes back. What
//! arrives tells the two apart:
//!
//! ```text
//!  Heard ──nobody is heard──▶ Unsure ──a packet──▶ Alone
//!    ▲                          └──nothing──▶ CutOff ──a packet──▶ Returning ──nobody──▶ Alone
//!    └──────── had its say ─────── Reunited ◀────somebody is heard───┘
//! ```
//!
//! In the states of the lower row the packet path is fenced, as it fences itself
//! when the daemon is silent: no new connection, no answer to ARP, and what is
//! known goes on. Nothing is taken away in here, and no connection ends.
//!
//! A daemon that goes on where another has ended begins unsure: it knows of nobody
//! yet, and its predecessor may have been cut off.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::{Adopted, Effect, Placement, Stack};
use crate::engine::message::Message;
use crate::engine::ownership::Liveness;

/// How long nothing must arrive before a stack that hears nobody counts as cut off.
const SILENCE: Duration = Duration::from_millis(100);
/// How long a stack that packets reach again waits for a member to be heard.
const REUNION: Duration = Duration::from_secs(2);
/// How long the first words of a member that is heard again may take.
const WORDS: Duration = Duration::from_millis(200);

/// Whether a stack is among others, and how it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Isolation {
    /// It hears somebody, or owns nothing that others could.
    #[default]
    Heard,
    /// It hears nobody; what had arrived when it began to look, and when that was.
    Unsure(Option<(u64, Duration)>),
    /// It hears nobody, and nothing has arrived since so many packets.
    CutOff(u64),
    /// Packets arrive again; until when it waits for members.
    Returning(Duration),
    /// A member is heard again; until when that may say who owns what.
    Reunited(Duration),
    /// It hears nobody, and packets arrive: the others are gone.
    Alone,
}

impl Isolation {
    /// How a stack begins that has inherited DVIPAs which others could own.
    pub(super) fn with(inherited: &BTreeSet<IpAddr>) -> Self {
        if inherited.is_empty() {
            Self::Heard
        } else {
            Self::Unsure(None)
        }
    }

    /// Whether it is known if this stack is among others.
    fn is_known(self) -> bool {
        matches!(self, Self::Heard | Self::Alone)
    }

    /// Whether somebody else may own what this stack owned.
    fn is_fenced(self) -> bool {
        matches!(
            self,
            Self::CutOff(_) | Self::Returning(_) | Self::Reunited(_)
        )
    }
}

impl Adopted {
    /// The DVIPAs that an earlier daemon answered for and that another member could own.
    pub(super) fn shared(&self) -> BTreeSet<IpAddr> {
        let dvipas = self.forwarding.dvipas.iter();
        let shared = dvipas.filter(|(dvipa, forwarding)| {
            forwarding.has_successor && self.placements.get(*dvipa) == Some(&Placement::Owned)
        });
        shared.map(|(dvipa, _)| *dvipa).collect()
    }
}

impl Stack {
    /// Whether this stack does not know yet whether it is among others.
    pub(super) fn is_unsure(&self) -> bool {
        !self.isolation.is_known()
    }

    /// Whether others may own what this stack wants, and nobody is heard who could say so.
    pub(super) fn must_wait(&self) -> bool {
        self.is_unsure() && !matches!(self.isolation, Isolation::Reunited(_))
    }

    /// Whether this stack's packet path must be fenced: it was cut off, and does not know yet
    /// whether somebody else owns what it owned.
    pub(super) fn is_cut_off(&self) -> bool {
        self.isolation.is_fenced()
    }

    /// Whether this stack wants to be told again and again how many packets have arrived.
    #[must_use]
    pub fn looks_for_packets(&self) -> bool {
        self.is_unsure()
    }

    /// Follows a change of who is heard.
    pub(super) fn note_hearing(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let isolation = match (self.isolation, self.hears_somebody()) {
            (Isolation::Heard, false) if self.owns_in_common() => Isolation::Unsure(None),
            (Isolation::Alone, false) if self.has_no_link() => Isolation::Unsure(None),
            (Isolation::Unsure(_) | Isolation::Alone, true) => Isolation::Heard,
            (Isolation::CutOff(_) | Isolation::Returning(_), true) => {
                Isolation::Reunited(now + WORDS)
            }
            (Isolation::Reunited(_), false) => Isolation::Returning(now + REUNION),
            (same @ (Isolation::Heard | Isolation::Reunited(_)), true)
            | (
                same @ (Isolation::Heard
                | Isolation::Unsure(_)
                | Isolation::CutOff(_)
                | Isolation::Returning(_)
                | Isolation::Alone),
                false,
            ) => same,
        };
        self.enter(isolation, effects);
    }

    /// Takes how many packets have arrived so far.
    pub(super) fn take_arrivals(&mut self, arrived: u64, now: Duration, effects: &mut Vec<Effect>) {
        let isolation = match self.isolation {
            Isolation::Unsure(None) => Isolation::Unsure(Some((arrived, now))),
            Isolation::Unsure(Some((before, _))) if arrived != before => Isolation::Alone,
            Isolation::Unsure(Some((_, since))) if now.saturating_sub(since) >= SILENCE => {
                Isolation::CutOff(arrived)
            }
            Isolation::CutOff(before) if arrived != before => Isolation::Returning(now + REUNION),
            Isolation::Returning(until) if now >= until => Isolation::Alone,
            Isolation::Reunited(until) if now >= until => Isolation::Heard,
            same @ (Isolation::Heard
            | Isolation::Unsure(_)
            | Isolation::CutOff(_)
            | Isolation::Returning(_)
            | Isolation::Reunited(_)
            | Isolation::Alone) => same,
        };
        self.enter(isolation, effects);
    }

    fn enter(&mut self, isolation: Isolation, effects: &mut Vec<Effect>) {
        let was_fenced = self.isolation.is_fenced();
        self.is_dirty |= isolation != self.isolation;
        self.isolation = isolation;
        if isolation.is_known() {
            self.inherited.clear();
        }
        let is_fenced = isolation.is_fenced();
        if was_fenced != is_fenced {
            effects.push(Effect::Fence(is_fenced));
            effects.push(Effect::Tell(if is_fenced {
                Message::CutOff
            } else {
                Message::Connected
            }));
        }
    }

    /// Takes note that this stack has come to own a DVIPA. If members are heard, they have agreed;
    /// who hears nobody has asked nobody.
    pub(super) fn note_consent(&mut self, effects: &mut Vec<Effect>) {
        if self.is_cut_off() && self.hears_somebody() {
            self.enter(Isolation::Heard, effects);
        }
    }

    fn hears_somebody(&self) -> bool {
        let mut members = self.members.values();
        members.any(|member| member.liveness == Liveness::Alive)
    }

    /// Whether this stack owns a DVIPA that a member could own.
    fn owns_in_common(&self) -> bool {
        let owned = self.owning.owned();
        owned
            .iter()
            .any(|dvipa| self.standing.shared.contains(dvipa))
    }

    /// Whether no interface to clients has a carrier.
    pub(super) fn has_no_link(&self) -> bool {
        !self.client_ifindexes.is_empty() && self.client_ifindexes.is_subset(&self.dead_links)
    }
}
