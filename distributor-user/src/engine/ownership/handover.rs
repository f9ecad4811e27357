//! What an owner does about those who ask for its DVIPA, and they about its answer.

use std::net::IpAddr;
use std::time::Duration;

use super::announcement::announce;
use super::answer::{RETRY_LATER, say};
use super::record::{Accepted, Announcement, Asker, Record, Role};
use super::{Claim, DEFINER, Epoch, Message, Output, Ownership, Refusal, Willingness, Word};
use crate::engine::config::Moveable;

impl Ownership {
    /// Answers who asks for a DVIPA that this stack may own.
    pub(super) fn take_request(
        &mut self,
        from: &str,
        dvipa: IpAddr,
        claim: Claim,
        epoch: Option<Epoch>,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let announcement = announce(&self.members, now);
        let record = self.records.entry(dvipa).or_default();
        let yields = record.yields_to(claim);
        let Some(accepted) = &mut record.accepted else {
            return;
        };
        if accepted.epoch.stack == self.name && !record.role.is_active() && yields {
            // It was the owner and is not yet again. Who has the better right need not wait for it.
            accepted.is_vacant = true;
            record.announcement = Some(announcement);
            self.give_way(dvipa, RETRY_LATER, now, out);
            return;
        }
        if epoch.as_ref() == Some(&accepted.epoch) {
            // The answer was lost.
            let epoch = accepted.epoch.clone();
            say(out, from, dvipa, Word::HandedOver { epoch });
            return;
        }
        let refusal =
            if !record.role.is_active() || epoch.as_ref().is_some_and(|e| *e < accepted.epoch) {
                Some(Refusal::Later {
                    epoch: accepted.epoch.clone(),
                    rank: accepted.rank,
                })
            } else {
                (!yields).then_some(Refusal::Unwilling)
            };
        if let Some(because) = refusal {
            say(out, from, dvipa, Word::Refuse { epoch, because });
            return;
        }
        record.asker = Some(Asker {
            name: from.to_owned(),
            claim,
            epoch,
        });
        let moves_when_idle = record
            .stake
            .is_some_and(|stake| stake.moveable == Moveable::WhenIdle);
        if moves_when_idle && record.willingness == Willingness::Willing {
            out.push(Output::CountConnections(dvipa));
        } else {
            self.hand_over(dvipa, now, out);
        }
    }

    /// Takes the number of connections that somebody who asks for the DVIPA waits for.
    pub(super) fn take_count(
        &mut self,
        dvipa: IpAddr,
        count: u64,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if count == 0 {
            self.hand_over(dvipa, now, out);
            self.look_at(dvipa, now, out);
        } else if let Some(record) = self.records.get_mut(&dvipa)
            && let Some(Asker { name, epoch, .. }) = record.asker.take()
        {
            let because = Refusal::Busy;
            say(out, &name, dvipa, Word::Refuse { epoch, because });
        }
    }

    /// Gives the DVIPA to who asks for it, or says that it would.
    fn hand_over(&mut self, dvipa: IpAddr, now: Duration, out: &mut Vec<Output>) {
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        if !record.is_active() {
            return;
        }
        let Some(Asker { name, claim, epoch }) = record.asker.take() else {
            return;
        };
        let Some(epoch) = epoch else {
            say(out, &name, dvipa, Word::Willing);
            return;
        };
        record.highest = record.highest.max(epoch.counter);
        record.accepted = Some(Accepted {
            epoch: epoch.clone(),
            rank: claim.rank,
            is_vacating: false,
            is_vacant: false,
        });
        record.role = Role::Bystander;
        // The answer may be lost, and who asked may not ask again.
        record.announcement = Some(Announcement::to(&name, now));
        record.vacate_at = None;
        out.push(Output::Tell(Message::Given {
            dvipa,
            to: name.clone(),
        }));
        out.push(Output::Changed(dvipa));
        say(out, &name, dvipa, Word::HandedOver { epoch });
    }

    /// Takes what the owner has given to this stack, which asked for it. If it does not want it any more,
    /// it says so to all: nobody else would know.
    pub(super) fn take_over(
        &mut self,
        from: &str,
        dvipa: IpAddr,
        epoch: Epoch,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let is_due = self.records.get(&dvipa).is_some_and(|record| {
            matches!(&record.role, Role::Requesting { epoch: asked, .. } if *asked == epoch)
        });
        if is_due {
            self.activate(dvipa, epoch, now, out);
        } else {
            self.recall(from, dvipa, epoch, now, out);
        }
    }
}

impl Record {
    /// Whether this stack, the owner, yields to a claim.
    fn yields_to(&self, claim: Claim) -> bool {
        let is_vacating = self
            .accepted
            .as_ref()
            .is_some_and(|accepted| accepted.is_vacating);
        let rank = self.rank();
        is_vacating
            || claim.rank > rank
            || (claim.is_fresh && claim.rank == DEFINER && rank == DEFINER)
    }
}
