//! Ownership: which stack of the group has a DVIPA.
//!
//! Every member runs this machine over what the others tell it. Nothing in
//! here looks at a clock or a socket, and no message need arrive, or arrive
//! once, or in order: what matters is repeated until it is answered.
//!
//! ```text
//!                    owner dead, vacant, never there
//!   Bystander ───────────────────────────────────▶ Asking ──all promise──▶ Active
//!    │  ▲                                            │ ▲                     │ │
//!    │  └────────── refused; a later owner ──────────┘ │                     │ │
//!    │                                                 │                     │ │
//!    └─outranks, or the owner vacates─▶ Inquiring ─▶ Preparing               │ │
//!                                                      └▶ Asking ▶ Requesting ┘ │
//!   Bystander ◀────────── handed over; a later owner; slept too long ───────────┘
//! ```
//!
//! Two promises are kept whatever happens. A stack never accepts an owner of a
//! lower [`Epoch`] than it has accepted; and nobody claims what a member hears
//! the owner of, unless that owner hands over. Everything else is repaired:
//! two owners that could not hear each other are told apart by their epochs as
//! soon as they can.
//!
//! The rest of the engine knows this machine by [`Input`], [`Output`] and
//! [`Holding`] alone, so that an external one can stand in its place.

mod announcement;
mod answer;
mod claim;
mod epoch;
mod handover;
mod interface;
mod recall;
mod record;
mod word;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

pub use epoch::Epoch;
pub use interface::{
    AdoptedEpoch, Awaits, DEFINER, Holding, Input, Liveness, Output, Stake, Willingness,
};
pub use word::{Claim, Refusal, Word};

use super::message::Message;
use announcement::announce;
use record::{Accepted, Record, Role};

/// How long a stack listens for the others before it claims anything.
pub const LISTEN: Duration = Duration::from_millis(200);

/// How long a stack that has listened before its machine began still takes what has come meanwhile.
const TAKE_IN: Duration = Duration::from_millis(10);

/// How long a stack that has slept listens on for those of which it does not know whether they live.
const LISTEN_ON: Duration = Duration::from_millis(50);

/// How long a stack that has slept claims nothing without members of which it does not know whether
/// they live. Those that have taken it for dead hear it again, and tell it what they own, well before.
const WARY: Duration = Duration::from_secs(3);

/// How long a backup listens before it creates an address that nobody has had: its definer may be
/// about to start, and there is no hurry to serve what was never there.
pub const LISTEN_AS_BACKUP: Duration = Duration::from_secs(1);

/// The machine of one stack.
#[derive(Debug)]
pub struct Ownership {
    name: String,
    /// When it may claim; absent since it may.
    listens_until: Option<Duration>,
    /// Until when, at least, it does without nobody that may live: it has done nothing for long.
    wary_until: Option<Duration>,
    /// When it may create what it only backs up; absent since it may.
    creates_from: Option<Duration>,
    /// Whether it has been told what it has a stake in.
    has_stakes: bool,
    members: BTreeMap<String, Liveness>,
    records: BTreeMap<IpAddr, Record>,
}

impl Ownership {
    /// A stack that has not heard of anybody; `adopted` is what its packet path knows of DVIPAs.
    #[must_use]
    pub fn new(name: &str, adopted: &BTreeMap<IpAddr, AdoptedEpoch>, now: Duration) -> Self {
        let records = adopted.iter().map(|(dvipa, adopted)| {
            let accepted = adopted.is_own.then(|| Accepted {
                epoch: Epoch {
                    counter: adopted.counter,
                    stack: name.to_owned(),
                },
                rank: 0,
                is_vacating: false,
                is_vacant: false,
            });
            let role = if adopted.is_own {
                Role::Active
            } else {
                Role::Bystander
            };
            let record = Record {
                accepted,
                role,
                floor: adopted.counter,
                highest: adopted.counter,
                ..Record::default()
            };
            (*dvipa, record)
        });
        Self {
            name: name.to_owned(),
            listens_until: Some(now + LISTEN),
            wary_until: None,
            creates_from: Some(now + LISTEN_AS_BACKUP),
            has_stakes: false,
            members: BTreeMap::new(),
            records: records.collect(),
        }
    }

