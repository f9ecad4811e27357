//! Reads a profile and everything that it includes into one run of words.
//!
//! Nothing here opens a file: the caller's [`Reader`] does. INCLUDE is replaced
//! by the words of what it names, wherever it stands, so that the parser never
//! sees one; every word keeps the position it has in its own text.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::decode::decode;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::lexer::{self, INCLUDE, Word};
use super::message::{EZZ0312I, INCLUDES_ITSELF, NO_FILE, SYMBOL, TOO_MUCH};
use super::source::{Source, Sources, Span};
use super::symbols::{self, Symbol};
use super::{quote, shorten};

/// One text as a [`Reader`] found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// What messages call it.
    pub name: String,
    /// Equal for two texts exactly if they are the same file.
    pub identity: String,
    /// The content, at most [`MAX_BYTES`] long.
    pub bytes: Vec<u8>,
}

/// Finds the text that an INCLUDE names.
pub trait Reader {
    /// Reads what `operand` names in the text called `including`.
    ///
    /// # Errors
    ///
    /// Says why there is no such text, and what would be right.
    fn read(&mut self, operand: &Operand, including: &str) -> Result<Text, ReadError>;

    /// The value of the system symbol `name`, which is in capitals.
    fn symbol(&self, name: &str) -> Option<Symbol> {
        let _ = name;
        None
    }
}

/// Why a text cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// What is wrong; lower case, no period.
    pub message: String,
    /// What would be right.
    pub help: String,
}

/// What an INCLUDE names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operand {
    /// A file: the operand contains a `/`.
    Path(String),
    /// `dataset(member)`.
    Member {
        /// Name of the data set.
        dataset: String,
        /// Name of the member.
        member: String,
    },
    /// A word that can be a file beside the including one, or a sequential data set.
    Name(String),
}

impl Operand {
    /// Reads the operand of an INCLUDE, quoted or not.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let text = unquoted(word);
        if text.is_empty() {
            return None;
        }
        if text.contains('/') {
            return Some(Self::Path(text.to_owned()));
        }
        let Some((dataset, rest)) = text.split_once('(') else {
            return Some(Self::Name(text.to_owned()));
        };
        let member = rest.strip_suffix(')')?;
        let is_plain = |name: &str| !name.is_empty() && !name.contains(['(', ')']);
        (is_plain(dataset) && is_plain(member)).then(|| Self::Member {
            dataset: dataset.to_owned(),
            member: member.to_owned(),
        })
    }
}

fn unquoted(word: &str) -> &str {
    for quote in ['\'', '"'] {
        let inner = word
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    word
}

/// A text beyond this size is refused; the largest sensible profile is a fifth of it.
pub const MAX_BYTES: usize = 4 << 20;
/// More words than this, includes expanded, are refused.
const MAX_WORDS: usize = 1_000_000;
/// More INCLUDE statements than this, includes expanded, are refused.
const MAX_INCLUDES: usize = 1000;
/// So many symbols are asked for once each.
const MAX_SYMBOLS: usize = 1000;
/// Includes may be nested this deep.
const MAX_DEPTH: usize = 32;

/// A profile as one run of words.
#[derive(Debug, Default)]
pub(super) struct Expansion {
    /// Every text that was opened.
    pub(super) sources: Sources,
    /// The words of the profile with every INCLUDE replaced.
    pub(super) words: Vec<Word>,
    /// Whether something could not be read, so that what is missing may stand there.
    pub(super) is_incomplete: bool,
}

/// Reads `profile` and what it includes.
pub(super) fn expand(profile: Text, reader: &mut dyn Reader, found: &mut Diagnostics) -> Expansion {
    let mut expander = Expander {
        reader,
        found,
        out: Expansion::default(),
        known: HashMap::new(),
        symbols: HashMap::new(),
        open: Vec::new(),
        includes: 0,
    };
    let opened = expander.open(profile, None);
    expander.expand(opened);
    expander.out
}

struct Expander<'a> {
    reader: &'a mut dyn Reader,
    found: &'a mut Diagnostics,
    out: Expansion,
    /// What was read already, by identity: a member that two blocks include is read once.
    known: HashMap<String, Opened>,
    /// The values of system symbols that were asked for.
    symbols: HashMap<String, Option<String>>,
    /// Identities of the texts that are being read, outermost first.
    open: Vec<String>,
    includes: usize,
}

#[derive(Clone)]
struct Opened {
    identity: String,
    source: usize,
    words: std::rc::Rc<[Word]>,
}

