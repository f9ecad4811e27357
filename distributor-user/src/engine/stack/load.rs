//! What this stack and the others could still do: who is told, and when it matters.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Effect, Stack};
use crate::engine::fact::Fact;
use crate::engine::load::Load;

impl Stack {
    /// Takes what this stack could still do, if that is known, and tells the others: whoever comes to
    /// own a DVIPA knows it already.
    pub(super) fn take_own_load(&mut self, load: Option<Load>, effects: &mut Vec<Effect>) {
        self.is_dirty |= note(&mut self.load, load) && self.weighs;
        let present = self
            .members
            .iter()
            .filter(|(_, member)| member.left_at.is_none());
        effects.extend(present.map(|(name, _)| Effect::Send {
            to: name.clone(),
            fact: Fact::Load(load),
        }));
    }

    /// Takes what a member could still do.
    pub(super) fn take_load(&mut self, from: &str, load: Option<Load>) {
        if let Some(member) = self.members.get_mut(from) {
            self.is_dirty |= note(&mut member.load, load) && self.weighs;
        }
    }

    /// What each stack could still do that has said so, by its DYNAMICXCF address.
    #[must_use]
    pub fn loads(&self) -> BTreeMap<IpAddr, Load> {
        let members = self
            .members
            .values()
            .filter(|member| member.left_at.is_none());
        let members = members.filter_map(|member| Some((member.dynamic_xcf, member.load?)));
        members.chain(self.dynamic_xcf().zip(self.load)).collect()
    }
}

/// Keeps what is told if that matters; says whether it does.
fn note(known: &mut Option<Load>, told: Option<Load>) -> bool {
    let matters = match (*known, told) {
        (Some(known), Some(told)) => told.differs_from(known),
        (known, told) => known != told,
    };
    if matters {
        *known = told;
    }
    matters
}
