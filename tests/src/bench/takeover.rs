//! What a thousand living connections, and a client that asks every 2 ms, see when the owner of
//! the VIPA dies, is stopped, is cut off, or comes back.
//!
//! *Lost* is a connection with a reset, a wrong byte, or no progress for 10 s.
//! A *gap* is the longest run of consecutive probes that are never answered
//! within a second, times 2 ms. The worst of all repetitions counts. Each
//! repetition has a lab of its own.

mod cases;
mod observation;
mod setup;

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::{Case, Measurement, Options};

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "takeover",
    about: "1,000 connections and the longest gap, while the address moves",
    cases: || cases::EVENTS.iter().map(|event| event.name).collect(),
    run,
};

/// What is to be done to a lab, and what is then measured.
struct Event {
    name: &'static str,
    run: fn() -> Result<Vec<Figures>>,
}

/// What clients saw of an event, or of a part of it.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The event.
    pub name: String,
    /// Connections that were lost and should not have been; none where all of them may be.
    pub connections_lost: Option<usize>,
    /// The longest gap, in milliseconds; none if it was not measured.
    pub gap_ms: Option<u64>,
    /// What it may be at most; none where it only has to end.
    pub limit: Option<u64>,
    /// What else went wrong, in a sentence each.
    pub faults: Vec<String>,
}

impl Figures {
    /// Whether nothing was lost, nothing went wrong, and the gap is within its limit.
    #[must_use]
    pub fn is_within_limit(&self) -> bool {
        self.is_within(1)
    }

    /// The same with so many times the limit.
    #[must_use]
    pub fn is_within(&self, times: u64) -> bool {
        let gap_is_short = match (self.gap_ms, self.limit) {
            (Some(gap), Some(limit)) => gap <= limit * times,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        gap_is_short && self.connections_lost.unwrap_or(0) == 0 && self.faults.is_empty()
    }

    /// What could not be measured.
    fn failed(name: &str, error: &anyhow::Error) -> Self {
        Self {
            name: name.to_owned(),
            connections_lost: None,
            gap_ms: None,
            limit: None,
            faults: vec![format!("{error:#}")],
        }
    }

    /// The worse of each of both.
    fn add(&mut self, other: Self) {
        self.connections_lost = self.connections_lost.max(other.connections_lost);
        self.gap_ms = self.gap_ms.max(other.gap_ms);
        self.limit = self.limit.or(other.limit);
        self.faults.extend(other.faults);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u64>| number.map_or("–".to_owned(), |one| one.to_string());
        let lost = self.connections_lost.map(|lost| lost as u64);
        write!(
            formatter,
            "{:36} {:>5} lost, gap {:>6} ms, at most {}",
            self.name,
            number(lost),
            number(self.gap_ms),
            number(self.limit),
        )?;
        for fault in &self.faults {
            write!(formatter, "\n      {fault}")?;
        }
        Ok(())
    }
}

/// Makes the case `name` once.
///
/// # Errors
///
/// There is no such case, or the machine cannot have a lab.
pub fn measure(name: &str) -> Result<Vec<Figures>> {
    let mut events = cases::EVENTS.iter();
    let event = events.find(|event| event.name == name);
    let event = event.with_context(|| format!("there is no case `{name}`"))?;
    (event.run)()
}

fn run(options: &Options) -> Result<Vec<Case>> {
    let names = (MEASUREMENT.cases)();
    for case in &options.cases {
        ensure!(
            names.contains(&case.as_str()),
            "expected one of {names:?}, found `{case}`"
        );
    }
    let is_chosen = |event: &&Event| {
        options.cases.is_empty() || options.cases.iter().any(|case| case == event.name)
    };
    let mut worst: Vec<Figures> = Vec::new();
    for event in cases::EVENTS.iter().filter(is_chosen) {
        for _ in 0..options.repeat.unwrap_or(1) {
            let made =
                (event.run)().unwrap_or_else(|error| vec![Figures::failed(event.name, &error)]);
            for figures in made {
                match worst.iter_mut().find(|one| one.name == figures.name) {
                    Some(known) => known.add(figures),
                    None => worst.push(figures),
                }
            }
        }
    }
    Ok(worst.into_iter().map(Case::Takeover).collect())
}

/// Whole milliseconds.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn figures_are_within_limits_only_if_all_of_them_are() {
        for (lost, gap, limit, faults, is_within) in [
            (Some(0), Some(20), Some(20), 0, true),
            (Some(0), Some(22), Some(20), 0, false),
            (Some(1), Some(0), Some(20), 0, false),
            (None, Some(0), Some(0), 0, true),
            (Some(0), None, Some(20), 0, false),
            (Some(0), Some(9_999), None, 0, true),
            (Some(0), Some(0), Some(20), 1, false),
        ] {
            let figures = Figures {
                name: "an event".to_owned(),
                connections_lost: lost,
                gap_ms: gap,
                limit,
                faults: vec!["a fault".to_owned(); faults],
            };
            assert_eq!(figures.is_within_limit(), is_within, "{figures}");
        }
    }

    #[test]
    fn the_worst_of_all_repetitions_counts() {
        let figures = |lost, gap| Figures {
            name: "an event".to_owned(),
            connections_lost: Some(lost),
            gap_ms: Some(gap),
            limit: Some(20),
            faults: vec![],
        };
        let mut worst = figures(0, 4);
        worst.add(figures(2, 0));
        worst.add(figures(1, 16));
        assert_eq!((worst.connections_lost, worst.gap_ms), (Some(2), Some(16)));
    }
}
