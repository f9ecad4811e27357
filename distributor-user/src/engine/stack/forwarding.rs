//! What the packet path of this stack should do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::desired::Placement;
use super::{Member, Stack};
use crate::engine::config::{Destinations, Service, Terms};
use crate::engine::fact::ReadyRow;
use crate::engine::forwarding::{
    Affinity, Choice, DvipaForwarding, Forwarding, Path, ServiceKey, ServiceTargets,
};
use crate::engine::selection::{self, Ready, Row};
use crate::engine::xcf::XcfAddresses;

/// Most targets that one service can have.
pub(super) const MAX_ROWS: usize = 32;

/// How long what an earlier daemon knew of the members' Ethernet addresses is believed.
const BELIEVE_SENDERS: Duration = Duration::from_secs(10);

impl Stack {
    pub(super) fn forwarding(
        &mut self,
        placements: &BTreeMap<IpAddr, Placement>,
        now: Duration,
    ) -> Forwarding {
        let mut rows = std::mem::take(&mut self.rows);
        let (ready, loads) = (self.ready(), self.loads());
        let connectivity = self.connectivity();
        self.weighs = false;
        let mut forwarding = Forwarding::default();
        let mut alike = Alike::default();
        let distributed: Vec<Arc<[Service]>> = self
            .ownership
            .dvipas()
            .filter(|dvipa| self.ownership.is_owner(*dvipa) || self.is_claimant(*dvipa))
            .filter_map(|dvipa| self.shared_distribution(dvipa))
            .collect();
        for service in distributed.iter().flat_map(|services| services.iter()) {
            let key = ServiceKey::of(service);
            let before = rows.get(&key);
            let after = alike.rows(before, &service.terms, || self.update_rows(before, service));
            let ready = ready.get(&key).map_or(&[][..], Vec::as_slice);
            self.weighs |= selection::is_weighted(&service.terms);
            let row = |target: &IpAddr| {
                let ready = ready.iter().find(|(ready, _)| ready == target);
                let ready = ready.map(|(_, said)| *said);
                let load = loads.of(&service.terms, key, *target);
                let tcsr = connectivity.get(target).copied();
                Row::new(&service.terms, *target, ready, load, tcsr)
            };
            let mut known: Vec<Row> = after.iter().map(row).collect();
            if service.terms.method.has_slow_start() {
                self.warming.warm(key, &mut known, now);
            } else {
                self.warming.forget(&key);
            }
            let known = Known {
                rows: known,
                active: self.active(&key, &service.terms),
            };
            let (ring, choice, affinity) = alike.ring(&service.terms, known);
            rows.insert(key, Arc::clone(&after));
            let targets = ServiceTargets {
                rows: after,
                ring,
                choice,
                affinity,
            };
            forwarding.services.insert(key, targets);
        }
        self.warming
            .retain(|key| forwarding.services.contains_key(key));
        self.compiled_at = now;
        self.warmed_at = self.warming.next(now);
        forwarding.kept = self.kept(placements.keys(), &ready, &loads);
        let targets: BTreeSet<IpAddr> = alike.targets;
        // A target that was taken out of a service keeps the connections that it has, and their path.
        let former = self.applied.forwarding.targets.keys().copied();
        let former = former.filter(|target| self.is_member(*target));
        forwarding.dvipas = self.dvipas_forwarded(placements, now);
        let offered = forwarding.dvipas.values().flat_map(|dvipa| {
            let stacks = dvipa.offers.iter().copied();
            stacks.chain(dvipa.owner).chain(dvipa.claimant)
        });
        let offered: BTreeSet<IpAddr> = offered.collect();
        forwarding.senders = self.senders();
        forwarding.tunnels = self.tunnels();
        forwarding.targets = former
            .chain(targets)
            .chain(offered)
            .chain(forwarding.senders.values().flat_map(|member| member.iter()))
            .chain(forwarding.tunnels.values().flat_map(|member| member.iter()))
            .map(|target| (target, self.path_to(target)))
            .collect();
        self.rows = rows;
        forwarding
    }

    /// Lists the targets that may receive a new connection, by service, and how they take them.
    fn ready(&self) -> BTreeMap<ServiceKey, Vec<(IpAddr, Ready)>> {
        let mut ready: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let others = self.members.values().filter(|member| !member.is_lost());
        let others = others.map(|member| (member.xcf, &member.readiness, Some(member)));
        let own = self.xcf().map(|own| (own, &self.readiness, None));
        for (stack, readiness, member) in others.chain(own) {
            let may_take = |row: &&ReadyRow| row.listeners > 0 && !row.is_quiesced;
            for row in readiness.ready.iter().filter(may_take) {
                let (dvipa, port) = (row.dvipa, row.port);
                let Some(target) = stack.as_target(dvipa) else {
                    continue;
                };
                if member.is_some_and(|member| !self.is_reached(member, target)) {
                    continue;
                }
                let said = Ready {
                    responsiveness: row.responsiveness,
                    weight: row.weight,
                };
                ready
                    .entry(ServiceKey { dvipa, port })
                    .or_default()
                    .push((target, said));
            }
        }
        ready
    }

    /// Says whether a stack of the group, present or not forgotten, has this DYNAMICXCF address.
    fn is_member(&self, dynamic_xcf: IpAddr) -> bool {
        let mut members = self.members.values();
        self.has_address(dynamic_xcf) || members.any(|member| member.xcf.contain(dynamic_xcf))
    }

