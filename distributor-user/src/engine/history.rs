//! The configurations that a stack has had, and the way back.
//!
//! The last entry is what is in force. Nothing here reads a clock or a file; the
//! whole is plain data, to be kept beside the daemon.
//!
//! ```text
//!   profile ──start, reload──▶ entry ──obey──▶ entry       until the profile is read again
//!   any text ──apply─────────▶ entry ──rollback──▶ entry   until the profile says something else
//!                 │ not confirmed in time ──undo──▶ entry
//! ```

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::config::Config;

/// How many entries are kept.
pub const ENTRIES: usize = 20;
/// How many changes an entry tells of in words.
const CHANGES: usize = 100;

/// What a stack has been configured to, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    entries: Vec<Entry>,
    /// What the profile said when the stack was given another configuration that is to last: as long as
    /// it says the same, a start goes on with that.
    #[serde(default)]
    set_aside: Option<Config>,
    #[serde(default)]
    unconfirmed: Option<Unconfirmed>,
}

/// One configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts on from entry to entry.
    pub number: u64,
    /// Since when it is in force.
    pub at: Timestamp,
    /// How it came about.
    pub how: How,
    /// Who gave the order; absent for a start, a signal and what was undone by itself.
    pub by: Option<User>,
    /// The file that was read, as whoever gave the order named it; absent where none was.
    pub source: Option<String>,
    /// What is different from the entry before, in words; of very many the first.
    pub changes: Vec<String>,
    /// What it is.
    pub config: Config,
}

/// How a configuration came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The profile, at the daemon's start.
    Start,
    /// The profile, read again.
    Reload,
    /// Statements that were obeyed.
    Obey,
    /// Another profile.
    Apply,
    /// An earlier entry, by order.
    Rollback(u64),
    /// An earlier entry, since the change after it was not confirmed.
    Undo(u64),
}

impl How {
    /// The entry that it has restored.
    #[must_use]
    pub const fn restores(self) -> Option<u64> {
        match self {
            Self::Rollback(number) | Self::Undo(number) => Some(number),
            Self::Start | Self::Reload | Self::Obey | Self::Apply => None,
        }
    }

    /// The word that displays have.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Obey => "obey",
            Self::Apply => "apply",
            Self::Rollback(_) => "rollback",
            Self::Undo(_) => "undo",
        }
    }
}

/// Who gave an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// His number.
    pub uid: u32,
    /// His name, if he has one.
    pub name: Option<String>,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "uid {}", self.uid),
        }
    }
}

/// A change that is undone unless it is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// By when.
    pub until: Timestamp,
    /// How long that was from the start.
    within: Duration,
    /// The entry that comes back.
    pub back_to: u64,
}

impl Unconfirmed {
    /// How long there is time; a clock that went back gives no more than there was.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> Duration {
        let left = now.duration_until(self.until);
        Duration::try_from(left).map_or(Duration::ZERO, |left| left.min(self.within))
    }
}

/// A configuration that is about to be in force.
#[derive(Clone, Debug)]
pub struct New {
    /// How it comes about.
    pub how: How,
    /// Who gave the order.
    pub by: Option<User>,
    /// The file that was read.
    pub source: Option<String>,
    /// What is different, in words.
    pub changes: Vec<String>,
    /// What it is.
    pub config: Config,
    /// What the profile says meanwhile, where that could be something else, and can be read.
    pub profile: Option<Config>,
    /// How long there is time to confirm it; absent: it need not be.
    pub within: Option<Duration>,
}

/// Why there is no way back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWayBack {
    /// The first entry is in force.
    #[error(
        "expected an earlier configuration, found none: `distributor history` shows what there is"
    )]
    None,
    /// There is no such entry.
    #[error("expected the number of an entry of `distributor history`, found {0}")]
    Unknown(u64),
}

/// What a start goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// What the profile says.
    Profile,
    /// The entry of this number, though the profile says something else.
    Entry(u64),
    /// The same, because the change after it was not confirmed in time.
    Undone(u64),
}