    /// Counts as listening what was spent so before the machine began.
    #[must_use]
    pub fn having_listened(mut self, listened: Duration, now: Duration) -> Self {
        self.listens_until = Some(now + LISTEN.saturating_sub(listened));
        self.listen_on(now);
        self
    }

    /// Listens a moment longer: what has come before this still has to be taken.
    pub fn listen_on(&mut self, now: Duration) {
        self.listens_until = self.listens_until.map(|until| until.max(now + TAKE_IN));
    }

    /// Takes one input; `now` never goes back.
    pub fn handle(&mut self, input: Input, now: Duration) -> Vec<Output> {
        let mut out = Vec::new();
        if self.wary_until.is_some_and(|until| now >= until) && !self.has_doubtful() {
            self.wary_until = None;
        }
        if self.listens_until.is_some_and(|until| now >= until) {
            let is_in_doubt = self.is_wary() && self.has_doubtful();
            self.listens_until = is_in_doubt.then_some(now + LISTEN_ON);
            self.look_at_all(now, &mut out);
        }
        if self.creates_from.is_some_and(|from| now >= from) {
            self.creates_from = None;
            self.look_at_all(now, &mut out);
        }
        match input {
            Input::Stakes(stakes) => {
                self.take_stakes(&stakes, now);
                self.look_at_all(now, &mut out);
            }
            Input::Willingness(dvipa, willingness) => {
                let record = self.records.entry(dvipa).or_default();
                if record.willingness != willingness {
                    record.willingness = willingness;
                    self.look_at(dvipa, now, &mut out);
                }
            }
            Input::Member(name, liveness) => self.take_member(&name, liveness, now, &mut out),
            Input::Left(name) => {
                self.members.remove(&name);
                self.look_at_all(now, &mut out);
            }
            Input::Word { from, dvipa, word } => {
                self.take_word(&from, dvipa, word, now, &mut out);
                self.look_at(dvipa, now, &mut out);
            }
            Input::Prepared(dvipa) => {
                if let Some(record) = self.records.get_mut(&dvipa)
                    && matches!(record.role, Role::Preparing)
                {
                    self.ask(dvipa, true, now, &mut out);
                }
            }
            Input::Connections(dvipa, count) => {
                self.take_count(dvipa, count, now, &mut out);
            }
            Input::Overslept => self.step_down(now, &mut out),
            Input::Timer => self.look_at_all(now, &mut out),
        }
        out
    }

    /// When [`Input::Timer`] is due; asked again after every input.
    #[must_use]
    pub fn next_timer(&self) -> Option<Duration> {
        let records = self.records.values().filter_map(Record::deadline);
        records
            .chain(self.listens_until)
            .chain(self.creates_from)
            .min()
    }

