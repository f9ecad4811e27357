//! What a stack's state asks of the kernel, and the plan that gets there.
//!
//! `Desired` is a pure function of the state; `plan` is the difference of two.
//! The order of a plan is fixed: addresses are taken away before the packet
//! path stops serving them, and given after it has begun to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::event::Effect;
use super::{Phase, Stack};
use crate::engine::config::{Destinations, Terms};
use crate::engine::forwarding::{Forwarding, Path, ServiceKey, ServiceTargets};
use crate::engine::message::Message;
use crate::engine::selection;

/// Most targets that one service can have.
pub(super) const MAX_ROWS: usize = 32;

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
}

impl Stack {
    /// Derives what this stack's state asks of the kernel.
    pub(super) fn desired(&mut self) -> Desired {
        if self.phase == Phase::Stopped {
            return Desired::default();
        }
        let placements = self.placements();
        Desired {
            forwarding: self.forwarding(&placements),
            placements,
            next_hops: self.next_hops(),
        }
    }

    fn placements(&self) -> BTreeMap<IpAddr, Placement> {
        let known: BTreeSet<IpAddr> = self
            .standing
            .definers
            .dvipas()
            .chain(self.applied.placements.keys().copied())
            .collect();
        known
            .into_iter()
            .filter_map(|dvipa| Some((dvipa, self.placement(dvipa)?)))
            .collect()
    }

