//! Readiness: what listens here and at the other members, and who must know it.

use std::collections::BTreeSet;

use super::{Effect, Phase, Stack};
use crate::engine::definitions::{READINESS_KEY, Readiness};
use crate::engine::fact::{Fact, ReadyRow};
use crate::engine::message::Message;

impl Stack {
    pub(super) fn take_readiness(
        &mut self,
        name: &str,
        readiness: Readiness,
        effects: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        if member.left_at.is_some() || readiness.revision <= member.readiness.revision {
            return;
        }
        let mut readiness = readiness;
        readiness.ready.sort_unstable();
        let before = std::mem::replace(&mut member.readiness, readiness);
        let after = member.readiness.clone();
        for key in self.applied.forwarding.services.keys() {
            let had = before.listeners(key.dvipa, key.port) > 0;
            let has = after.listeners(key.dvipa, key.port) > 0;
            let (dvipa, port, target) = (key.dvipa, key.port, name.to_owned());
            match (had, has) {
                (false, true) => {
                    effects.push(Effect::Tell(Message::ServerStarted {
                        dvipa,
                        port,
                        target,
                    }));
                }
                (true, false) => {
                    effects.push(Effect::Tell(Message::ServerEnded {
                        dvipa,
                        port,
                        target,
                    }));
                }
                (true, true) => {
                    let of = |known: &Readiness| {
                        let row = known.row(dvipa, port);
                        row.map(|row| row.responsiveness).unwrap_or_default()
                    };
                    let (before, after) = (of(&before), of(&after));
                    match (before.is_lacking(), after.is_lacking()) {
                        (false, true) => effects.push(Effect::Tell(Message::Unresponsive {
                            dvipa,
                            port,
                            target,
                            responsiveness: after,
                        })),
                        (true, false) => effects.push(Effect::Tell(Message::Responsive {
                            dvipa,
                            port,
                            target,
                        })),
                        (true, true) | (false, false) => {}
                    }
                }
                (false, false) => {}
            }
        }
    }

    pub(super) fn take_listeners(&mut self, listeners: Vec<ReadyRow>, effects: &mut Vec<Effect>) {
        self.listeners = listeners;
        if matches!(self.phase, Phase::Stopping | Phase::Stopped) {
            self.listeners.clear();
        }
        self.listeners.sort_unstable();
        self.update_readiness(effects);
    }

    /// Publishes what listens here and may be sent connections, if that is something else now.
    pub(super) fn update_readiness(&mut self, effects: &mut Vec<Effect>) {
        let mut ready = self.listeners.clone();
        for row in &mut ready {
            row.is_quiesced |= self.orders.quiesce(row.port);
            row.weight = self.orders.weight(row.port);
            let fault = self.faults.get(&(row.dvipa, row.port));
            row.responsiveness = fault.copied().unwrap_or_default();
        }
        if ready == self.readiness.ready {
            return;
        }
        self.readiness = Readiness {
            revision: self.readiness.revision + 1,
            ready,
        };
        effects.push(self.publish_readiness());
    }

    pub(super) fn publish_readiness(&self) -> Effect {
        let value = serde_json::to_string(&self.readiness);
        Effect::Publish {
            key: READINESS_KEY.to_owned(),
            value: value.expect("plain data always has a JSON form"),
        }
    }

    /// Tells each owner that we are a target of what listens here, once per revision.
    pub(super) fn inform_owners(&mut self, effects: &mut Vec<Effect>) {
        let owners: BTreeSet<String> = self
            .applied
            .placements
            .keys()
            .filter_map(|dvipa| self.owner(*dvipa))
            .filter(|owner| *owner != self.name)
            .map(ToOwned::to_owned)
            .collect();
        let revision = self.readiness.revision;
        for owner in owners {
            if self.informed.get(&owner) != Some(&revision) {
                let fact = Fact::Readiness {
                    revision,
                    ready: self.readiness.ready.clone(),
                };
                effects.push(Effect::Send {
                    to: owner.clone(),
                    fact,
                });
                self.informed.insert(owner, revision);
            }
        }
    }
}
