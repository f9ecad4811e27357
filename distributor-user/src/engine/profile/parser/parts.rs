//! Reads the parts of a statement: arguments, lists, keywords, entries.

use super::super::argument::{self, resembles};
use super::super::grammar::{Argument, Choice, Kind, Need, Order, Part, Row, find};
use super::super::source::Span;
use super::super::tree::{Given, Node, Value};
use super::misplaced::inner_keywords;
use super::{Parser, is_one};

impl Parser<'_> {
    /// Reads part `index` of `node`, or goes on reading it.
    pub(super) fn part(&mut self, node: &mut Node, index: usize) {
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

    /// After an interruption, goes on with the end of `node`: its last part, or that of the
    /// keyword that it ends with.
    pub(super) fn resume(&mut self, node: &mut Node) {
        let Some(last) = node.row.parts.len().checked_sub(1) else {
            return;
        };
        match &node.row.parts[last] {
            Part::Argument(_) | Part::Optional(_) | Part::Block(..) | Part::Skipped(_) => {}
            Part::List(wanted) => {
                if self.comes(wanted) {
                    self.list(node, last, wanted);
                }
            }
            Part::Entries(keywords, entry) => self.entries(node, keywords, entry),
            Part::Keywords(order, choices) => {
                self.keywords(node, *order, choices);
                let ends_with = |child: &Node| {
                    choices.iter().any(|choice| choice.offers(child.row)) && is_open(child.row)
                };
                if let Some(at) = node.children.iter().rposition(ends_with) {
                    let mut child = node.children.remove(at);
                    self.open.push(child.row);
                    self.resume(&mut child);
                    self.open.pop();
                    self.end(&mut child);
                    node.children.insert(at, child);
                }
            }
        }
    }

    /// Whether the next word can only be meant as `wanted`.
    fn comes(&self, wanted: &Argument) -> bool {
        argument::comes(wanted, &self.words[self.at..], self.sources)
    }

    fn argument(&mut self, node: &mut Node, index: usize, wanted: &Argument) {
        loop {
            let Some((text, word)) = self.peek() else {
                return self.missing(node, wanted);
            };
            let later = node.row.parts[index..].iter().flat_map(Part::keywords);
            let belongs_elsewhere =
                is_one(later, text) || (word.opens_line && self.starts_next(text));
            if matches!(wanted.kind, Kind::Name(_)) && belongs_elsewhere {
                return self.missing(node, wanted);
            }
            if wanted.kind == Kind::Dvipa && self.interfaces.contains(&text.to_ascii_uppercase()) {
                return self.interface(node, text, word.span);
            }
            if let Some(reading) = argument::read(wanted, &self.words[self.at..], self.sources) {
                self.at += reading.words;
                if wanted.kind == Kind::MaskOrInterface {
                    self.interfaces
                        .extend(reading.values.iter().filter_map(Value::name));
                }
                node.values.extend(reading.values);
                if let Some(problem) = reading.problem {
                    self.error(node, problem);
                }
                return;
            }
            if belongs_elsewhere || self.is_known(text) || is_other_address(wanted, text) {
                return self.missing(node, wanted);
            }
            let earlier = node.row.parts[..index].iter().flat_map(Part::keywords);
            let inner = inner_keywords(node);
            let Some(row) = self.similar(earlier.chain(inner), text) else {
                if wanted.kind == Kind::Dvipa && argument::is_interface_name(text) {
                    return self.interface(node, text, word.span);
                }
                return self.foreign(node, wanted);
            };
            self.misspelt(node, row, word.span);
            let child = self.keyword(row);
            node.children.push(child);
        }
    }

    /// The name of an interface stands for its DVIPA.
    fn interface(&mut self, node: &mut Node, text: &str, span: Span) {
        self.at += 1;
        node.values.push(Value {
            given: Given::Name(text.to_ascii_uppercase()),
            span,
        });
    }

    fn list(&mut self, node: &mut Node, index: usize, wanted: &Argument) {
        let is_listed = |value: &Value| value.address().is_some() || value.ports().is_some();
        let mut is_first = !node.values.iter().any(is_listed);
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
                let rows = choices.iter().flat_map(|choice| choice.rows).copied();
                let Some(row) = find(rows, text) else {
                    break;
                };
                let offers = |choice: &Choice| choice.offers(row);
                let at = choices.iter().position(offers).unwrap_or(0);
                if choices[at].is_made_in(node) && self.leaves_block(text, word) {
                    return;
                }
                if self.is_repeated(node, &choices[at], row, word.span) {
                    self.keyword(row);
                    continue;
                }
                if order == Order::Given && at < furthest {
                    let mut later = choices[at + 1..=furthest].iter();
                    let after = later.find(|choice| choice.is_made_in(node));
                    self.out_of_order(node, row, word.span, after);
                }
                furthest = furthest.max(at);
                let child = self.keyword(row);
                node.children.push(child);
            }
            let mut needed = choices
                .iter()
                .filter(|choice| choice.need != Need::Optional);
            match needed.find(|choice| !choice.is_made_in(node)) {
                Some(choice) if self.required(node, choice) => {}
                Some(_) | None => return,
            }
        }
    }

    pub(super) fn entries(
        &mut self,
        node: &mut Node,
        keywords: &'static [&'static Row],
        entry: &'static Row,
    ) {
        while let Some((text, word)) = self.peek() {
            if let Some(row) = find(keywords.iter().copied(), text) {
                let child = self.keyword(row);
                node.children.push(child);
            } else if begins_entry(entry, text) {
                let start = self.at;
                let mut child = Node::new(entry, word.span);
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
}

impl Choice {
    /// Whether `row` is one of its keywords.
    pub(super) fn offers(&self, row: &'static Row) -> bool {
        self.rows.iter().any(|offered| std::ptr::eq(*offered, row))
    }

    /// Whether `node` has one of its keywords.
    fn is_made_in(&self, node: &Node) -> bool {
        node.children.iter().any(|child| self.offers(child.row))
    }
}

/// Whether the row ends with something that can be repeated.
fn is_open(row: &'static Row) -> bool {
    matches!(row.parts.last(), Some(Part::List(_) | Part::Entries(..)))
}

/// An address where something else is wanted is probably the next argument.
fn is_other_address(wanted: &Argument, text: &str) -> bool {
    let takes_address = matches!(
        wanted.kind,
        Kind::Address | Kind::AnyAddress | Kind::AddressOrPrefix | Kind::Dvipa
    );
    !takes_address && argument::dotted(text).is_some()
}

/// Whether `text` can begin an `entry`.
pub(super) fn begins_entry(entry: &'static Row, text: &str) -> bool {
    match entry.parts.first() {
        Some(Part::Argument(first)) => resembles(first.kind, text),
        Some(_) | None => false,
    }
}

/// Whether `text` can go on where a statement or keyword `row` was interrupted.
pub(super) fn continues(row: &'static Row, text: &str) -> bool {
    match row.parts.last() {
        Some(Part::List(wanted)) => resembles(wanted.kind, text),
        Some(Part::Entries(_, entry)) => begins_entry(entry, text),
        Some(Part::Keywords(_, choices)) => {
            let rows = choices.iter().flat_map(|choice| choice.rows);
            rows.copied()
                .any(|row| is_open(row) && continues(row, text))
        }
        Some(Part::Argument(_) | Part::Optional(_) | Part::Block(..) | Part::Skipped(_)) | None => {
            false
        }
    }
}
