//! The pages of the documentation that are made from tables.
//!
//! What a page says stands where the program reads it too: nothing is written
//! twice, and a test fails when a committed page differs. A module that owns a
//! table writes its page; here is only the list.

mod counters;
#[cfg(test)]
mod tests;

use super::profile;

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
    Page {
        path: "counters.md",
        text: counters::page,
    },
    Page {
        path: "profile-reference.md",
        text: profile::reference_page,
    },
    Page {
        path: "messages.md",
        text: profile::messages_page,
    },
];

/// Writes the page that lies at `path`; `None` if there is no such page.
#[must_use]
pub fn page(path: &str) -> Option<String> {
    let page = PAGES.iter().find(|page| page.path == path)?;
    Some((page.text)())
}

/// How a generated page begins, after its title.
pub(crate) const MADE: &str =
    "<!-- Made by `distributor reference`; change the program's tables instead. -->";
