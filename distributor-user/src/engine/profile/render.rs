//! Diagnostics as a person or a program reads them.
//!
//! Nothing here prints; a caller decides where the text goes and whether it
//! may be coloured.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::diagnostic::{Diagnostic, Severity};
use super::source::{Sources, Span};
use super::{Loaded, Position};

/// How text is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// ASCII, without colours.
    Plain,
    /// For a terminal.
    Coloured,
}

/// One diagnostic for programs; a stable form, fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file; empty, and left out, where there is none: then the places mean nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Line of the first character that is not underlined any more.
    pub end_line: usize,
    /// Its column.
    pub end_column: usize,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// Number of its message: that of z/OS with the same meaning, or one of ours, `SDL…`.
    pub id: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Loaded {
    /// The diagnostics for programs.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.diagnostics.iter().map(|diagnostic| {
            let (file, start, end) = self.place(diagnostic.span);
            Finding {
                file: file.to_owned(),
                line: start.line,
                column: start.column,
                end_line: end.line,
                end_column: end.column,
                severity: diagnostic.severity.name(),
                id: diagnostic.id,
                message: diagnostic.message.clone(),
                help: diagnostic.help.clone(),
            }
        })
    }

    /// How many diagnostics are of `severity`.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    /// File, first position and the position after the last of `span`.
    #[must_use]
    pub fn place(&self, span: Span) -> (&str, Position, Position) {
        let source = self.sources.of(span);
        (
            &source.name,
            source.position(span.start),
            source.position(span.end),
        )
    }

    /// The diagnostics for people, each with the text it is about; empty if there are none.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled().decor_style(DecorStyle::Unicode),
        };
        let mut text = String::new();
        for diagnostic in &self.diagnostics {
            text.push_str(&renderer.render(&report(diagnostic, &self.sources)));
            text.push_str("\n\n");
        }
        text
    }
}

fn report<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str());
    let title = title.id(diagnostic.id);
    let source = sources.of(diagnostic.span);
    let mut group = if source.text.is_empty() {
        title.element(Origin::path(source.name.as_str()))
    } else {
        title.element(snippet(
            diagnostic.span,
            None,
            AnnotationKind::Primary,
            sources,
        ))
    };
    for (span, label) in &diagnostic.related {
        group = group.element(snippet(
            *span,
            Some(label),
            AnnotationKind::Context,
            sources,
        ));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![group];
    let mut included_at = sources.of(diagnostic.span).included_at;
    while let Some(span) = included_at {
        let origin = snippet(span, None, AnnotationKind::Context, sources);
        groups.push(Level::NOTE.secondary_title("included here").element(origin));
        included_at = sources.of(span).included_at;
    }
    groups
}

/// The lines of `span`, and nothing else of its text: drawing costs time by the line.
fn snippet<'a>(
    span: Span,
    label: Option<&'a str>,
    kind: AnnotationKind,
    sources: &'a Sources,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = sources.of(span);
    let (first, lines) = source.lines_of(span);
    let within =
        |offset: usize| lines.floor_char_boundary(offset.saturating_sub(first).min(lines.len()));
    let (start, end) = (within(span.start), within(span.end));
    Snippet::source(lines)
        .line_start(source.position(first).line)
        .path(source.name.as_str())
        .annotation(kind.span(start..end).label(label))
}
