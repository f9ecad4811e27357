//! The way of a claimant: when it claims, whom it asks, when it owns.

use std::net::IpAddr;
use std::time::Duration;

use super::announcement::announce;
use super::record::{Accepted, Asking, Record, Role};
use super::{Claim, DEFINER, Epoch, Liveness, Message, Output, Ownership, Willingness, Word};

/// How often a question is repeated.
const REPEAT: Duration = Duration::from_millis(50);
/// How often the owner is asked again whether it would hand over.
const INQUIRE: Duration = Duration::from_millis(300);
/// How long a living member that does not answer holds up a claim.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the owner may take to hand over.
const HANDING_OVER: Duration = Duration::from_secs(1);
/// How long an owner that must go waits for somebody to come.
const VACATING: Duration = Duration::from_millis(500);

/// How a stack may come to own a DVIPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nobody owns it.
    TakeOver,
    /// The owner lives and hands it over.
    HandOver,
}

impl Ownership {
    /// Does what is due for one DVIPA.
    pub(super) fn look_at(&mut self, dvipa: IpAddr, now: Duration, out: &mut Vec<Output>) {
        let way = self.way(dvipa);
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        if record.retry_at.is_some_and(|at| now >= at) {
            record.retry_at = None;
        }
        if record
            .promise
            .as_ref()
            .is_some_and(|promise| now >= promise.until)
        {
            record.promise = None;
            out.push(Output::Changed(dvipa));
        }
        match (&record.role, way) {
            (Role::Active, _) => self.keep(dvipa, now, out),
            (Role::Bystander, Some(way)) if record.retry_at.is_none() => match way {
                Way::TakeOver => self.ask(dvipa, false, now, out),
                Way::HandOver => {
                    record.role = Role::Inquiring { repeat_at: now };
                    out.push(Output::Changed(dvipa));
                    self.go_on(dvipa, now, out);
                }
            },
            (Role::Bystander, _) => self.let_go(dvipa, now, out),
            (Role::Asking(asking), Some(way)) if asking.is_handover == (way == Way::HandOver) => {
                self.go_on(dvipa, now, out);
            }
            (
                Role::Inquiring { .. } | Role::Preparing | Role::Requesting { .. },
                Some(Way::HandOver),
            ) => {
                self.go_on(dvipa, now, out);
            }
            // What it was about has changed.
            (
                Role::Inquiring { .. }
                | Role::Preparing
                | Role::Asking(_)
                | Role::Requesting { .. },
                _,
            ) => {
                record.role = Role::Bystander;
                out.push(Output::Changed(dvipa));
                if way.is_some() {
                    self.look_at(dvipa, now, out);
                }
            }
        }
        self.repeat_announcement(dvipa, now, out);
    }

    /// Whether this stack should own the DVIPA, and how it can come to.
    fn way(&self, dvipa: IpAddr) -> Option<Way> {
        let record = self.records.get(&dvipa)?;
        let stake = record.stake?;
        if record.willingness != Willingness::Willing || self.listens_until.is_some() {
            return None;
        }
        let Some(accepted) = &record.accepted else {
            // What somebody had before need not be created.
            let is_time = stake.rank == DEFINER || self.creates_from.is_none();
            let may = (stake.creates && is_time) || record.floor > 0;
            return may.then_some(Way::TakeOver);
        };
        if accepted.is_vacant || accepted.epoch.stack == self.name {
            return Some(Way::TakeOver);
        }
        let has_right = accepted.is_vacating
            || stake.rank > accepted.rank
            || (record.is_fresh && stake.rank == DEFINER && accepted.rank == DEFINER);
        match self.liveness(&accepted.epoch.stack) {
            Liveness::Dead => Some(Way::TakeOver),
            Liveness::Alive if has_right => Some(Way::HandOver),
            Liveness::Alive | Liveness::Doubtful => None,
        }
    }

    /// Whether this stack claims the DVIPA itself, with the better right.
    pub(super) fn outranks(&self, dvipa: IpAddr, rank: u8, name: &str) -> bool {
        self.records.get(&dvipa).is_some_and(|record| {
            self.way(dvipa).is_some() && (record.rank(), name) > (rank, self.name.as_str())
        })
    }

    /// Asks every living member for the DVIPA; after a sleep also those that may live.
    pub(super) fn ask(
        &mut self,
        dvipa: IpAddr,
        is_handover: bool,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let name = self.name.clone();
        let consulted = self.consulted();
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        let counter = record.highest + 1;
        record.highest = counter;
        let owner = record.holder().map(|accepted| &accepted.epoch.stack);
        let pending = consulted
            .into_iter()
            .filter(|name| !is_handover || Some(name) != owner)
            .collect();
        record.role = Role::Asking(Asking {
            epoch: Epoch {
                counter,
                stack: name,
            },
            is_handover,
            pending,
            repeat_at: now,
            until: now + PATIENCE,
        });
        out.push(Output::Changed(dvipa));
        self.go_on(dvipa, now, out);
    }

