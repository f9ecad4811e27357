//! From a destination to the service that is distributed there.

use crate::abi::{MAX_SERVICES, Ring, Service, ServiceKey};
use crate::counter::Verdict;
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
}

/// Finds the service that a flow asks for.
///
/// # Errors
///
/// [`Verdict::NoService`] when nothing is distributed on that port.
#[inline(always)]
pub fn find<'a, T: Tables>(key: &FlowKey, tables: &'a T) -> Result<Found<'a>, Verdict> {
    let service_key = ServiceKey::ipv4(key.dvipa().0, key.port(), key.protocol);
    let Some(index) = tables.service_index(&service_key) else {
        return Err(Verdict::NoService);
    };
    // The mark of an address has port 0, so it is never found here; an index from elsewhere is no index.
    if index >= MAX_SERVICES {
        return Err(Verdict::NoService);
    }
    match tables.service(index) {
        Some(service) => Ok(Found { index, service }),
        None => Err(Verdict::NoService),
    }
}
