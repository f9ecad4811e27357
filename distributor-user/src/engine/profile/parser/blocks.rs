//! Where statements begin and end: blocks, skipped statements, and words between statements.

use super::super::diagnostic::Diagnostic;
use super::super::grammar::{Part, Row, find};
use super::super::lexer::Word;
use super::super::message::{EZZ0308I, EZZ0312I};
use super::super::source::Span;
use super::super::tree::Node;
use super::super::{quote, table};
use super::misplaced::misspelling;
use super::{Block, Parser, Scan, is_one};

impl Parser<'_> {
    /// Reads one statement at the outermost level.
    pub(super) fn outermost(&mut self, nodes: &mut Vec<Node>) {
        let Some((text, _)) = self.peek() else {
            return;
        };
        match find(table::statements(), text) {
            Some(row) => {
                let node = self.statement(row);
                nodes.push(node);
            }
            None => self.stray(nodes),
        }
    }

    /// Reads the statements of a block and its end.
    pub(super) fn block(
        &mut self,
        node: &mut Node,
        rows: &'static [&'static Row],
        end: &'static Row,
    ) {
        let block = Block {
            rows,
            end,
            is_closed: self.is_closed(node.row, end),
        };
        let outer = self.block.replace(block);
        loop {
            let Some((text, word)) = self.peek() else {
                self.unclosed(node, block.end, None);
                break;
            };
            if block.end.matches(text) {
                self.at += 1;
                break;
            }
            if let Some(row) = find(block.rows.iter().copied(), text) {
                let child = self.statement(row);
                node.children.push(child);
            } else if let Some(row) = find(table::statements(), text) {
                if !block.is_closed || std::ptr::eq(row, node.row) {
                    self.unclosed(node, block.end, Some((text, word)));
                    break;
                }
                self.inside(node, row, word.span);
            } else if self.is_misspelt_end(block.end, text, word) {
                self.at += 1;
                break;
            } else {
                self.stray(&mut node.children);
            }
        }
        self.block = outer;
    }

    /// Whether `text` is meant as the end of the block; reports it if so.
    fn is_misspelt_end(&mut self, end: &'static Row, text: &str, word: Word) -> bool {
        let is_end = elsewhere(text).is_none()
            && self
                .similar(self.next_rows(), text)
                .is_some_and(|row| std::ptr::eq(row, end));
        if is_end {
            self.found
                .push(misspelling(end, text, word.span, "statement of the block"));
        }
        is_end
    }

    /// Whether `end` comes before `opener` comes again.
    fn is_closed(&mut self, opener: &'static Row, end: &'static Row) -> bool {
        // Misspelt openers do not end a scan: without its result a profile full of them would be
        // read in quadratic time.
        let known = self
            .scans
            .iter()
            .position(|scan| std::ptr::eq(scan.end, end));
        if let Some(scan) = known.and_then(|at| self.scans.get(at))
            && (scan.from..=scan.to).contains(&self.at)
        {
            return scan.is_closed;
        }
        let mut scan = Scan {
            end,
            from: self.at,
            to: self.words.len(),
            is_closed: false,
        };
        for (at, word) in self.words.iter().enumerate().skip(self.at) {
            let text = self.sources.text(word.span);
            if end.matches(text) || opener.matches(text) {
                scan.to = at;
                scan.is_closed = end.matches(text);
                break;
            }
        }
        let is_closed = scan.is_closed;
        match known {
            Some(at) => self.scans[at] = scan,
            None => self.scans.push(scan),
        }
        is_closed
    }

    fn unclosed(&mut self, node: &mut Node, end: &'static Row, next: Option<(&str, Word)>) {
        let (name, end) = (node.row.keyword(), end.keyword());
        let report = match next {
            Some((text, word)) => Diagnostic::error(
                &EZZ0312I,
                word.span,
                format!(
                    "expected `{end}` before the next statement, found {}",
                    quote(text)
                ),
            )
            .related(node.span, format!("this `{name}` has no end"))
            .help(format!(
                "write `{end}` after the last statement of `{name}`"
            )),
            None => Diagnostic::error(
                &EZZ0312I,
                node.span,
                format!("expected `{end}` for this `{name}`, found the end of the profile"),
            )
            .help(format!(
                "write `{end}` after the last statement of `{name}`"
            )),
        };
        self.error(node, report);
    }

    /// A statement of the outermost level stands in a block that has an end.
    fn inside(&mut self, node: &mut Node, row: &'static Row, span: Span) {
        let (name, block) = (row.keyword(), node.row.keyword());
        let report = Diagnostic::error(
            &EZZ0308I,
            span,
            format!("expected a statement of `{block}`, found `{name}`"),
        )
        .related(node.span, "the block begins here")
        .help(format!("move `{name}` out of the block"));
        self.error(node, report);
        let child = self.statement(row);
        node.children.push(child);
    }

    /// Passes over a statement that nothing is done with.
    pub(super) fn skip(&mut self, node: &mut Node, end: Option<&'static Row>) {
        let end = end.filter(|end| {
            let is_closed = self.is_closed(node.row, end);
            if !is_closed {
                let (name, end) = (node.row.keyword(), end.keyword());
                let message = format!("expected `{end}` for this `{name}`, found none");
                let report = Diagnostic::error(&EZZ0312I, node.span, message)
                    .help(format!("write `{end}` after the last line of `{name}`"));
                self.error(node, report);
            }
            is_closed
        });
        while let Some((text, word)) = self.peek() {
            match end {
                Some(end) if end.matches(text) => {
                    self.at += 1;
                    return;
                }
                None if self.is_next_statement(text, word) => return,
                Some(_) | None => {}
            }
            self.at += 1;
        }
    }

    /// Whether a statement that is not understood ends before `word`: at a line that begins with
    /// a statement, or at the full name of one that is acted on.
    fn is_next_statement(&self, text: &str, word: Word) -> bool {
        if word.opens_line {
            return self.starts_next(text) || is_one(table::substatements(), text);
        }
        self.next_rows().any(|row| {
            let is_skipped = matches!(row.parts, [Part::Skipped(_)]);
            !is_skipped && row.is(text)
        })
    }

    /// A word that begins no statement, where one should begin.
    fn stray(&mut self, nodes: &mut Vec<Node>) {
        let Some((text, word)) = self.peek() else {
            return;
        };
        if let Some((row, owner)) = elsewhere(text) {
            return self.strayed(nodes, row, owner, word.span);
        }
        if let Some(row) = self.similar(self.next_rows(), text) {
            let kind = if self.block.is_some() {
                "statement of the block"
            } else {
                "statement"
            };
            self.found.push(misspelling(row, text, word.span, kind));
            let mut node = self.statement(row);
            node.is_broken = true;
            nodes.push(node);
            return;
        }
        let wanted = match self.block {
            Some(block) => format!("a statement of the block or `{}`", block.end.keyword()),
            None => "a statement".to_owned(),
        };
        let names: Vec<String> = match self.block {
            Some(block) => block.rows.iter().map(|row| row.keyword()).collect(),
            None => table::acted_on().map(Row::keyword).collect(),
        };
        self.found.push(
            Diagnostic::error(
                &EZZ0308I,
                word.span,
                format!("expected {wanted}, found {}", quote(text)),
            )
            .help(format!("statements here are {}", names.join(", "))),
        );
        self.pass_over();
    }

    /// Passes over the next word and what belongs to it, whatever it is.
    fn pass_over(&mut self) {
        self.is_incomplete = true;
        self.at += 1;
        while self
            .peek()
            .is_some_and(|(text, word)| !self.is_next_statement(text, word))
        {
            self.at += 1;
        }
    }

    /// A word that is known, but belongs to `owner`.
    fn strayed(
        &mut self,
        nodes: &mut Vec<Node>,
        row: &'static Row,
        owner: &'static Row,
        span: Span,
    ) {
        let (name, owner_name) = (row.keyword(), owner.keyword());
        let block = owner.parts.iter().find_map(|part| match part {
            Part::Block(rows, end) => Some((rows, end)),
            Part::Argument(_)
            | Part::Optional(_)
            | Part::List(_)
            | Part::Keywords(..)
            | Part::Entries(..)
            | Part::Skipped(_) => None,
        });
        let (message, help) = match block {
            Some((_, end)) if std::ptr::eq(*end, row) => (
                format!("expected `{owner_name}` before `{name}`, found none"),
                format!("write `{owner_name}` where the block begins, or remove this"),
            ),
            Some((_, end)) => (
                format!("expected `{owner_name}` before `{name}`, found none"),
                format!(
                    "write `{owner_name}` before and `{}` after it",
                    end.keyword()
                ),
            ),
            None => (
                format!("expected a statement, found `{name}`, a parameter of `{owner_name}`"),
                write_in_place(row, owner),
            ),
        };
        self.found
            .push(Diagnostic::error(&EZZ0308I, span, message).help(help));
        let mut node = Node::new(owner, span);
        node.is_broken = true;
        if block.is_some_and(|(rows, _)| rows.iter().any(|known| std::ptr::eq(*known, row))) {
            let child = self.statement(row);
            node.children.push(child);
        } else if block.is_none() && takes_keywords_only(owner) {
            self.rest_of_statement(&mut node);
        } else if block.is_some() {
            self.at += 1;
            return;
        } else {
            return self.pass_over();
        }
        nodes.push(node);
    }
}

fn write_in_place(row: &'static Row, owner: &'static Row) -> String {
    if takes_keywords_only(owner) {
        format!("write `{} {}`", owner.keyword(), row.usage())
    } else {
        format!("write it in its place: `{}`", owner.usage())
    }
}

fn takes_keywords_only(row: &'static Row) -> bool {
    matches!(row.parts, [Part::Keywords(..)])
}

/// The row that `text` names anywhere in the table, with the statement it belongs to.
fn elsewhere(text: &str) -> Option<(&'static Row, &'static Row)> {
    let mut best: Option<(&'static Row, &'static Row)> = None;
    table::walk(&mut |row, owner| {
        let is_better = best.is_none_or(|(known, _)| !known.is(text) && row.is(text));
        if !std::ptr::eq(row, owner) && row.matches(text) && !row.name.is_empty() && is_better {
            best = Some((row, owner));
        }
    });
    best
}
