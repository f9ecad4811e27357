//! Reads one argument: addresses, masks, numbers, ports, names.
//!
//! Nothing here decides whether an argument is wanted; it says whether the
//! words that stand there are one, and what is wrong with them if they only
//! resemble one.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::diagnostic::Diagnostic;
use super::grammar::{Argument, Kind};
use super::lexer::Word;
use super::source::{Sources, Span};
use super::tree::{Given, Value};
use super::{quote, shorten};

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
        Kind::Address | Kind::Subnet => {
            digit_first || text.starts_with('.') || text.parse::<Ipv6Addr>().is_ok()
        }
        Kind::Mask => text.starts_with('/') || dotted(text).is_some_and(looks_like_mask),
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
        Kind::Address => reader.address(),
        Kind::Mask => reader.mask(),
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

/// Masks begin with 128 or more one bits' worth; a wildcard mask with zeros.
fn looks_like_mask(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    address.octets()[0] >= 224 || prefix_of(bits).is_some() || prefix_of(!bits).is_some()
}

fn prefix_of(bits: u32) -> Option<u8> {
    let ones = bits.leading_ones();
    (bits.count_ones() == ones)
        .then(|| u8::try_from(ones).ok())
        .flatten()
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
            span,
            format!("expected {}, found {}", self.argument.what, quote(found)),
        )
        .id("EZZ0318I")
    }

    fn address(&self) -> Option<Reading> {
        let (text, span) = self.text(0)?;
        if let Some(address) = dotted(text) {
            return Some(Reading::given(span, Given::Address(address)));
        }
        if let Some((words, span, address)) = self.broken_address() {
            let written = self.sources.text(span);
            let problem = Diagnostic::error(
                span,
                format!(
                    "expected an address without blanks, found {}",
                    quote(written)
                ),
            )
            .id("EZZ0318I")
            .help(format!("write `{address}`"));
            let reading = Reading {
                words,
                ..Reading::faulty(problem)
            };
            return Some(reading.meant(span, Given::Address(address)));
        }
        if !resembles(Kind::Address, text) {
            return None;
        }
        let problem = self.expected(span, text).help(explain_address(text));
        let reading = Reading::faulty(problem);
        Some(match dotted(text.trim_end_matches(',')) {
            Some(address) => reading.meant(span, Given::Address(address)),
            None => reading,
        })
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

    fn mask(&self) -> Option<Reading> {
        let (text, span) = self.text(0)?;
        if let Some(bits) = text.strip_prefix('/') {
            return Some(self.mask_bits(text, bits, span));
        }
        let reading = self.address()?;
        if reading.problem.is_some() {
            return Some(self.faulty_mask(reading, text, span));
        }
        let address = dotted(text)?;
        if !looks_like_mask(address) {
            return self.swapped_mask(address, span);
        }
        Some(dotted_mask(address, text, span))
    }

    fn mask_bits(&self, text: &str, bits: &str, span: Span) -> Reading {
        let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let length = if is_number { decimal(bits) } else { None };
        match length.and_then(|length| u8::try_from(length).ok()) {
            Some(length @ 1..=32) => Reading::given(span, Given::Prefix(length)),
            Some(_) | None => Reading::faulty(
                self.expected(span, text)
                    .help("write `/1` to `/32`, such as `/24`"),
            ),
        }
    }

    /// Something like an address where a mask is wanted, but not written as one.
    fn faulty_mask(&self, mut reading: Reading, text: &str, span: Span) -> Reading {
        let meant = reading.values.pop().and_then(|value| match value.given {
            Given::Address(address) => prefix_of(address.to_bits()),
            Given::Prefix(_) | Given::Number(_) | Given::Ports(..) | Given::Name(_) => None,
        });
        if let Some(length) = meant {
            return reading.meant(span, Given::Prefix(length));
        }
        let is_length = decimal_word(text).is_some_and(|length| (1..=32).contains(&length));
        let help = if is_length {
            format!("write `/{text}`")
        } else if text.parse::<Ipv6Addr>().is_ok() {
            IPV6.to_owned()
        } else {
            "write it as `255.255.255.0` or `/24`".to_owned()
        };
        reading.problem = Some(self.expected(span, text).help(help));
        reading
    }

    /// `VIPADEFINE 10.1.3.10 255.255.255.0`: the mask comes first.
    fn swapped_mask(&self, address: Ipv4Addr, span: Span) -> Option<Reading> {
        let (next, next_span) = self.text(1)?;
        let mask = dotted(next).filter(|mask| looks_like_mask(*mask))?;
        let length = prefix_of(mask.to_bits())?;
        let problem = Diagnostic::error(
            span.to(next_span),
            format!("expected the subnet mask before the address, found `{address}` first"),
        )
        .id("EZZ0318I")
        .help(format!("write `{mask} {address}`"));
        let reading = Reading {
            words: 2,
            ..Reading::faulty(problem)
        };
        let reading = reading.meant(next_span, Given::Prefix(length));
        Some(reading.meant(span, Given::Address(address)))
    }

    fn subnet(&self) -> Option<Reading> {
        let (text, span) = self.text(0)?;
        if let Some((address, bits)) = text.split_once('/') {
            let address = dotted(address)?;
            let mask = self.mask_bits(text, bits, span);
            let mut reading = Reading::given(span, Given::Address(address));
            reading.values.extend(mask.values);
            reading.problem = mask.problem;
            return Some(reading);
        }
        let mut reading = self.address()?;
        let rest = Reader {
            words: self.words.get(reading.words..).unwrap_or_default(),
            ..*self
        };
        let following = rest.text(0);
        let mask = match following {
            Some((text, _)) if resembles(Kind::Mask, text) || rest.broken_address().is_some() => {
                rest.mask()
            }
            Some(_) | None => None,
        };
        if let Some(mask) = mask {
            reading.words += mask.words;
            reading.values.extend(mask.values);
            reading.problem = reading.problem.or(mask.problem);
        } else if reading.problem.is_none() {
            reading.problem = Some(
                Diagnostic::error(
                    span,
                    format!(
                        "expected a subnet mask after `{}`, found none",
                        shorten(text)
                    ),
                )
                .id("EZZ0312I")
                .help(format!(
                    "write `{text} 255.255.255.0`, with the mask of that network"
                )),
            );
        }
        Some(reading)
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

    fn ports(&self, text: &str, span: Span) -> Option<Reading> {
        if !resembles(Kind::Ports, text) {
            return None;
        }
        if let Some((words, span, joined)) = self.broken_range() {
            let (first, last) = port_range(&joined)?;
            let problem = Diagnostic::error(
                span,
                format!(
                    "expected a range without blanks, found {}",
                    quote(self.sources.text(span))
                ),
            )
            .id("EZZ0318I")
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

    fn name(&self, text: &str, span: Span, most: usize) -> Reading {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_plain && text.len() <= most && !text.contains('&') {
            return Reading::given(span, Given::Name(text.to_ascii_uppercase()));
        }
        let help = if text.contains('&') {
            SYMBOLS.to_owned()
        } else {
            format!("write at most {most} letters and digits")
        };
        Reading::faulty(self.expected(span, text).help(help))
    }
}

fn dotted_mask(address: Ipv4Addr, text: &str, span: Span) -> Reading {
    let bits = address.to_bits();
    let (message, help) = match (prefix_of(bits), prefix_of(!bits)) {
        (Some(length @ 1..), _) => return Reading::given(span, Given::Prefix(length)),
        (Some(0), _) => (
            "a mask with at least one bit",
            "write the mask of the subnet".into(),
        ),
        (None, Some(_)) => (
            "a subnet mask, ones first",
            format!("write `{}`", Ipv4Addr::from_bits(!bits)),
        ),
        (None, None) => (
            "a contiguous subnet mask",
            format!(
                "no one bit may follow a zero bit; `{}` would be contiguous",
                Ipv4Addr::from_bits(!(u32::MAX.checked_shr(bits.leading_ones()).unwrap_or(0)))
            ),
        ),
    };
    Reading::faulty(
        Diagnostic::error(span, format!("expected {message}, found {}", quote(text)))
            .id("EZZ0318I")
            .help(help),
    )
}

/// The help for a word with a system symbol in it.
pub(super) const SYMBOLS: &str =
    "system symbols such as `&SYSNAME.` are not substituted yet; write their value";
const IPV6: &str = "IPv6 addresses are not supported yet; write an IPv4 address";

fn decimal_word(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { decimal(text) } else { None }
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

fn explain_address(text: &str) -> String {
    if text.parse::<Ipv6Addr>().is_ok() {
        return IPV6.to_owned();
    }
    if text.contains('&') {
        return SYMBOLS.to_owned();
    }
    if text.contains(',') {
        return "separate addresses by blanks, not by commas".to_owned();
    }
    if let Some((address, _)) = text.split_once('/')
        && dotted(address).is_some()
    {
        return format!("write the address alone: `{address}`");
    }
    let parts: Vec<&str> = text.split('.').collect();
    let numbers = parts.iter().all(|part| decimal_word(part).is_some());
    match (numbers, parts.len()) {
        (true, 4) => "each of the four numbers of an address is at most 255".to_owned(),
        (true, found) => format!("an address has four numbers with dots between them, not {found}"),
        (false, _) => "write four numbers with dots between them, such as `10.1.3.10`".to_owned(),
    }
}
