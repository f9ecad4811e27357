//! The page of the reports.
//!
//! What a field means comes from the schema, and so from the field itself; what
//! it is called in the layouts comes from the report's columns.

mod about;

use std::fmt::Write as _;

use serde_json::Value;

use super::schema::{document, object, resolve};
use super::{FilterKind, ReportName, portlist, vdpt};
use crate::engine::reference::MADE;

use about::{Section, about};

const BEGINNING: &str = "\
`distributor netstat REPORT [OPTION…] [--name STACK] [--format table|short|long|json]`
asks a running stack about itself, `distributor sysplex vipadyn|group` about the
group, with the same options, `distributor explain ADDR:PORT` about the weights of
a service, `distributor plan FILE` about what another profile would change,
`distributor history` about the changes that there were, and `distributor events` about
what has happened; root and the members of the group `distributor` may.
What nothing measures is shown as dashes, in JSON as null.

| layout | what it is |
|---|---|
| `table` (default) | a line for each record, z/OS's heads, each column as wide as what is in it, and columns that z/OS does not have |
| `short` | z/OS's SHORT: columns at the positions that they have on z/OS; what we add (names of stacks) follows at the end of the line. An IPv6 address does not fit and moves the rest of its line |
| `long` | z/OS's LONG: a block of labels and values for each record, with room for IPv6; what we add stands behind the address that it belongs to or at the end of the block. `--detail` adds z/OS's DETAIL |
| `json` | one document; [its schema](schema) is made from the program's types |

`--console` puts `short` and `long` into the frame of the operator's console:
message EZD0101I, capitals, `n OF m RECORDS DISPLAYED`, `END OF THE REPORT`, and
at most as many records as `GLOBALCONFIG MAXRECS` says (100) if `--max` says
nothing. Elsewhere the count is shown when records were left out. `FORMAT` of
IPCONFIG chooses nothing here.

## Filters

| option | z/OS | a record is shown if |
|---|---|---|
";

const AFTER_FILTERS: &str =
    "| `--max N` | `MAX=N`, `MAX=*` | it is among the first N; every report takes it |

An option may be repeated, and any of its values may match; of several options
all must. They may also be written as on z/OS, behind the report:
`distributor netstat vdpt detail,ipaddr=10.1.8.10,max=20` (DETAIL, FORMAT=SHORT,
FORMAT=LONG, and DVIPA or VIPAROUTE for one part of VIPADYN).

## JSON

Every document has `version`. Within a version fields are only added, never
taken away, renamed or given another meaning, and a field that is there is
always there, null where it has no value; values may be added to a list of
words. Whatever breaks that makes the version grow, and is said in
CHANGELOG.md. Addresses are strings, times are local with their offset (RFC
3339) unless a field says otherwise.

| field | meaning |
|---|---|
";

/// Writes the page.
#[must_use]
pub fn page() -> String {
    let mut text = format!("# Reports\n\n{MADE}\n\n{BEGINNING}");
    for (kind, meaning) in [
        (
            FilterKind::IpAddr,
            "one of its addresses is this one, or of this network (`/bits` or `/mask`)",
        ),
        (
            FilterKind::Port,
            "one of its ports is this one, or it is a range with it",
        ),
        (FilterKind::IpPort, "it has this address with this port"),
        (FilterKind::IntfName, "it is on this interface"),
    ] {
        let reports = ReportName::ALL.iter();
        let reports: Vec<String> = reports
            .filter(|report| report.filters().contains(&kind))
            .map(|report| report.word().to_uppercase())
            .collect();
        let _ = writeln!(
            text,
            "| `{}` | `{}=` | {meaning}; taken by {} |",
            kind.option(),
            kind.word(),
            reports.join(", ")
        );
    }
    text.push_str(AFTER_FILTERS);
    let frame = document(ReportName::Stats);
    for field in ["version", "report", "stack", "time", "shown", "total"] {
        row(
            &mut text,
            &[
                &code(field),
                description(&object(&frame, "properties")[field]),
            ],
        );
    }
    for report in ReportName::ALL {
        write_report(&mut text, report);
    }
    text
}

