//! DVIPAs for which somebody answered when this stack started.
//!
//! That is a member that has taken them over, and says so as soon as it has been
//! found; or a host that has nothing to do with the group, and then this stack
//! must not have them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::Daemon;
use crate::shell::arp::Mac;

/// How long the members have to say that the address is theirs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The Ethernet address of who answers for a DVIPA, and the interface where it does.
pub(super) type Taken = BTreeMap<IpAddr, (Mac, String)>;

/// Who answers for what.
#[derive(Debug)]
pub(super) struct Contested {
    since: Instant,
    pub(super) dvipas: Taken,
}

impl Contested {
    pub(super) fn new(dvipas: Taken) -> Self {
        Self {
            since: Instant::now(),
            dvipas,
        }
    }
}

impl Daemon {
    /// The DVIPAs that are here, or that a stack of the group owns.
    pub(super) fn known_dvipas(&self) -> BTreeSet<IpAddr> {
        let defined = self.stack.config().dvipas.iter().map(|dvipa| dvipa.address);
        let owned = defined.filter(|dvipa| self.stack.owner(*dvipa).is_some());
        self.placements.keys().copied().chain(owned).collect()
    }

    /// Says why this stack must not go on, if a DVIPA of its own belongs to nobody of the group.
    pub(super) fn contested(&mut self) -> Option<anyhow::Error> {
        let stack = &self.stack;
        self.contested
            .dvipas
            .retain(|dvipa, _| stack.owner(*dvipa).is_none());
        if self.contested.since.elapsed() < PATIENCE {
            return None;
        }
        let (dvipa, (other, link)) = self.contested.dvipas.first_key_value()?;
        Some(anyhow!(
            "VIPA {dvipa} is taken: {other} answers for it on `{link}`, and no stack of the group \
             owns it; if that is a stack of the group, give it the group's key"
        ))
    }
}
