//! Words that are in the wrong place, repeated, misspelt, or belong nowhere.

use super::super::diagnostic::Diagnostic;
use super::super::grammar::{Choice, Part, Row, find};
use super::super::lexer::Word;
use super::super::message::{EZZ0308I, EZZ0318I};
use super::super::source::Span;
use super::super::tree::Node;
use super::super::{quote, shorten, symbols};
use super::parts::continues;
use super::{Parser, is_one};

impl Parser<'_> {
    /// Reads keywords that should have come before part `index`.
    pub(super) fn misplaced(&mut self, node: &mut Node, index: usize) {
        while let Some((text, word)) = self.peek() {
            let here = node.row.parts[index..].iter().flat_map(Part::keywords);
            let earlier = node.row.parts[..index].iter().flat_map(Part::keywords);
            if is_one(here, text) || self.leaves_block(text, word) {
                return;
            }
            let Some(row) = find(earlier, text) else {
                return;
            };
            self.belated(node, row, word.span);
        }
    }

    /// Deals with a word that belongs nowhere; false if it looks like the next statement.
    pub(super) fn recover(&mut self, node: &mut Node, text: &str, word: Word) -> bool {
        let inner = inner_keywords(node);
        if let Some(row) = find(inner.iter().copied(), text) {
            self.belated(node, row, word.span);
            return true;
        }
        if let Some(row) = self.similar(node.row.keywords().chain(inner), text) {
            self.misspelt(node, row, word.span);
            // What it belongs to is not looked for: it was reported, so nothing is made of it.
            self.keyword(row);
            return true;
        }
        if self.similar(self.next_rows(), text).is_some() {
            return false;
        }
        self.unexpected(node);
        true
    }

    /// The word at `span` is taken for `row`.
    pub(super) fn misspelt(&mut self, node: &mut Node, row: &'static Row, span: Span) {
        let report = misspelling(row, self.sources.text(span), span, "keyword");
        self.error(node, report);
    }

    /// A keyword after the place where it belongs: repeated, or out of order.
    pub(super) fn belated(&mut self, node: &mut Node, row: &'static Row, span: Span) {
        let choices = node.row.parts.iter().filter_map(|part| match part {
            Part::Keywords(_, choices) => Some(*choices),
            Part::Argument(_)
            | Part::Optional(_)
            | Part::List(_)
            | Part::Entries(..)
            | Part::Block(..)
            | Part::Skipped(_) => None,
        });
        let choice = choices.flatten().find(|choice| choice.offers(row));
        if choice.is_some_and(|choice| self.is_repeated(node, choice, row, span)) {
            self.keyword(row);
            return;
        }
        self.out_of_order(node, row, span, None);
        let child = self.keyword(row);
        if choice.is_some() {
            node.children.push(child);
        }
    }

    /// Whether a keyword of `choice` was there before; reports it if so.
    pub(super) fn is_repeated(
        &mut self,
        node: &mut Node,
        choice: &Choice,
        row: &'static Row,
        span: Span,
    ) -> bool {
        let Some(first) = node.children.iter().find(|child| choice.offers(child.row)) else {
            return false;
        };
        let (name, before) = (row.keyword(), first.row.keyword());
        let message = if first.is(row) {
            format!("expected `{name}` once, found it again")
        } else {
            format!("expected either `{before}` or `{name}`, found both")
        };
        let report = Diagnostic::error(&EZZ0318I, span, message)
            .related(first.span, "here first")
            .help("remove one of them");
        self.error(node, report);
        true
    }

    /// Reports a keyword that stands after something that it belongs before.
    pub(super) fn out_of_order(
        &mut self,
        node: &mut Node,
        row: &'static Row,
        span: Span,
        after: Option<&Choice>,
    ) {
        let name = row.keyword();
        let mut children = node.children.iter();
        let later = after.and_then(|choice| children.find(|child| choice.offers(child.row)));
        let message = match later {
            Some(later) => {
                let later = later.row.keyword();
                format!("expected `{name}` before `{later}`, found it after")
            }
            None => format!("expected `{name}` earlier in the statement, found it here"),
        };
        let help = format!("keep the order of `{}`", node.row.usage());
        if row.is_tolerated_late {
            let message = format!("{message}; understood all the same");
            self.found
                .push(Diagnostic::warning(&EZZ0318I, span, message).help(help));
            return;
        }
        let report = Diagnostic::error(&EZZ0318I, span, message).help(help);
        self.error(node, report);
    }

    /// Words that belong nowhere, up to the next that does.
    fn unexpected(&mut self, node: &mut Node) {
        let Some((text, first)) = self.peek() else {
            return;
        };
        let mut span = first.span;
        let mut is_first_line = true;
        self.is_incomplete = true;
        self.at += 1;
        while let Some((text, word)) = self.peek() {
            let is_known = continues(node.row, text)
                || self.starts_next(text)
                || is_one(node.row.keywords(), text)
                || (word.opens_line && self.is_nearly_known(node.row, text));
            if is_known {
                break;
            }
            is_first_line &= !word.opens_line;
            if is_first_line {
                span = span.to(word.span);
            }
            self.at += 1;
        }
        let is_broken = node.is_broken || node.children.last().is_some_and(Node::has_error);
        if is_broken && !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            // A value too many, after another was too few: one report is enough.
            return;
        }
        let name = node.row.keyword();
        let message = format!(
            "expected a parameter of `{name}` or the next statement, found {}",
            quote(text)
        );
        let report = Diagnostic::error(&EZZ0318I, span, message).help(written(node.row, text));
        self.error(node, report);
    }

    fn is_nearly_known(&mut self, row: &'static Row, text: &str) -> bool {
        let rows = self.next_rows().chain(row.keywords());
        self.similar(rows, text).is_some()
    }
}

/// The keywords that could stand at the end of `node`, in what it ends with.
pub(super) fn inner_keywords(node: &Node) -> Vec<&'static Row> {
    let mut rows = Vec::new();
    let mut last = node.children.last();
    while let Some(child) = last {
        rows.extend(child.row.keywords());
        last = child.children.last();
    }
    rows
}

/// How `row` is written, as help for `found` in its place.
pub(super) fn written(row: &'static Row, found: &str) -> String {
    if found.contains('&') {
        symbols::explain(found)
    } else if row.example.is_empty() {
        format!("write `{}`", row.usage())
    } else {
        format!("write it like `{}`", row.example)
    }
}

/// `word` is taken for `row`.
pub(super) fn misspelling(row: &'static Row, word: &str, span: Span, kind: &str) -> Diagnostic {
    let name = row.keyword();
    let (message, help) = if row.begins_with(word) {
        let shortest = name.get(..row.minimum()).unwrap_or(&name).to_owned();
        (
            format!(
                "expected at least `{shortest}` of `{name}`, found `{}`",
                shorten(word)
            ),
            format!("write `{name}`, or abbreviate it to no less than `{shortest}`"),
        )
    } else {
        (
            format!("expected a {kind}, found {}", quote(word)),
            format!("did you mean `{name}`?"),
        )
    };
    Diagnostic::error(&EZZ0308I, span, message).help(help)
}
