//! From a destination to the service that is distributed there.

use crate::abi::{Affinity, Ring, Service, ServiceKey};
use crate::flow::FlowKey;
use crate::tables::Tables;

/// A service and its place in the tables.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Index in `SERVICES`.
    pub index: u32,
    /// The service.
    pub service: &'a Service,
}

impl Found<'_> {
    /// The ring of the moment.
    #[inline(always)]
    #[must_use]
    pub fn ring(&self) -> Ring {
        Ring::from_word(self.service.ring.load())
    }

    /// Whether clients keep their targets.
    #[inline(always)]
    #[must_use]
    pub fn affinity(&self) -> Affinity {
        Affinity::from_word(self.service.affinity.load())
    }
}

/// Finds the service that a flow asks for; `None` when nothing is distributed on that port.
#[inline(always)]
pub fn find<'a, T: Tables>(key: &FlowKey, tables: &'a T) -> Option<Found<'a>> {
    let service_key = ServiceKey::new(key.dvipa(), key.port(), key.protocol);
    // The entry of the DVIPA itself has port 0, so it is never found here.
    let index = tables.service_index(&service_key)?;
    let service = tables.service(index)?;
    Some(Found { index, service })
}
