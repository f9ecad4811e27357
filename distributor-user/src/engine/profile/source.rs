//! The texts that a profile consists of, and positions in them.
//!
//! Nothing here interprets a profile. A [`Span`] is only a byte range of one
//! source; lines and columns are computed when somebody wants to read them.

use std::collections::HashMap;

/// A byte range of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Index into [`Sources`].
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// One beyond the last byte.
    pub end: usize,
}

impl Span {
    /// The smallest span that covers both; `other` lies in the same source, else it is ignored.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.source == other.source {
            Self {
                source: self.source,
                start: self.start.min(other.start),
                end: self.end.max(other.end),
            }
        } else {
            self
        }
    }
}

/// A place in a text as an editor shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One text: the profile itself, or a member that it includes.
#[derive(Clone, Debug)]
pub struct Source {
    /// What a message calls it: the path as it was given or found.
    pub name: String,
    /// The text; bytes that are not UTF-8 are replaced by U+FFFD.
    pub text: String,
    /// The INCLUDE that brought it in first; absent for the profile itself.
    pub included_at: Option<Span>,
    line_starts: Vec<usize>,
    /// What stands in place of words with system symbols, by the first byte and one beyond the
    /// last.
    replaced: HashMap<(usize, usize), String>,
}

impl Source {
    pub(super) fn new(name: String, text: String, included_at: Option<Span>) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            name,
            text,
            included_at,
            line_starts,
            replaced: HashMap::new(),
        }
    }

    /// Has `text` read in place of the word at `span`.
    pub(super) fn replace(&mut self, span: Span, text: String) {
        self.replaced.insert((span.start, span.end), text);
    }

    /// Where byte `offset` stands; an offset beyond the end counts as the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset);
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        Position {
            line,
            column: self.text[start..offset].chars().count() + 1,
        }
    }

    /// The lines that `span` touches, without the last line's end, and the offset of the first.
    #[must_use]
    pub fn lines_of(&self, span: Span) -> (usize, &str) {
        let start = self.floor(span.start);
        let end = self.floor(span.end).max(start);
        let first = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let last = self.text[end..]
            .find('\n')
            .map_or(self.text.len(), |at| end + at);
        (first, self.text[first..last].trim_end_matches('\r'))
    }

    fn floor(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset.min(self.text.len()))
    }
}

/// Every text of one profile, in the order in which they were opened; the profile is the first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    pub(super) fn push(&mut self, source: Source) -> usize {
        self.list.push(source);
        self.list.len() - 1
    }

    /// The source of `span`.
    ///
    /// A span never outlives the sources it was made from, so the look-up cannot fail.
    #[must_use]
    pub fn of(&self, span: Span) -> &Source {
        &self.list[span.source]
    }

    /// The text of `span`; of a word with system symbols, what it is read as.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        let source = self.of(span);
        if !source.replaced.is_empty()
            && let Some(text) = source.replaced.get(&(span.start, span.end))
        {
            return text;
        }
        source.text.get(span.start..span.end).unwrap_or("")
    }

    /// What messages call the profile itself.
    #[must_use]
    pub fn profile(&self) -> &str {
        self.list.first().map_or("", |source| &source.name)
    }

    /// Where the next source will stand.
    pub(super) fn next_index(&self) -> usize {
        self.list.len()
    }
}
