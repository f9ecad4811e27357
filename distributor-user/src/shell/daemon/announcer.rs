//! Everybody on the client network learns where a DVIPA is now: by gratuitous ARP, or by unsolicited
//! neighbour advertisements.
//!
//! Announcements go on beside the loop. Each time they leave out what this stack
//! has given away meanwhile, so that none of them calls a client back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tracing::warn;

use super::network::Network;
use crate::shell::claim::{self, Pace, Port};

/// How often what has not moved is announced again, for those who missed it.
const REFRESH: Duration = Duration::from_secs(30);
/// Once is enough then.
const REFRESHING: Pace = Pace {
    count: 1,
    interval: Duration::ZERO,
};

/// What is announced.
#[derive(Debug)]
pub(super) struct Announcer {
    owned: Arc<RwLock<BTreeSet<IpAddr>>>,
    /// DVIPAs that this stack has come to own and has told nobody of.
    new: BTreeSet<IpAddr>,
    refreshed_at: Instant,
    /// Whether somebody else may have what this stack owned.
    is_paused: bool,
}

impl Announcer {
    /// Knows what an earlier daemon owned, which needs no announcement now.
    pub(super) fn new(owned: BTreeSet<IpAddr>) -> Self {
        Self {
            owned: Arc::new(RwLock::new(owned)),
            new: BTreeSet::new(),
            refreshed_at: Instant::now(),
            is_paused: false,
        }
    }

    /// Announces nothing again until it is told to go on.
    pub(super) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Takes note that this stack has come to own a DVIPA, or owns it no more.
    pub(super) fn note(&mut self, dvipa: IpAddr, is_owned: bool) {
        let mut owned = self.owned.write().unwrap_or_else(PoisonError::into_inner);
        if is_owned {
            owned.insert(dvipa);
            self.new.insert(dvipa);
        } else {
            owned.remove(&dvipa);
            self.new.remove(&dvipa);
        }
    }

    /// Announces what is new.
    pub(super) fn announce_new(&mut self, network: &Network) {
        let new = std::mem::take(&mut self.new);
        self.announce(&new, network, claim::ANNOUNCE);
    }

    /// Announces everything again, when it is time.
    pub(super) fn refresh(&mut self, network: &Network) {
        if !self.is_paused && self.refreshed_at.elapsed() >= REFRESH {
            self.refreshed_at = Instant::now();
            let owned = self.owned.read().unwrap_or_else(PoisonError::into_inner);
            let owned = owned.clone();
            self.announce(&owned, network, REFRESHING);
        }
    }

    fn announce(&self, dvipas: &BTreeSet<IpAddr>, network: &Network, pace: Pace) {
        let mut by_port: BTreeMap<(u32, [u8; 6]), (String, Vec<IpAddr>)> = BTreeMap::new();
        for dvipa in dvipas {
            if let Some((link, port)) = network.owner_port(*dvipa) {
                let at_port = by_port.entry((port.ifindex, port.mac));
                let (_, addresses) = at_port.or_insert_with(|| (link.name.clone(), Vec::new()));
                addresses.push(*dvipa);
            }
        }
        for ((ifindex, mac), (name, addresses)) in by_port {
            let owned = Arc::clone(&self.owned);
            tokio::spawn(async move {
                let is_here = |address| {
                    let owned = owned.read().unwrap_or_else(PoisonError::into_inner);
                    owned.contains(&address)
                };
                let port = Port { ifindex, mac };
                if let Err(error) = claim::announce(port, &addresses, is_here, pace).await {
                    warn!("the VIPAs could not be announced on {name}: {error}");
                }
            });
        }
    }
}
