//! What the ownership machine decides, put into practice.
//!
//! What it says to other members leaves after everything that it changed here
//! is in force: a stack that hands a DVIPA over has stopped to distribute it,
//! and a claimant is ready for what is relayed to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{Effect, Phase, Placement, Stack};
use crate::engine::config::{DvipaRole, Moveable};
use crate::engine::fact::Fact;
use crate::engine::ownership::{DEFINER, Input, Output, Ownership, Stake, Willingness, Word};

/// Most words that one fact carries.
const WORDS_PER_FACT: usize = 200;
/// How long a stack relays what still comes for a DVIPA that it has given away, at least.
const RELAY: Duration = Duration::from_mins(5);

/// What has been decided and is on its way.
#[derive(Debug, Default)]
pub(super) struct Owning {
    owned: BTreeSet<IpAddr>,
    has_lost: bool,
    /// Until when DVIPAs that were given away stay here, to relay.
    relayed_until: BTreeMap<IpAddr, Duration>,
    words: BTreeMap<String, Vec<(IpAddr, Word)>>,
    afterwards: Vec<Effect>,
    willingness: BTreeMap<IpAddr, Willingness>,
}

impl Owning {
    pub(super) fn of(ownership: &Ownership) -> Self {
        let owned = ownership
            .dvipas()
            .filter(|dvipa| ownership.is_owner(*dvipa));
        Self {
            owned: owned.collect(),
            ..Self::default()
        }
    }

    /// The DVIPAs that this stack owns.
    pub(super) fn owned(&self) -> Vec<IpAddr> {
        self.owned.iter().copied().collect()
    }

    /// Whether this stack has ever given a DVIPA away.
    pub(super) fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// Whether this stack may still be sent packets for a DVIPA that it has given away.
    pub(super) fn relays(&self, dvipa: IpAddr) -> bool {
        self.relayed_until.contains_key(&dvipa)
    }

    /// Ends the relaying of what nobody should send any more.
    pub(super) fn expire_relays(&mut self, now: Duration) {
        self.relayed_until.retain(|_, until| now < *until);
    }

    /// Emits what must come after all else.
    pub(super) fn flush(&mut self, effects: &mut Vec<Effect>) {
        effects.append(&mut self.afterwards);
        for (to, words) in std::mem::take(&mut self.words) {
            for words in words.chunks(WORDS_PER_FACT) {
                effects.push(Effect::Send {
                    to: to.clone(),
                    fact: Fact::Ownership {
                        words: words.to_vec(),
                    },
                });
            }
        }
    }
}

impl Stack {
    /// Lets the ownership machine take an input, and does what it wants.
    pub(super) fn decide(&mut self, input: Input, now: Duration, effects: &mut Vec<Effect>) {
        for output in self.ownership.handle(input, now) {
            match output {
                Output::Say { to, dvipa, word } => {
                    self.owning.words.entry(to).or_default().push((dvipa, word));
                }
                Output::Prepare(dvipa) => self.prepare(dvipa, now),
                Output::CountConnections(dvipa) => {
                    effects.push(Effect::CountConnections(dvipa));
                }
                Output::Changed(dvipa) => self.note_holding(dvipa, now, effects),
                Output::Tell(message) => effects.push(Effect::Tell(message)),
            }
        }
    }

    /// Follows a change of who holds a DVIPA.
    fn note_holding(&mut self, dvipa: IpAddr, now: Duration, effects: &mut Vec<Effect>) {
        self.is_dirty = true;
        if self.ownership.holding(dvipa).owner.is_some() {
            self.contested.remove(&dvipa);
        }
        let is_owner = self.ownership.is_owner(dvipa);
        if is_owner && self.owning.owned.insert(dvipa) {
            self.owning.relayed_until.remove(&dvipa);
            self.note_consent(effects);
            self.rebuild(dvipa, false);
        } else if !is_owner && self.owning.owned.remove(&dvipa) {
            self.owning.has_lost = true;
            self.drop_rebuilds(dvipa);
            if self.ownership.holding(dvipa).vacated_by.is_none() {
                self.owning.relayed_until.insert(dvipa, now + RELAY);
                // Their packets go to the new owner from now on; what it does not know is offered.
                self.owning.afterwards.push(Effect::ForgetFlows(dvipa));
            }
        }
    }

