//! What a stack publishes of its configuration: the slow state of the group.
//!
//! Every member learns every member's DVIPAs and distribution statements, so
//! that the configuration is written once, at the front end.

mod parts;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::config::{Config, Dvipa, Service};
use super::fact::ReadyRow;

pub use parts::DEFINITIONS_KEY;

/// Key of [`Readiness`] in the group's slow state, as JSON: the backstop of the fast fact.
pub const READINESS_KEY: &str = "readiness";

/// One stack's DVIPA and distribution statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions {
    /// `VIPADEFINE` and `VIPABACKUP`.
    pub dvipas: Vec<Dvipa>,
    /// `VIPADISTRIBUTE`.
    pub services: Vec<Service>,
}

impl Definitions {
    /// Takes from a configuration what the others need to know.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            dvipas: config.dvipas.clone(),
            services: config.services.clone(),
        }
    }
}

/// A stack's listeners on distributed DVIPAs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Grows with every change at the stack that reports it.
    pub revision: u64,
    /// One entry per DVIPA × port with at least one listener, in this order.
    pub ready: Vec<ReadyRow>,
}

impl Readiness {
    /// Counts the listeners on `dvipa` × `port`.
    #[must_use]
    pub fn listeners(&self, dvipa: IpAddr, port: u16) -> u16 {
        self.ready
            .binary_search_by_key(&(dvipa, port), |row| (row.dvipa, row.port))
            .map_or(0, |at| self.ready[at].listeners)
    }
}
