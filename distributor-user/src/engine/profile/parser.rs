//! Reads words into statements, by the statement table alone.
//!
//! Nothing here knows a statement by name. After an error the parser goes on
//! at the next word that can only be a keyword of the statement at hand or the
//! beginning of the next, and reports nothing that follows from the error.

mod blocks;
mod missing;

use super::argument::{self, resembles};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::grammar::{Argument, Choice, Need, Order, Part, Row, Standing, find};
use super::lexer::Word;
use super::source::{Sources, Span};
use super::suggest;
use super::table;
use super::tree::Node;

/// What the parser made of a profile.
pub(super) struct Parsed {
    pub(super) nodes: Vec<Node>,
    /// Whether words were passed over that could have said anything.
    pub(super) is_incomplete: bool,
}

/// Reads `words` into statements.
pub(super) fn parse(sources: &Sources, words: &[Word], found: &mut Diagnostics) -> Parsed {
    let mut parser = Parser {
        sources,
        words,
        at: 0,
        found,
        open: Vec::new(),
        block: None,
        covered: 0,
        suggestions: MAX_SUGGESTIONS,
        assumed: Vec::new(),
        is_incomplete: false,
    };
    let mut nodes = Vec::new();
    while parser.peek().is_some() {
        parser.outermost(&mut nodes);
    }
    Parsed {
        nodes,
        is_incomplete: parser.is_incomplete,
    }
}

/// Suggestions cost time; whoever has this many words wrong needs no more of them.
const MAX_SUGGESTIONS: usize = 2000;

struct Parser<'a> {
    sources: &'a Sources,
    words: &'a [Word],
    at: usize,
    found: &'a mut Diagnostics,
    /// The statement, keyword or entry at hand and those around it, outermost first.
    open: Vec<&'static Row>,
    /// The block that statements stand in at present.
    block: Option<Block>,
    /// How many of the rows at hand are not acted on: one report for the outermost is enough.
    covered: usize,
    suggestions: usize,
    /// Words understood though they are missing: the index of the word they belong before.
    assumed: Vec<(usize, &'static str)>,
    is_incomplete: bool,
}

