//! What packets should do, put into the maps, and what they no longer need, taken out.
//!
//! Nothing is taken out because it is no longer wanted, only when neither a
//! service nor a flow leads to it: an established connection outlives the
//! service that it was made through.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aya::maps::MapError;
use distributor_common::abi::{Roles, Sender, map, program};
use distributor_common::hash::{self, PrefilterBit};

use super::services::VipaEntry;
use super::{Dataplane, DataplaneError, clock, names, object, targets};
use crate::engine::forwarding::{DvipaForwarding, Forwarding, Path};
use crate::engine::group::key::ChoiceKey;
use crate::engine::xcf::XcfAddresses;

/// A half-open flow is given up after this long: a client's SYN and its five retransmissions by
/// RFC 6298 take 63 s.
const HALF_OPEN_S: u64 = 75;

/// What was asked for a DVIPA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    forwarding: DvipaForwarding,
    /// This stack's own DYNAMICXCF address that stands for it where it is about the DVIPA, if it is
    /// known.
    own: Option<IpAddr>,
    is_distributed: bool,
}

impl Dataplane {
    /// Sets the key of choices that every stack of the group makes alike.
    pub fn set_choice_key(&self, key: ChoiceKey) {
        for (word, half) in self.settings[0].choice_key.iter().zip(key.words()) {
            word.store(half);
        }
    }

    /// Makes the packet path do what `forwarding` says.
    ///
    /// Each target, each service and each DVIPA changes in one step. What is as it should be is not
    /// touched. A DVIPA that has services but is not in the list counts as owned.
    ///
    /// # Errors
    ///
    /// A table is full, or the kernel refuses. What comes before the one at
    /// fault has been changed, what comes after it has not.
    pub fn apply(&mut self, forwarding: &Forwarding) -> Result<(), DataplaneError> {
        for (&address, &path) in &forwarding.targets {
            let slot = self.slots.assign(address, &self.settings[0].targets)?;
            if let Some(ifindex) = path.interface() {
                self.open_interface(ifindex);
            }
            let path = targets::path(path)?;
            targets::set_path(&self.settings[0].targets[usize::from(slot)], path);
        }
        let senders = forwarding.senders.iter();
        let senders = senders
            .map(|(&mac, &member)| Ok((mac, self.sender(member)?)))
            .collect::<Result<_, DataplaneError>>()?;
        self.senders.set(senders)?;
        let tunnels = forwarding.tunnels.iter();
        let tunnels = tunnels
            .map(|(&ends, &member)| Ok((ends, self.sender(member)?)))
            .collect::<Result<_, DataplaneError>>()?;
        self.tunnels.set(tunnels)?;
        for (&key, service) in &forwarding.services {
            if self.served.get(&key) == Some(service) {
                continue;
            }
            // Until the service is as it should be, nobody is to believe that it is.
            self.served.remove(&key);
            let rows = service.rows.iter();
            let rows: Vec<_> = rows
                .map(|&address| self.slots.assign(address, &self.settings[0].targets))
                .collect::<Result<_, _>>()?;
            self.services.set(key, &rows, service)?;
            self.open_prefilter(key.dvipa);
            self.served.insert(key, service.clone());
        }
        self.keep(forwarding)?;
        // Before its services go: until then this stack distributes, and afterwards it relays.
        let asked = asked(forwarding);
        for (&dvipa, asked) in &asked {
            if self.standing.get(&dvipa) == Some(asked) {
                continue;
            }
            self.standing.remove(&dvipa);
            let entry = self.vipa_entry(dvipa, asked)?;
            self.services.set_vipa(dvipa, &entry)?;
            self.open_prefilter(dvipa);
            self.standing.insert(dvipa, asked.clone());
        }
        let gone: Vec<_> = self
            .services
            .keys()
            .filter(|key| !forwarding.services.contains_key(key))
            .copied()
            .collect();
        for key in gone {
            self.served.remove(&key);
            self.services.remove(key)?;
        }
        let vipas = self.services.vipas().map(|(dvipa, _)| dvipa);
        let gone: Vec<_> = vipas.filter(|dvipa| !asked.contains_key(dvipa)).collect();
        for dvipa in gone {
            self.standing.remove(&dvipa);
            self.services.remove_vipa(dvipa)?;
        }
        Ok(())
    }

