//! Flows that targets report, living or ended, and flows of what has gone.

use std::net::IpAddr;

use distributor_common::abi::{Path, program};
use distributor_common::flow::Reported;

use super::{Dataplane, DataplaneError, clock, object};
use crate::engine::forwarding::{FlowKey, FlowState, ServiceKey};

/// What became of reported flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Flows that were stored.
    pub new: usize,
    /// Flows that were there; those that led to another target lead to the reported one now.
    pub known: usize,
    /// Flows for which there was no place: their buckets are full of established ones.
    pub full: usize,
}

impl Dataplane {
    /// Stores established flows that `target` has reported. Packets go on meanwhile; no lock is taken.
    ///
    /// # Errors
    ///
    /// There is no slot for the target, or the kernel does not tell the time.
    pub fn insert_flows(
        &mut self,
        target: IpAddr,
        flows: &[FlowKey],
    ) -> Result<Inserted, DataplaneError> {
        let slot = self.slots.assign(target, &self.settings[0].targets)?;
        let reading = clock::read(object::program_mut(&mut self.object, program::READ_CLOCKS)?)
            .map_err(|source| DataplaneError::Load {
                program: program::READ_CLOCKS,
                source,
            })?;
        let now = self.unit.stamp(reading);
        let mut inserted = Inserted::default();
        for key in flows {
            match self.flows.report(key, slot, now) {
                Some(Reported::New) => {
                    inserted.new += 1;
                    self.services.note_adopted(ServiceKey::from(key), slot, 1);
                }
                Some(Reported::Known) => inserted.known += 1,
                // What has no key that packets could have has no place either.
                Some(Reported::Full) | None => inserted.full += 1,
            }
            self.open_prefilter(key.dvipa);
        }
        Ok(inserted)
    }

    /// Marks flows as ending: the next SYN with the same addresses and ports is a new connection.
    pub fn mark_ending(&self, keys: &[FlowKey]) {
        for key in keys {
            self.flows.mark_ending(key);
        }
    }

    /// Removes every flow that leads to `target`, and returns how many there were.
    #[must_use]
    pub fn forget_target(&self, target: IpAddr) -> usize {
        self.slots
            .slot(target)
            .map_or(0, |slot| self.flows.remove_target(slot))
    }

    /// Removes those of the flows that are ending and lead to `target`, and returns how many.
    #[must_use]
    pub fn remove_ended(&self, keys: &[FlowKey], target: IpAddr) -> usize {
        let Some(slot) = self.slots.slot(target) else {
            return 0;
        };
        let removed = keys.iter().filter(|key| {
            let is_removed = self.flows.remove_ended(key, slot);
            if is_removed {
                self.services.note_ended(ServiceKey::from(*key), slot, 1);
            }
            is_removed
        });
        removed.count()
    }

    /// Removes every flow of a DVIPA, and returns how many there were.
    #[must_use]
    pub fn forget_dvipa(&self, dvipa: IpAddr) -> usize {
        self.flows.remove_dvipa(dvipa)
    }

    /// Counts the connections of a DVIPA that lead to other stacks, that their clients have
    /// completed, and that have not begun to end.
    ///
    /// What is half-open does not count: whoever sends a SYN now and then would keep a DVIPA busy for
    /// ever.
    #[must_use]
    pub fn living_flows(&self, dvipa: IpAddr) -> u64 {
        let living = self.flows().filter(|flow| {
            flow.key.dvipa == dvipa
                && flow.state == FlowState::Established
                && !self.is_local(flow.target)
        });
        living.count() as u64
    }

    /// Whether a target is this stack itself.
    fn is_local(&self, target: IpAddr) -> bool {
        let slot = self.slots.slot(target);
        let target = slot.and_then(|slot| self.settings[0].targets.get(usize::from(slot)));
        target.is_some_and(|target| target.path() == Path::Local)
    }
}