#[derive(Clone, Copy)]
struct Block {
    rows: &'static [&'static Row],
    end: &'static Row,
    /// Whether its end is there, before another block of its kind begins.
    is_closed: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<(&'a str, Word)> {
        let word = *self.words.get(self.at)?;
        Some((self.sources.text(word.span), word))
    }

    fn previous(&self) -> Option<(&'a str, Word)> {
        let word = *self.words.get(self.at.checked_sub(1)?)?;
        Some((self.sources.text(word.span), word))
    }

    fn error(&mut self, node: &mut Node, diagnostic: Diagnostic) {
        node.is_broken = true;
        self.found.push(diagnostic);
    }

    fn similar(
        &mut self,
        rows: impl Iterator<Item = &'static Row>,
        word: &str,
    ) -> Option<&'static Row> {
        self.suggestions = self.suggestions.checked_sub(1)?;
        suggest::similar(rows, word)
    }

    /// Reads a statement whose name is the next word, rightly spelt or not.
    fn statement(&mut self, row: &'static Row) -> Node {
        let mut node = self.begin(row);
        self.rest_of_statement(&mut node);
        node
    }

    fn rest_of_statement(&mut self, node: &mut Node) {
        self.covered(node.row, node.span, |parser| {
            parser.body(node);
            parser.trailing(node);
        });
        self.end(node);
    }

    /// Reads a keyword whose name is the next word, rightly spelt or not.
    fn keyword(&mut self, row: &'static Row) -> Node {
        let mut node = self.begin(row);
        self.covered(row, node.span, |parser| parser.body(&mut node));
        self.end(&mut node);
        node
    }

    fn begin(&mut self, row: &'static Row) -> Node {
        let span = self.here();
        self.at += 1;
        Node::new(row, span)
    }

    fn end(&self, node: &mut Node) {
        if let Some((_, word)) = self.previous() {
            node.end = word.span;
        }
    }

    /// The next word, or at the end of the profile the last.
    fn here(&self) -> Span {
        let last = self.words.len().saturating_sub(1);
        self.words[self.at.min(last)].span
    }

    /// Says what this system makes of `row`, unless something around it was said already.
    fn covered(&mut self, row: &'static Row, span: Span, read: impl FnOnce(&mut Self)) {
        let report = report_standing(row, span);
        let covers = usize::from(report.is_some());
        if let (Some(report), 0) = (report, self.covered) {
            self.found.push(report);
        }
        self.covered += covers;
        read(self);
        self.covered -= covers;
    }

    fn body(&mut self, node: &mut Node) {
        self.open.push(node.row);
        for index in 0..node.row.parts.len() {
            self.misplaced(node, index);
            self.part(node, index);
        }
        self.open.pop();
    }

    fn part(&mut self, node: &mut Node, index: usize) {
        match &node.row.parts[index] {
            Part::Argument(wanted) => self.argument(node, index, wanted),
            Part::Optional(wanted) => {
                if self.comes(wanted) {
                    self.argument(node, index, wanted);
                }
            }
            Part::List(wanted) => self.list(node, index, wanted),
            Part::Keywords(order, choices) => self.keywords(node, *order, choices),
            Part::Entries(keywords, entry) => self.entries(node, keywords, entry),
            Part::Block(rows, end) => self.block(node, rows, end),
            Part::Skipped(end) => self.skip(node, *end),
        }
    }

    /// Whether the next word can only be meant as `wanted`.
    fn comes(&self, wanted: &Argument) -> bool {
        self.peek()
            .is_some_and(|(text, _)| resembles(wanted.kind, text))
    }

    fn argument(&mut self, node: &mut Node, index: usize, wanted: &Argument) {
        loop {
            let Some((text, word)) = self.peek() else {
                return self.missing(node, wanted);
            };
            let later = node.row.parts[index..].iter().flat_map(Part::keywords);
            let is_name = matches!(wanted.kind, super::grammar::Kind::Name(_));
            let belongs_elsewhere =
                later_keyword(later, text) || (word.opens_line && self.starts_next(text));
            if is_name && belongs_elsewhere {
                return self.missing(node, wanted);
            }
            if let Some(reading) = argument::read(wanted, &self.words[self.at..], self.sources) {
                self.at += reading.words;
                node.values.extend(reading.values);
                if let Some(problem) = reading.problem {
                    self.error(node, problem);
                }
                return;
            }
            if belongs_elsewhere || self.is_known(text) || resembles_address(wanted, text) {
                return self.missing(node, wanted);
            }
            let earlier = node.row.parts[..index].iter().flat_map(Part::keywords);
            if let Some(row) = self.similar(earlier, text) {
                self.misspelt(node, row, word.span);
                let child = self.keyword(row);
                node.children.push(child);
                continue;
            }
            return self.foreign(node, wanted);
        }
    }

    fn list(&mut self, node: &mut Node, index: usize, wanted: &Argument) {
        let mut is_first = node.addresses().next().is_none() && node.ports().next().is_none();
        while is_first || self.comes(wanted) {
            is_first = false;
            self.argument(node, index, wanted);
            self.misplaced(node, index);
        }
    }

    fn keywords(&mut self, node: &mut Node, order: Order, choices: &'static [Choice]) {
        let mut furthest = 0;
        loop {
            while let Some((text, word)) = self.peek() {
                let rows = choices
                    .iter()
                    .flat_map(|choice| choice.rows.iter().copied());
                let Some(row) = find(rows, text) else {
                    break;
                };
                let at = choices
                    .iter()
                    .position(|choice| contains(choice, row))
                    .unwrap_or(0);
                if given(node, &choices[at]) && self.leaves_block(text, word) {
                    break;
                }
                let is_repeated = self.check_repetition(node, &choices[at], row, word.span);
                if !is_repeated && order == Order::Given && at < furthest {
                    let after = choices[at + 1..=furthest]
                        .iter()
                        .find(|choice| given(node, choice));
                    self.out_of_order(node, row, word.span, after);
                }
                furthest = furthest.max(at);
                let child = self.keyword(row);
                node.children.push(child);
            }
            let needed = choices
                .iter()
                .find(|choice| choice.need != Need::Optional && !given(node, choice));
            match needed {
                Some(choice) if self.required(node, choice) => {}
                Some(_) | None => return,
            }
        }
    }

    fn entries(&mut self, node: &mut Node, keywords: &'static [&'static Row], entry: &'static Row) {
        loop {
            let Some((text, word)) = self.peek() else {
                break;
            };
            if let Some(row) = find(keywords.iter().copied(), text) {
                let child = self.keyword(row);
                node.children.push(child);
            } else if self.begins_entry(entry, text) {
                let mut child = Node::new(entry, word.span);
                let start = self.at;
                self.body(&mut child);
                self.end(&mut child);
                self.report_assumed(start, &child);
                node.children.push(child);
            } else {
                break;
            }
        }
        if node.children.is_empty() && !node.is_broken {
            self.no_entries(node, keywords, entry);
        }
    }

    fn begins_entry(&self, entry: &'static Row, text: &str) -> bool {
        match entry.parts.first() {
            Some(Part::Argument(first)) => resembles(first.kind, text),
            Some(_) | None => false,
        }
    }

    /// What stands between a statement's end and the next statement.
    fn trailing(&mut self, node: &mut Node) {
        let Some(last) = node.row.parts.len().checked_sub(1) else {
            return;
        };
        if matches!(node.row.parts[last], Part::Block(..) | Part::Skipped(_)) {
            return;
        }
        self.open.push(node.row);
        while let Some((text, word)) = self.peek() {
            if self.leaves_block(text, word) {
                break;
            } else if let Some(row) = find(node.row.keywords(), text) {
                self.belated(node, row, word.span);
            } else if self.starts_next(text) {
                break;
            } else if !self.recover(node, text, word) {
                break;
            }
            self.part(node, last);
        }
        self.open.pop();
    }

    /// Deals with a word that belongs nowhere; false if it looks like the next statement.
    fn recover(&mut self, node: &mut Node, text: &str, word: Word) -> bool {
        let inner = node.children.last().map(|child| child.row);
        let inner = collect(inner.into_iter().flat_map(Row::keywords));
        if let Some(row) = find(inner.iter().copied(), text) {
            self.belated(node, row, word.span);
            return true;
        }
        let own = collect(node.row.keywords()).into_iter().chain(inner);
        if let Some(row) = self.similar(own, text) {
            self.misspelt(node, row, word.span);
            let child = self.keyword(row);
            node.children.push(child);
            return true;
        }
        let next = collect(self.next_rows());
        if self.similar(next.into_iter(), text).is_some() {
            return false;
        }
        self.unexpected(node);
        true
    }

    /// Reads keywords that should have come before part `index`.
    fn misplaced(&mut self, node: &mut Node, index: usize) {
        while let Some((text, word)) = self.peek() {
            let here = node.row.parts[index..].iter().flat_map(Part::keywords);
            let earlier = node.row.parts[..index].iter().flat_map(Part::keywords);
            if later_keyword(here, text) || self.leaves_block(text, word) {
                return;
            }
            let Some(row) = find(earlier, text) else {
                return;
            };
            self.belated(node, row, word.span);
        }
    }

    /// Words that may begin the next statement here.
    fn next_rows(&self) -> impl Iterator<Item = &'static Row> + Clone + use<> {
        let (rows, end) = match self.block {
            Some(block) => (block.rows, Some(block.end)),
            None => (&[] as &[_], None),
        };
        rows.iter().copied().chain(end).chain(table::statements())
    }

    fn starts_next(&self, text: &str) -> bool {
        find(self.next_rows(), text).is_some()
    }

    /// Whether `text` shows that the end of the block at hand is missing: a line that begins with
    /// a statement of the outermost level, although it could be a keyword here too.
    fn leaves_block(&self, text: &str, word: Word) -> bool {
        let is_unclosed = self.block.is_some_and(|block| !block.is_closed);
        is_unclosed && word.opens_line && find(table::statements(), text).is_some()
    }

    /// Whether `text` is a keyword of anything at hand, or may begin the next statement.
    fn is_known(&self, text: &str) -> bool {
        let open = self
            .open
            .iter()
            .any(|row| row.keywords().any(|row| row.matches(text)));
        open || self.starts_next(text)
    }
}

