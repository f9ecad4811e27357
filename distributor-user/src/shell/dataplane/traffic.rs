//! The connections of the packet path, for reports.
//!
//! Nothing here changes a map, and nothing is borrowed from the data plane: a
//! walk over millions of flows is made on another thread, while the daemon goes
//! on. What changes meanwhile is seen or not, as by packets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use distributor_common::abi::Settings;

use super::affinities::Keeping;
use super::flows::{Flows, engine_state};
use super::services::Counts;
use super::shared::Shared;
use super::targets::address_of;
use super::{Dataplane, DataplaneError};
use crate::engine::forwarding::{Flow, ServiceKey};

/// The flow table and the counts of services, readable beside the data plane.
#[derive(Debug)]
pub struct Traffic {
    pub(super) flows: Flows,
    pub(super) keeping: Keeping,
    counts: Counts,
    pub(super) settings: Shared<Settings>,
}

impl Dataplane {
    /// The connections, for who reads them on another thread.
    ///
    /// # Errors
    ///
    /// There is no memory for the counts.
    pub fn traffic(&self) -> Result<Traffic, DataplaneError> {
        Ok(Traffic {
            flows: self.flows.clone(),
            keeping: self.keeping(),
            counts: self.services.counts()?,
            settings: self.settings.clone(),
        })
    }

    /// Every flow in the table, in no particular order.
    pub fn flows(&self) -> impl Iterator<Item = Flow> {
        flows(&self.flows, &self.settings[0])
    }
}

impl Traffic {
    /// Every flow in the table, in no particular order.
    pub fn flows(&self) -> impl Iterator<Item = Flow> {
        flows(&self.flows, &self.settings[0])
    }

    /// How many flows each service has to each target.
    #[must_use]
    pub fn active_connections(&self) -> BTreeMap<(ServiceKey, IpAddr), u64> {
        let (counts, names) = (self.flows.counts().into_iter(), self.flows.names());
        counts
            .filter_map(|(course, flows)| {
                let target = self.address(course.target())?;
                Some(((course.service(&names)?, target), flows))
            })
            .collect()
    }

    /// New connections that each service has handed out to each target.
    #[must_use]
    pub fn total_connections(&self) -> BTreeMap<(ServiceKey, IpAddr), u64> {
        let all = self.counts.all();
        all.flat_map(|(key, handed)| handed.into_iter().map(move |row| (key, row)))
            .filter_map(|(key, (slot, count))| Some(((key, self.address(slot)?), count)))
            .collect()
    }

    fn address(&self, slot: u16) -> Option<IpAddr> {
        address_of(self.settings[0].targets.get(usize::from(slot))?)
    }
}

fn flows(table: &Flows, settings: &Settings) -> impl Iterator<Item = Flow> {
    let names = table.names();
    table.entries().filter_map(move |(entry, tag)| {
        if entry.key.is_affinity() {
            return None;
        }
        Some(Flow {
            key: entry.flow(&names)?,
            target: address_of(settings.targets.get(usize::from(tag.target()))?)?,
            state: engine_state(tag.state())?,
        })
    })
}
