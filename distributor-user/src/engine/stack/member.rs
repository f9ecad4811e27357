//! What this stack knows of another member.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::Effect;
use super::desired::{Hop, Hops, NextHopKey};
use crate::engine::definitions::{Definitions, Distributions, Readiness};
use crate::engine::forwarding::{Path, ServiceKey};
use crate::engine::load::{Load, Server};
use crate::engine::ownership::Liveness;
use crate::engine::xcf::XcfAddresses;

/// Another stack of the group.
#[expect(
    clippy::struct_excessive_bools,
    reason = "none of these facts follows from another"
)]
#[derive(Clone, Debug)]
pub struct Member {
    /// Its DYNAMICXCF addresses.
    pub xcf: XcfAddresses,
    /// What it defines.
    pub definitions: Definitions,
    /// Which edition of its definitions that is; absent until it has said what it defines.
    pub edition: Option<u64>,
    /// Whether it has announced another edition, which is not all here or cannot be read.
    pub is_arriving: bool,
    /// Whether it takes orders that other members pass on.
    pub takes_orders: bool,
    /// What listens there.
    pub readiness: Readiness,
    /// What it could still do, as far as it has said so; as of when that last mattered.
    pub load: Option<Load>,
    /// What its servers could still do, likewise.
    pub servers: BTreeMap<ServiceKey, Vec<Server>>,
    /// The parts of that which have come so far, of what it is just telling.
    pub telling: BTreeMap<ServiceKey, Vec<Server>>,
    /// Its addresses on every network that it has.
    pub addresses: Vec<IpAddr>,
    /// Paths to it, and whether beats arrive on them.
    pub paths: BTreeMap<NextHopKey, bool>,
    /// Paths that lag behind another one.
    pub lagging: BTreeSet<NextHopKey>,
    /// Its VIPADISTRIBUTE statements by DVIPA.
    pub distributions: Distributions,
    /// Whether it lives, as far as can be known.
    pub liveness: Liveness,
    /// The paths on which a beat has made the round trip since it joined.
    pub heard: BTreeSet<NextHopKey>,
    /// Whether neither it nor its packet path answers on any path.
    pub is_unreachable: bool,
    /// When it is given up, if it is still unreachable then.
    pub give_up_at: Option<Duration>,
    /// Whether it is given up: what it serves is not to be had, until it is heard again.
    pub is_given_up: bool,
    /// When its packet path is probed again.
    pub probe_at: Option<Duration>,
    /// When it left the group; absent while it is present.
    pub left_at: Option<Duration>,
    /// The path in use, with its MAC addresses. It is kept while nothing better answers: a member
    /// whose daemon died may still serve the connections that it has.
    pub chosen: Option<(NextHopKey, Hop)>,
}

impl Member {
    /// Describes a member that has just joined.
    #[must_use]
    pub fn new(xcf: XcfAddresses) -> Self {
        Self {
            xcf,
            definitions: Definitions::default(),
            edition: None,
            is_arriving: false,
            takes_orders: false,
            readiness: Readiness::default(),
            load: None,
            servers: BTreeMap::new(),
            telling: BTreeMap::new(),
            addresses: Vec::new(),
            paths: BTreeMap::new(),
            lagging: BTreeSet::new(),
            distributions: Distributions::new(),
            liveness: Liveness::Alive,
            heard: BTreeSet::new(),
            is_unreachable: false,
            give_up_at: None,
            is_given_up: false,
            probe_at: None,
            left_at: None,
            chosen: None,
        }
    }

    /// Takes note of a restart: what it said is void, but for its listeners. Those are not the
    /// daemon's, and its first report is on the way; and the path in use stays.
    pub fn rejoin(&mut self, xcf: XcfAddresses) {
        let mut anew = Self::new(xcf);
        if self.xcf.overlap(xcf) {
            anew.chosen = self.chosen;
            anew.load = self.load;
            anew.servers = std::mem::take(&mut self.servers);
            anew.readiness = std::mem::take(&mut self.readiness);
            // Its packet path goes on meanwhile, and what it sends is known by these.
            anew.paths = std::mem::take(&mut self.paths);
            anew.paths.values_mut().for_each(|is_up| *is_up = false);
            anew.addresses = std::mem::take(&mut self.addresses);
            anew.definitions = std::mem::take(&mut self.definitions);
            anew.distributions = std::mem::take(&mut self.distributions);
        }
        *self = anew;
    }

    /// Says whether it could be sent packets on one of the group's paths.
    #[must_use]
    pub fn has_path(&self, hops: &Hops) -> bool {
        self.best_path(0, hops, |_| true).is_some()
    }

    /// Says whether beats arrive from it; a member that has just joined is believed for a while.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        let is_up = self.paths.values().any(|is_up| *is_up);
        self.left_at.is_none() && (is_up || self.heard.is_empty())
    }

    /// The question whether its packet path lives.
    #[must_use]
    pub fn probe(&self, name: &str) -> Effect {
        Effect::Probe {
            name: name.to_owned(),
            target: self.xcf.first(),
            paths: self.paths.keys().copied().collect(),
        }
    }

    /// Says whether there is no use in handing it a new connection.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.left_at.is_some() || self.is_unreachable
    }

    /// Chooses the path to use: the best that answers, else the one that was used last. An interface
    /// in `dead` leads nowhere, whatever was heard by it a moment ago.
    pub fn choose_path(&mut self, xcf_ifindex: u32, hops: &Hops, dead: &BTreeSet<u32>) {
        let usable = |path: &NextHopKey| !dead.contains(&path.ifindex);
        if let Some(best) = self.best_path(xcf_ifindex, hops, usable) {
            self.chosen = Some(best);
        }
    }

    /// Returns the best path on which beats arrive and whose next hop is known: one that does not
    /// lag, on the DYNAMICXCF network first, then by interface number.
    fn best_path(
        &self,
        xcf_ifindex: u32,
        hops: &Hops,
        usable: impl Fn(&NextHopKey) -> bool,
    ) -> Option<(NextHopKey, Hop)> {
        self.paths
            .iter()
            .filter(|(path, is_up)| **is_up && usable(path))
            .filter_map(|(path, _)| hops.get(path).map(|hop| (*path, *hop)))
            // A router would not know what to do with a packet for a DVIPA.
            .filter(|(_, hop)| hop.is_direct)
            .min_by_key(|(path, _)| {
                let lags = self.lagging.contains(path);
                (lags, path.ifindex != xcf_ifindex, *path)
            })
    }

    /// Returns the path in use as the packet path needs it.
    #[must_use]
    pub fn path(&self) -> Path {
        match self.chosen {
            Some((
                path,
                Hop {
                    source_mac,
                    next_hop_mac,
                    ..
                },
            )) => Path::Link {
                ifindex: path.ifindex,
                source_mac,
                next_hop_mac,
            },
            None => Path::Unreachable,
        }
    }
}
