//! What is done about the words of others.

use std::net::IpAddr;
use std::time::Duration;

use super::announcement::announce;
use super::record::{Accepted, Promise, Record, Role};
use super::{Epoch, Liveness, Message, Output, Ownership, Refusal, Word};

/// How long a promise holds.
const PROMISE: Duration = Duration::from_secs(1);
/// When a claim is tried again that a living owner, or a better claimant, stands against.
const RETRY_SOON: Duration = Duration::from_millis(50);
/// When it is tried again at first if a member says that a dead owner lives; then twice that, and so
/// on. Most often the member finds out a moment later, and meanwhile nobody answers new connections.
const RETRY_AT_ONCE: Duration = Duration::from_millis(5);
/// When it is tried again if only time can change the answer.
pub(super) const RETRY_LATER: Duration = Duration::from_millis(300);

impl Ownership {
    pub(super) fn take_word(
        &mut self,
        from: &str,
        dvipa: IpAddr,
        word: Word,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if !self.members.contains_key(from) {
            return;
        }
        match word {
            Word::Ask {
                epoch,
                rank,
                known,
                is_vacant,
                is_handover,
            } => {
                if let Some(known) = known {
                    if self.accept(dvipa, known.clone(), 0, now, out) && known.stack != from {
                        self.remind_owner(dvipa, out);
                    }
                    if is_vacant {
                        self.note_vacancy(dvipa, &known, out);
                    }
                }
                self.note_change_of_mind(from, dvipa, &epoch, out);
                let objection = self.objection(from, dvipa, &epoch, rank, is_handover);
                let word = if let Some(because) = objection {
                    if because == Refusal::OwnerLives {
                        self.remind_owner(dvipa, out);
                    }
                    let epoch = Some(epoch);
                    Word::Refuse { epoch, because }
                } else {
                    self.promise(dvipa, &epoch, rank, now, out);
                    Word::Promise { epoch }
                };
                say(out, from, dvipa, word);
            }
            Word::Promise { epoch } => {
                if let Some(Record {
                    role: Role::Asking(asking),
                    ..
                }) = self.records.get_mut(&dvipa)
                    && asking.epoch == epoch
                {
                    asking.pending.remove(from);
                }
            }
            Word::Refuse { epoch, because } => {
                self.take_refusal(dvipa, epoch.as_ref(), &because, now, out);
            }
            Word::Inquire { claim, known } => {
                self.recall(from, dvipa, known, now, out);
                self.take_request(from, dvipa, claim, None, now, out);
            }
            Word::HandedOver { epoch } | Word::Recall { epoch } => {
                self.take_over(from, dvipa, epoch, now, out);
            }
            Word::Willing => {
                if let Some(record) = self.records.get_mut(&dvipa)
                    && matches!(record.role, Role::Inquiring { .. })
                {
                    record.role = Role::Preparing;
                    out.push(Output::Changed(dvipa));
                    out.push(Output::Prepare(dvipa));
                }
            }
            Word::HandOver { epoch, claim } => {
                self.take_request(from, dvipa, claim, Some(epoch), now, out);
            }
            Word::Own {
                epoch,
                rank,
                is_vacating,
            } => self.take_owner(from, dvipa, epoch, rank, is_vacating, now, out),
            Word::Vacant { epoch } => {
                self.accept(dvipa, epoch.clone(), 0, now, out);
                self.note_vacancy(dvipa, &epoch, out);
                say(out, from, dvipa, Word::Heed { epoch });
            }
            Word::Heed { epoch } => {
                if let Some(record) = self.records.get_mut(&dvipa)
                    && let (Some(announcement), Some(accepted)) =
                        (&mut record.announcement, &record.accepted)
                    && accepted.epoch == epoch
                {
                    announcement.unheeded.remove(from);
                }
            }
        }
    }

    /// Takes note that an owner has given the DVIPA up, unless a later one is known.
    fn note_vacancy(&mut self, dvipa: IpAddr, epoch: &Epoch, out: &mut Vec<Output>) {
        if let Some(record) = self.records.get_mut(&dvipa)
            && let Some(accepted) = &mut record.accepted
            && accepted.epoch == *epoch
            && !accepted.is_vacant
            && !record.role.is_active()
        {
            accepted.is_vacant = true;
            record.successor_is_told(&self.name);
            out.push(Output::Changed(dvipa));
        }
    }

