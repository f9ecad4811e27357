//! Reads one argument: addresses, masks, numbers, ports, names.
//!
//! Nothing here decides whether an argument is wanted; it says whether the
//! words that stand there are one, and what is wrong with them if they only
//! resemble one.

mod mask;
mod ports;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::diagnostic::Diagnostic;
use super::grammar::{Argument, Kind};
use super::lexer::Word;
use super::message::EZZ0318I;
use super::quote;
use super::source::{Sources, Span};
use super::symbols;
use super::tree::{Given, Value};
use mask::looks_like_mask;

/// What stands where an argument is wanted.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// How many words it takes.
    pub(super) words: usize,
    /// What they say; empty if they say nothing.
    pub(super) values: Vec<Value>,
    /// What is wrong with them.
    pub(super) problem: Option<Diagnostic>,
}

impl Reading {
    fn given(span: Span, given: Given) -> Self {
        Self {
            words: 1,
            values: vec![Value { given, span }],
            problem: None,
        }
    }

    fn faulty(problem: Diagnostic) -> Self {
        Self {
            words: 1,
            values: Vec::new(),
            problem: Some(problem),
        }
    }

    fn meant(mut self, span: Span, given: Given) -> Self {
        self.values.push(Value { given, span });
        self
    }
}

/// Whether `text` can only be meant as an argument of this kind.
pub(super) fn resembles(kind: Kind, text: &str) -> bool {
    let digit_first = text.starts_with(|c: char| c.is_ascii_digit());
    match kind {
        Kind::Address
        | Kind::Ipv6
        | Kind::AnyAddress
        | Kind::AddressOrPrefix
        | Kind::Dvipa
        | Kind::Subnet => digit_first || text.starts_with('.') || looks_like_ipv6(text),
        Kind::Mask | Kind::MaskOrInterface => {
            text.starts_with('/') || dotted(text).is_some_and(looks_like_mask)
        }
        Kind::Number(..) => {
            let unsigned = text.trim_start_matches(['-', '+']);
            unsigned.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(['.', ':'])
        }
        Kind::Ports => {
            !text.contains(['.', ':']) && (digit_first || text.starts_with('-') || text == "*")
        }
        Kind::Name(_) => true,
    }
}

/// Whether `argument`, which may be left out, begins with the first of `words`.
pub(super) fn comes(argument: &Argument, words: &[Word], sources: &Sources) -> bool {
    let Some(word) = words.first() else {
        return false;
    };
    let reader = Reader {
        argument,
        words,
        sources,
    };
    let is_interface = argument.kind == Kind::MaskOrInterface && reader.is_interface();
    is_interface || resembles(argument.kind, sources.text(word.span))
}

/// Whether `text` can be the name of an interface.
pub(super) fn is_interface_name(text: &str) -> bool {
    const LONGEST: usize = 16;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"@#$_".contains(&byte);
    let digit_first = text.starts_with(|c: char| c.is_ascii_digit());
    (1..=LONGEST).contains(&text.len()) && !digit_first && text.bytes().all(is_legal)
}

/// Whether `text` can only be meant as an IPv6 address.
fn looks_like_ipv6(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || b":./,".contains(&byte);
    text.bytes().filter(|&byte| byte == b':').count() > 1 && text.bytes().all(is_part)
}

/// Reads `argument` at the first of `words`; absent if something else stands there.
pub(super) fn read(argument: &Argument, words: &[Word], sources: &Sources) -> Option<Reading> {
    let reader = Reader {
        argument,
        words,
        sources,
    };
    let word = words.first()?;
    let text = sources.text(word.span);
    match argument.kind {
        Kind::Ipv6 => reader.ipv6(),
        Kind::AnyAddress | Kind::AddressOrPrefix if looks_like_ipv6(text) => reader.ipv6(),
        Kind::Address | Kind::AnyAddress | Kind::AddressOrPrefix | Kind::Dvipa => reader.address(),
        Kind::MaskOrInterface if reader.is_interface() => Some(Reading::given(
            word.span,
            Given::Name(text.to_ascii_uppercase()),
        )),
        Kind::Mask | Kind::MaskOrInterface => reader.mask(),
        Kind::Subnet => reader.subnet(),
        Kind::Number(least, most) => reader.number(text, word.span, least, most),
        Kind::Ports => reader.ports(text, word.span),
        Kind::Name(most) => Some(reader.name(text, word.span, most)),
    }
}

/// The address that `text` writes, leading zeros allowed.
pub(super) fn dotted(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        *octet = is_number
            .then(|| decimal(part))?
            .and_then(|value| value.try_into().ok())?;
    }
    parts.next().is_none().then_some(Ipv4Addr::from(octets))
}

/// The number that `text`, all digits, writes; absent if it is too large for anything.
fn decimal(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches('0');
    if digits.is_empty() {
        Some(0)
    } else {
        digits.parse().ok()
    }
}

struct Reader<'a> {
    argument: &'a Argument,
    words: &'a [Word],
    sources: &'a Sources,
}