impl Expander<'_> {
    fn open(&mut self, text: Text, included_at: Option<Span>) -> Opened {
        if let Some(opened) = self.known.get(&text.identity) {
            return opened.clone();
        }
        let index = self.out.sources.next_index();
        let decoded = decode(text.bytes);
        if let Some(problem) = decoded.problem {
            self.found.push(problem.at(index, &decoded.text));
        }
        let mut source = Source::new(text.name, decoded.text, included_at);
        self.out.is_incomplete |= !decoded.is_text;
        let words = if decoded.is_text {
            lexer::words(index, &source, self.found)
        } else {
            Vec::new()
        };
        self.substitute(&mut source, &words);
        let opened = Opened {
            identity: text.identity.clone(),
            source: self.out.sources.push(source),
            words: words.into(),
        };
        self.known.insert(text.identity, opened.clone());
        opened
    }

    /// Replaces the system symbols in `words`.
    fn substitute(&mut self, source: &mut Source, words: &[Word]) {
        for word in words {
            let text = &source.text[word.span.start..word.span.end];
            if !text.contains('&') {
                continue;
            }
            let replaced = symbols::substitute(text, &mut |name| self.symbol(name, word.span));
            if let Some(replaced) = replaced {
                source.replace(word.span, replaced);
            }
        }
    }

    fn symbol(&mut self, name: &str, span: Span) -> Option<String> {
        if let Some(known) = self.symbols.get(name) {
            return known.clone();
        }
        let symbol = self.reader.symbol(name);
        if let Some(Symbol {
            value,
            assumed: Some(origin),
        }) = &symbol
        {
            let message = format!("`&{name}.` is read as `{}`, {origin}", shorten(value));
            self.found.push(
                Diagnostic::note(&SYMBOL, span, message)
                    .help(format!("`--symbol {name}=VALUE` gives it another value")),
            );
        }
        let value = symbol.map(|symbol| symbol.value);
        // A profile full of names that mean nothing is no reason to remember them all.
        if self.symbols.len() < MAX_SYMBOLS {
            self.symbols.insert(name.to_owned(), value.clone());
        }
        value
    }

    fn expand(&mut self, opened: Opened) {
        self.open.push(opened.identity);
        let mut words = opened.words.iter().copied();
        while let Some(word) = words.next() {
            if self.out.words.len() >= MAX_WORDS {
                self.refuse(
                    Diagnostic::error(
                        &TOO_MUCH,
                        word.span,
                        format!("expected at most {MAX_WORDS} words, found more"),
                    )
                    .help("this is hardly a profile; is a member included over and over?"),
                );
                break;
            }
            if !self
                .out
                .sources
                .text(word.span)
                .eq_ignore_ascii_case(INCLUDE)
            {
                self.out.words.push(word);
                continue;
            }
            let operand = words.next();
            self.include(word, operand, opened.source);
        }
        self.open.pop();
    }

    fn include(&mut self, word: Word, operand: Option<Word>, including: usize) {
        let Some(operand_word) = operand else {
            return self.refuse(
                Diagnostic::error(
                    &EZZ0312I,
                    word.span,
                    "expected a file after `INCLUDE`, found nothing",
                )
                .help("write `INCLUDE /path/to/file` or `INCLUDE dataset(member)`"),
            );
        };
        let span = operand_word.span;
        let text = self.out.sources.text(span).to_owned();
        let Some(operand) = Operand::parse(&text) else {
            return self.refuse(
                Diagnostic::error(
                    &NO_FILE,
                    span,
                    format!(
                        "expected a path or `dataset(member)`, found {}",
                        quote(&text)
                    ),
                )
                .help("write `INCLUDE /path/to/file` or `INCLUDE dataset(member)`"),
            );
        };
        self.includes += 1;
        if self.includes > MAX_INCLUDES || self.open.len() > MAX_DEPTH {
            return self.refuse(
                Diagnostic::error(
                    &TOO_MUCH,
                    span,
                    format!(
                        "expected at most {MAX_INCLUDES} includes, nested at most {MAX_DEPTH} deep, \
                         found more"
                    ),
                )
                .help("include a member once, where all of it belongs"),
            );
        }
        let name = self.including_name(including);
        match self.reader.read(&operand, &name) {
            Ok(found) if self.open.contains(&found.identity) => self.refuse(
                Diagnostic::error(
                    &INCLUDES_ITSELF,
                    span,
                    format!(
                        "expected a file that does not include itself, found {}",
                        quote(&text)
                    ),
                )
                .help(format!(
                    "{} is being read already; remove this INCLUDE",
                    quote(&found.name)
                )),
            ),
            Ok(found) => {
                let opened = self.open(found, Some(span));
                self.expand(opened);
            }
            Err(error) => self.refuse(
                Diagnostic::error(
                    &NO_FILE,
                    span,
                    format!("cannot include `{}`: {}", shorten(&text), error.message),
                )
                .help(error.help),
            ),
        }
    }

    fn including_name(&self, including: usize) -> String {
        let start = Span {
            source: including,
            start: 0,
            end: 0,
        };
        self.out.sources.of(start).name.clone()
    }

    fn refuse(&mut self, diagnostic: Diagnostic) {
        self.out.is_incomplete = true;
        self.found.push(diagnostic);
    }
}
