//! The page of the documentation that is made from the table.

use std::fmt::Write as _;

use super::finding::Severity;
use super::table::{Stage, entries};
use crate::engine::reference::MADE;

const BEGINNING: &str = "\
`distributor doctor [--name STACK] [--client ADDR] [--fix] [--format text|json]`, as root
on the host of a stack, looks at everything that a connection passes on its way, and says
what is wrong with it: what, why that matters, and what to do. It prints nothing where
nothing is wrong.

It works without a running daemon too: then it says how the daemon ended, as far as that
is known, and what a start would be refused for, by `/etc/distributor/STACK.profile`,
`STACK.options` and `group.key` beside it, or by what `--profile`, `--key`, `--interface`
and `--xcf-interface` name.

Causes come first, in the order of the way; then what may follow from them. So mend the
first, and ask again. `--fix` does what is safe to do without being asked twice: it puts
settings right, sets interfaces up, removes what gives a hidden address away. With
`--client ADDR` the way back to a client is looked at as well.

What is found on another stack is that stack's to mend: ask doctor there.

| exit code | meaning |
|---|---|
| 0 | nothing is wrong, or `--fix` has mended all of it |
| 1 | something is wrong |
| 2 | it could not be looked at |

The JSON has [a schema](schema/doctor.json) and a version; `id` is the name below.

That **XDP comes before nftables** is no fault: what the owner hands to other stacks never
passes the owner's firewall. Rules about a distributed service take effect on its targets.
";

/// Writes the page.
#[must_use]
pub fn page() -> String {
    let mut text = format!("# Troubleshooting\n\n{MADE}\n\n{BEGINNING}");
    for stage in Stage::ALL {
        let mut of_stage = entries().filter(|entry| entry.stage == stage).peekable();
        if of_stage.peek().is_none() {
            continue;
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "\n## {}", stage.title());
        for entry in of_stage {
            let kind = match entry.severity {
                Severity::Fault => "",
                Severity::Warning => " (warning)",
            };
            let _ = writeln!(
                text,
                "\n### {}\n\n**{}**{kind}\n\n- Cause: {}\n- Remedy: {}",
                entry.id, entry.what, entry.cause, entry.remedy
            );
        }
    }
    text
}