fn collect(rows: impl Iterator<Item = &'static Row>) -> Vec<&'static Row> {
    rows.collect()
}

fn later_keyword(rows: impl Iterator<Item = &'static Row>, text: &str) -> bool {
    collect(rows).into_iter().any(|row| row.matches(text))
}

fn contains(choice: &Choice, row: &'static Row) -> bool {
    choice
        .rows
        .iter()
        .any(|candidate| std::ptr::eq(*candidate, row))
}

fn given(node: &Node, choice: &Choice) -> bool {
    node.children
        .iter()
        .any(|child| contains(choice, child.row))
}

/// An address where something else is wanted is probably the next argument.
fn resembles_address(wanted: &Argument, text: &str) -> bool {
    wanted.kind != super::grammar::Kind::Address && argument::dotted(text).is_some()
}

fn report_standing(row: &'static Row, span: Span) -> Option<Diagnostic> {
    let name = row.keyword();
    Some(match row.standing {
        Standing::Supported => return None,
        Standing::Noted(until) => Diagnostic::note(
            span,
            format!("`{name}` is understood, but not acted on yet: {until}"),
        ),
        Standing::Meaningless(instead) => {
            Diagnostic::note(span, format!("`{name}` has no effect here: {instead}"))
        }
        Standing::Unsupported(until) => {
            Diagnostic::warning(span, format!("`{name}` is not supported yet: {until}"))
        }
        Standing::Refused(reason, help) => {
            Diagnostic::error(span, format!("`{name}` is not supported yet: {reason}")).help(help)
        }
    })
}
