//! What a stack publishes of its configuration: the slow state of the group.
//!
//! Every member learns every member's DVIPAs and distribution statements, so
//! that the configuration is written once, at the front end.

mod parts;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::{
    Config, Dvipa, DynamicService, DynamicXcf, Ipv6Xcf, Service, VipaRoute, XcfNetwork,
};
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
    /// `VIPADEFINE` and `VIPABACKUP` that are in force, those of IPv4 first.
    pub dvipas: Vec<Dvipa>,
    /// Those that the operator has deactivated: nobody may count on this stack for them, and
    /// everybody can see why.
    pub deactivated: Vec<Dvipa>,
    /// `VIPADISTRIBUTE`, likewise.
    pub services: Vec<Service>,
    /// `VIPADISTRIBUTE` without `PORT`, of both families; compared, not acted on.
    pub dynamic_services: Vec<DynamicService>,
    /// `VIPAROUTE`: also by which way this stack sends packets to the others.
    pub routes: Vec<VipaRoute>,
    /// What the stack is itself; absent from a member whose release does not publish it, as are then
    /// the two before, and all that is about IPv6.
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

impl Identity {
    /// Each `DYNAMICXCF` address with its network, IPv4 first.
    pub fn xcf_networks(&self) -> impl Iterator<Item = XcfNetwork> {
        let ipv4 = self.dynamic_xcf.map(DynamicXcf::network);
        let ipv6 = self.ipv6_xcf.as_ref().map(Ipv6Xcf::network);
        ipv4.into_iter().chain(ipv6)
    }
}

impl Definitions {
    /// Takes from a configuration what the others need to know.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            dvipas: ipv4_first(&config.dvipas, |dvipa| dvipa.address),
            deactivated: Vec::new(),
            services: ipv4_first(&config.services, |service| service.dvipa),
            dynamic_services: config.dynamic_services.clone(),
            routes: config.routes.clone(),
            identity: Some(Identity {
                dynamic_xcf: config.dynamic_xcf,
                ipv6_xcf: config.ipv6_xcf().cloned(),
                sysplex_routing: config.sysplex_routing,
            }),
        }
    }
}

/// The same in the order in which they are published.
fn ipv4_first<T: Clone>(all: &[T], address: impl Fn(&T) -> IpAddr) -> Vec<T> {
    let mut all = all.to_vec();
    all.sort_by_key(|one| address(one).is_ipv6());
    all
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
