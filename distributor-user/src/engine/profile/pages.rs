//! The pages of the documentation that are made from the statement table and the messages.

use std::fmt::Write as _;

use super::super::reference::MADE;
use super::grammar::{Part, Row, Standing};
use super::message::{MESSAGES, Message, OWN_MESSAGES};
use super::table;
use crate::engine::message::KINDS;

/// Writes the reference of the profile language.
#[must_use]
pub fn reference_page() -> String {
    let mut page = format!(
        "\
# Statements of the profile

{MADE}

[profile.md](profile.md) explains the language; this page has every statement and
keyword, with what becomes of it.

- Capitals are the shortest abbreviation: `DISTMethod` may be `DISTM`.
- `[a]` may be left out, `(a | b)` is one of them, `a …` is one or more.
- *acted on*: it does what z/OS does. *kept*: it is understood and displayed, and a
  finding says what happens until it is acted on. *no effect*: it has nothing to
  act on here, and a note says what takes its place.

| statement | |
|---|---|
"
    );
    let statements: Vec<&Row> = table::statements().collect();
    for row in &statements {
        let _ = writeln!(
            page,
            "| [{}](#{}) | {} |",
            row.keyword(),
            row.name.to_ascii_lowercase(),
            row.doc
        );
    }
    for row in statements {
        statement(&mut page, row, "##");
        for part in row.parts {
            if let Part::Block(rows, end) = part {
                for row in *rows {
                    statement(&mut page, row, "###");
                }
                let _ = write!(page, "\n`{}`: {}\n", end.name, end.doc);
            }
        }
    }
    page
}

fn statement(page: &mut String, row: &'static Row, level: &str) {
    // Writing to a String cannot fail.
    let _ = write!(page, "\n{level} {}\n\n{}", row.keyword(), row.doc);
    if row.standing != Standing::Supported {
        let _ = write!(page, " *{}*", standing(row));
    }
    let _ = write!(page, "\n\n```text\n{}\n```\n", row.syntax());
    if !row.example.is_empty() {
        let _ = write!(page, "\nFor example `{}`.\n", row.example);
    }
    let mut lines = String::new();
    for part in row.parts {
        if !matches!(part, Part::Block(..)) {
            keywords(&mut lines, part, 0);
        }
    }
    if !lines.is_empty() {
        let _ = write!(page, "\n| keyword | meaning | |\n|---|---|---|\n{lines}");
    }
}

/// One line for each keyword of a part, those inside it below it.
fn keywords(lines: &mut String, part: &'static Part, depth: usize) {
    if let Part::Argument(argument) | Part::Optional(argument) | Part::List(argument) = part {
        line(
            lines,
            depth,
            &format!("*{}*", argument.name),
            &sentence(argument.what),
            "",
        );
    }
    let entry = match part {
        Part::Entries(_, entry) => Some(*entry),
        Part::Argument(_)
        | Part::Optional(_)
        | Part::List(_)
        | Part::Keywords(..)
        | Part::Block(..)
        | Part::Skipped(_) => None,
    };
    for row in part.keywords().chain(entry) {
        let name = match row.name {
            "" => "an entry".to_owned(),
            name => format!("`{name}`"),
        };
        line(lines, depth, &name, row.doc, &standing(row));
        for part in row.parts {
            keywords(lines, part, depth + 1);
        }
    }
}

fn line(lines: &mut String, depth: usize, name: &str, meaning: &str, standing: &str) {
    let indent = "&emsp;".repeat(depth);
    let meaning = meaning.replace('|', "\\|");
    let standing = standing.replace('|', "\\|");
    let _ = writeln!(lines, "| {indent}{name} | {meaning} | {standing} |");
}

/// `a rank from 1 to 254` as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_ascii_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

/// What becomes of a row, as words in a table.
fn standing(row: &Row) -> String {
    match row.standing {
        Standing::Supported => "acted on".to_owned(),
        Standing::Noted(until) | Standing::Unsupported(until) => format!("kept: {until}"),
        Standing::Meaningless(instead) => format!("no effect: {instead}"),
    }
}

/// Writes the page of the messages.
#[must_use]
pub fn messages_page() -> String {
    let mut page = format!(
        "\
# Messages

{MADE}

`distributor check` and the daemon say about a profile what was expected at a
place, what was found, and what would be right. An *error* refuses the profile as
a whole; a *warning* and a *note* leave it as it is. z/OS drops an entry, a
statement or the rest of a block instead, and goes on with what is left.

The number of a finding stands in brackets behind the severity, and as `id` in JSON.

## Findings with a number of z/OS

z/OS has a message of the same meaning.

| number | when | z/OS | what to do |
|---|---|---|---|
"
    );
    for message in MESSAGES {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            message.id,
            message.when,
            message.on_zos.unwrap_or_default(),
            message.remedy
        );
    }
    page.push_str(
        "
## Findings with a number of ours

Those from SDL0301I on come of several stacks: several profiles, or a running group.

| number | when | what to do |
|---|---|---|
",
    );
    for Message {
        id, when, remedy, ..
    } in OWN_MESSAGES
    {
        let _ = writeln!(page, "| {id} | {when} | {remedy} |");
    }
    page.push_str(
        "
## Messages of a running daemon

In its log, on standard error or in the journal.

| number | severity | when |
|---|---|---|
",
    );
    for kind in KINDS {
        let severity = if kind.is_warning { "warning" } else { "info" };
        let _ = writeln!(page, "| {} | {severity} | {} |", kind.id, kind.when);
    }
    page.push_str(
        "
## What is understood and not acted on yet

SDL0221I, a warning, where the profile would do something else on z/OS; SDL0222I, a
note, where it hardly matters; one for each keyword, however often it stands in a
profile, and for a default. What it says is kept.

| severity | keyword | in | until it is acted on |
|---|---|---|---|
",
    );
    table::walk(&mut |row, owner| {
        let (severity, until) = match row.standing {
            Standing::Unsupported(until) => ("warning", until),
            Standing::Noted(until) => ("note", until),
            Standing::Supported | Standing::Meaningless(_) => return,
        };
        member(&mut page, severity, row, owner, until);
    });
    page.push_str(
        "
## What has no effect here

SDL0223I, a note, also one for each keyword.

| severity | keyword | in | what takes its place |
|---|---|---|---|
",
    );
    table::walk(&mut |row, owner| {
        if let Standing::Meaningless(instead) = row.standing {
            member(&mut page, "note", row, owner, instead);
        }
    });
    page
}

fn member(page: &mut String, severity: &str, row: &Row, owner: &Row, text: &str) {
    let owner = if std::ptr::eq(row, owner) {
        String::new()
    } else {
        format!("`{}`", owner.keyword())
    };
    let line = format!("| {severity} | `{}` | {owner} | {text} |\n", row.keyword());
    // A row that stands in two places of one statement is told about once.
    if !page.contains(&line) {
        page.push_str(&line);
    }
}
