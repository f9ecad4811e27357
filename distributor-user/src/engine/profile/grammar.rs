//! The shapes that the statement table is written in.
//!
//! Nothing here names a statement: [`table`](super::table) does. One [`Row`]
//! per statement or keyword is all that the parser, its suggestions, the help
//! texts and the reference know about the language.

use super::diagnostic::Diagnostic;
use super::message::{NO_EFFECT, NOT_ACTED_ON, NOT_SUPPORTED};
use super::source::Span;

/// A statement or a keyword.
#[derive(Debug)]
pub struct Row {
    /// The word; its capitals are the shortest abbreviation. Empty: an entry that begins with an
    /// argument, such as one port of PORT.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub doc: &'static str,
    /// What follows the word.
    pub parts: &'static [Part],
    /// What this system does with it.
    pub standing: Standing,
    /// How it is written for an ordinary case; empty if the syntax says enough.
    pub example: &'static str,
    /// Whether it is understood, with a warning, after the place where it belongs.
    pub is_tolerated_late: bool,
}

/// What this system does with a statement or a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does what z/OS does.
    Supported,
    /// It is kept; acting on it comes later. The sentence says what happens until then.
    Noted(&'static str),
    /// It has nothing to act on here. The sentence says what takes its place.
    Meaningless(&'static str),
    /// It is not acted on yet, and what it asks for can be done without.
    Unsupported(&'static str),
}

impl Standing {
    /// What to say where `subject` stands; `None` if it does what z/OS does.
    pub(super) fn report(self, span: Span, subject: &str) -> Option<Diagnostic> {
        Some(match self {
            Self::Supported => return None,
            Self::Noted(until) => Diagnostic::note(
                &NOT_ACTED_ON,
                span,
                format!("{subject} is understood, but not acted on yet: {until}"),
            ),
            Self::Meaningless(instead) => Diagnostic::note(
                &NO_EFFECT,
                span,
                format!("{subject} has no effect here: {instead}"),
            ),
            Self::Unsupported(until) => Diagnostic::warning(
                &NOT_SUPPORTED,
                span,
                format!("{subject} is not supported yet: {until}"),
            ),
        })
    }
}

/// One piece of what follows a word, in the order of the syntax.
#[derive(Debug)]
pub enum Part {
    /// Exactly one argument.
    Argument(Argument),
    /// One argument or none.
    Optional(Argument),
    /// One or more arguments.
    List(Argument),
    /// Keywords.
    Keywords(Order, &'static [Choice]),
    /// One or more entries, each a keyword of the first list or an unnamed row.
    Entries(&'static [&'static Row], &'static Row),
    /// Statements of their own up to the word that ends the block.
    Block(&'static [&'static Row], &'static Row),
    /// Anything up to the given word or, without one, the next statement.
    Skipped(Option<&'static Row>),
}

/// Whether keywords may be mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Any order.
    Any,
    /// The order of the table.
    Given,
}

/// Keywords that exclude one another.
#[derive(Debug)]
pub struct Choice {
    /// The keywords.
    pub rows: &'static [&'static Row],
    /// Whether one of them must be there.
    pub need: Need,
}

/// Whether something must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It may be left out.
    Optional,
    /// It must be there.
    Required,
    /// It must be there by the rules of z/OS; left out, this word is understood, with a warning.
    Assumed(&'static str),
}

impl Choice {
    /// One of `rows`, or none.
    #[must_use]
    pub const fn optional(rows: &'static [&'static Row]) -> Self {
        Self {
            rows,
            need: Need::Optional,
        }
    }

    /// Exactly one of `rows`.
    #[must_use]
    pub const fn required(rows: &'static [&'static Row]) -> Self {
        Self {
            rows,
            need: Need::Required,
        }
    }
}

/// A value in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What the syntax line calls it.
    pub name: &'static str,
    /// What a message calls it, with its article.
    pub what: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// What is understood when it is left out before a later keyword.
    pub assumed: Option<&'static str>,
}