    fn placement(&self, dvipa: IpAddr) -> Option<Placement> {
        let owner = self.owner(dvipa);
        let is_held =
            self.applied.placements.contains_key(&dvipa) && !self.released.contains(&dvipa);
        match owner {
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
        for (dvipa, placement) in &self.applied.placements {
            if self.is_unwanted(*dvipa) && *placement == Placement::Hidden {
                effects.push(Effect::ListConnections {
                    dvipa: *dvipa,
                    asked: None,
                });
            }
        }
        if self.quiescing().next().is_some() {
            effects.push(Effect::SnapshotFlows);
        }
    }

    /// Says whether this DVIPA need not be here: a living owner has it and this stack is no target
    /// of it any more, or its owner has withdrawn it.
    #[must_use]
    pub fn is_unwanted(&self, dvipa: IpAddr) -> bool {
        match self.owner(dvipa) {
            Some(owner) => owner != self.name && !self.is_target(dvipa),
            None => self.withdrawn.contains_key(&dvipa),
        }
    }

    /// Says whether this stack still answers for a DVIPA that it has withdrawn.
    #[must_use]
    pub fn is_quiescing(&self, dvipa: IpAddr) -> bool {
        self.applied.placements.get(&dvipa) == Some(&Placement::Owned)
            && self.withdrawn.contains_key(&dvipa)
    }

    fn forwarding(&mut self, placements: &BTreeMap<IpAddr, Placement>) -> Forwarding {
        let mut rows = std::mem::take(&mut self.rows);
        let ready = self.ready();
        let mut forwarding = Forwarding::default();
        let mut alike = Alike::default();
        for service in &self.own.services {
            if placements.get(&service.dvipa) != Some(&Placement::Owned) {
                continue;
            }
            let key = ServiceKey::of(service);
            let before = rows.get(&key);
            let after = alike.rows(before, &service.terms, || {
                self.update_rows(before, &service.terms.destinations)
            });
            let ready = ready.get(&key).map_or(&[][..], Vec::as_slice);
            let ring = alike.ring(|| {
                let eligible: Vec<bool> = after.iter().map(|row| ready.contains(row)).collect();
                selection::ring(&service.terms, &after, &eligible)
            });
            rows.insert(key, Arc::clone(&after));
            let targets = ServiceTargets { rows: after, ring };
            forwarding.services.insert(key, targets);
        }
        let targets: BTreeSet<IpAddr> = alike.targets;
        // A target that was taken out of a service keeps the connections that it has, and their path.
        let former = self.applied.forwarding.targets.keys().copied();
        let former = former.filter(|target| self.is_member(*target));
        forwarding.targets = former
            .chain(targets)
            .map(|target| (target, self.path_to(target)))
            .collect();
        self.rows = rows;
        forwarding
    }

    /// Lists the targets that may receive a new connection, by service.
    fn ready(&self) -> BTreeMap<ServiceKey, Vec<IpAddr>> {
        let mut ready: BTreeMap<ServiceKey, Vec<IpAddr>> = BTreeMap::new();
        if self.phase == Phase::Stopping {
            return ready;
        }
        let others = self
            .members
            .values()
            .filter(|member| member.left_at.is_none() && member.path() != Path::Unreachable);
        let others = others.map(|member| (member.dynamic_xcf, &member.readiness));
        let own = self.dynamic_xcf().map(|own| (own, &self.readiness));
        for (target, readiness) in others.chain(own) {
            for row in readiness.ready.iter().filter(|row| row.listeners > 0) {
                let (dvipa, port) = (row.dvipa, row.port);
                ready
                    .entry(ServiceKey { dvipa, port })
                    .or_default()
                    .push(target);
            }
        }
        ready
    }

    /// Says whether a stack of the group, present or not forgotten, has this DYNAMICXCF address.
    fn is_member(&self, dynamic_xcf: IpAddr) -> bool {
        let mut members = self.members.values();
        Some(dynamic_xcf) == self.dynamic_xcf()
            || members.any(|member| member.dynamic_xcf == dynamic_xcf)
    }

    /// Appends the targets that have become known to the rows of a service; none ever moves.
    fn update_rows(
        &self,
        before: Option<&Arc<[IpAddr]>>,
        destinations: &Destinations,
    ) -> Vec<IpAddr> {
        let targets: Vec<IpAddr> = match destinations {
            Destinations::List(_) => destinations.addresses().collect(),
            Destinations::All => {
                let present = self
                    .members
                    .values()
                    .filter(|member| member.left_at.is_none());
                let all: BTreeSet<IpAddr> = present
                    .map(|member| member.dynamic_xcf)
                    .chain(self.dynamic_xcf())
                    .collect();
                all.into_iter().collect()
            }
        };
        let mut rows: Vec<IpAddr> = before.map(|rows| rows.to_vec()).unwrap_or_default();
        rows.retain(|row| destinations.include(*row));
        for target in targets {
            if !rows.contains(&target) && rows.len() < MAX_ROWS {
                rows.push(target);
            }
        }
        rows
    }

    fn path_to(&self, target: IpAddr) -> Path {
        if Some(target) == self.dynamic_xcf() {
            return Path::Local;
        }
        // A departed member of the same address may still stand beside the one that replaced it.
        self.members
            .values()
            .filter(|member| member.dynamic_xcf == target)
            .min_by_key(|member| member.left_at.is_some())
            .map(super::Member::path)
            .filter(|path| *path != Path::Unreachable)
            // One that an earlier daemon used may still lead to living connections.
            .or_else(|| self.applied.forwarding.targets.get(&target).copied())
            .unwrap_or(Path::Unreachable)
    }

    fn next_hops(&self) -> BTreeSet<NextHopKey> {
        self.members
            .values()
            .flat_map(|member| member.paths.keys().copied())
            .collect()
    }
}

/// What consecutive services have in common, so that it is derived and kept once: a statement may
/// name 64 ports and 32 targets, and there may be a thousand statements.
#[derive(Default)]
struct Alike {
    terms: Option<Arc<Terms>>,
    before: Option<Arc<[IpAddr]>>,
    rows: Arc<[IpAddr]>,
    ring: Arc<[u16]>,
    /// The targets of all services so far.
    targets: BTreeSet<IpAddr>,
}

impl Alike {
    /// Returns the rows of the next service.
    fn rows(
        &mut self,
        before: Option<&Arc<[IpAddr]>>,
        terms: &Arc<Terms>,
        derive: impl FnOnce() -> Vec<IpAddr>,
    ) -> Arc<[IpAddr]> {
        let is_same = |one: &Arc<[IpAddr]>, other: &Arc<[IpAddr]>| Arc::ptr_eq(one, other);
        let is_alike = self
            .terms
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, terms))
            && match (&self.before, before) {
                (None, None) => true,
                (Some(one), Some(other)) => is_same(one, other),
                _ => false,
            };
        if !is_alike {
            let rows = derive();
            // What was the same before, or was for the last service, is not kept twice.
            self.rows = match before {
                Some(before) if **before == *rows => Arc::clone(before),
                _ if *self.rows == *rows => Arc::clone(&self.rows),
                _ => rows.into(),
            };
            self.targets.extend(self.rows.iter());
            self.terms = Some(Arc::clone(terms));
            self.before = before.map(Arc::clone);
        }
        Arc::clone(&self.rows)
    }

    /// Returns the ring of the next service.
    fn ring(&mut self, derive: impl FnOnce() -> Vec<u16>) -> Arc<[u16]> {
        let ring = derive();
        if *self.ring != *ring {
            self.ring = ring.into();
        }
        Arc::clone(&self.ring)
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
    for dvipa in applied.placements.keys() {
        if !desired.placements.contains_key(dvipa) {
            effects.push(Effect::Place {
                dvipa: *dvipa,
                placement: None,
            });
            effects.push(Effect::Tell(Message::Released { dvipa: *dvipa }));
        }
    }
    if desired.forwarding != applied.forwarding {
        effects.push(Effect::Forward(desired.forwarding.clone()));
    }
    for (dvipa, placement) in &desired.placements {
        if applied.placements.get(dvipa) != Some(placement) {
            effects.push(Effect::Place {
                dvipa: *dvipa,
                placement: Some(placement.clone()),
            });
            effects.push(Effect::Tell(match placement {
                Placement::Owned => Message::Activated { dvipa: *dvipa },
                Placement::Hidden => Message::HeldAsTarget { dvipa: *dvipa },
            }));
        }
    }
    if !applied.placements.keys().eq(desired.placements.keys()) {
        effects.push(Effect::Watch(desired.placements.keys().copied().collect()));
    }
    *applied = desired;
}
