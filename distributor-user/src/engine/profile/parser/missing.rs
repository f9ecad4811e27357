//! Words that are missing: some are understood nevertheless, the others are asked for.

use super::super::diagnostic::Diagnostic;
use super::super::grammar::{Argument, Choice, Kind, Need, Part, Row};
use super::super::message::{EZZ0312I, EZZ0318I};
use super::super::tree::{Given, Node, Value};
use super::super::{quote, shorten, symbols};
use super::misplaced::written;
use super::parts::begins_entry;
use super::{Parser, is_one};

impl Parser<'_> {
    /// An argument is not there; what is there belongs to something else.
    pub(super) fn missing(&mut self, node: &mut Node, wanted: &Argument) {
        let next = self.peek();
        let keyword_follows = next.is_some_and(|(text, _)| is_one(node.row.keywords(), text));
        if let (Some(assumed), true) = (wanted.assumed, keyword_follows) {
            self.assumed.push((self.at, assumed));
            node.values.push(Value {
                given: Given::Name(assumed.to_owned()),
                span: self.here(),
            });
        } else if !node.is_broken {
            let help = written(node.row, next.map_or("", |(text, _)| text));
            self.expected(node, wanted.what, help);
        }
    }

    /// The word there is neither the argument nor anything else that is known.
    pub(super) fn foreign(&mut self, node: &mut Node, wanted: &Argument) {
        let Some((text, word)) = self.peek() else {
            return;
        };
        let span = word.span;
        let help = if text.contains('&') {
            symbols::explain(text)
        } else if matches!(
            wanted.kind,
            Kind::Address | Kind::AnyAddress | Kind::AddressOrPrefix | Kind::Dvipa
        ) {
            "write the address itself: names of hosts and interfaces are not looked up".to_owned()
        } else {
            written(node.row, text)
        };
        self.at += 1;
        if !node.is_broken {
            let found = quote(self.sources.text(span));
            let message = format!("expected {}, found {found}", wanted.what);
            let report = Diagnostic::error(&EZZ0318I, span, message).help(help);
            self.error(node, report);
        }
    }

    /// Reports that `what` is not there, at the word before or the word instead.
    fn expected(&mut self, node: &mut Node, what: &str, help: String) {
        let after = self.previous();
        let (span, message) = match (after, self.peek()) {
            (Some((after, last)), Some((found, word))) if word.opens_line => {
                let (after, found) = (quote(after), quote(found));
                let message =
                    format!("expected {what} after {after}, found {found} on the next line");
                (last.span, message)
            }
            (_, Some((found, word))) => (
                word.span,
                format!("expected {what}, found {}", quote(found)),
            ),
            (after, None) => {
                let after = quote(after.map_or("", |(text, _)| text));
                let message =
                    format!("expected {what} after {after}, found the end of the profile");
                (self.here(), message)
            }
        };
        let report = Diagnostic::error(&EZZ0312I, span, message).help(help);
        self.error(node, report);
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
                && begins_body(row, text)
            {
                self.without_its_keyword(node, row, text);
                return true;
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
        let names = choice
            .rows
            .iter()
            .map(|row| format!("`{}`", row.keyword()))
            .collect();
        let help = written(node.row, next.map_or("", |(text, _)| text));
        self.expected(node, &any_of(names), help);
        let is_wrong_word = next.is_some_and(|(text, word)| {
            let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic());
            is_word && !word.opens_line && !self.is_known(text)
        });
        if is_wrong_word {
            self.at += 1;
        }
        false
    }

    /// `10.1.3.10 PORT 8443 172.1.1.2`: DESTIP is missing, what follows it is there.
    fn without_its_keyword(&mut self, node: &mut Node, row: &'static Row, text: &str) {
        let span = self.here();
        let name = row.keyword();
        let report = Diagnostic::error(
            &EZZ0312I,
            span,
            format!("expected `{name}`, found {}", quote(text)),
        )
        .help(format!("write `{name} {}`", shorten(text)));
        self.error(node, report);
        let mut child = Node::new(row, span);
        self.body(&mut child);
        self.end(&mut child);
        node.children.push(child);
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
        let help = written(node.row, self.peek().map_or("", |(text, _)| text));
        self.expected(node, &any_of(wanted), help);
        while let Some((text, _)) = self.peek() {
            if self.is_known(text) || begins_entry(entry, text) {
                break;
            }
            self.at += 1;
        }
        self.entries(node, keywords, entry);
    }

    /// One warning for an entry in which words are missing that can be understood.
    pub(super) fn report_assumed(&mut self, start: usize, entry: &Node) {
        let assumed = std::mem::take(&mut self.assumed);
        if assumed.is_empty() || entry.has_error() {
            return;
        }
        let mut complete: Vec<&str> = Vec::new();
        for (index, word) in self.words[start..self.at].iter().enumerate() {
            let before = assumed
                .iter()
                .filter(|(before, _)| *before == start + index);
            complete.extend(before.map(|(_, text)| *text));
            complete.push(self.sources.text(word.span));
        }
        let complete = complete.join(" ");
        let what = match assumed.as_slice() {
            [(_, "*")] => "a job name",
            [_] => "a protocol",
            _ => "a protocol and a job name",
        };
        let message = format!(
            "expected {what}, found none; understood as `{}`",
            shorten(&complete)
        );
        self.found.push(
            Diagnostic::warning(&EZZ0312I, entry.whole(), message).help(format!(
                "write `{}`; z/OS needs it in full",
                shorten(&complete)
            )),
        );
    }
}

fn any_of(mut names: Vec<String>) -> String {
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
        None => String::new(),
    }
}

fn begins_body(row: &'static Row, text: &str) -> bool {
    match row.parts.first() {
        Some(Part::Entries(_, entry)) => begins_entry(entry, text),
        Some(_) | None => false,
    }
}
