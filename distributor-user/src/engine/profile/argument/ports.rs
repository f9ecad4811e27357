//! Ports and ranges of ports.

use super::super::diagnostic::Diagnostic;
use super::super::grammar::Kind;
use super::super::message::EZZ0318I;
use super::super::quote;
use super::super::source::Span;
use super::super::tree::Given;
use super::{Reader, Reading, decimal_word, resembles};

impl Reader<'_> {
    pub(super) fn ports(&self, text: &str, span: Span) -> Option<Reading> {
        if !resembles(Kind::Ports, text) {
            return None;
        }
        if let Some((words, span, joined)) = self.broken_range() {
            let (first, last) = port_range(&joined)?;
            let problem = Diagnostic::error(
                &EZZ0318I,
                span,
                format!(
                    "expected a range without blanks, found {}",
                    quote(self.sources.text(span))
                ),
            )
            .help(format!("write `{joined}`"));
            let reading = Reading {
                words,
                ..Reading::faulty(problem)
            };
            return Some(reading.meant(span, Given::Ports(first, last)));
        }
        if let Some((first, last)) = port_range(text) {
            return Some(Reading::given(span, Given::Ports(first, last)));
        }
        let help = match text.split_once('-') {
            _ if text.contains(',') => "separate ports by blanks, not by commas",
            Some((first, last)) if decimal_word(first) > decimal_word(last) => {
                "write the lower port of a range first"
            }
            Some(_) | None => "write a number from 1 to 65535, or two of them as `5000-5003`",
        };
        Some(Reading::faulty(self.expected(span, text).help(help)))
    }

    /// `5000 - 5003`: words of one line that make a range when joined at their hyphen.
    fn broken_range(&self) -> Option<(usize, Span, String)> {
        const PIECES: usize = 3;
        let mut joined = String::new();
        let mut whole: Option<Span> = None;
        for (index, word) in self.words.iter().enumerate().take(PIECES) {
            let text = self.sources.text(word.span);
            let meets = joined.is_empty() || joined.ends_with('-') || text.starts_with('-');
            if !meets || (index > 0 && word.opens_line) {
                return None;
            }
            joined.push_str(text);
            let span = whole.map_or(word.span, |whole| whole.to(word.span));
            whole = Some(span);
            if index > 0 && port_range(&joined).is_some() {
                return Some((index + 1, span, joined));
            }
        }
        None
    }
}

fn port(text: &str) -> Option<u16> {
    decimal_word(text)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|&port| port > 0)
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    match text.split_once('-') {
        None => port(text).map(|port| (port, port)),
        Some((first, last)) => {
            let (first, last) = (port(first)?, port(last)?);
            (first <= last).then_some((first, last))
        }
    }
}
