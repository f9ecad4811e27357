//! The pages of the documentation that are made from tables.
//!
//! What a page says stands where the program reads it too: nothing is written
//! twice, and a test fails when a committed page differs. A module that owns a
//! table writes its page; here is only the list.

mod counters;
#[cfg(test)]
mod tests;

use super::profile;
use super::report::{self, ReportName};

/// One page of the reference.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Where it lies, below `docs/`.
    pub path: &'static str,
    /// Writes it; its last line ends with a line feed.
    pub text: fn() -> String,
}

/// Every page.
pub const PAGES: &[Page] = &[
    page_of("counters.md", counters::page),
    page_of("profile-reference.md", profile::reference_page),
    page_of("messages.md", profile::messages_page),
    page_of("reports.md", report::page),
    page_of("schema/config.json", || report::schema(ReportName::Config)),
    page_of("schema/home.json", || report::schema(ReportName::Home)),
    page_of("schema/portlist.json", || {
        report::schema(ReportName::Portlist)
    }),
    page_of("schema/stats.json", || report::schema(ReportName::Stats)),
    page_of("schema/vcrt.json", || report::schema(ReportName::Vcrt)),
    page_of("schema/vdpt.json", || report::schema(ReportName::Vdpt)),
    page_of("schema/vipadcfg.json", || {
        report::schema(ReportName::Vipadcfg)
    }),
    page_of("schema/vipadyn.json", || {
        report::schema(ReportName::Vipadyn)
    }),
];

const fn page_of(path: &'static str, text: fn() -> String) -> Page {
    Page { path, text }
}

/// Writes the page that lies at `path`; `None` if there is no such page.
#[must_use]
pub fn page(path: &str) -> Option<String> {
    let page = PAGES.iter().find(|page| page.path == path)?;
    Some((page.text)())
}

/// How a generated page begins, after its title.
pub(crate) const MADE: &str =
    "<!-- Made by `distributor reference`; change the program's tables instead. -->";