impl Reader<'_> {
    fn text(&self, index: usize) -> Option<(&str, Span)> {
        let word = self.words.get(index)?;
        Some((self.sources.text(word.span), word.span))
    }

    fn expected(&self, span: Span, found: &str) -> Diagnostic {
        Diagnostic::error(
            &EZZ0318I,
            span,
            format!("expected {}, found {}", self.argument.what, quote(found)),
        )
    }

    fn address(&self) -> Option<Reading> {
        let (text, span) = self.text(0)?;
        if let Some(address) = dotted(text) {
            return Some(Reading::given(span, Given::Address(address.into())));
        }
        if let Some((words, span, address)) = self.broken_address() {
            let written = self.sources.text(span);
            let problem = Diagnostic::error(
                &EZZ0318I,
                span,
                format!(
                    "expected an address without blanks, found {}",
                    quote(written)
                ),
            )
            .help(format!("write `{address}`"));
            let reading = Reading {
                words,
                ..Reading::faulty(problem)
            };
            return Some(reading.meant(span, Given::Address(address.into())));
        }
        if !resembles(Kind::Address, text) {
            return None;
        }
        let problem = self.expected(span, text).help(explain_address(text));
        let reading = Reading::faulty(problem);
        Some(match dotted(text.trim_end_matches(',')) {
            Some(address) => reading.meant(span, Given::Address(address.into())),
            None => reading,
        })
    }

    fn ipv6(&self) -> Option<Reading> {
        const LONGEST_PREFIX: u32 = 128;
        let (text, span) = self.text(0)?;
        if !resembles(Kind::Ipv6, text) {
            return None;
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<Ipv6Addr>() else {
            return Some(Reading::faulty(
                self.expected(span, text).help(explain_address(text)),
            ));
        };
        let reading = Reading::given(span, Given::Address(IpAddr::V6(address)));
        let Some(bits) = bits else {
            return Some(reading);
        };
        let length = decimal_word(bits).filter(|length| (1..=LONGEST_PREFIX).contains(length));
        let wants_prefix = matches!(self.argument.kind, Kind::Ipv6 | Kind::AddressOrPrefix);
        Some(match length.and_then(|length| u8::try_from(length).ok()) {
            Some(length) if wants_prefix => reading.meant(span, Given::Prefix(length)),
            Some(_) => Reading::faulty(
                self.expected(span, text)
                    .help(format!("write the address alone: `{address}`")),
            ),
            None => Reading::faulty(
                self.expected(span, text)
                    .help(format!("write `{address}/64`, with a length from 1 to 128")),
            ),
        })
    }

    /// `DVIPA1 2001:db8::1`: the name of an interface in front of an IPv6 address.
    fn is_interface(&self) -> bool {
        let name = self.text(0).map_or("", |(text, _)| text);
        let next = self.text(1).map_or("", |(text, _)| text);
        is_interface_name(name) && looks_like_ipv6(next)
    }

    /// `10.1 .3.10`: words of one line that make an address when joined at their dots.
    fn broken_address(&self) -> Option<(usize, Span, Ipv4Addr)> {
        const PIECES: usize = 7; // `10 . 1 . 3 . 10`
        let mut joined = String::new();
        let mut whole: Option<Span> = None;
        for (index, word) in self.words.iter().enumerate().take(PIECES) {
            let text = self.sources.text(word.span);
            let is_piece = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.');
            let meets = joined.is_empty() || joined.ends_with('.') || text.starts_with('.');
            let same_line = index == 0 || !word.opens_line;
            if !is_piece || !meets || !same_line {
                return None;
            }
            joined.push_str(text);
            let span = whole.map_or(word.span, |whole| whole.to(word.span));
            whole = Some(span);
            if let (1.., Some(address)) = (index, dotted(&joined)) {
                return Some((index + 1, span, address));
            }
        }
        None
    }

    fn number(&self, text: &str, span: Span, least: u32, most: u32) -> Option<Reading> {
        if !resembles(self.argument.kind, text) {
            return None;
        }
        match decimal_word(text) {
            Some(number) if (least..=most).contains(&number) => {
                Some(Reading::given(span, Given::Number(number)))
            }
            _ => Some(Reading::faulty(
                self.expected(span, text)
                    .help(format!("write a number from {least} to {most}")),
            )),
        }
    }

    fn name(&self, text: &str, span: Span, most: usize) -> Reading {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_plain && text.len() <= most && !text.contains('&') {
            return Reading::given(span, Given::Name(text.to_ascii_uppercase()));
        }
        let help = if text.contains('&') {
            symbols::explain(text)
        } else {
            format!("write at most {most} letters and digits")
        };
        Reading::faulty(self.expected(span, text).help(help))
    }
}

/// The help for an IPv6 address where none can be.
pub(super) const IPV6: &str = "write an IPv4 address; an IPv6 DVIPA is defined as `VIPADEFINE interface 2001:db8::1` and \
     named by its interface afterwards";

fn decimal_word(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { decimal(text) } else { None }
}

fn explain_address(text: &str) -> String {
    if text.parse::<Ipv6Addr>().is_ok() {
        return IPV6.to_owned();
    }
    if text.contains('&') {
        return symbols::explain(text);
    }
    if text.contains(',') {
        return "separate addresses by blanks, not by commas".to_owned();
    }
    if let Some((address, _)) = text.split_once('/')
        && dotted(address).is_some()
    {
        return format!("write the address alone: `{address}`");
    }
    if looks_like_ipv6(text) {
        return "write an IPv6 address such as `2001:db8::1`".to_owned();
    }
    let parts: Vec<&str> = text.split('.').collect();
    let numbers = parts.iter().all(|part| decimal_word(part).is_some());
    match (numbers, parts.len()) {
        (true, 4) => "each of the four numbers of an address is at most 255".to_owned(),
        (true, found) => format!("an address has four numbers with dots between them, not {found}"),
        (false, _) => "write four numbers with dots between them, such as `10.1.3.10`".to_owned(),
    }
}
