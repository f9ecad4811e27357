//! Orders that are passed on: an operator asks a member for something on another's host.
//!
//! ```text
//!  operator ──Ask──▶ this stack ──Fact::Asked──▶ member: considers, obeys
//!           ◀─Answer─           ◀─Fact::Answered─
//! ```
//!
//! A member obeys as if it were asked on its own host, for whoever may ask here has
//! the right to, and the group's key says that it was asked here. Only what is about
//! its connections can be asked of it; nobody makes another stack give a DVIPA up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Effect, Phase, Scope, Stack, Vary};
use crate::engine::definitions::ORDERS_KEY;
use crate::engine::fact::{Ask, Fact, Outcome, Remaining};
use crate::engine::message::Message;

/// How long a member may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Services of which one fact tells the remaining connections at most.
const SERVICES_PER_FACT: usize = 1_000;

/// What was asked of members, and is not answered yet.
pub(super) type Passed = BTreeMap<u64, Pending>;

/// One question.
#[derive(Debug)]
pub(super) struct Pending {
    to: String,
    until: Duration,
    /// What has been answered so far.
    left: Vec<Remaining>,
}

impl Ask {
    /// The order that it is.
    ///
    /// # Errors
    ///
    /// It is the question for the connections that are left of this.
    pub fn order(self) -> Result<Vary, Scope> {
        Ok(match self {
            Self::Quiesce(scope) => Vary::Quiesce(scope),
            Self::Resume(scope) => Vary::Resume(scope),
            Self::Weigh(scope, weight) => Vary::Weigh(scope, weight),
            Self::Drain { scope, within } => Vary::Drain { scope, within },
            Self::Remaining(scope) => return Err(scope),
        })
    }
}

impl Stack {
    /// Lets the members know that this stack takes orders.
    pub(super) fn offer_to_obey() -> Effect {
        Effect::Publish {
            key: ORDERS_KEY.to_owned(),
            value: "1".to_owned(),
        }
    }

    /// Asks a member, if it can be asked; [`Effect::Answer`] has what came of it.
    pub(super) fn pass_on(
        &mut self,
        to: &str,
        request: u64,
        ask: Ask,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if let Err(reason) = self.could_ask(to) {
            let outcome = Outcome::Refused(reason);
            return effects.push(Effect::Answer { request, outcome });
        }
        let pending = Pending {
            to: to.to_owned(),
            until: now + PATIENCE,
            left: Vec::new(),
        };
        self.passed.insert(request, pending);
        effects.push(Effect::Send {
            to: to.to_owned(),
            fact: Fact::Asked { request, ask },
        });
    }

    fn could_ask(&self, to: &str) -> Result<(), String> {
        let is_present = |name: &&String| self.members[*name].left_at.is_none();
        match self.members.get(to) {
            None => {
                let present: Vec<&str> = self
                    .members
                    .keys()
                    .filter(is_present)
                    .map(String::as_str)
                    .collect();
                Err(format!(
                    "{to} is no member of the group; the others are {}",
                    if present.is_empty() {
                        "none".to_owned()
                    } else {
                        present.join(", ")
                    }
                ))
            }
            Some(member) if member.left_at.is_some() || !member.is_heard() => Err(format!(
                "{to} is not there: it has left the group, or is not heard"
            )),
            Some(member) if member.edition.is_none() => Err(format!(
                "{to} has only just joined, and not said yet what it can; try again"
            )),
            Some(member) if !member.takes_orders => Err(format!(
                "{to} runs an older release, which takes no orders from other members; give the \
                 order on its own host"
            )),
            Some(_) => Ok(()),
        }
    }

    /// Does what an operator asks on another member's host.
    pub(super) fn take_ask(
        &mut self,
        from: &str,
        request: u64,
        ask: Ask,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let vary = match ask.order() {
            Ok(vary) => vary,
            Err(scope) => {
                return effects.push(Effect::CountRemaining {
                    to: from.to_owned(),
                    request,
                    served: self.served(scope),
                });
            }
        };
        let outcome = if matches!(self.phase, Phase::Stopping | Phase::Stopped) {
            Outcome::Refused(format!("{} is being stopped", self.name))
        } else if let Err(refused) = self.consider(&vary) {
            Outcome::Refused(refused.to_string())
        } else {
            effects.push(Effect::Tell(Message::Passed {
                by: from.to_owned(),
            }));
            self.obey_order(&vary, now, effects);
            let done = Message::Varied(vary);
            Outcome::Done(format!("{} {done}", done.kind().id))
        };
        effects.push(answered(from, request, 0, outcome));
    }

    /// Answers what was asked by a member.
    pub(super) fn answer_ask(to: &str, request: u64, outcome: Outcome, effects: &mut Vec<Effect>) {
        let Outcome::Remaining(left) = outcome else {
            return effects.push(answered(to, request, 0, outcome));
        };
        let parts = left.chunks(SERVICES_PER_FACT);
        let mut parts_left = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        if parts_left == 0 {
            let nothing = Outcome::Remaining(Vec::new());
            return effects.push(answered(to, request, 0, nothing));
        }
        for part in parts {
            parts_left -= 1;
            let part = Outcome::Remaining(part.to_vec());
            effects.push(answered(to, request, parts_left, part));
        }
    }

    /// Takes a member's answer, or part of it.
    pub(super) fn take_answer(
        &mut self,
        from: &str,
        request: u64,
        parts_left: u32,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) {
        let pending = self.passed.get_mut(&request);
        let Some(pending) = pending.filter(|pending| pending.to == from) else {
            return;
        };
        let outcome = match outcome {
            Outcome::Remaining(left) => {
                pending.left.extend(left);
                if parts_left > 0 {
                    return;
                }
                Outcome::Remaining(std::mem::take(&mut pending.left))
            }
            other @ (Outcome::Done(_) | Outcome::Refused(_) | Outcome::Unknown(_)) => other,
        };
        self.passed.remove(&request);
        effects.push(Effect::Answer { request, outcome });
    }

    /// When a member should have answered.
    pub(super) fn answer_deadline(&self) -> Option<Duration> {
        self.passed.values().map(|pending| pending.until).min()
    }

    /// Gives up who has not answered in time.
    pub(super) fn give_up_answers(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for (request, pending) in self
            .passed
            .extract_if(.., |_, pending| now >= pending.until)
        {
            let reason = format!(
                "{} has not answered within {} s, and whether it has obeyed is not known",
                pending.to,
                PATIENCE.as_secs()
            );
            let outcome = Outcome::Unknown(reason);
            effects.push(Effect::Answer { request, outcome });
        }
    }

    /// Waits no longer for a member that is gone.
    pub(super) fn forget_answers(&mut self, name: &str, effects: &mut Vec<Effect>) {
        let of_name = |_: &u64, pending: &mut Pending| pending.to == name;
        for (request, _) in self.passed.extract_if(.., of_name) {
            let outcome = Outcome::Unknown(format!(
                "{name} has gone before it answered, and whether it has obeyed is not known"
            ));
            effects.push(Effect::Answer { request, outcome });
        }
    }
}

fn answered(to: &str, request: u64, parts_left: u32, outcome: Outcome) -> Effect {
    Effect::Send {
        to: to.to_owned(),
        fact: Fact::Answered {
            request,
            parts_left,
            outcome,
        },
    }
}