    /// Appends the targets that have become known to the rows of a service; none ever moves.
    fn update_rows(&self, before: Option<&Arc<[IpAddr]>>, service: &Service) -> Vec<IpAddr> {
        let destinations = &service.terms.destinations;
        let targets: Vec<IpAddr> = match destinations {
            Destinations::List(_) => destinations.addresses().collect(),
            Destinations::All => {
                let present = self
                    .members
                    .values()
                    .filter(|member| member.left_at.is_none());
                let stacks = present.map(|member| member.xcf).chain(self.xcf());
                let all: BTreeSet<IpAddr> = stacks
                    .filter_map(|stack| stack.as_target(service.dvipa))
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
        if self.has_address(target) {
            return Path::Local;
        }
        let before = self.applied.forwarding.targets.get(&target).copied();
        if let Some(path) = self.path_by_route(target).or_else(|| {
            // Until the kernel has said how, as an earlier daemon did.
            before.filter(|path| self.may_be_routed(target) && matches!(path, Path::Tunnel { .. }))
        }) {
            return path;
        }
        // A departed member of the same address may still stand beside the one that replaced it.
        self.members
            .values()
            .filter(|member| member.xcf.contain(target))
            .min_by_key(|member| member.left_at.is_some())
            .map(Member::path)
            .filter(|path| *path != Path::Unreachable)
            // One that an earlier daemon used may still lead to living connections.
            .or(before)
            .unwrap_or(Path::Unreachable)
    }

    /// Says whether this stack is about to own a DVIPA, so that its owner may relay to it already.
    fn is_claimant(&self, dvipa: IpAddr) -> bool {
        self.ownership.holding(dvipa).claimant == Some(self.name.as_str())
    }

    /// Who may send packets for each DVIPA that is here, and whom they are offered to.
    fn dvipas_forwarded(
        &self,
        placements: &BTreeMap<IpAddr, Placement>,
        now: Duration,
    ) -> BTreeMap<IpAddr, DvipaForwarding> {
        let claimed = self
            .ownership
            .dvipas()
            .filter(|dvipa| self.is_claimant(*dvipa));
        let concerned: BTreeSet<IpAddr> = placements.keys().copied().chain(claimed).collect();
        let dvipas = concerned.into_iter().map(|dvipa| {
            let holding = self.ownership.holding(dvipa);
            let own = self.xcf().map(|own| own.about(dvipa));
            let owner = match (holding.owner, placements.get(&dvipa)) {
                // What was given up and lives on is this stack's own.
                (None, Some(Placement::Owned)) => own,
                (owner, _) => owner.and_then(|owner| self.address_of(owner, dvipa)),
            };
            let offers = self.standing.offers.get(&dvipa);
            let claimant = holding.claimant;
            let claimant = claimant.and_then(|claimant| self.address_of(claimant, dvipa));
            // As long as it does not know its targets, an owner refuses nothing.
            let unsure = || {
                let is_mine = owner.is_some() && owner == own;
                owner.filter(|_| is_mine && self.misses_targets(dvipa, now))
            };
            let forwarded = DvipaForwarding {
                owner,
                claimant: claimant.or_else(unsure),
                offers: offers.map(Arc::clone).unwrap_or_default(),
                epoch: holding.epoch,
                has_successor: self.standing.shared.contains(&dvipa),
            };
            (dvipa, forwarded)
        });
        dvipas.collect()
    }

    /// Stops to believe what an earlier daemon knew of the members' Ethernet addresses.
    pub(super) fn forget_senders(&mut self, now: Duration) {
        if now >= self.began + BELIEVE_SENDERS && !self.adopted_senders.is_empty() {
            self.adopted_senders.clear();
            self.is_dirty = true;
        }
    }

    /// Which member sends from which Ethernet address.
    ///
    /// What an earlier daemon knew holds until every neighbour should be resolved again: a packet that
    /// nobody is known to have sent on would be relayed back, and would go round until its TTL ends.
    fn senders(&self) -> BTreeMap<[u8; 6], XcfAddresses> {
        let mut senders = BTreeMap::new();
        for member in self.members.values() {
            for path in member.paths.keys() {
                if let Some(hop) = self.hops.get(path).filter(|hop| hop.is_direct) {
                    senders.insert(hop.next_hop_mac, member.xcf);
                }
            }
        }
        for (mac, member) in &self.adopted_senders {
            senders.entry(*mac).or_insert(*member);
        }
        senders
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
    choice: Choice,
    affinity: Option<Affinity>,
    /// The targets of all services so far.
    targets: BTreeSet<IpAddr>,
    /// What the ring was compiled from.
    known: Option<(Arc<Terms>, Known)>,
}

/// What a ring is compiled from, beside the terms.
#[derive(PartialEq, Eq)]
struct Known {
    rows: Vec<Row>,
    active: Option<IpAddr>,
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

    /// Returns the ring of the next service, how a place of it is chosen, and who keeps a target.
    fn ring(&mut self, terms: &Arc<Terms>, known: Known) -> (Arc<[u16]>, Choice, Option<Affinity>) {
        let is_same = self
            .known
            .as_ref()
            .is_some_and(|(last, before)| last == terms && *before == known);
        if !is_same {
            let ring = selection::ring(terms, &known.rows, known.active);
            self.choice = selection::choice(terms, &known.rows, &ring);
            if *self.ring != *ring {
                self.ring = ring.into();
            }
            self.affinity = selection::affinity(terms, &known.rows);
            self.known = Some((Arc::clone(terms), known));
        }
        let ring = Arc::clone(&self.ring);
        (ring, self.choice.clone(), self.affinity.clone())
    }
}
