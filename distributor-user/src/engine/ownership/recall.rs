//! Who is taken for the owner and is not, or does not know: each reminds the other.

use std::net::IpAddr;
use std::time::Duration;

use super::announcement::announce;
use super::answer::say;
use super::record::Role;
use super::{Epoch, Liveness, Output, Ownership, Refusal, Willingness, Word};

impl Ownership {
    /// Tells a stack that it is taken for the owner, by what others say: if it has forgotten that, or
    /// knows better, nobody would ever own the DVIPA.
    pub(super) fn remind_owner(&self, dvipa: IpAddr, out: &mut Vec<Output>) {
        let record = self.records.get(&dvipa);
        if let Some(accepted) = record.and_then(|record| record.accepted.as_ref())
            && self.liveness(&accepted.epoch.stack) == Liveness::Alive
        {
            out.push(accepted.remind(dvipa));
        }
    }

    /// Takes note that this stack was the owner, as others know. If it no longer wants to be, it says
    /// so; else it claims the DVIPA again.
    pub(super) fn recall(
        &mut self,
        from: &str,
        dvipa: IpAddr,
        epoch: Epoch,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if epoch.stack != self.name {
            return;
        }
        let record = self.records.entry(dvipa).or_default();
        if record.accepted.is_none() && epoch.counter < record.floor {
            // There was a later owner; it is for others to say who.
            say(out, from, dvipa, Word::Vacant { epoch });
            return;
        }
        if let Some(accepted) = &record.accepted
            && (accepted.epoch > epoch || (accepted.epoch == epoch && accepted.is_vacant))
        {
            // Who reminds this stack has missed something.
            let (epoch, rank) = (accepted.epoch.clone(), accepted.rank);
            let word = if accepted.is_vacant {
                Word::Vacant { epoch }
            } else {
                Word::Refuse {
                    epoch: None,
                    because: Refusal::Later { epoch, rank },
                }
            };
            say(out, from, dvipa, word);
            return;
        }
        let rank = record.rank();
        self.accept(dvipa, epoch, rank, now, out);
        self.let_go(dvipa, now, out);
    }

    /// Says that nobody has a DVIPA any more whose last owner is this stack, if it does not want it back:
    /// the others would wait for it.
    pub(super) fn let_go(&mut self, dvipa: IpAddr, now: Duration, out: &mut Vec<Output>) {
        let announcement = announce(&self.members, now);
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        let wants = record.stake.is_some() && record.willingness == Willingness::Willing;
        if let Some(accepted) = &mut record.accepted
            && accepted.epoch.stack == self.name
            && !matches!(record.role, Role::Active)
            && !wants
            && !accepted.is_vacant
        {
            accepted.is_vacant = true;
            record.announcement = Some(announcement);
            out.push(Output::Changed(dvipa));
        }
    }
}
