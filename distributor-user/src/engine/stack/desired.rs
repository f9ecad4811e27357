//! What a stack's state asks of the kernel, and the plan that gets there.
//!
//! `Desired` is a pure function of the state; `plan` is the difference of two.
//! The order of a plan is fixed: addresses are taken away before the packet
//! path stops serving them, and given after it has begun to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::event::Effect;
use super::{Phase, Stack};
use crate::engine::forwarding::{Forwarding, ServiceKey};
use crate::engine::message::Message;

/// Where a DVIPA is on this stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On the ingress interface: this stack answers for it and distributes.
    Owned,
    /// On `lo`: this stack accepts packets for it and answers for it to nobody.
    Hidden,
}

/// A way to a member: our interface and the member's address on that network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHopKey {
    /// Our interface.
    pub ifindex: u32,
    /// The member's address.
    pub destination: IpAddr,
}

/// The MAC addresses of a resolved path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// MAC address of our interface.
    pub source_mac: [u8; 6],
    /// MAC address of the next hop.
    pub next_hop_mac: [u8; 6],
    /// Whether the next hop is the destination itself, and no router.
    pub is_direct: bool,
}

/// The resolved paths.
pub(super) type Hops = BTreeMap<NextHopKey, Hop>;

/// Everything that a stack wants of its kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Which DVIPAs are here, and where.
    pub placements: BTreeMap<IpAddr, Placement>,
    /// What the packet path does.
    pub forwarding: Forwarding,
    /// Which next hops must be known.
    pub next_hops: BTreeSet<NextHopKey>,
    /// To which addresses the way must be known, whatever interface it begins with.
    pub routed: BTreeSet<IpAddr>,
    /// Of which services clients keep their listeners here, and for how many seconds.
    pub keeping: BTreeMap<ServiceKey, u16>,
}

impl Stack {
    /// Derives what this stack's state asks of the kernel.
    pub(super) fn desired(&mut self, now: Duration) -> Desired {
        if self.phase == Phase::Stopped {
            return Desired::default();
        }
        let placements = self.placements();
        Desired {
            forwarding: self.forwarding(&placements, now),
            keeping: self.keeping(placements.keys()),
            placements,
            next_hops: self.next_hops(),
            routed: self.routed(),
        }
    }

    fn placements(&self) -> BTreeMap<IpAddr, Placement> {
        let known: BTreeSet<IpAddr> = self
            .ownership
            .dvipas()
            .chain(self.applied.placements.keys().copied())
            .collect();
        known
            .into_iter()
            .filter_map(|dvipa| Some((dvipa, self.placement(dvipa)?)))
            .collect()
    }

    fn placement(&self, dvipa: IpAddr) -> Option<Placement> {
        let is_held =
            self.applied.placements.contains_key(&dvipa) && !self.released.contains(&dvipa);
        match self.owner(dvipa) {
            Some(owner) if owner == self.name => Some(Placement::Owned),
            Some(_) if self.is_target(dvipa) => Some(Placement::Hidden),
            // Its connections live on until `release_idle` finds that none is left: those that end
            // here, and those that come through here to the targets.
            None if is_held && self.is_quiescing(dvipa) => Some(Placement::Owned),
            _ if is_held => Some(Placement::Hidden),
            _ => None,
        }
    }

    /// Looks for the connections of each DVIPA that is held though nobody wants it here.
    pub(super) fn release_idle(&mut self, effects: &mut Vec<Effect>) {
        let hidden = self.applied.placements.iter();
        let hidden = hidden.filter(|(_, placement)| **placement == Placement::Hidden);
        let hidden = hidden.map(|(dvipa, _)| *dvipa);
        let dvipas: Vec<IpAddr> = hidden.filter(|dvipa| self.is_unwanted(*dvipa)).collect();
        if !dvipas.is_empty() {
            let asked = None;
            effects.push(Effect::ListConnections { dvipas, asked });
        }
        if self.quiescing().next().is_some() {
            effects.push(Effect::SnapshotFlows);
        }
    }

    /// Says whether this DVIPA need not be here: a living owner has it and this stack is no target
    /// of it any more, or its owner has given it up.
    #[must_use]
    pub fn is_unwanted(&self, dvipa: IpAddr) -> bool {
        let holding = self.ownership.holding(dvipa);
        match holding.owner {
            Some(owner) => {
                owner != self.name && !self.is_target(dvipa) && !self.owning.relays(dvipa)
            }
            None => holding.vacated_by.is_some(),
        }
    }

    fn next_hops(&self) -> BTreeSet<NextHopKey> {
        self.members
            .values()
            .flat_map(|member| member.paths.keys().copied())
            .collect()
    }
}

/// Appends to `effects` what leads from `applied` to `desired`, and updates `applied`.
///
/// While settling, an adopted packet path is left as it is and no address is taken away.
pub(super) fn plan(
    applied: &mut Desired,
    mut desired: Desired,
    is_settling: bool,
    effects: &mut Vec<Effect>,
) {
    if is_settling {
        desired.forwarding = applied.forwarding.clone();
        for (dvipa, placement) in &applied.placements {
            desired
                .placements
                .entry(*dvipa)
                .or_insert_with(|| placement.clone());
        }
    }
    if desired.next_hops != applied.next_hops {
        effects.push(Effect::Resolve(desired.next_hops.clone()));
    }
    if desired.routed != applied.routed {
        effects.push(Effect::Route(desired.routed.clone()));
    }
    for dvipa in applied.placements.keys() {
        if !desired.placements.contains_key(dvipa) {
            effects.push(Effect::Place {
                dvipa: *dvipa,
                placement: None,
            });
            effects.push(Effect::Tell(Message::Released { dvipa: *dvipa }));
        }
    }
    // What is no longer owned is first no longer answered for: a packet path that does not own a
    // DVIPA lets every question for it through to the kernel.
    let changed = desired.placements.iter();
    let changed =
        changed.filter(|(dvipa, placement)| applied.placements.get(dvipa) != Some(*placement));
    let (activated, hidden): (Vec<_>, Vec<_>) =
        changed.partition(|(_, placement)| **placement == Placement::Owned);
    place(&hidden, effects);
    if desired.forwarding != applied.forwarding {
        effects.push(Effect::Forward(desired.forwarding.clone()));
    }
    place(&activated, effects);
    if desired.keeping != applied.keeping {
        effects.push(Effect::KeepListeners(desired.keeping.clone()));
    }
    if !applied.placements.keys().eq(desired.placements.keys()) {
        effects.push(Effect::Watch(desired.placements.keys().copied().collect()));
    }
    *applied = desired;
}

fn place(changed: &[(&IpAddr, &Placement)], effects: &mut Vec<Effect>) {
    for &(dvipa, placement) in changed {
        let dvipa = *dvipa;
        effects.push(Effect::Place {
            dvipa,
            placement: Some(placement.clone()),
        });
        effects.push(Effect::Tell(match placement {
            Placement::Owned => Message::Activated { dvipa },
            Placement::Hidden => Message::HeldAsTarget { dvipa },
        }));
    }
}
