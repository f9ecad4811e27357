//! What the maps say, read back into the engine's words.
//!
//! Nothing here changes a map. A daemon that adopts a living packet path starts
//! from this, not from an empty state.

use std::collections::BTreeMap;

use distributor_common::abi::{Ring, Sender};
use distributor_common::counter::Verdict;

use super::{Dataplane, targets};
use crate::engine::forwarding::{
    Affinity, DvipaForwarding, Forwarding, ServiceKey, ServiceTargets,
};
use crate::engine::xcf::XcfAddresses;

impl Dataplane {
    /// Returns what the packet path does at present.
    #[must_use]
    pub fn forwarding(&self) -> Forwarding {
        let mut forwarding = Forwarding::default();
        for (target, address) in self.settings[0]
            .targets
            .iter()
            .filter_map(|target| Some((target, targets::address_of(target)?)))
        {
            forwarding
                .targets
                .insert(address, targets::engine_path(target.path()));
        }
        // Of services that are alike, what is theirs is kept once.
        let mut alike: BTreeMap<(Vec<u16>, u64, u64), ServiceTargets> = BTreeMap::new();
        for key in self.services.keys() {
            let (slots, ring) = self.services.read(*key);
            let place = Ring { edition: 0, ..ring }.word();
            let affinity = self.services.affinity(*key).word();
            let targets = alike
                .entry((slots, place, affinity))
                .or_insert_with_key(|(slots, ..)| self.service_targets(*key, slots, ring));
            forwarding.services.insert(*key, targets.clone());
        }
        for (dvipa, entry) in self.services.vipas() {
            let address = |slot: u16| self.address(slot);
            let offers = entry.offers.iter().copied();
            forwarding.dvipas.insert(
                dvipa,
                DvipaForwarding {
                    owner: entry.roles.owner.and_then(address),
                    claimant: entry.roles.claimant.and_then(address),
                    offers: offers.filter_map(address).collect(),
                    epoch: entry.epoch,
                    has_successor: entry.roles.has_successor,
                },
            );
        }
        forwarding.kept = self.kept.keys().copied().collect();
        let senders = self.senders.iter();
        forwarding.senders = senders
            .filter_map(|(mac, member)| Some((mac, self.member(member)?)))
            .collect();
        let tunnels = self.tunnels.iter();
        forwarding.tunnels = tunnels
            .filter_map(|(ends, member)| Some((ends, self.member(member)?)))
            .collect();
        forwarding
    }

    /// Returns by which addresses a member is known that has these slots.
    fn member(&self, member: Sender) -> Option<XcfAddresses> {
        let slots = [member.ipv4(), member.ipv6()].into_iter().flatten();
        XcfAddresses::of(slots.filter_map(|slot| self.address(slot)))
    }

    /// Returns the targets of a service, and of those that have the same slots as their rows and the
    /// same ring.
    fn service_targets(&self, key: ServiceKey, slots: &[u16], ring: Ring) -> ServiceTargets {
        let rows = slots.iter().filter_map(|slot| self.address(*slot));
        let row_of = |slot| {
            let row = slots.iter().position(|other| *other == slot)?;
            u16::try_from(row).ok()
        };
        let (places, choice) = self.services.places(ring);
        ServiceTargets {
            rows: rows.collect(),
            ring: places.filter_map(row_of).collect(),
            choice,
            affinity: self.affinity_of(key, row_of),
        }
    }

    fn affinity_of(
        &self,
        key: ServiceKey,
        row_of: impl Fn(u16) -> Option<u16>,
    ) -> Option<Affinity> {
        let affinity = self.services.affinity(key);
        let mut ready: Vec<u16> = self.services.keepable(key).filter_map(row_of).collect();
        ready.sort_unstable();
        affinity.is_on().then(|| Affinity {
            seconds: affinity.seconds,
            ready: ready.into(),
        })
    }

    /// Counts the packets that came for what is distributed here, and those of its flows.
    #[must_use]
    pub fn distributed_packets(&self) -> u64 {
        let totals = self.counters();
        let others = [
            Verdict::NotIp,
            Verdict::NotDistributed,
            Verdict::NotTcp,
            Verdict::NoService,
            Verdict::Malformed,
            Verdict::ProbeAnswered,
            Verdict::ProbeRefused,
            Verdict::SilentArp,
            Verdict::TunnelStranger,
            Verdict::TunnelOdd,
            Verdict::TunnelForeign,
        ];
        let others: u64 = others.iter().map(|verdict| totals.verdict(*verdict)).sum();
        totals.received().saturating_sub(others)
    }
}
