//! Reads words into statements, by the statement table alone.
//!
//! Nothing here knows a statement by name. After an error the parser goes on
//! at the next word that can only be a keyword of the statement at hand or the
//! beginning of the next, and reports nothing that follows from the error.

mod blocks;
mod misplaced;
mod missing;
mod parts;

use std::collections::HashSet;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::grammar::{Part, Row, Standing, find};
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
///
/// `interfaces` are the names of IPv6 DVIPAs that are known already.
pub(super) fn parse(
    sources: &Sources,
    words: &[Word],
    interfaces: HashSet<String>,
    found: &mut Diagnostics,
) -> Parsed {
    let mut parser = Parser {
        sources,
        words,
        at: 0,
        found,
        open: Vec::new(),
        block: None,
        covered: 0,
        noted: Vec::new(),
        scans: Vec::new(),
        suggestions: MAX_SUGGESTIONS,
        interfaces,
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
const MAX_SUGGESTIONS: usize = 500;

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
    /// What was said of standings; once for each word is enough.
    noted: Vec<&'static Row>,
    /// Where the ends of blocks were looked for last, one for each kind of block.
    scans: Vec<Scan>,
    suggestions: usize,
    /// Names of interfaces of IPv6 DVIPAs.
    interfaces: HashSet<String>,
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

/// From `from` on the first end or opener of a block is the word `to`.
struct Scan {
    end: &'static Row,
    from: usize,
    to: usize,
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

    /// The next word, or at the end of the profile the last.
    fn here(&self) -> Span {
        let last = self.words.len().saturating_sub(1);
        self.words[self.at.min(last)].span
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

    /// Says what this system makes of `row`, unless something around it was said already.
    fn covered(&mut self, row: &'static Row, span: Span, read: impl FnOnce(&mut Self)) {
        let covers = usize::from(row.standing != Standing::Supported);
        if covers == 1 && self.covered == 0 {
            self.report_standing(row, span);
        }
        self.covered += covers;
        read(self);
        self.covered -= covers;
    }

    fn report_standing(&mut self, row: &'static Row, span: Span) {
        let subject = format!("`{}`", row.keyword());
        let Some(report) = row.standing.report(span, &subject) else {
            return;
        };
        if self.noted.iter().any(|noted| std::ptr::eq(*noted, row)) {
            return;
        }
        self.noted.push(row);
        self.found.push(report);
    }

    fn body(&mut self, node: &mut Node) {
        self.open.push(node.row);
        for index in 0..node.row.parts.len() {
            self.misplaced(node, index);
            self.part(node, index);
        }
        self.open.pop();
    }

    /// What stands between a statement's end and the next statement.
    fn trailing(&mut self, node: &mut Node) {
        match node.row.parts.last() {
            None | Some(Part::Block(..) | Part::Skipped(_)) => return,
            Some(
                Part::Argument(_)
                | Part::Optional(_)
                | Part::List(_)
                | Part::Keywords(..)
                | Part::Entries(..),
            ) => {}
        }
        self.open.push(node.row);
        while let Some((text, word)) = self.peek() {
            if self.leaves_block(text, word) {
                break;
            }
            if let Some(row) = find(node.row.keywords(), text) {
                self.belated(node, row, word.span);
            } else if self.starts_next(text) || !self.recover(node, text, word) {
                break;
            }
            self.resume(node);
        }
        self.open.pop();
    }

    /// Words that may begin the next statement here; outside a block also those that should have
    /// stood in one.
    fn next_rows(&self) -> impl Iterator<Item = &'static Row> + use<> {
        let (rows, end) = match self.block {
            Some(block) => (block.rows, Some(block.end)),
            None => (&[] as &[_], None),
        };
        let strayed = self.block.is_none().then(table::substatements);
        let here = rows.iter().copied().chain(end);
        here.chain(table::statements())
            .chain(strayed.into_iter().flatten())
    }

    fn starts_next(&self, text: &str) -> bool {
        find(self.next_rows(), text).is_some()
    }

    /// Whether a line that begins with a statement of the outermost level is one, although `text`
    /// could be a keyword here too. In a block it shows that the end of this is missing.
    fn leaves_block(&self, text: &str, word: Word) -> bool {
        let is_unclosed = self.block.is_none_or(|block| !block.is_closed);
        is_unclosed && word.opens_line && find(table::statements(), text).is_some()
    }

    /// Whether `text` is a keyword of anything at hand, or may begin the next statement.
    fn is_known(&self, text: &str) -> bool {
        let mut open = self.open.iter();
        open.any(|row| is_one(row.keywords(), text)) || self.starts_next(text)
    }
}

/// Whether `text` names one of `rows`.
fn is_one(mut rows: impl Iterator<Item = &'static Row>, text: &str) -> bool {
    rows.any(|row| row.matches(text))
}
