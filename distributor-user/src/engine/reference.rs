//! The pages of the documentation that are made from tables.
//!
//! What a page says stands where the program reads it too: nothing is written
//! twice, and a test fails when a committed page differs. A module that owns a
//! table writes its page; here is only the list.

mod counters;
#[cfg(test)]
mod tests;

use super::confinement;
use super::doctor;
use super::metrics;
use super::profile;
use super::report::{self, ReportName};

/// What writes a page.
enum Source {
    Text(fn() -> String),
    Schema(ReportName),
}

/// The pages by where they lie below `docs/`; every report has a schema.
fn sources() -> impl Iterator<Item = (String, Source)> {
    let texts = [
        ("confinement.md", Source::Text(confinement::page)),
        ("counters.md", Source::Text(counters::page)),
        ("metrics.md", Source::Text(metrics::page)),
        (
            "profile-reference.md",
            Source::Text(profile::reference_page),
        ),
        ("messages.md", Source::Text(profile::messages_page)),
        ("reports.md", Source::Text(report::page)),
        ("schema/doctor.json", Source::Text(doctor::schema)),
        ("troubleshooting.md", Source::Text(doctor::page)),
    ];
    let texts = texts.map(|(path, text)| (path.to_owned(), text));
    let schemas = ReportName::ALL.map(|report| {
        let path = format!("schema/{}.json", report.word());
        (path, Source::Schema(report))
    });
    texts.into_iter().chain(schemas)
}

/// Where every page lies, below `docs/`.
pub fn paths() -> impl Iterator<Item = String> {
    sources().map(|(path, _)| path)
}

/// Writes the page that lies at `path`, its last line with a line feed; `None` if there is no such
/// page.
#[must_use]
pub fn page(path: &str) -> Option<String> {
    let (_, source) = sources().find(|(found, _)| found == path)?;
    Some(match source {
        Source::Text(text) => text(),
        Source::Schema(report) => report::schema(report),
    })
}

/// How a generated page begins, after its title.
pub(crate) const MADE: &str =
    "<!-- Made by `distributor reference`; change the program's tables instead. -->";