    /// Takes note that the owner, who was about to give the DVIPA away, wants it again: it has been
    /// restarted since, and does not know of its plans. Who waited for it to hand over would wait for
    /// ever.
    fn note_change_of_mind(
        &mut self,
        from: &str,
        dvipa: IpAddr,
        epoch: &Epoch,
        out: &mut Vec<Output>,
    ) {
        if let Some(record) = self.records.get_mut(&dvipa)
            && let Some(accepted) = &mut record.accepted
            && accepted.epoch.stack == from
            && accepted.epoch < *epoch
            && accepted.is_vacating
        {
            accepted.is_vacating = false;
            out.push(Output::Changed(dvipa));
        }
    }

    /// What stands against a claim, if anything does.
    fn objection(
        &mut self,
        from: &str,
        dvipa: IpAddr,
        epoch: &Epoch,
        rank: u8,
        is_handover: bool,
    ) -> Option<Refusal> {
        let outranks = self.outranks(dvipa, rank, from);
        let record = self.records.entry(dvipa).or_default();
        record.highest = record.highest.max(epoch.counter);
        if epoch.counter <= record.floor {
            let counter = record.floor;
            return Some(Refusal::Below { counter });
        }
        if let Some(accepted) = &record.accepted {
            if *epoch <= accepted.epoch {
                return Some(Refusal::Later {
                    epoch: accepted.epoch.clone(),
                    rank: accepted.rank,
                });
            }
            let owner = &accepted.epoch.stack;
            let lives = if *owner == self.name {
                record.is_active()
            } else {
                self.members
                    .get(owner)
                    .is_some_and(|liveness| *liveness != Liveness::Dead)
            };
            if lives && !accepted.is_vacant && owner != from && !is_handover {
                return Some(Refusal::OwnerLives);
            }
        }
        // Of two claimants at once, the better right is heard; the other comes back.
        let is_promised = record.promise.as_ref().is_some_and(|promise| {
            let other = promise.epoch.stack.as_str();
            other != from && (promise.rank, from) > (rank, other)
        });
        (outranks || is_promised).then_some(Refusal::Outranked)
    }

    fn promise(
        &mut self,
        dvipa: IpAddr,
        epoch: &Epoch,
        rank: u8,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let record = self.records.entry(dvipa).or_default();
        record.promise = Some(Promise {
            epoch: epoch.clone(),
            rank,
            until: now + PROMISE,
        });
        out.push(Output::Changed(dvipa));
        if let Some(accepted) = &mut record.accepted
            && accepted.epoch.stack == self.name
            && !accepted.is_vacant
            && !record.role.is_active()
        {
            // It was the owner and is not any more: the others need not wait for it either.
            accepted.is_vacant = true;
            record.announcement = Some(announce(&self.members, now));
        }
        // A promise ends a claim of this stack's own.
        if matches!(
            record.role,
            Role::Inquiring { .. } | Role::Preparing | Role::Asking(_)
        ) {
            self.give_way(dvipa, RETRY_LATER, now, out);
        }
    }

