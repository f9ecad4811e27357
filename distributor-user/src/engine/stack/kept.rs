//! OPTLOCAL: which connections that start on this stack stay on it.
//!
//! Every target decides for itself, from what all members say of their listeners
//! and loads; the owner ships nothing. What is not kept goes to the owner, or,
//! on the owner, to whoever is next.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Loads, Stack};
use crate::engine::config::Service;
use crate::engine::forwarding::ServiceKey;
use crate::engine::selection::{self, Ready, Row};

impl Stack {
    /// Lists the services on these DVIPAs of which connections that start here stay here.
    pub(super) fn kept<'a>(
        &mut self,
        dvipas: impl Iterator<Item = &'a IpAddr>,
        ready: &BTreeMap<ServiceKey, Vec<(IpAddr, Ready)>>,
        loads: &Loads,
    ) -> BTreeSet<ServiceKey> {
        let mut kept = BTreeSet::new();
        let mut weighs = false;
        for dvipa in dvipas {
            let Some(own) = self.as_target(*dvipa) else {
                continue;
            };
            let services = self.distribution(*dvipa).iter();
            for service in services.filter(|service| service.terms.options.opt_local.is_some()) {
                let key = ServiceKey::of(service);
                let ready = ready.get(&key).map_or(&[][..], Vec::as_slice);
                if !ready.iter().any(|(target, _)| *target == own) {
                    continue;
                }
                weighs |= selection::is_weighted(&service.terms);
                if selection::keeps(&service.terms, &rows(service, ready, loads), own) {
                    kept.insert(key);
                }
            }
        }
        self.weighs |= weighs;
        kept
    }
}

/// The targets of a service that may receive new connections.
fn rows(service: &Service, ready: &[(IpAddr, Ready)], loads: &Loads) -> Vec<Row> {
    let terms = &service.terms;
    let targets = ready
        .iter()
        .filter(|(target, _)| terms.destinations.include(*target));
    let row = |(target, said): &(IpAddr, Ready)| {
        let load = loads.of(terms, ServiceKey::of(service), *target);
        // Nothing lies between a connection that starts here and a server here.
        Row::new(terms, *target, Some(*said), load, None)
    };
    targets.map(row).collect()
}
