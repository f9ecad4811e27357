//! What an owner tells every member until each has heeded it, and its predecessor tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::record::{Accepted, Announcement, Record};
use super::{Liveness, Output, Ownership, Word};

/// How often an announcement is repeated.
const ANNOUNCE: Duration = Duration::from_millis(200);

/// The members that are heard. To the others it is told when they are heard again.
pub(super) fn living(members: &BTreeMap<String, Liveness>) -> impl Iterator<Item = &String> {
    let living = members
        .iter()
        .filter(|(_, liveness)| **liveness == Liveness::Alive);
    living.map(|(name, _)| name)
}

/// Something to tell every member from now on until it has heeded it.
pub(super) fn announce(members: &BTreeMap<String, Liveness>, now: Duration) -> Announcement {
    Announcement {
        unheeded: living(members).cloned().collect(),
        repeat_at: now,
    }
}

impl Ownership {
    /// Repeats what has not been heeded yet.
    pub(super) fn repeat_announcement(
        &mut self,
        dvipa: IpAddr,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let members = &self.members;
        let Some(record) = self.records.get_mut(&dvipa) else {
            return;
        };
        let (Some(announcement), Some(accepted)) = (&mut record.announcement, &record.accepted)
        else {
            return;
        };
        announcement
            .unheeded
            .retain(|name| members.get(name) == Some(&Liveness::Alive));
        if announcement.unheeded.is_empty() {
            record.announcement = None;
            return;
        }
        if now < announcement.repeat_at {
            return;
        }
        announcement.repeat_at = now + ANNOUNCE;
        let names = announcement.unheeded.iter();
        let is_own = accepted.epoch.stack == self.name;
        out.extend(names.map(|name| {
            if is_own {
                accepted.say_to(name, dvipa)
            } else {
                accepted.remind(dvipa)
            }
        }));
    }
}

impl Announcement {
    /// Something to tell one member, which was told a moment ago, until it has heeded it.
    pub(super) fn to(name: &str, now: Duration) -> Self {
        Self {
            unheeded: [name.to_owned()].into(),
            repeat_at: now + ANNOUNCE,
        }
    }
}

impl Accepted {
    /// What the owner itself is told.
    pub(super) fn remind(&self, dvipa: IpAddr) -> Output {
        Output::Say {
            to: self.epoch.stack.clone(),
            dvipa,
            word: Word::Recall {
                epoch: self.epoch.clone(),
            },
        }
    }

    /// What the owner, or who was it last, tells a member.
    fn say_to(&self, name: &str, dvipa: IpAddr) -> Output {
        let epoch = self.epoch.clone();
        let word = if self.is_vacant {
            Word::Vacant { epoch }
        } else {
            Word::Own {
                epoch,
                rank: self.rank,
                is_vacating: self.is_vacating,
            }
        };
        Output::Say {
            to: name.to_owned(),
            dvipa,
            word,
        }
    }
}

impl Record {
    /// Ends reminding the stack to which `own` has given the DVIPA: it has spoken for itself.
    pub(super) fn successor_is_told(&mut self, own: &str) {
        if let Some(accepted) = &self.accepted
            && accepted.epoch.stack != own
        {
            self.announcement = None;
        }
    }

    /// Tells a member that was not heard before who owns the DVIPA, if that is for `own` to say, or
    /// if it is that member itself.
    pub(super) fn speak_to(
        &mut self,
        name: &str,
        dvipa: IpAddr,
        own: &str,
        now: Duration,
        out: &mut Vec<Output>,
    ) {
        let Some(accepted) = &self.accepted else {
            return;
        };
        if accepted.epoch.stack == name && !accepted.is_vacant {
            out.push(accepted.remind(dvipa));
        }
        let has_vacated = accepted.is_vacant && accepted.epoch.stack == own;
        if !self.is_active() && !has_vacated {
            return;
        }
        out.push(accepted.say_to(name, dvipa));
        let announcement = self.announcement.get_or_insert_with(|| Announcement {
            unheeded: BTreeSet::new(),
            repeat_at: now + ANNOUNCE,
        });
        announcement.unheeded.insert(name.to_owned());
    }
}
