//! What packets should do, put into the maps, and what they no longer need, taken out.
//!
//! Nothing is taken out because it is no longer wanted, only when neither a
//! service nor a flow leads to it: an established connection outlives the
//! service that it was made through.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aya::maps::MapError;
use distributor_common::abi::{self, map, program};
use distributor_common::hash;

use super::{Dataplane, DataplaneError, clock, object, targets};
use crate::engine::forwarding::Forwarding;

/// A half-open flow is given up after this long: a client's SYN and its five retransmissions by
/// RFC 6298 take 63 s.
const HALF_OPEN_S: u64 = 75;

impl Dataplane {
    /// Makes the packet path do what `forwarding` says.
    ///
    /// Each target and each service changes in one step. What is as it should be is not touched.
    ///
    /// # Errors
    ///
    /// A table is full, an address is not IPv4, or the kernel refuses. Targets and services before
    /// the one at fault have been changed, those after it have not.
    pub fn apply(&mut self, forwarding: &Forwarding) -> Result<(), DataplaneError> {
        for (&address, &path) in &forwarding.targets {
            let slot = self.slots.assign(address, &self.settings[0].targets)?;
            let path = targets::path(path);
            if let abi::Path::Link { ifindex, .. } = path {
                self.open_interface(ifindex);
            }
            targets::set_path(&self.settings[0].targets[usize::from(slot)], path);
        }
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
            let places = service.ring.iter();
            let ring: Vec<_> = places
                .filter_map(|&row| rows.get(usize::from(row)).copied())
                .collect();
            self.services.set(key, &rows, &ring)?;
            self.open_prefilter(key.dvipa);
            self.served.insert(key, service.clone());
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
        Ok(())
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

    fn open_prefilter(&self, dvipa: IpAddr) {
        if let IpAddr::V4(dvipa) = dvipa {
            let bit = hash::prefilter(u32::from_ne_bytes(dvipa.octets()));
            self.settings[0].prefilter[bit.word].set(bit.mask);
        }
    }

    /// Gives up what is no longer needed: flows that stayed half-open for 75 s, and slots, interfaces
    /// and addresses to which neither a service nor a flow leads. Call it every few seconds.
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
        let (slots, dvipas) = self.flows.in_use();
        self.slots
            .release(&self.services.slots(), &slots, &self.settings[0].targets);
        self.services.release();
        self.close_prefilter(&dvipas);
        self.close_interfaces()?;
        Ok(removed)
    }

    /// Clears the bits to which no address with services or flows leads any more.
    fn close_prefilter(&self, dvipas: &BTreeSet<u32>) {
        let services = self.services.keys().filter_map(|key| match key.dvipa {
            IpAddr::V4(dvipa) => Some(u32::from_ne_bytes(dvipa.octets())),
            IpAddr::V6(_) => None,
        });
        let mut wanted: BTreeMap<usize, u64> = BTreeMap::new();
        for address in services.chain(dvipas.iter().copied()) {
            let bit = hash::prefilter(address);
            *wanted.entry(bit.word).or_default() |= bit.mask;
        }
        for (index, word) in self.settings[0].prefilter.iter().enumerate() {
            word.keep(wanted.get(&index).copied().unwrap_or_default());
        }
    }

    fn close_interfaces(&mut self) -> Result<(), DataplaneError> {
        let wanted: BTreeSet<_> = self.settings[0]
            .targets
            .iter()
            .filter_map(|target| match target.path() {
                abi::Path::Link { ifindex, .. } => Some(ifindex),
                abi::Path::Local | abi::Path::Unreachable => None,
            })
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