impl History {
    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this number.
    #[must_use]
    pub fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.number == number)
    }

    /// The entry that is in force.
    #[must_use]
    pub fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// The change that waits to be confirmed.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<&Unconfirmed> {
        self.unconfirmed.as_ref()
    }

    /// Whether what is in force lasts although the profile says something else.
    #[must_use]
    pub fn sets_profile_aside(&self) -> bool {
        self.set_aside.is_some()
    }

    /// Finds the entry to go back to: the one before what is in force, or the one that is asked for.
    ///
    /// What has been restored counts as what it was, so that another rollback goes on to what was
    /// before that.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn way_back(&self, asked: Option<u64>) -> Result<&Entry, NoWayBack> {
        if let Some(number) = asked {
            return self.entry(number).ok_or(NoWayBack::Unknown(number));
        }
        if let Some(unconfirmed) = &self.unconfirmed {
            let back_to = unconfirmed.back_to;
            return self.entry(back_to).ok_or(NoWayBack::None);
        }
        let last = self.last().ok_or(NoWayBack::None)?;
        let stands_for = self.origin(last).number;
        let before = |entry: &&Entry| entry.number < stands_for;
        self.entries
            .iter()
            .rev()
            .find(before)
            .ok_or(NoWayBack::None)
    }

    /// The entry that `entry` has restored in the end.
    fn origin<'a>(&'a self, entry: &'a Entry) -> &'a Entry {
        let mut origin = entry;
        // An entry restores an earlier one, so this ends.
        while let Some(earlier) = origin
            .how
            .restores()
            .filter(|number| *number < origin.number)
            .and_then(|number| self.entry(number))
        {
            origin = earlier;
        }
        origin
    }

    /// Takes note of what is in force from now on, and returns its number. The same as before is no
    /// new entry, and only what it means for the next start is noted.
    pub fn record(&mut self, new: New, now: Timestamp) -> u64 {
        let before = self.last().map_or(0, |last| last.number);
        let lasts = new.how != How::Obey;
        if lasts {
            self.set_aside = new.profile.filter(|profile| *profile != new.config);
        }
        self.unconfirmed = None;
        let is_noted =
            |last: &Entry| last.config == new.config && !(lasts && last.how == How::Obey);
        if self.last().is_some_and(is_noted) {
            return before;
        }
        let mut changes = new.changes;
        if let Some(more) = changes.len().checked_sub(CHANGES).filter(|more| *more > 0) {
            changes.truncate(CHANGES);
            changes.push(format!("and {more} more"));
        }
        let number = before + 1;
        self.entries.push(Entry {
            number,
            at: now,
            how: new.how,
            by: new.by,
            source: new.source,
            changes,
            config: new.config,
        });
        self.unconfirmed = new.within.map(|within| Unconfirmed {
            until: now.saturating_add(within).unwrap_or(Timestamp::MAX),
            within,
            back_to: before,
        });
        self.forget();
        number
    }

    /// Confirms the change that waits for it; `None` if there is none.
    pub fn confirm(&mut self) -> Option<u64> {
        self.unconfirmed.take()?;
        self.last().map(|last| last.number)
    }

    /// Has the profile count at the next start, whatever was applied instead. What waits to be confirmed
    /// goes on waiting.
    pub fn follow_profile(&mut self) {
        self.set_aside = None;
    }

    /// Says what a start goes on with, if the profile says `profile` now.
    #[must_use]
    pub fn at_start(&self, profile: &Config, now: Timestamp) -> Start {
        // What was obeyed is over with the daemon that obeyed it.
        let Some(lasting) = self.lasting() else {
            return Start::Profile;
        };
        let then = self.set_aside.as_ref().unwrap_or(&lasting.config);
        if profile != then {
            return Start::Profile;
        }
        match &self.unconfirmed {
            Some(unconfirmed) if unconfirmed.left(now).is_zero() => {
                Start::Undone(unconfirmed.back_to)
            }
            Some(_) | None if *profile == lasting.config => Start::Profile,
            Some(_) | None => Start::Entry(lasting.number),
        }
    }

    /// The last entry that does not end with the daemon.
    fn lasting(&self) -> Option<&Entry> {
        let mut entries = self.entries.iter().rev();
        entries.find(|entry| entry.how != How::Obey)
    }

    /// Forgets the oldest, but not what the next start may need.
    fn forget(&mut self) {
        let needed = [
            self.lasting().map(|entry| entry.number),
            self.unconfirmed
                .as_ref()
                .map(|unconfirmed| unconfirmed.back_to),
        ];
        while self.entries.len() > ENTRIES {
            let is_needed = |entry: &Entry| needed.contains(&Some(entry.number));
            let Some(at) = self.entries.iter().position(|entry| !is_needed(entry)) else {
                return;
            };
            self.entries.remove(at);
        }
    }
}

#[cfg(test)]
mod tests;
