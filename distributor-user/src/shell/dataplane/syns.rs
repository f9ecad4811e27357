//! SYNs on the way to other stacks, and from them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Dataplane;

impl Dataplane {
    /// How many SYNs were sent to each target, by its DYNAMICXCF address, repeated ones included.
    #[must_use]
    pub fn syns_sent(&self) -> BTreeMap<IpAddr, u64> {
        let slots = self.slots.all();
        slots
            .map(|(address, slot)| (address, self.syns[usize::from(slot)].sent.load()))
            .collect()
    }

    /// How many were taken from the stack with this DYNAMICXCF address, which distributed them.
    #[must_use]
    pub fn syns_taken(&self, from: IpAddr) -> u64 {
        let slot = self.slots.slot(from);
        slot.map_or(0, |slot| self.syns[usize::from(slot)].taken.load())
    }

    /// Begins to count anew for slots that have become another stack's to have.
    pub(super) fn forget_syns(&self, slots: &[u16]) {
        for slot in slots {
            let syns = &self.syns[usize::from(*slot)];
            syns.sent.store(0);
            syns.taken.store(0);
        }
    }
}