    /// The slots of a member: one that stands for it where it is about an IPv4 DVIPA, and one for IPv6.
    fn sender(&mut self, member: XcfAddresses) -> Result<Sender, DataplaneError> {
        let mut slot = |address: IpAddr| self.slots.assign(address, &self.settings[0].targets);
        let ipv4 = slot(member.ipv4().map_or(member.first(), IpAddr::V4))?;
        let ipv6 = slot(member.ipv6().map_or(member.first(), IpAddr::V6))?;
        Ok(Sender::new(Some(ipv4), Some(ipv6)))
    }

    /// Says of which services connections that start here stay here.
    fn keep(&mut self, forwarding: &Forwarding) -> Result<(), DataplaneError> {
        let mut entries = BTreeMap::new();
        let own = own(forwarding);
        for key in &forwarding.kept {
            if let Some(own) = own.and_then(|own| own.as_target(key.dvipa)) {
                let slot = self.slots.assign(own, &self.settings[0].targets)?;
                entries.insert(*key, self.services.entry(*key, slot));
            }
        }
        self.kept.set(&entries)
    }

    /// Puts what is asked for a DVIPA into slots.
    fn vipa_entry(&mut self, dvipa: IpAddr, asked: &Asked) -> Result<VipaEntry, DataplaneError> {
        let mut slot = |address: IpAddr| self.slots.assign(address, &self.settings[0].targets);
        let DvipaForwarding {
            owner,
            claimant,
            offers,
            epoch,
            has_successor,
        } = &asked.forwarding;
        let owner_slot = owner.map(&mut slot).transpose()?;
        let place = offers.iter().position(|target| Some(*target) == asked.own);
        let mut roles = Roles {
            owner: owner_slot,
            claimant: claimant.map(&mut slot).transpose()?,
            place: place.and_then(|place| u16::try_from(place).ok()),
            is_owned: owner.is_some() && *owner == asked.own,
            has_successor: *has_successor,
            is_distributed: asked.is_distributed,
            ..Roles::default()
        };
        let offers = offers.iter().copied().map(slot).collect::<Result<_, _>>()?;
        if let Some(VipaEntry { roles: before, .. }) = self.services.vipa(dvipa) {
            roles.former = if before.owner == owner_slot {
                before.former
            } else {
                before.owner.or(before.former)
            };
        }
        let epoch = *epoch;
        Ok(VipaEntry {
            roles,
            offers,
            epoch,
        })
    }