    fn take_refusal(
        &mut self,
        dvipa: IpAddr,
        asked: Option<&Epoch>,
        because: &Refusal,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if let Refusal::Later { epoch, rank } = because {
            if self.accept(dvipa, epoch.clone(), *rank, now, out) {
                self.remind_owner(dvipa, out);
            }
            if let Some(record) = self.records.get_mut(&dvipa)
                && let Some(accepted) = &mut record.accepted
                && accepted.epoch == *epoch
            {
                // It may have been known by its epoch only.
                accepted.rank = accepted.rank.max(*rank);
            }
        }
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        if let Refusal::Below { counter } = because {
            record.highest = record.highest.max(*counter);
            let is_own = |accepted: &Accepted| Some(&accepted.epoch) == asked;
            if record.is_active() && record.accepted.as_ref().is_some_and(is_own) {
                // It goes above, and is no owner until it has.
                record.announcement = None;
                self.ask(dvipa, false, now, out);
                return;
            }
        }
        let Some(record) = self.records.get(&dvipa) else {
            return;
        };
        let concerns = match &record.role {
            Role::Asking(asking) => asked == Some(&asking.epoch),
            Role::Requesting { epoch, .. } => asked == Some(epoch),
            // It goes on asking, at its own pace.
            Role::Inquiring { .. } | Role::Bystander | Role::Preparing | Role::Active => false,
        };
        if concerns {
            let pause = match because {
                Refusal::OwnerLives => self.contradicted(dvipa),
                Refusal::Later { .. } | Refusal::Below { .. } => RETRY_SOON,
                Refusal::Outranked | Refusal::Busy | Refusal::Unwilling => RETRY_LATER,
            };
            self.give_way(dvipa, pause, now, out);
        }
    }

    /// Takes note that a member says that the owner lives; returns when to ask again.
    fn contradicted(&mut self, dvipa: IpAddr) -> Duration {
        let Some(record) = self.records.get_mut(&dvipa) else {
            return RETRY_SOON;
        };
        let pause = RETRY_AT_ONCE.saturating_mul(1 << record.contradictions.min(16));
        record.contradictions += 1;
        pause.min(RETRY_SOON)
    }

    /// Takes note of an owner, unless a later one is known; returns whether it did. Whoever else owned,
    /// or wanted to, yields.
    pub(super) fn accept(
        &mut self,
        dvipa: IpAddr,
        epoch: Epoch,
        rank: u8,
        now: Duration,
        out: &mut Vec<Output>,
    ) -> bool {
        let record = self.records.entry(dvipa).or_default();
        record.highest = record.highest.max(epoch.counter);
        let is_earlier = |accepted: &Accepted| accepted.epoch >= epoch;
        if epoch.counter < record.floor || record.accepted.as_ref().is_some_and(is_earlier) {
            return false;
        }
        if record.is_active() {
            out.push(Output::Tell(Message::Given {
                dvipa,
                to: epoch.stack.clone(),
            }));
        }
        if record
            .promise
            .as_ref()
            .is_some_and(|promise| promise.epoch <= epoch)
        {
            record.promise = None;
        }
        let is_mine = epoch.stack == self.name;
        record.accepted = Some(Accepted {
            epoch,
            rank,
            is_vacating: false,
            is_vacant: false,
        });
        record.announcement = None;
        record.contradictions = 0;
        record.vacate_at = None;
        record.asker = None;
        record.role = Role::Bystander;
        record.retry_at = is_mine.then_some(now);
        out.push(Output::Changed(dvipa));
        true
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    fn take_owner(
        &mut self,
        from: &str,
        dvipa: IpAddr,
        epoch: Epoch,
        rank: u8,
        is_vacating: bool,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if epoch.stack != from {
            return;
        }
        self.accept(dvipa, epoch.clone(), rank, now, out);
        let record = self.records.entry(dvipa).or_default();
        if epoch.counter < record.floor {
            let counter = record.floor;
            let refusal = Word::Refuse {
                epoch: Some(epoch),
                because: Refusal::Below { counter },
            };
            say(out, from, dvipa, refusal);
            return;
        }
        let Some(accepted) = &mut record.accepted else {
            return;
        };
        let word = if accepted.epoch == epoch {
            accepted.rank = rank;
            if accepted.is_vacant || accepted.is_vacating != is_vacating {
                accepted.is_vacant = false;
                accepted.is_vacating = is_vacating;
                out.push(Output::Changed(dvipa));
            }
            record.successor_is_told(&self.name);
            Word::Heed { epoch }
        } else {
            Word::Refuse {
                epoch: Some(epoch),
                because: Refusal::Later {
                    epoch: accepted.epoch.clone(),
                    rank: accepted.rank,
                },
            }
        };
        say(out, from, dvipa, word);
    }
}

pub(super) fn say(out: &mut Vec<Output>, to: &str, dvipa: IpAddr, word: Word) {
    out.push(Output::Say {
        to: to.to_owned(),
        dvipa,
        word,
    });
}