impl Argument {
    /// An argument that cannot be left out.
    #[must_use]
    pub const fn new(name: &'static str, what: &'static str, kind: Kind) -> Self {
        Self {
            name,
            what,
            kind,
            assumed: None,
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IPv4 address.
    Address,
    /// An IPv6 address, perhaps with `/bits`.
    Ipv6,
    /// An address of either family.
    AnyAddress,
    /// An IPv4 address, or an IPv6 address, perhaps with `/bits`.
    AddressOrPrefix,
    /// An IPv4 address, or the name of an interface for an IPv6 one.
    Dvipa,
    /// A subnet mask, dotted or `/bits`.
    Mask,
    /// A subnet mask, or the name of an interface in front of an IPv6 address.
    MaskOrInterface,
    /// An address and a mask, or `address/bits`.
    Subnet,
    /// A decimal number within bounds.
    Number(u32, u32),
    /// A port, or a range of ports.
    Ports,
    /// A name of at most so many characters.
    Name(usize),
}

impl Row {
    /// A statement or keyword that is acted on.
    #[must_use]
    pub const fn new(name: &'static str, parts: &'static [Part], doc: &'static str) -> Self {
        Self {
            name,
            doc,
            parts,
            standing: Standing::Supported,
            example: "",
            is_tolerated_late: false,
        }
    }

    /// The same, understood late.
    #[must_use]
    pub const fn late(self) -> Self {
        Self {
            is_tolerated_late: true,
            ..self
        }
    }

    /// The same with another standing.
    #[must_use]
    pub const fn but(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// The same with an example.
    #[must_use]
    pub const fn like(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// The whole word in capitals.
    #[must_use]
    pub fn keyword(&self) -> String {
        self.name.to_ascii_uppercase()
    }

    /// The shortest abbreviation, in characters.
    #[must_use]
    pub fn minimum(&self) -> usize {
        self.name
            .find(|c: char| c.is_ascii_lowercase())
            .unwrap_or(self.name.len())
    }

    /// Whether `word` is this word or an abbreviation of it.
    #[must_use]
    pub fn matches(&self, word: &str) -> bool {
        self.begins_with(word) && word.len() >= self.minimum()
    }

    /// Whether `word` is this word in full.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        !self.name.is_empty() && self.name.eq_ignore_ascii_case(word)
    }

    /// Whether this word begins with `word`, long enough or not.
    #[must_use]
    pub fn begins_with(&self, word: &str) -> bool {
        let head = self.name.as_bytes().get(..word.len());
        !word.is_empty() && head.is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The keywords that may follow directly, entries' own excluded.
    pub fn keywords(&self) -> impl Iterator<Item = &'static Row> + use<> {
        self.parts.iter().flat_map(Part::keywords)
    }

    /// The word and what follows it in one line: `[optional]`, `(one | of)`, `repeated …`.
    #[must_use]
    pub fn syntax(&self) -> String {
        self.write_line(Depth::Full)
    }

    /// The same, short enough for a message: many keywords are only called options.
    #[must_use]
    pub fn usage(&self) -> String {
        self.write_line(Depth::Short)
    }

    fn write_line(&self, depth: Depth) -> String {
        let mut line = self.name.to_owned();
        for part in self.parts {
            if !line.is_empty() {
                line.push(' ');
            }
            part.write_syntax(depth, &mut line);
        }
        line
    }
}

/// How much of a syntax is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Full,
    Short,
}

/// The row of `rows` that `word` names; the whole word goes before an abbreviation.
pub(super) fn find(rows: impl Iterator<Item = &'static Row>, word: &str) -> Option<&'static Row> {
    let mut abbreviated = None;
    for row in rows.filter(|row| row.matches(word)) {
        if row.is(word) {
            return Some(row);
        }
        abbreviated.get_or_insert(row);
    }
    abbreviated
}

impl Part {
    /// The keywords that this part may begin with.
    pub fn keywords(&self) -> impl Iterator<Item = &'static Row> + use<> {
        let choices: &'static [Choice] = match self {
            Self::Keywords(_, choices) => choices,
            Self::Argument(_)
            | Self::Optional(_)
            | Self::List(_)
            | Self::Entries(..)
            | Self::Block(..)
            | Self::Skipped(_) => &[],
        };
        let entries: &'static [&'static Row] = match self {
            Self::Entries(keywords, _) => keywords,
            Self::Argument(_)
            | Self::Optional(_)
            | Self::List(_)
            | Self::Keywords(..)
            | Self::Block(..)
            | Self::Skipped(_) => &[],
        };
        let of_choices = choices
            .iter()
            .flat_map(|choice| choice.rows.iter().copied());
        of_choices.chain(entries.iter().copied())
    }

    fn write_syntax(&self, depth: Depth, line: &mut String) {
        const MANY: usize = 6;
        match self {
            Self::Argument(argument) => line.push_str(argument.name),
            Self::Optional(argument) => line.extend(["[", argument.name, "]"]),
            Self::List(argument) => line.extend([argument.name, " …"]),
            Self::Keywords(_, choices) if depth == Depth::Short && choices.len() > MANY => {
                line.push_str("[option …]");
            }
            Self::Keywords(_, choices) => {
                let choices: Vec<String> =
                    choices.iter().map(|choice| choice.syntax(depth)).collect();
                line.push_str(&choices.join(" "));
            }
            Self::Entries([], entry) => line.extend([&entry.write_line(depth), " …"]),
            Self::Entries(keywords, entry) => {
                let mut alternatives: Vec<String> =
                    keywords.iter().map(|row| row.write_line(depth)).collect();
                alternatives.push(format!("{} …", entry.write_line(depth)));
                line.extend(["(", &alternatives.join(" | "), ")"]);
            }
            Self::Block(_, end) | Self::Skipped(Some(end)) => line.extend(["… ", end.name]),
            Self::Skipped(None) => line.push('…'),
        }
    }
}

impl Choice {
    fn syntax(&self, depth: Depth) -> String {
        let rows: Vec<String> = self.rows.iter().map(|row| row.write_line(depth)).collect();
        let rows = rows.join(" | ");
        match self.need {
            Need::Optional => format!("[{rows}]"),
            Need::Required | Need::Assumed(_) if self.rows.len() == 1 => rows,
            Need::Required | Need::Assumed(_) => format!("({rows})"),
        }
    }
}