    /// Who has a DVIPA, as this stack knows.
    #[must_use]
    pub fn holding(&self, dvipa: IpAddr) -> Holding<'_> {
        let Some(record) = self.records.get(&dvipa) else {
            return Holding::default();
        };
        let accepted = record.accepted.as_ref();
        let is_mine = |accepted: &&Accepted| accepted.epoch.stack == self.name;
        let own_claim = match &record.role {
            // New connections must find their services as soon as the owner lets go.
            Role::Requesting { .. } => Some(self.name.as_str()),
            Role::Asking(asking) if asking.is_handover => Some(self.name.as_str()),
            Role::Bystander
            | Role::Inquiring { .. }
            | Role::Preparing
            | Role::Asking(_)
            | Role::Active => None,
        };
        let promised = record.promise.as_ref();
        Holding {
            owner: record
                .holder()
                .filter(|accepted| !is_mine(accepted) || record.is_active())
                .map(|accepted| accepted.epoch.stack.as_str()),
            vacated_by: accepted
                .filter(|accepted| accepted.is_vacant)
                .map(|accepted| accepted.epoch.stack.as_str()),
            claimant: own_claim.or(promised.map(|promise| promise.epoch.stack.as_str())),
            // A restarted daemon knows the counter before it knows whose it is.
            epoch: accepted.map_or(record.floor, |accepted| accepted.epoch.counter),
            awaits: match &record.role {
                Role::Inquiring { .. } | Role::Requesting { .. } => Some(Awaits::Owner),
                Role::Preparing => Some(Awaits::Flows),
                Role::Asking(_) => Some(Awaits::Members),
                Role::Bystander | Role::Active => None,
            },
        }
    }

    /// Every DVIPA that this stack has a stake in or has heard of.
    pub fn dvipas(&self) -> impl Iterator<Item = IpAddr> {
        self.records.keys().copied()
    }

    /// The latest owner that this stack has accepted, whatever has become of it.
    #[must_use]
    pub fn accepted(&self, dvipa: IpAddr) -> Option<&Epoch> {
        let accepted = self.records.get(&dvipa)?.accepted.as_ref()?;
        Some(&accepted.epoch)
    }

    /// Whether this stack only listens still, and claims nothing.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.listens_until.is_some()
    }

    /// Whether this stack owns a DVIPA.
    #[must_use]
    pub fn is_owner(&self, dvipa: IpAddr) -> bool {
        self.records.get(&dvipa).is_some_and(Record::is_active)
    }

    fn take_stakes(&mut self, stakes: &BTreeMap<IpAddr, Stake>, now: Duration) {
        let has_begun = std::mem::replace(&mut self.has_stakes, true);
        for (dvipa, stake) in stakes {
            let record = self.records.entry(*dvipa).or_default();
            // What an earlier daemon of this stack defined is not new because it was restarted.
            let was_definer = record.rank() == DEFINER || (!has_begun && record.floor > 0);
            record.is_fresh |= stake.rank == DEFINER && !was_definer && !record.is_active();
            record.stake = Some(*stake);
            if record.is_active()
                && let Some(accepted) = &mut record.accepted
                && accepted.rank != stake.rank
            {
                accepted.rank = stake.rank;
                record.announcement = Some(announce(&self.members, now));
            }
        }
        for (dvipa, record) in &mut self.records {
            if !stakes.contains_key(dvipa) {
                record.stake = None;
                record.is_fresh = false;
            }
        }
    }

    fn take_member(
        &mut self,
        name: &str,
        liveness: Liveness,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if name == self.name {
            return;
        }
        let before = self.members.insert(name.to_owned(), liveness);
        if liveness == Liveness::Alive && before != Some(Liveness::Alive) {
            // It may know less than it did, or more than this stack does.
            for (dvipa, record) in &mut self.records {
                record.speak_to(name, *dvipa, &self.name, now, out);
            }
        }
        self.look_at_all(now, out);
    }

    /// Whether this stack has slept a moment ago: others may own what it owned, and may be about to say so
    /// to a stack that they have taken for dead.
    fn is_wary(&self) -> bool {
        self.wary_until.is_some()
    }

    fn has_doubtful(&self) -> bool {
        let mut members = self.members.values();
        members.any(|liveness| *liveness == Liveness::Doubtful)
    }

    /// The members without whose answer nothing is claimed.
    fn consulted(&self) -> BTreeSet<String> {
        let members = self.members.iter().filter(|(_, liveness)| match liveness {
            Liveness::Alive => true,
            Liveness::Doubtful => self.is_wary(),
            Liveness::Dead => false,
        });
        members.map(|(name, _)| name.clone()).collect()
    }

    /// Gives up everything that another may have come to own meanwhile, to claim it again when the
    /// others have been heard.
    fn step_down(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.members.is_empty() {
            return;
        }
        self.listens_until = Some(now + LISTEN);
        self.wary_until = Some(now + WARY);
        for (dvipa, record) in &mut self.records {
            if record.is_active() {
                record.role = Role::Bystander;
                record.announcement = None;
                out.push(Output::Changed(*dvipa));
            }
        }
        self.look_at_all(now, out);
    }

    fn look_at_all(&mut self, now: Duration, out: &mut Vec<Output>) {
        let all: Vec<IpAddr> = self.records.keys().copied().collect();
        for dvipa in all {
            self.look_at(dvipa, now, out);
        }
    }

    fn liveness(&self, name: &str) -> Liveness {
        self.members.get(name).copied().unwrap_or(Liveness::Dead)
    }
}

#[cfg(test)]
mod tests;
