//! A profile as it was written: statements, their keywords and values, with positions.
//!
//! Nothing here knows what a statement means.

use std::net::IpAddr;

use super::grammar::Row;
use super::source::Span;

/// A statement, a keyword or an entry.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) row: &'static Row,
    /// Its word; the first word of an entry without a name.
    pub(super) span: Span,
    /// Its last word.
    pub(super) end: Span,
    pub(super) values: Vec<Value>,
    pub(super) children: Vec<Node>,
    /// An error in it was reported, so that something may be missing.
    pub(super) is_broken: bool,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) given: Given,
    pub(super) span: Span,
}

/// What an argument says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Address(IpAddr),
    /// Length of a mask in bits.
    Prefix(u8),
    Number(u32),
    /// First and last port.
    Ports(u16, u16),
    /// In capitals.
    Name(String),
}

impl Value {
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.given {
            Given::Address(address) => Some(address),
            Given::Prefix(_) | Given::Number(_) | Given::Ports(..) | Given::Name(_) => None,
        }
    }

    pub(super) fn ports(&self) -> Option<(u16, u16)> {
        match self.given {
            Given::Ports(first, last) => Some((first, last)),
            Given::Address(_) | Given::Prefix(_) | Given::Number(_) | Given::Name(_) => None,
        }
    }

    pub(super) fn name(&self) -> Option<String> {
        match &self.given {
            Given::Name(name) => Some(name.clone()),
            Given::Address(_) | Given::Prefix(_) | Given::Number(_) | Given::Ports(..) => None,
        }
    }
}

impl Node {
    pub(super) fn new(row: &'static Row, span: Span) -> Self {
        Self {
            row,
            span,
            end: span,
            values: Vec::new(),
            children: Vec::new(),
            is_broken: false,
        }
    }

    /// Everything from its word to its last.
    pub(super) fn whole(&self) -> Span {
        self.span.to(self.end)
    }

    /// The keyword `row` of this statement.
    pub(super) fn child(&self, row: &'static Row) -> Option<&Self> {
        self.children.iter().find(|child| child.is(row))
    }

    /// Whether this is a `row`.
    pub(super) fn is(&self, row: &'static Row) -> bool {
        std::ptr::eq(self.row, row)
    }

    /// Whether it or something in it was reported as wrong.
    pub(super) fn has_error(&self) -> bool {
        self.is_broken || self.children.iter().any(Self::has_error)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = (IpAddr, Span)> {
        self.values.iter().filter_map(|value| match value.given {
            Given::Address(address) => Some((address, value.span)),
            Given::Prefix(_) | Given::Number(_) | Given::Ports(..) | Given::Name(_) => None,
        })
    }

    pub(super) fn prefix(&self) -> Option<(u8, Span)> {
        self.values.iter().find_map(|value| match value.given {
            Given::Prefix(bits) => Some((bits, value.span)),
            Given::Address(_) | Given::Number(_) | Given::Ports(..) | Given::Name(_) => None,
        })
    }

    pub(super) fn number(&self) -> Option<(u32, Span)> {
        self.numbers().next()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = (u32, Span)> {
        self.values.iter().filter_map(|value| match value.given {
            Given::Number(number) => Some((number, value.span)),
            Given::Address(_) | Given::Prefix(_) | Given::Ports(..) | Given::Name(_) => None,
        })
    }

    pub(super) fn ports(&self) -> impl Iterator<Item = (u16, u16, Span)> {
        self.values.iter().filter_map(|value| match value.given {
            Given::Ports(first, last) => Some((first, last, value.span)),
            Given::Address(_) | Given::Prefix(_) | Given::Number(_) | Given::Name(_) => None,
        })
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.named().map(|(name, _)| name)
    }

    pub(super) fn named(&self) -> Option<(&str, Span)> {
        self.values.iter().find_map(|value| match &value.given {
            Given::Name(name) => Some((name.as_str(), value.span)),
            Given::Address(_) | Given::Prefix(_) | Given::Number(_) | Given::Ports(..) => None,
        })
    }
}
