//! Another profile for a running stack, and DVIPAs that a profile no longer has.
//!
//! Nothing here ends a connection. What a profile no longer says stops to
//! attract new ones; what lives goes on, and its address stays, until it ends.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Effect, Member, Placement, Stack};
use crate::engine::config::Config;
use crate::engine::definitions::Definitions;
use crate::engine::forwarding::ServiceKey;

impl Stack {
    /// Takes another profile; the next settling brings everything to it.
    pub(super) fn reconfigure(&mut self, config: Config, effects: &mut Vec<Effect>) {
        let own = Definitions::of(&config);
        let is_new = own != self.own;
        let keys: BTreeSet<ServiceKey> = own.services.iter().map(ServiceKey::of).collect();
        self.rows.retain(|key, _| keys.contains(key));
        self.own = own;
        self.config = config;
        if is_new {
            effects.extend(self.publish_definitions());
        }
        self.take_stock();
        self.reported_rivals.clear();
    }

    /// Notes which DVIPAs that are here have been withdrawn: who owned them last lives and has said
    /// what he defines, and nobody defines them any more.
    pub(super) fn note_withdrawals(&mut self) {
        let lives = |name: &str| {
            let mut member = self.members.get(name).into_iter();
            let has_spoken = |member: &Member| member.left_at.is_none() && member.edition.is_some();
            name == self.name || member.any(has_spoken)
        };
        let mut withdrawn = std::mem::take(&mut self.withdrawn);
        withdrawn.retain(|dvipa, _| self.owner(*dvipa).is_none());
        for (dvipa, last) in &self.last_owners {
            if self.owner(*dvipa).is_none() && lives(last) {
                withdrawn.insert(*dvipa, last.clone());
            }
        }
        self.withdrawn = withdrawn;
    }

    /// Notes who owns each DVIPA that is here.
    pub(super) fn note_owners(&mut self) {
        let is_held = |dvipa: &IpAddr| self.applied.placements.contains_key(dvipa);
        self.last_owners.retain(|dvipa, _| is_held(dvipa));
        self.withdrawn.retain(|dvipa, _| is_held(dvipa));
        let held: Vec<IpAddr> = self.applied.placements.keys().copied().collect();
        for dvipa in held {
            if let Some(owner) = self.owner(dvipa).map(ToOwned::to_owned) {
                self.last_owners.insert(dvipa, owner);
            }
        }
    }

    /// Lists the DVIPAs that this stack still answers for though they are withdrawn, because
    /// connections live on.
    pub(super) fn quiescing(&self) -> impl Iterator<Item = IpAddr> {
        let placements = self.applied.placements.iter();
        placements
            .filter(|(dvipa, placement)| {
                **placement == Placement::Owned && self.withdrawn.contains_key(*dvipa)
            })
            .map(|(dvipa, _)| *dvipa)
    }
}