    /// Lets packets be sent out of an interface. If it is gone, they are dropped and counted until
    /// the target has another path.
    fn open_interface(&mut self, ifindex: u32) {
        if self.transmit.get(ifindex, 0).is_ok() {
            return;
        }
        if let Err(error) = self.transmit.insert(ifindex, ifindex, None, 0) {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                ifindex,
                error,
                "packets cannot be sent out of this interface"
            );
        }
    }

    /// Lets packets for an address past the prefilter.
    pub(super) fn open_prefilter(&self, dvipa: IpAddr) {
        let bit = prefilter_bit(dvipa);
        self.settings[0].prefilter[bit.word].set(bit.mask);
    }

    /// Gives up what is no longer needed: flows that stayed half-open for 75 s, and slots, interfaces
    /// and addresses to which neither a service nor a flow leads. Where the targets' connections
    /// decide, it counts them again. Call it every second or so.
    ///
    /// Returns the number of flows that were removed.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn sweep(&mut self) -> Result<usize, DataplaneError> {
        let reading = clock::read(object::program_mut(&mut self.object, program::READ_CLOCKS)?)
            .map_err(|source| DataplaneError::Load {
                program: program::READ_CLOCKS,
                source,
            })?;
        let now = self.unit.stamp(reading);
        let units = self.unit.units(HALF_OPEN_S);
        let removed = self.flows.remove_half_open(now, units);
        self.flows.free_claimed();
        let before = self.services.tallies();
        let counts = self.flows.counts();
        let names = self.flows.names();
        self.services.correct(before, &counts, &names);
        let slots = counts.keys().map(|course| course.target()).collect();
        let with_flows = counts.keys();
        let with_flows = with_flows.filter_map(|course| names.address(course.dvipa()));
        let vipas = self.services.vipas().map(|(dvipa, _)| dvipa);
        let dvipas: BTreeSet<IpAddr> = vipas.chain(with_flows).collect();
        let mut wanted = self.services.slots();
        wanted.append(&mut self.senders.slots());
        wanted.append(&mut self.tunnels.slots());
        let targets = &self.settings[0].targets;
        let freed = self.slots.release(&wanted, &slots, targets);
        self.forget_syns(&freed);
        self.services.release();
        self.close_prefilter(&dvipas);
        self.release_names(&dvipas);
        self.close_interfaces()?;
        Ok(removed)
    }

    /// Clears the bits to which none of these addresses leads any more: DVIPAs, and what flows have.
    fn close_prefilter(&self, dvipas: &BTreeSet<IpAddr>) {
        let mut wanted: BTreeMap<usize, u64> = BTreeMap::new();
        for address in dvipas {
            let bit = prefilter_bit(*address);
            *wanted.entry(bit.word).or_default() |= bit.mask;
        }
        for (index, word) in self.settings[0].prefilter.iter().enumerate() {
            word.keep(wanted.get(&index).copied().unwrap_or_default());
        }
    }

    /// Gives up the names of addresses that are not among these and have no service either.
    fn release_names(&self, dvipas: &BTreeSet<IpAddr>) {
        let services = self.services.keys().chain(self.kept.keys());
        let all = services.map(|key| key.dvipa).chain(dvipas.iter().copied());
        let wanted = all.filter_map(|dvipa| match dvipa {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(address),
        });
        self.names.release(&wanted.collect());
    }

    fn close_interfaces(&mut self) -> Result<(), DataplaneError> {
        let wanted: BTreeSet<_> = self.settings[0]
            .targets
            .iter()
            .filter_map(|target| target.path().interface())
            .collect();
        let open: Vec<u32> = self.transmit.keys().filter_map(Result::ok).collect();
        for ifindex in open {
            if wanted.contains(&ifindex) {
                continue;
            }
            match self.transmit.remove(ifindex) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(DataplaneError::map(map::TRANSMIT)(error)),
            }
        }
        Ok(())
    }
}

/// The bit of the prefilter that stands for an address.
fn prefilter_bit(address: IpAddr) -> PrefilterBit {
    match address.to_canonical() {
        IpAddr::V4(address) => hash::prefilter(u32::from_ne_bytes(address.octets())),
        IpAddr::V6(address) => hash::prefilter_ipv6(hash::address(names::words(address))),
    }
}

/// What is to be known of each DVIPA: of those in the list, and of those that only have services.
fn asked(forwarding: &Forwarding) -> BTreeMap<IpAddr, Asked> {
    let own = own(forwarding);
    let distributed: BTreeSet<_> = forwarding.services.keys().map(|key| key.dvipa).collect();
    let listed = forwarding.dvipas.keys();
    let all: BTreeSet<_> = listed.chain(&distributed).copied().collect();
    let asked = all.into_iter().map(|dvipa| {
        let own = own.map(|own| own.about(dvipa));
        let known = forwarding.dvipas.get(&dvipa);
        let asked = Asked {
            forwarding: known.cloned().unwrap_or_else(|| DvipaForwarding {
                owner: own,
                ..DvipaForwarding::default()
            }),
            own,
            is_distributed: distributed.contains(&dvipa),
        };
        (dvipa, asked)
    });
    asked.collect()
}

/// This stack's own DYNAMICXCF addresses, as far as anything leads to them.
fn own(forwarding: &Forwarding) -> Option<XcfAddresses> {
    let targets = forwarding.targets.iter();
    let own = targets.filter(|(_, path)| **path == Path::Local);
    XcfAddresses::of(own.map(|(address, _)| *address))
}
