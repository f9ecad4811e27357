//! Splits a text into words, by the lexical rules of PROFILE.TCPIP.
//!
//! A word is whatever stands between blanks. Nothing here knows a keyword but
//! INCLUDE, whose operand alone may be quoted.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::message::{NO_COMMENT, SEQUENCE_NUMBERS};
use super::source::{Source, Span};

/// The one word that the lexer knows.
pub(super) const INCLUDE: &str = "INCLUDE";

/// A run of characters without blanks; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Where it stands.
    pub(super) span: Span,
    /// Whether nothing precedes it on its line.
    pub(super) opens_line: bool,
}

/// Columns 73–80 of a card image once held a sequence number; these are the 0-based bounds.
const SEQUENCE_COLUMNS: std::ops::Range<usize> = 72..80;

/// The words of `source`, which stands at `index` among the sources.
pub(super) fn words(index: usize, source: &Source, found: &mut Diagnostics) -> Vec<Word> {
    let mut lexer = Lexer {
        index,
        words: Vec::new(),
        sequence_numbers: None,
        found,
    };
    let mut offset = 0;
    for line in source.text.split_inclusive('\n') {
        lexer.split_line(offset, line);
        offset += line.len();
    }
    lexer.finish()
}

struct Lexer<'a> {
    index: usize,
    words: Vec<Word>,
    /// The first sequence number and how many there are.
    sequence_numbers: Option<(Span, usize)>,
    found: &'a mut Diagnostics,
}

impl Lexer<'_> {
    fn split_line(&mut self, offset: usize, line: &str) {
        let mut at = 0;
        let mut opens_line = true;
        let mut after_include = false;
        while let Some(start) = line[at..]
            .find(|c: char| !c.is_whitespace())
            .map(|skip| at + skip)
        {
            let rest = &line[start..];
            if rest.starts_with(';') {
                return;
            }
            let quoted = if after_include {
                quoted_length(rest)
            } else {
                None
            };
            let length =
                quoted.unwrap_or_else(|| rest.find(char::is_whitespace).unwrap_or(rest.len()));
            let mut span = Span {
                source: self.index,
                start: offset + start,
                end: offset + start + length,
            };
            let word = &rest[..length];
            if is_sequence_number(start, word) {
                self.sequence_numbers.get_or_insert((span, 0)).1 += 1;
                return;
            }
            let comment = if quoted.is_some() {
                None
            } else {
                word.find(';')
            };
            if let Some(semicolon) = comment {
                self.found.push(glued_comment(span, word, semicolon));
                span.end = span.start + semicolon;
            }
            self.words.push(Word { span, opens_line });
            if comment.is_some() {
                return;
            }
            opens_line = false;
            after_include = word.eq_ignore_ascii_case(INCLUDE);
            at = start + length;
        }
    }

    fn finish(self) -> Vec<Word> {
        if let Some((span, lines)) = self.sequence_numbers {
            self.found.push(
                Diagnostic::error(
                    &SEQUENCE_NUMBERS,
                    span,
                    format!("expected no sequence numbers in columns 73–80, found {lines}"),
                )
                .help("remove them: `UNNUM` in the ISPF editor, or `cut -c1-72` here"),
            );
        }
        self.words
    }
}

/// Whether `word`, which starts `column` bytes into its line, is the number of a card image.
fn is_sequence_number(column: usize, word: &str) -> bool {
    column == SEQUENCE_COLUMNS.start
        && word.len() == SEQUENCE_COLUMNS.len()
        && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The length of the quoted text that `rest` begins with, quotes included.
fn quoted_length(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    rest[1..].find(quote).map(|end| end + 2)
}

fn glued_comment(span: Span, word: &str, semicolon: usize) -> Diagnostic {
    let (argument, comment) = word.split_at(semicolon);
    let word = super::quote(word);
    Diagnostic::error(
        &NO_COMMENT,
        span,
        format!("expected a blank before `;`, found {word}, which is one argument and no comment"),
    )
    .help(format!(
        "write `{} {}`",
        super::shorten(argument),
        super::shorten(comment)
    ))
}
