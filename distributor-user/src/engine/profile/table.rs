//! The statement table: every statement and keyword of the profile language.
//!
//! This is the only place that lists them. A row has the word with its
//! shortest abbreviation in capitals, what follows it, what it means, and what
//! this system does with it; the parser, the suggestions, the help texts and
//! the reference read it. Rows that the configuration is made of are named
//! `static`s, so that nothing looks one up by its text.

pub(super) mod globalconfig;
pub(super) mod ipconfig;
pub(super) mod other;
pub(super) mod port;
pub(super) mod vipadistribute;
pub(super) mod vipadynamic;

use super::grammar::{Part, Row, Standing};

/// Every statement that may begin at the outermost level; INCLUDE is the lexer's.
pub static STATEMENTS: &[&[&Row]] = &[
    &[
        &vipadynamic::VIPADYNAMIC,
        &ipconfig::IPCONFIG,
        &ipconfig::IPCONFIG6,
        &port::PORT,
        &port::PORTRANGE,
        &port::DELETE,
        &globalconfig::GLOBALCONFIG,
    ],
    other::SKIPPED,
];

/// All statements, as one run.
pub(super) fn statements() -> impl Iterator<Item = &'static Row> + Clone {
    STATEMENTS.iter().flat_map(|rows| rows.iter().copied())
}

/// The statements whose content is read.
pub(super) fn acted_on() -> impl Iterator<Item = &'static Row> {
    statements().filter(|row| !matches!(row.parts, [Part::Skipped(_)]))
}

/// The statements that stand in blocks, and the ends of these.
pub(super) fn substatements() -> impl Iterator<Item = &'static Row> {
    let parts = statements().flat_map(|row| row.parts);
    parts.flat_map(|part| {
        let (rows, end): (&[_], _) = match part {
            Part::Block(rows, end) => (rows, Some(*end)),
            Part::Argument(_)
            | Part::Optional(_)
            | Part::List(_)
            | Part::Keywords(..)
            | Part::Entries(..)
            | Part::Skipped(_) => (&[], None),
        };
        rows.iter().copied().chain(end)
    })
}

/// Calls `visit` with every row and the statement it belongs to, the statements themselves
/// included.
pub fn walk(visit: &mut dyn FnMut(&'static Row, &'static Row)) {
    for statement in statements() {
        descend(statement, statement, visit);
    }
}

fn descend(
    row: &'static Row,
    statement: &'static Row,
    visit: &mut dyn FnMut(&'static Row, &'static Row),
) {
    visit(row, statement);
    for part in row.parts {
        for keyword in part.keywords() {
            descend(keyword, statement, visit);
        }
        match part {
            Part::Entries(_, entry) => descend(entry, statement, visit),
            Part::Block(rows, end) => {
                visit(end, statement);
                for row in *rows {
                    visit(row, statement);
                    for part in row.parts {
                        descend_part(part, row, visit);
                    }
                }
            }
            Part::Argument(_)
            | Part::Optional(_)
            | Part::List(_)
            | Part::Keywords(..)
            | Part::Skipped(_) => {}
        }
    }
}

fn descend_part(
    part: &'static Part,
    statement: &'static Row,
    visit: &mut dyn FnMut(&'static Row, &'static Row),
) {
    for keyword in part.keywords() {
        descend(keyword, statement, visit);
    }
    if let Part::Entries(_, entry) = part {
        descend(entry, statement, visit);
    }
}

/// A keyword without arguments that is acted on.
const fn flag(name: &'static str, doc: &'static str) -> Row {
    Row::new(name, &[], doc)
}

/// A keyword without arguments that has nothing to act on here.
const fn idle(name: &'static str, doc: &'static str, instead: &'static str) -> Row {
    Row::new(name, &[], doc).but(Standing::Meaningless(instead))
}
