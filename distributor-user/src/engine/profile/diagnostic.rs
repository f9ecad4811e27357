//! What `check` and `run` say about a profile.
//!
//! A diagnostic is data: it knows neither colours nor files. Messages are
//! lower case, name what was expected before what was found, and every error
//! carries a help text that says what would be right.

use super::message::{Message, NOT_SHOWN};
use super::source::Span;

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The profile is refused as a whole.
    Error,
    /// The profile is accepted; something in it will probably surprise.
    Warning,
    /// The profile is accepted; something in it is worth knowing.
    Note,
}

impl Severity {
    /// The word that reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// Number of its message: that of z/OS with the same meaning, `EZZnnnnI`, or `SDLnnnnI`.
    pub id: &'static str,
    /// What is underlined.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Other places that matter, each with what it is.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// A finding that refuses the profile.
    pub fn error(about: &'static Message, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, about, span, message)
    }

    /// A finding that leaves the profile usable, but probably not as meant.
    pub fn warning(about: &'static Message, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, about, span, message)
    }

    /// A remark.
    pub fn note(about: &'static Message, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, about, span, message)
    }

    fn new(severity: Severity, about: &Message, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity,
            id: about.id,
            span,
            message: message.into(),
            help: None,
            related: Vec::new(),
        }
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at another place that matters.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }
}

/// More findings than this are counted, not kept: nobody reads them, and memory is finite.
const KEPT: usize = 1000;

/// Collects findings in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    kept: Vec<Diagnostic>,
    beyond: usize,
    has_error: bool,
}

impl Diagnostics {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let first_error = diagnostic.severity == Severity::Error && !self.has_error;
        self.has_error |= first_error;
        if self.kept.len() < KEPT || first_error {
            self.kept.push(diagnostic);
        } else {
            self.beyond += 1;
        }
    }

    pub(super) fn has_error(&self) -> bool {
        self.has_error
    }

    /// The findings by place; a member that is included twice is complained about once.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.kept
            .sort_by_key(|found| (found.span.source, found.span.start));
        self.kept.dedup();
        if let (Some(last), 1..) = (self.kept.last(), self.beyond) {
            let more = Diagnostic::note(
                &NOT_SHOWN,
                last.span,
                format!("{} further findings are not shown", self.beyond),
            );
            self.kept
                .push(more.help("mend the first ones and check again"));
        }
        self.kept
    }
}
