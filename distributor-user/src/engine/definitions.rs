//! What a stack publishes of its configuration: the slow state of the group.
//!
//! Every member learns every member's DVIPAs and distribution statements, so
//! that the configuration is written once, at the front end.

mod parts;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::{Config, Dvipa, DynamicService, DynamicXcf, Ipv6Xcf, Service, VipaRoute};
use super::fact::ReadyRow;

pub use parts::{DEFINITIONS_KEY, PartsError};

/// Key of [`Readiness`] in the group's slow state, as JSON: the backstop of the fast fact.
pub const READINESS_KEY: &str = "readiness";

/// Key of a value in the group's slow state that says that the member takes orders which another passes
/// on; one that lacks it is of an older release.
pub const ORDERS_KEY: &str = "orders";

/// One stack's DVIPA and distribution statements, and what else its profile is compared by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    into = "BTreeMap<String, String>",
    try_from = "BTreeMap<String, String>"
)]
pub struct Definitions {
    /// `VIPADEFINE` and `VIPABACKUP`.
    pub dvipas: Vec<Dvipa>,
    /// `VIPADISTRIBUTE`.
    pub services: Vec<Service>,
    /// `VIPADEFINE` and `VIPABACKUP` of IPv6 addresses; compared, not acted on.
    pub ipv6_dvipas: Vec<Dvipa>,
    /// `VIPADISTRIBUTE` of these; compared, not acted on.
    pub ipv6_services: Vec<Service>,
    /// `VIPADISTRIBUTE` without `PORT`, of both families; compared, not acted on.
    pub dynamic_services: Vec<DynamicService>,
    /// `VIPAROUTE`: also by which way this stack sends packets to the others.
    pub routes: Vec<VipaRoute>,
    /// What the stack is itself; absent from a member whose release does not publish it, as are then
    /// the four before.
    pub identity: Option<Identity>,
}

/// What a stack says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `IPCONFIG DYNAMICXCF`.
    pub dynamic_xcf: Option<DynamicXcf>,
    /// `IPCONFIG6 DYNAMICXCF`.
    pub ipv6_xcf: Option<Ipv6Xcf>,
    /// `IPCONFIG SYSPLEXROUTING`.
    pub sysplex_routing: bool,
}

impl Definitions {
    /// Takes from a configuration what the others need to know.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            dvipas: config.dvipas.clone(),
            services: config.services.clone(),
            ipv6_dvipas: config.ipv6_dvipas.iter().map(|named| named.dvipa).collect(),
            ipv6_services: config.ipv6_services.clone(),
            dynamic_services: [&config.dynamic_services, &config.ipv6_dynamic_services]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            routes: config.routes.clone(),
            identity: Some(Identity {
                dynamic_xcf: config.dynamic_xcf,
                ipv6_xcf: config.ip6.as_ref().and_then(|ip| ip.ipv6_xcf.clone()),
                sysplex_routing: config.sysplex_routing,
            }),
        }
    }
}

/// VIPADISTRIBUTE statements of one stack, by DVIPA.
pub type Distributions = BTreeMap<IpAddr, Arc<[Service]>>;

impl Definitions {
    /// Sorts the VIPADISTRIBUTE statements by DVIPA; within one, their order stays.
    #[must_use]
    pub fn by_dvipa(&self) -> Distributions {
        let mut sorted: BTreeMap<IpAddr, Vec<Service>> = BTreeMap::new();
        for service in &self.services {
            sorted
                .entry(service.dvipa)
                .or_default()
                .push(service.clone());
        }
        sorted
            .into_iter()
            .map(|(dvipa, services)| (dvipa, services.into()))
            .collect()
    }
}

/// A stack's listeners on distributed DVIPAs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Grows with every change at the stack that reports it.
    pub revision: u64,
    /// One entry per DVIPA × port with at least one listener, quiesced or not, in this order.
    pub ready: Vec<ReadyRow>,
}

impl Readiness {
    /// Counts the listeners on `dvipa` × `port`.
    #[must_use]
    pub fn listeners(&self, dvipa: IpAddr, port: u16) -> u16 {
        self.row(dvipa, port).map_or(0, |row| row.listeners)
    }

    /// What listens on `dvipa` × `port`.
    #[must_use]
    pub fn row(&self, dvipa: IpAddr, port: u16) -> Option<&ReadyRow> {
        let at = self
            .ready
            .binary_search_by_key(&(dvipa, port), |row| (row.dvipa, row.port));
        at.ok().map(|at| &self.ready[at])
    }
}
