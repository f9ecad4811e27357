//! The profile language: text → words → statements → configuration.
//!
//! Nothing here opens a file, and nothing is applied in part: a profile with an
//! error has no configuration at all, and every error in it is found in one
//! go. What is understood but not acted on is said, never silently ignored.
//!
//! ```text
//! include ─▶ lexer ─▶ parser ─▶ resolve ─▶ Config
//!    │                  ▲ table (every statement, once)
//!  Reader (the shell's)
//! ```
//!
//! The rules are those of z/OS Communications Server's PROFILE.TCPIP; where
//! this differs from z/OS, `docs/profile.md` says so.

mod argument;
mod decode;
mod diagnostic;
mod grammar;
mod include;
mod lexer;
mod message;
mod pages;
mod parser;
mod render;
mod resolve;
mod source;
mod suggest;
mod symbols;
pub mod table;
mod texts;
mod tree;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, Severity};
pub use grammar::{Argument, Choice, Kind, Need, Order, Part, Row, Standing};
pub use include::{MAX_BYTES, Operand, ReadError, Reader, Text};
pub(crate) use message::{EZZ0695I, own};
pub use message::{MESSAGES, Message, OWN_MESSAGES};
pub use pages::{messages_page, reference_page};
pub use render::{Finding, Style};
pub use resolve::Places;
pub(super) use resolve::network;
pub use source::{Position, Source, Sources, Span};
pub use symbols::Symbol;
pub use texts::Texts;

use super::config::Config;
use diagnostic::Diagnostics;
use message::{EMPTY, NO_FILE};

/// A profile that was read, right or wrong.
#[derive(Debug)]
pub struct Loaded {
    /// What it asks for; present exactly if no diagnostic is an error.
    pub config: Option<Config>,
    /// Everything there is to say about it, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that the diagnostics point into, the profile first.
    pub sources: Sources,
    /// Where the configuration stands in them.
    pub places: Places,
}

/// Reads `profile`, asking `reader` for what it includes.
pub fn load(profile: Text, reader: &mut dyn Reader) -> Loaded {
    read(profile, reader, None)
}

/// Reads `obeyfile` as changes of the configuration `running`, as VARY OBEYFILE does.
///
/// The configuration that comes out is the running one with what the text adds, replaces and
/// deletes; what it does not mention stays. With an error in the text there is none, and nothing
/// is to be changed. Nothing is compared with the state of the stack: whoever applies the result
/// takes the difference to `running`.
pub fn obey(running: &Config, obeyfile: Text, reader: &mut dyn Reader) -> Loaded {
    read(obeyfile, reader, Some(running))
}

fn read(text: Text, reader: &mut dyn Reader, running: Option<&Config>) -> Loaded {
    let mut found = Diagnostics::default();
    let expansion = include::expand(text, reader, &mut found);
    let interfaces = running.map(resolve::interfaces).unwrap_or_default();
    let parsed = parser::parse(&expansion.sources, &expansion.words, interfaces, &mut found);
    if expansion.words.is_empty() && !found.has_error() {
        found.push(
            Diagnostic::error(&EMPTY, START, "expected at least one statement, found none").help(
                "a target needs `IPCONFIG SYSPLEXROUTING DYNAMICXCF address subnet_mask cost_metric`",
            ),
        );
    }
    let is_incomplete = expansion.is_incomplete || parsed.is_incomplete;
    let resolved = resolve::resolve(&parsed.nodes, running, is_incomplete, &mut found);
    Loaded {
        config: (!found.has_error()).then_some(resolved.config),
        diagnostics: found.finish(),
        sources: expansion.sources,
        places: resolved.places,
    }
}

/// What to say about a profile that cannot be read at all.
#[must_use]
pub fn unreadable(name: &str, error: ReadError) -> Loaded {
    let report = Diagnostic::error(
        &NO_FILE,
        START,
        format!("cannot read the profile: {}", error.message),
    );
    let mut loaded = without_text(name);
    loaded.diagnostics.push(report.help(error.help));
    loaded
}

/// What there is of a profile whose text is not here.
#[must_use]
pub fn without_text(name: &str) -> Loaded {
    let mut sources = Sources::default();
    sources.push(Source::new(name.to_owned(), String::new(), None));
    Loaded {
        config: None,
        diagnostics: Vec::new(),
        sources,
        places: Places::default(),
    }
}

/// The beginning of the profile.
pub const START: Span = Span {
    source: 0,
    start: 0,
    end: 0,
};

/// `text` in backquotes, not too long for a message.
fn quote(text: &str) -> String {
    format!("`{}`", shorten(text))
}

/// `text`, not too long for a message.
fn shorten(text: &str) -> std::borrow::Cow<'_, str> {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
