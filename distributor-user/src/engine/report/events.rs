//! EVENTS: the latest messages of a stack.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::Room;
use super::layout::Column;
use crate::engine::events::{About, Events};

/// The latest messages of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latest {
    /// One for each of the last 1,000, the oldest first.
    pub rows: Vec<EventRow>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventRow {
    /// Its number since the daemon began, from 1.
    pub number: u64,
    /// When it was given, in local time, with milliseconds.
    pub at: String,
    /// Its id; messages.md lists them.
    pub id: String,
    /// Whether an operator should look at it.
    #[schemars(extend("enum" = ["info", "warning"]))]
    pub severity: String,
    /// What it says.
    pub text: String,
    /// The DVIPA that it is about; null if it is about none, or many.
    pub dvipa: Option<IpAddr>,
    /// The port that it is about; null likewise.
    pub port: Option<u16>,
    /// The other stack that it is about; null likewise.
    pub about_stack: Option<String>,
}

/// What the text calls the fields of a message.
pub(super) const ROWS: &[Column] = &[];

/// Builds EVENTS; times are told in `zone`.
#[must_use]
pub fn latest(events: &Events, zone: &TimeZone, room: &mut Room) -> Latest {
    let admitted = events.iter().filter(|_| room.admit());
    let rows = admitted.map(|event| {
        let About { dvipa, port, stack } = About::of(&event.message);
        let kind = event.message.kind();
        let at = event.at.to_zoned(zone.clone());
        EventRow {
            number: event.number,
            at: at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            id: kind.id.to_owned(),
            severity: if kind.is_warning { "warning" } else { "info" }.to_owned(),
            text: event.message.to_string(),
            dvipa,
            port,
            about_stack: stack,
        }
    });
    Latest {
        rows: rows.collect(),
    }
}

pub(super) fn text(out: &mut String, latest: &Latest) -> fmt::Result {
    latest.rows.iter().try_for_each(|row| line(out, row))
}

fn line(out: &mut String, row: &EventRow) -> fmt::Result {
    let sign = if row.severity == "warning" { '!' } else { ' ' };
    writeln!(out, "{} {sign} {} {}", row.at, row.id, row.text)
}

impl fmt::Display for EventRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        line(&mut text, self)?;
        f.write_str(text.trim_end())
    }
}
