//! What members publish by gossip, and what this stack does.

use std::collections::BTreeMap;

use super::{Effect, Stack};
use crate::engine::definitions::{DEFINITIONS_KEY, Definitions, ORDERS_KEY, READINESS_KEY};
use crate::engine::message::Message;

impl Stack {
    pub(super) fn take_state(
        &mut self,
        name: &str,
        values: &BTreeMap<String, String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        let mut unreadable = |key, error: serde_json::Error| {
            effects.push(Effect::Tell(Message::Unreadable {
                name: name.to_owned(),
                key,
                reason: error.to_string(),
            }));
        };
        member.takes_orders = values.contains_key(ORDERS_KEY);
        match Definitions::from_parts(values, member.edition) {
            Ok(Some((edition, definitions))) => {
                member.distributions = definitions.by_dvipa();
                member.definitions = definitions;
                member.edition = Some(edition);
                member.is_arriving = false;
            }
            Ok(None) => member.is_arriving = Definitions::are_arriving(values, member.edition),
            Err(error) => {
                member.is_arriving = true;
                unreadable(DEFINITIONS_KEY, error);
            }
        }
        if let Some(text) = values.get(READINESS_KEY) {
            match serde_json::from_str(text) {
                Ok(readiness) => self.take_readiness(name, readiness, effects),
                Err(error) => unreadable(READINESS_KEY, error),
            }
        }
    }

    pub(super) fn publish_definitions(&mut self) -> Vec<Effect> {
        self.edition += 1;
        let parts = self.published().to_parts(self.edition).into_iter();
        parts
            .map(|(key, value)| Effect::Publish { key, value })
            .collect()
    }
}
