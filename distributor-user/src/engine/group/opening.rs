//! Sessions that are being opened.
//!
//! ```text
//!  asks                                   offers
//!   │  hello (id a)                          │   to every address searched
//!   │ ─────────────────────────────────────▶ │
//!   │                  offer (id b, for a)   │   b is fresh: the challenge to a
//!   │ ◀───────────────────────────────────── │
//!   │  anything sealed for (a, b)            │   a is fresh: the offer was the answer
//!   │ ─────────────────────────────────────▶ │   only now is the session open here too
//! ```
//!
//! Both ids are random and never used for another session; who seals
//! something for them has the key and has it now. Nothing that was recorded
//! opens a session, and a replayed hello costs one offer of the rate allowed.
//! A hello is answered only to an address that it names itself, so that a
//! replay cannot send offers elsewhere.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::drops::DropReason;
use super::limit::{Allowance, PerSource, Use};
use super::message::Identity;
use super::path::Endpoints;
use super::seal::SessionId;
use super::session::{Ids, Sealer};

/// How long an answer to a hello or an offer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Hellos that may be unanswered at once.
const HELLOS_MAX: usize = 64;
/// Offers that may be unanswered at once.
const OFFERS_MAX: usize = 64;
/// How many hellos of one source are answered.
const OFFERS_TO_ONE: Allowance = Allowance {
    interval: Duration::from_millis(100),
    burst: 10,
};
/// How many hellos are answered at all.
const OFFERS_TO_ALL: Allowance = Allowance {
    interval: Duration::from_millis(5),
    burst: 100,
};

/// A session that was offered and not taken up yet.
#[derive(Debug)]
pub(super) struct Offer {
    /// The names of the session.
    pub(super) ids: Ids,
    /// Who asked for it.
    pub(super) identity: Identity,
    /// Seals for it.
    pub(super) sealer: Sealer,
    /// Where it was asked for.
    pub(super) path: Endpoints,
    until: Duration,
}

/// The hellos and offers that are not answered yet.
#[derive(Debug)]
pub(super) struct Opening {
    hellos: VecDeque<(SessionId, Duration)>,
    offers: VecDeque<Offer>,
    per_source: PerSource,
    all: Use,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            hellos: VecDeque::new(),
            offers: VecDeque::new(),
            per_source: PerSource::new(OFFERS_TO_ONE),
            all: Use::default(),
        }
    }
}

impl Opening {
    /// Notes that a hello goes out under the fresh id `id`.
    pub(super) fn ask(&mut self, id: SessionId, now: Duration) {
        if self.hellos.len() == HELLOS_MAX {
            self.hellos.pop_front();
        }
        self.hellos.push_back((id, now + PATIENCE));
    }

    /// Whether an offer for `id` is waited for.
    pub(super) fn is_asked(&self, id: SessionId, now: Duration) -> bool {
        self.hellos
            .iter()
            .any(|(asked, until)| *asked == id && now < *until)
    }

    /// Takes no more offers for `id`: the session of that name is over.
    pub(super) fn forget_hello(&mut self, id: SessionId) {
        self.hellos.retain(|(asked, _)| *asked != id);
    }

    /// Makes an offer to who asked under the id `remote`; the same one if it asks again.
    pub(super) fn offer(
        &mut self,
        remote: SessionId,
        fresh: SessionId,
        identity: Identity,
        path: Endpoints,
        now: Duration,
    ) -> Result<&mut Offer, DropReason> {
        let source: IpAddr = path.peer.ip();
        if !self.per_source.take(source, now) || !self.all.take(OFFERS_TO_ALL, now) {
            return Err(DropReason::Rate);
        }
        self.offers.retain(|offer| now < offer.until);
        let known = self.offers.iter().position(|offer| {
            offer.ids.remote == remote && offer.identity.instance == identity.instance
        });
        let at = known.unwrap_or_else(|| {
            if self.offers.len() == OFFERS_MAX {
                self.offers.pop_front();
            }
            let ids = Ids {
                local: fresh,
                remote,
            };
            let sealer = Sealer::new(ids);
            self.offers.push_back(Offer {
                ids,
                identity,
                sealer,
                path,
                until: now + PATIENCE,
            });
            self.offers.len() - 1
        });
        Ok(&mut self.offers[at])
    }

    /// Whether the session named `ids` was offered.
    pub(super) fn is_offered(&self, ids: Ids, now: Duration) -> bool {
        self.offers
            .iter()
            .any(|offer| offer.ids == ids && now < offer.until)
    }

    /// Takes the offer that is taken up.
    pub(super) fn take_offer(&mut self, ids: Ids) -> Option<Offer> {
        let at = self.offers.iter().position(|offer| offer.ids == ids)?;
        self.offers.remove(at)
    }

    /// Withdraws what was offered to a stack.
    pub(super) fn withdraw_offers(&mut self, instance: u64) {
        self.offers
            .retain(|offer| offer.identity.instance != instance);
    }
}

#[cfg(test)]
mod tests;
