//! The page of the counters.

use std::fmt::Write as _;

use distributor_common::counter::{Action, COUNTERS, Counter, RECEIVED};

use super::MADE;
use crate::engine::group::drops;

const SECTIONS: &[(&str, Option<Action>)] = &[
    (
        "Sent to a target, by the interface that the packet came in on",
        Some(Action::Transmit),
    ),
    (
        "Sent to a target, by another interface",
        Some(Action::Redirect),
    ),
    ("Passed to this host's own stack", Some(Action::Pass)),
    ("Dropped", Some(Action::Drop)),
    ("Beside the verdicts", None),
];

/// Writes the page.
pub(super) fn page() -> String {
    let mut text = format!(
        "\
# Counters

{MADE}

`distributor netstat stats` shows every counter of a stack. They begin at 0 when
the packet path is loaded for the first time (those of the group's traffic when
the daemon starts) and only grow; what a daemon adopts from an earlier one goes
on where it was.

## The packet path

The unit is packets, unless the meaning says otherwise. A packet ends in exactly
one verdict, and with each verdict goes exactly one counter: nothing is dropped
or passed without a reason, and the verdicts add up to what came in.

| counter | meaning |
|---|---|
"
    );
    row(&mut text, RECEIVED.name, RECEIVED.help);
    for (title, action) in SECTIONS {
        let _ = write!(text, "\n### {title}\n\n| counter | meaning |\n|---|---|\n");
        let is_here = |counter: &&Counter| counter.action == *action;
        for counter in COUNTERS.iter().filter(is_here) {
            row(&mut text, counter.name, counter.help);
        }
    }
    text.push_str(
        "
## The group

What of the group's traffic had no effect, or was not sent, by reason; the unit
is datagrams and messages. [group.md](group.md) says what stands behind them.

| counter | meaning |
|---|---|
",
    );
    for (name, help) in drops::counters() {
        row(&mut text, name, help);
    }
    text
}

fn row(text: &mut String, name: &str, meaning: &str) {
    let _ = writeln!(text, "| `{name}` | {} |", meaning.replace('|', "\\|"));
}
