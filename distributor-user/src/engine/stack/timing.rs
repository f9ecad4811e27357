//! What a stack does when its time has come: at a moment that it has named, and about once a second.

use std::time::Duration;

use super::{Effect, Stack};
use crate::engine::ownership::Input;

/// How long a departed member's flows are kept, so that its restart finds them.
pub(super) const FORGET_MEMBER: Duration = Duration::from_mins(10);

impl Stack {
    /// When [`Event::Timer`](super::Event::Timer) is due; asked again after every event.
    #[must_use]
    pub fn next_timer(&self) -> Option<Duration> {
        let members = self.members.values();
        let members =
            members.flat_map(|member| member.probe_at.into_iter().chain(member.give_up_at));
        self.ownership
            .next_timer()
            .into_iter()
            .chain(members)
            .chain(self.preparation_deadline())
            .chain(self.drain_deadline())
            .chain(self.warmed_at)
            .chain(self.answer_deadline())
            .min()
    }

    /// Does whatever is due by now.
    pub(super) fn do_what_is_due(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.probe_again(now, effects);
        self.give_up(now, effects);
        self.end_drain(now, effects);
        self.give_up_answers(now, effects);
        self.warm_up(now);
        self.decide(Input::Timer, now, effects);
    }

    /// What is done about once a second.
    pub(super) fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let departed: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| {
                member
                    .left_at
                    .is_some_and(|left_at| now.saturating_sub(left_at) >= FORGET_MEMBER)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in departed {
            if let Some(member) = self.members.remove(&name) {
                effects.extend(member.xcf.iter().map(Effect::ForgetTarget));
                self.decide(Input::Left(name), now, effects);
            }
        }
        self.forget_senders(now);
        self.forget_tunnels(now);
        self.grow_up(now, effects);
        self.decide(Input::Timer, now, effects);
        self.owning.expire_relays(now);
        self.release_idle(effects);
        self.audit(now, effects);
    }
}
