//! What this stack knows of another member.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::desired::{Hop, Hops, NextHopKey};
use crate::engine::definitions::{Definitions, Readiness};
use crate::engine::forwarding::Path;

/// Another stack of the group.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its DYNAMICXCF address.
    pub dynamic_xcf: IpAddr,
    /// What it defines.
    pub definitions: Definitions,
    /// Which edition of its definitions that is; absent until it has said what it defines.
    pub edition: Option<u64>,
    /// Whether it has announced another edition, which is not all here or cannot be read.
    pub is_arriving: bool,
    /// What listens there.
    pub readiness: Readiness,
    /// Paths to it, and whether beats arrive on them.
    pub paths: BTreeMap<NextHopKey, bool>,
    /// When it left the group; absent while it is present.
    pub left_at: Option<Duration>,
    /// The path in use, with its MAC addresses. It is kept while nothing better answers: a member
    /// whose daemon died may still serve the connections that it has.
    pub chosen: Option<(NextHopKey, Hop)>,
}

impl Member {
    /// Describes a member that has just joined.
    #[must_use]
    pub fn new(dynamic_xcf: IpAddr) -> Self {
        Self {
            dynamic_xcf,
            definitions: Definitions::default(),
            edition: None,
            is_arriving: false,
            readiness: Readiness::default(),
            paths: BTreeMap::new(),
            left_at: None,
            chosen: None,
        }
    }

    /// Takes note of a restart: what it said is void, but for its listeners. Those are not the
    /// daemon's, and its first report is on the way; and the path in use stays.
    pub fn rejoin(&mut self, dynamic_xcf: IpAddr) {
        let mut anew = Self::new(dynamic_xcf);
        if self.dynamic_xcf == dynamic_xcf {
            anew.chosen = self.chosen;
            anew.readiness = std::mem::take(&mut self.readiness);
        }
        *self = anew;
    }

    /// Says whether its report and a path to it are there, so that it could be handed connections.
    #[must_use]
    pub fn is_ready_to_serve(&self, hops: &Hops) -> bool {
        self.readiness.revision > 0 && self.best_path(0, hops).is_some()
    }

    /// Chooses the path to use: the best that answers, else the one that was used last.
    pub fn choose_path(&mut self, xcf_ifindex: u32, hops: &Hops) {
        if let Some(best) = self.best_path(xcf_ifindex, hops) {
            self.chosen = Some(best);
        }
    }

    /// Returns the best path on which beats arrive and whose next hop is known: the DYNAMICXCF
    /// network first, then by interface number.
    fn best_path(&self, xcf_ifindex: u32, hops: &Hops) -> Option<(NextHopKey, Hop)> {
        self.paths
            .iter()
            .filter(|(_, is_up)| **is_up)
            .filter_map(|(path, _)| hops.get(path).map(|hop| (*path, *hop)))
            .min_by_key(|(path, _)| (path.ifindex != xcf_ifindex, *path))
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