    /// Takes the next step of a claim, or repeats the last.
    pub(super) fn go_on(&mut self, dvipa: IpAddr, now: Duration, out: &mut Vec<Output>) {
        let consulted = self.consulted();
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        let claim = record.claim();
        let known = record.accepted.as_ref();
        let is_vacant = known.is_some_and(|accepted| accepted.is_vacant);
        let owner = known.map(|accepted| accepted.epoch.stack.clone());
        let known = known.map(|accepted| accepted.epoch.clone());
        let mut say = |to: &str, word| {
            out.push(Output::Say {
                to: to.to_owned(),
                dvipa,
                word,
            });
        };
        match &mut record.role {
            Role::Inquiring { repeat_at } if now >= *repeat_at => {
                *repeat_at = now + INQUIRE;
                if let (Some(owner), Some(known)) = (owner, known) {
                    say(&owner, Word::Inquire { claim, known });
                }
            }
            Role::Asking(asking) => {
                asking.pending.retain(|name| consulted.contains(name));
                if asking.pending.is_empty() || now >= asking.until {
                    let (epoch, is_handover) = (asking.epoch.clone(), asking.is_handover);
                    if is_handover {
                        record.role = Role::Requesting {
                            epoch,
                            repeat_at: now,
                            until: now + HANDING_OVER,
                        };
                        self.go_on(dvipa, now, out);
                    } else {
                        self.activate(dvipa, epoch, now, out);
                    }
                } else if now >= asking.repeat_at {
                    asking.repeat_at = now + REPEAT;
                    for name in &asking.pending {
                        let word = Word::Ask {
                            epoch: asking.epoch.clone(),
                            rank: claim.rank,
                            known: known.clone(),
                            is_vacant,
                            is_handover: asking.is_handover,
                        };
                        say(name, word);
                    }
                }
            }
            Role::Requesting { until, .. } if now >= *until => {
                self.give_way(dvipa, INQUIRE, now, out);
            }
            Role::Requesting {
                epoch, repeat_at, ..
            } if now >= *repeat_at => {
                *repeat_at = now + REPEAT;
                if let Some(owner) = owner {
                    let epoch = epoch.clone();
                    say(&owner, Word::HandOver { epoch, claim });
                }
            }
            Role::Inquiring { .. }
            | Role::Requesting { .. }
            | Role::Bystander
            | Role::Preparing
            | Role::Active => {}
        }
    }

    /// Ends a claim that was refused, and tries again later what is still wanted then.
    pub(super) fn give_way(
        &mut self,
        dvipa: IpAddr,
        pause: Duration,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        if let Some(record) = self.records.get_mut(&dvipa) {
            record.role = Role::Bystander;
            record.retry_at = Some(now + pause);
            out.push(Output::Changed(dvipa));
        }
    }

    /// The claim was granted.
    pub(super) fn activate(
        &mut self,
        dvipa: IpAddr,
        epoch: Epoch,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let announcement = announce(&self.members, now);
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        let from = record.holder().map(|accepted| accepted.epoch.stack.clone());
        if let Some(from) = from.filter(|from| *from != self.name) {
            let message =
                if self.members.get(&from) == Some(&Liveness::Alive) && record.rank() == DEFINER {
                    Message::TakenBack { dvipa, from }
                } else {
                    Message::TakenOver { dvipa, from }
                };
            out.push(Output::Tell(message));
        }
        record.accepted = Some(Accepted {
            epoch,
            rank: record.rank(),
            is_vacating: false,
            is_vacant: false,
        });
        record.promise = None;
        record.contradictions = 0;
        record.is_fresh = false;
        record.role = Role::Active;
        record.announcement = Some(announcement);
        out.push(Output::Changed(dvipa));
        self.repeat_announcement(dvipa, now, out);
    }

    /// Does what is due for a DVIPA that this stack owns.
    fn keep(&mut self, dvipa: IpAddr, now: Duration, out: &mut Vec<Output>) {
        let members = &self.members;
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        let must_go = record.stake.is_none() || record.willingness == Willingness::Unwilling;
        let is_vacating = must_go || record.willingness == Willingness::Reluctant;
        let Some(accepted) = &mut record.accepted else {
            return;
        };
        if accepted.is_vacating != is_vacating {
            accepted.is_vacating = is_vacating;
            record.announcement = Some(announce(members, now));
        }
        if !must_go {
            record.vacate_at = None;
            return;
        }
        let patience = if members.is_empty() {
            Duration::ZERO
        } else {
            VACATING
        };
        let vacate_at = *record.vacate_at.get_or_insert(now + patience);
        if now >= vacate_at {
            accepted.is_vacant = true;
            record.vacate_at = None;
            record.role = Role::Bystander;
            record.announcement = Some(announce(members, now));
            out.push(Output::Changed(dvipa));
        }
    }
}

impl Record {
    pub(super) fn claim(&self) -> Claim {
        Claim {
            rank: self.rank(),
            is_fresh: self.is_fresh,
        }
    }
}
