//! Subnet masks, alone and after an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::diagnostic::Diagnostic;
use super::super::grammar::Kind;
use super::super::message::{EZZ0312I, EZZ0318I};
use super::super::source::Span;
use super::super::tree::Given;
use super::super::{quote, shorten};
use super::{IPV6, Reader, Reading, decimal, decimal_word, dotted, resembles};

impl Reader<'_> {
    pub(super) fn mask(&self) -> Option<Reading> {
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
            Given::Address(IpAddr::V4(address)) => prefix_of(address.to_bits()),
            Given::Address(IpAddr::V6(_))
            | Given::Prefix(_)
            | Given::Number(_)
            | Given::Ports(..)
            | Given::Name(_) => None,
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
            &EZZ0318I,
            span.to(next_span),
            format!("expected the subnet mask before the address, found `{address}` first"),
        )
        .help(format!("write `{mask} {address}`"));
        let reading = Reading {
            words: 2,
            ..Reading::faulty(problem)
        };
        let reading = reading.meant(next_span, Given::Prefix(length));
        Some(reading.meant(span, Given::Address(address.into())))
    }

    pub(super) fn subnet(&self) -> Option<Reading> {
        let (text, span) = self.text(0)?;
        if let Some((address, bits)) = text.split_once('/') {
            let address = dotted(address)?;
            let mask = self.mask_bits(text, bits, span);
            let mut reading = Reading::given(span, Given::Address(address.into()));
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
                    &EZZ0312I,
                    span,
                    format!(
                        "expected a subnet mask after `{}`, found none",
                        shorten(text)
                    ),
                )
                .help(format!(
                    "write `{text} 255.255.255.0`, with the mask of that network"
                )),
            );
        }
        Some(reading)
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
        Diagnostic::error(
            &EZZ0318I,
            span,
            format!("expected {message}, found {}", quote(text)),
        )
        .help(help),
    )
}

/// Masks begin with 128 or more one bits' worth; a wildcard mask with zeros.
pub(super) fn looks_like_mask(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    address.octets()[0] >= 224 || prefix_of(bits).is_some() || prefix_of(!bits).is_some()
}

fn prefix_of(bits: u32) -> Option<u8> {
    let ones = bits.leading_ones();
    (bits.count_ones() == ones)
        .then(|| u8::try_from(ones).ok())
        .flatten()
}
