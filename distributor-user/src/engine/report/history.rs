//! HISTORY: the configurations that a stack has had.

use std::fmt;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::Room;
use super::layout::Column;
use crate::engine::history::History;

/// The configurations that a stack has had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Past {
    /// One for each, the one in force first.
    pub entries: Vec<EntryRow>,
    /// The change that is undone unless it is confirmed; null if none is.
    pub unconfirmed: Option<UnconfirmedRow>,
    /// Whether what is in force stays so at the next start although the profile says something else.
    pub sets_profile_aside: bool,
}

/// One configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryRow {
    /// Its number: what `rollback` takes.
    pub number: u64,
    /// Since when it was in force, in local time.
    pub since: String,
    /// How it came about.
    #[schemars(extend("enum" = ["start", "reload", "obey", "apply", "rollback", "undo"]))]
    pub how: String,
    /// The entry that was restored; null except for `rollback` and `undo`.
    pub restores: Option<u64>,
    /// Who gave the order, by number; null for a start, a signal and what was undone by itself.
    pub uid: Option<u32>,
    /// His name; null likewise, and if he has none.
    pub user: Option<String>,
    /// The file that was read, as whoever gave the order named it; null where none was.
    pub source: Option<String>,
    /// What was different from the entry before, in words; of very many the first.
    pub changes: Vec<String>,
}

/// A change that waits to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnconfirmedRow {
    /// By when, in local time.
    pub until: String,
    /// The entry that comes back.
    pub back_to: u64,
}

/// What the text calls the fields of an entry.
pub(super) const ENTRIES: &[Column] = &[
    Column::only_long("number", "Entry"),
    Column::only_long("since", "Since"),
    Column::only_long("how", "How"),
    Column::only_long("user", "By"),
    Column::only_long("source", "From"),
];

/// Builds HISTORY; times are told in `zone`.
#[must_use]
pub fn past(history: &History, zone: &TimeZone, room: &mut Room) -> Past {
    let local = |at: Timestamp| {
        let at = at.to_zoned(zone.clone());
        at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    };
    let newest_first = history.entries().iter().rev();
    let entries = newest_first.filter(|_| room.admit()).map(|entry| EntryRow {
        number: entry.number,
        since: local(entry.at),
        how: entry.how.word().to_owned(),
        restores: entry.how.restores(),
        uid: entry.by.as_ref().map(|user| user.uid),
        user: entry.by.as_ref().and_then(|user| user.name.clone()),
        source: entry.source.clone(),
        changes: entry.changes.clone(),
    });
    Past {
        entries: entries.collect(),
        unconfirmed: history.unconfirmed().map(|unconfirmed| UnconfirmedRow {
            until: local(unconfirmed.until),
            back_to: unconfirmed.back_to,
        }),
        sets_profile_aside: history.sets_profile_aside(),
    }
}

pub(super) fn text(out: &mut String, past: &Past) -> fmt::Result {
    if let Some(UnconfirmedRow { until, back_to }) = &past.unconfirmed {
        writeln!(
            out,
            "Entry {back_to} comes back at {until}, unless `distributor confirm` is said before."
        )?;
    }
    if past.sets_profile_aside {
        writeln!(
            out,
            "What is in force is not what the profile says, and stays so at the next start."
        )?;
    }
    for entry in &past.entries {
        let how = match entry.restores {
            Some(number) => format!("{} to entry {number}", entry.how),
            None => entry.how.clone(),
        };
        write!(
            out,
            "Entry: {:<5} Since: {}  How: {how}",
            entry.number, entry.since
        )?;
        match (&entry.user, entry.uid) {
            (Some(user), _) => write!(out, "  By: {user}")?,
            (None, Some(uid)) => write!(out, "  By: uid {uid}")?,
            (None, None) => {}
        }
        if let Some(source) = &entry.source {
            write!(out, "  From: {source}")?;
        }
        writeln!(out)?;
        for change in &entry.changes {
            writeln!(out, "  {change}")?;
        }
    }
    Ok(())
}