    /// What this stack has to do with DVIPAs by its profile.
    pub(super) fn stakes(&self) -> BTreeMap<IpAddr, Stake> {
        let dvipas = self.config.dvipas.iter();
        let stakes = dvipas.map(|dvipa| {
            let stake = match dvipa.role {
                DvipaRole::Define { moveable } => Stake {
                    rank: DEFINER,
                    creates: true,
                    moveable,
                },
                DvipaRole::Backup { rank, moveable } => Stake {
                    rank,
                    creates: moveable.is_some(),
                    moveable: moveable.unwrap_or(Moveable::Immediate),
                },
            };
            (dvipa.address, stake)
        });
        stakes.collect()
    }

    /// Tells the machine which DVIPAs this stack wants, where that has changed.
    pub(super) fn declare_willingness(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let is_leaving = matches!(self.phase, Phase::Stopping | Phase::Stopped);
        let is_cut_off = self.is_cut_off_from_clients();
        let dvipas: Vec<IpAddr> = self
            .config
            .dvipas
            .iter()
            .map(|dvipa| dvipa.address)
            .chain(self.owning.owned.iter().copied())
            .collect();
        for dvipa in dvipas {
            let willingness =
                if is_leaving || self.orders.forbid(dvipa) || self.contested.contains(&dvipa) {
                    Willingness::Unwilling
                } else if is_cut_off || (self.must_wait() && !self.owning.owned.contains(&dvipa)) {
                    // Who may be cut off wants nothing that others may own by now.
                    Willingness::Reluctant
                } else {
                    Willingness::Willing
                };
            let before = self.owning.willingness.insert(dvipa, willingness);
            if before.unwrap_or_default() != willingness {
                self.decide(Input::Willingness(dvipa, willingness), now, effects);
            }
        }
    }

    /// Takes which of the DVIPAs that were asked for somebody else answers for; a member that owns one
    /// meanwhile has said so.
    pub(super) fn take_contested(&mut self, contested: BTreeSet<IpAddr>) {
        self.is_dirty = true;
        self.contested = contested;
        let ownership = &self.ownership;
        self.contested
            .retain(|dvipa| ownership.holding(*dvipa).owner.is_none());
    }

    /// Whether clients cannot reach this stack: none of its interfaces to them has a carrier, or
    /// members that were heard there are heard elsewhere only.
    fn is_cut_off_from_clients(&self) -> bool {
        let is_cut_off = |ifindex: &u32| {
            if self.dead_links.contains(ifindex) {
                return true;
            }
            let present = self
                .members
                .values()
                .filter(|member| member.left_at.is_none());
            let paths = present.flat_map(|member| {
                let heard = member.heard.iter();
                heard.map(|path| (path.ifindex, member.paths.get(path) == Some(&true)))
            });
            let (mut was_used, mut is_used, mut is_heard_elsewhere) = (false, false, false);
            for (by, is_up) in paths {
                if by == *ifindex {
                    was_used = true;
                    is_used |= is_up;
                } else {
                    is_heard_elsewhere |= is_up;
                }
            }
            was_used && !is_used && is_heard_elsewhere
        };
        !self.client_ifindexes.is_empty() && self.client_ifindexes.iter().all(is_cut_off)
    }

    /// Says whether this stack answers for a DVIPA that it has given up, because connections live on
    /// and nobody else has come for it.
    #[must_use]
    pub fn is_quiescing(&self, dvipa: IpAddr) -> bool {
        self.applied.placements.get(&dvipa) == Some(&Placement::Owned)
            && self.ownership.holding(dvipa).vacated_by == Some(self.name.as_str())
    }

    /// Says whether this stack has given a DVIPA away, and is here only to relay what still comes.
    #[must_use]
    pub fn is_moving(&self, dvipa: IpAddr) -> bool {
        self.owning.relays(dvipa) && !self.is_target(dvipa)
    }

    /// Lists the DVIPAs that are [quiescing](Self::is_quiescing) here.
    pub(super) fn quiescing(&self) -> impl Iterator<Item = IpAddr> {
        let held = self.applied.placements.keys().copied();
        held.filter(|dvipa| self.is_quiescing(*dvipa))
    }
}
