//! What the parser says when a word is missing, misspelt or in the wrong place.

use super::super::diagnostic::Diagnostic;
use super::super::grammar::{Argument, Choice, Need, Part, Row, find};
use super::super::source::Span;
use super::super::tree::{Given, Node, Value};
use super::super::{argument::SYMBOLS, quote, shorten};
use super::{Parser, collect, contains, later_keyword};

impl Parser<'_> {
    /// An argument is not there; what is there belongs to something else.
    pub(super) fn missing(&mut self, node: &mut Node, wanted: &Argument) {
        let keyword_follows = self.keyword_follows(node.row);
        if let (Some(assumed), true) = (wanted.assumed, keyword_follows) {
            self.assumed.push((self.at, assumed));
            node.values.push(Value {
                given: Given::Name(assumed.to_owned()),
                span: self.here(),
            });
            return;
        }
        if !node.is_broken {
            let help = format!("write `{}`", self.syntax_at_hand());
            self.expected(node, wanted.what, help);
        }
        node.is_broken = true;
    }

    fn keyword_follows(&self, row: &'static Row) -> bool {
        self.peek()
            .is_some_and(|(text, _)| later_keyword(row.keywords(), text))
    }

    /// The word there is neither the argument nor anything else that is known.
    pub(super) fn foreign(&mut self, node: &mut Node, wanted: &Argument) {
        let Some((text, word)) = self.peek() else {
            return;
        };
        let help = if text.contains('&') {
            SYMBOLS.to_owned()
        } else {
            format!("write `{}`", self.syntax_at_hand())
        };
        let message = format!("expected {}, found {}", wanted.what, quote(text));
        let report = Diagnostic::error(word.span, message)
            .id("EZZ0318I")
            .help(help);
        if node.is_broken {
            self.at += 1;
            return;
        }
        self.error(node, report);
        self.at += 1;
    }

    /// Reports that `what` is not there, at the word before or the word instead.
    fn expected(&mut self, node: &mut Node, what: &str, help: String) {
        let after = self.previous();
        let found = self.peek();
        let (span, message) = match (after, found) {
            (Some((after, last)), Some((found, word))) if word.opens_line => (
                last.span,
                format!(
                    "expected {what} after {}, found {} on the next line",
                    quote(after),
                    quote(found)
                ),
            ),
            (_, Some((found, word))) => (
                word.span,
                format!("expected {what}, found {}", quote(found)),
            ),
            (after, None) => (
                self.here(),
                format!(
                    "expected {what} after {}, found the end of the profile",
                    quote(after.map_or("", |(text, _)| text))
                ),
            ),
        };
        self.error(
            node,
            Diagnostic::error(span, message).id("EZZ0312I").help(help),
        );
    }

    /// The syntax of the innermost row at hand that has a name of its own.
    fn syntax_at_hand(&self) -> String {
        self.open
            .last()
            .map_or_else(String::new, |row| row.syntax())
    }

    /// None of the keywords of `choice` is there; true if something was read in its place.
    pub(super) fn required(&mut self, node: &mut Node, choice: &'static Choice) -> bool {
        let next = self.peek();
        if let Some((text, word)) = next {
            if let Some(row) = self.similar(choice.rows.iter().copied(), text) {
                self.misspelt(node, row, word.span);
                let child = self.keyword(row);
                node.children.push(child);
                return true;
            }
            if let [row] = choice.rows
                && self.begins_body(row, text)
            {
                return self.without_its_keyword(node, row, text);
            }
        }
        if node.is_broken {
            return false;
        }
        if let (Need::Assumed(assumed), Some((text, word))) = (choice.need, next) {
            let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*');
            let is_next = word.opens_line && self.starts_next(text);
            if is_name && !is_next {
                self.assumed.push((self.at, assumed));
                return false;
            }
        }
        let names: Vec<String> = choice
            .rows
            .iter()
            .map(|row| format!("`{}`", row.keyword()))
            .collect();
        let help = format!("write `{}`", self.syntax_at_hand());
        self.expected(node, &any_of(&names), help);
        let is_wrong_word = next.is_some_and(|(text, word)| {
            let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic());
            is_word && !word.opens_line && !self.is_known(text)
        });
        if is_wrong_word {
            self.at += 1;
        }
        false
    }

    fn begins_body(&self, row: &'static Row, text: &str) -> bool {
        match row.parts.first() {
            Some(Part::Entries(_, entry)) => self.begins_entry(entry, text),
            Some(_) | None => false,
        }
    }

    /// `10.1.3.10 PORT 8443 172.1.1.2`: DESTIP is missing, what follows it is there.
    fn without_its_keyword(&mut self, node: &mut Node, row: &'static Row, text: &str) -> bool {
        let span = self.here();
        let name = row.keyword();
        let report = Diagnostic::error(span, format!("expected `{name}`, found {}", quote(text)))
            .id("EZZ0312I")
            .help(format!("write `{name} {}`", shorten(text)));
        self.error(node, report);
        let mut child = Node::new(row, span);
        self.body(&mut child);
        self.end(&mut child);
        node.children.push(child);
        true
    }

    /// Nothing of what a list of entries is made of is there.
    pub(super) fn no_entries(
        &mut self,
        node: &mut Node,
        keywords: &'static [&'static Row],
        entry: &'static Row,
    ) {
        let mut wanted: Vec<String> = keywords
            .iter()
            .map(|row| format!("`{}`", row.keyword()))
            .collect();
        if let Some(Part::Argument(first)) = entry.parts.first() {
            wanted.push(first.what.to_owned());
        }
        let help = format!("write `{}`", node.row.syntax());
        self.expected(node, &any_of(&wanted), help);
        while let Some((text, _)) = self.peek() {
            if self.is_known(text) || self.begins_entry(entry, text) {
                break;
            }
            self.at += 1;
        }
        if self
            .peek()
            .is_some_and(|(text, _)| self.begins_entry(entry, text))
        {
            self.entries(node, keywords, entry);
        }
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
        let choice = choices.flatten().find(|choice| contains(choice, row));
        let is_repeated =
            choice.is_some_and(|choice| self.check_repetition(node, choice, row, span));
        if !is_repeated {
            self.out_of_order(node, row, span, None);
        }
        let child = self.keyword(row);
        node.children.push(child);
    }

    /// Reports a second keyword of a choice; true if it did.
    pub(super) fn check_repetition(
        &mut self,
        node: &mut Node,
        choice: &Choice,
        row: &'static Row,
        span: Span,
    ) -> bool {
        let Some(first) = node
            .children
            .iter()
            .find(|child| contains(choice, child.row))
        else {
            return false;
        };
        let (name, before) = (row.keyword(), first.row.keyword());
        let message = if first.is(row) {
            format!("expected `{name}` once, found it again")
        } else {
            format!("expected either `{before}` or `{name}`, found both")
        };
        let report = Diagnostic::error(span, message)
            .id("EZZ0318I")
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
        let later = after.and_then(|choice| {
            node.children
                .iter()
                .find(|child| contains(choice, child.row))
                .map(|child| child.row)
        });
        let message = match later {
            Some(later) => format!(
                "expected `{name}` before `{}`, found it after",
                later.keyword()
            ),
            None => format!("expected `{name}` earlier in the statement, found it here"),
        };
        let syntax = match self.open.last() {
            Some(row) => row.syntax(),
            None => node.row.syntax(),
        };
        let report = Diagnostic::error(span, message)
            .id("EZZ0318I")
            .help(format!("keep the order of `{syntax}`"));
        self.error(node, report);
    }

    /// Words that belong nowhere, up to the next that does.
    pub(super) fn unexpected(&mut self, node: &mut Node) {
        let Some((text, first)) = self.peek() else {
            return;
        };
        let mut span = first.span;
        let help = if text.contains('&') {
            SYMBOLS.to_owned()
        } else {
            parameters_of(node.row)
        };
        let own = collect(node.row.keywords());
        let last = node.row.parts.last();
        self.is_incomplete = true;
        self.at += 1;
        while let Some((text, word)) = self.peek() {
            let resumes = match last {
                Some(Part::List(wanted)) => self.comes(wanted),
                Some(Part::Entries(_, entry)) => self.begins_entry(entry, text),
                Some(_) | None => false,
            };
            if resumes || self.starts_next(text) || find(own.iter().copied(), text).is_some() {
                break;
            }
            if word.opens_line {
                let next = collect(self.next_rows())
                    .into_iter()
                    .chain(own.iter().copied());
                if self.similar(next, text).is_some() {
                    break;
                }
            } else if self.sources.of(span).position(span.start).line
                == self.sources.of(word.span).position(word.span.start).line
            {
                span = span.to(word.span);
            }
            self.at += 1;
        }
        let report = Diagnostic::error(
            span,
            format!(
                "expected a parameter of `{}` or the next statement, found {}",
                node.row.keyword(),
                quote(text)
            ),
        )
        .id("EZZ0318I")
        .help(help);
        self.error(node, report);
    }

    /// One warning for an entry in which words are missing that can be understood.
    pub(super) fn report_assumed(&mut self, start: usize, entry: &Node) {
        let assumed = std::mem::take(&mut self.assumed);
        if assumed.is_empty() || entry.has_error() {
            return;
        }
        let mut complete = String::new();
        for (index, word) in self.words[start..self.at].iter().enumerate() {
            for (before, text) in &assumed {
                if *before == start + index {
                    complete.push_str(text);
                    complete.push(' ');
                }
            }
            complete.push_str(self.sources.text(word.span));
            complete.push(' ');
        }
        let complete = complete.trim_end();
        let what = if assumed.len() > 1 {
            "a protocol and a job name"
        } else {
            missing_what(&assumed)
        };
        self.found.push(
            Diagnostic::warning(
                entry.whole(),
                format!(
                    "expected {what}, found none; understood as `{}`",
                    shorten(complete)
                ),
            )
            .id("EZZ0312I")
            .help(format!(
                "write `{}`; z/OS needs it in full",
                shorten(complete)
            )),
        );
    }
}

fn missing_what(assumed: &[(usize, &'static str)]) -> &'static str {
    match assumed {
        [(_, "*")] => "a job name",
        _ => "a protocol",
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
    Diagnostic::error(span, message).id("EZZ0308I").help(help)
}

/// The help for a word that is no parameter of `row`.
fn parameters_of(row: &'static Row) -> String {
    match row.parts {
        [Part::Keywords(..)] => {
            let names: Vec<String> = row.keywords().map(Row::keyword).collect();
            format!("parameters of `{}` are {}", row.keyword(), names.join(", "))
        }
        _ => format!("the syntax is `{}`", row.syntax()),
    }
}

fn any_of(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