fn write_report(text: &mut String, report: ReportName) {
    let document = document(report);
    let (letter, purpose, sections) = about(report);
    let word = report.word();
    let title = report.command().to_uppercase();
    let title = title.trim_start_matches("NETSTAT ");
    let _ = write!(text, "\n## {title}\n\n{purpose}\n\n");
    if !letter.is_empty() {
        let _ = writeln!(text, "- On z/OS: `{letter}`.");
    }
    let filters: Vec<&str> = report.filters().iter().map(|kind| kind.word()).collect();
    let filters = [&filters[..], &["MAX"]].concat().join(", ");
    let _ = writeln!(text, "- Filters: {filters}.");
    if report.has_detail() {
        let _ = writeln!(text, "- `--detail` adds lines to `long`.");
    }
    let _ = writeln!(text, "- JSON: [schema/{word}.json](schema/{word}.json).");
    for section in &sections {
        write_section(text, &document, section);
    }
    match report {
        ReportName::Vdpt => {
            text.push_str("\nFlg, in this order:\n\n| SHORT | LONG | meaning |\n|---|---|---|\n");
            for (letter, word, meaning) in vdpt::FLAGS {
                row(text, &[&code(letter), &code(word), meaning]);
            }
        }
        ReportName::Portlist => {
            text.push_str("\nFlags, in this order:\n\n| letter | option |\n|---|---|\n");
            for (letter, option) in portlist::FLAGS {
                row(text, &[&code(&letter.to_string()), option]);
            }
        }
        ReportName::Vipadcfg
        | ReportName::Vipadyn
        | ReportName::Vcrt
        | ReportName::Config
        | ReportName::Home
        | ReportName::Stats
        | ReportName::Sysplex
        | ReportName::Group
        | ReportName::Explain
        | ReportName::Plan
        | ReportName::History
        | ReportName::Events => {}
    }
}

fn write_section(text: &mut String, document: &Value, section: &Section) {
    let mut fields = document;
    for name in section.list.split('.').filter(|name| !name.is_empty()) {
        fields = resolve(document, &object(fields, "properties")[name]);
    }
    let _ = write!(text, "\n### {}", section.title);
    if !section.list.is_empty() {
        let _ = write!(text, " (`{}`)", section.list);
    }
    if section.list.is_empty() {
        // Labels only: the fields have sections of their own.
        text.push_str("\n\n| LONG | JSON |\n|---|---|\n");
        for column in section.columns {
            row(text, &[&code(column.label), &code(column.field)]);
        }
        return;
    }
    text.push_str("\n\n| SHORT | table | LONG | JSON | meaning |\n|---|---|---|---|---|\n");
    let mut named: Vec<&str> = Vec::new();
    for column in section.columns {
        named.push(column.field);
        let field = field(document, fields, column.field);
        let short = if column.is_in_short { column.head } else { "" };
        let cells = [short, column.head, column.label, column.field].map(code);
        let [short, table, long, json] = &cells;
        row(text, &[short, table, long, json, description(field)]);
    }
    for (name, field) in object(fields, "properties") {
        if !named.contains(&name.as_str()) {
            row(text, &["", "", "", &code(name), description(field)]);
        }
    }
}

/// The schema of a field by its path.
fn field<'a>(document: &'a Value, fields: &'a Value, path: &str) -> &'a Value {
    let mut fields = fields;
    let mut found = &Value::Null;
    for name in path.split('.') {
        found = object(fields, "properties")
            .get(name)
            .unwrap_or(&Value::Null);
        fields = resolve(document, found);
    }
    found
}

/// What a field means.
fn description(field: &Value) -> &str {
    let text = field.get("description").and_then(Value::as_str);
    text.unwrap_or_default()
}

fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{text}`")
    }
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| cell.replace('\n', " ").replace('|', "\\|"))
        .collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// Every column of every section with its field, for the test that each has one.
#[cfg(test)]
pub(super) fn columns_without_field() -> Vec<String> {
    let mut missing = Vec::new();
    for report in ReportName::ALL {
        let document = document(report);
        for section in about(report).2 {
            let mut fields = &document;
            for name in section.list.split('.').filter(|name| !name.is_empty()) {
                fields = resolve(&document, &object(fields, "properties")[name]);
            }
            for column in section.columns {
                if description(field(&document, fields, column.field)).is_empty() {
                    missing.push(format!("{} {}", report.word(), column.field));
                }
            }
        }
    }
    missing
}
