//! The page of what the daemon may do.

use std::fmt::Write as _;

use super::CAPABILITIES;
use super::calls::CALLS;
use crate::engine::reference::MADE;

/// Writes the page.
pub(crate) fn page() -> String {
    let mut text = format!(
        "\
# What the daemon may do

{MADE}

`distributor run` starts as root and, before it reads its profile, gives up for good
all that it does not need: whoever takes it over by a defect gets no more than this
page lists, and neither does what it executes. `--unconfined` keeps everything, for a
debugger or for a kernel that does not know the filter. `distributor doctor` and the other commands
that talk to a daemon are not confined.

The unit says the same to systemd (`CapabilityBoundingSet`).

## Capabilities

All others are taken out of the permitted, the effective, the inheritable and the bounding set of every thread.

| capability | what for |
|---|---|
"
    );
    for (capability, purpose) in CAPABILITIES {
        let _ = writeln!(text, "| `{capability}` | {purpose} |");
    }
    text.push_str(
        "
## System calls

Every other call fails with EPERM and has no effect. In builds with debug assertions, as
tests use them, it ends the process: a call that is missing here is found by the test that
makes it. The filter outlives an execution, so a new program that takes over in place has the
calls of both; if it needs one that its predecessor did not, its rehearsal says so, and it is
started anew instead.

",
    );
    let names: Vec<String> = CALLS.iter().map(|(_, name)| format!("`{name}`")).collect();
    text.push_str(&names.join(", "));
    text.push_str(
        "

## Not used: Landlock

A process under Landlock cannot look into `/proc/PID/fd` of one that is not, whatever it is
allowed to read, and that is how the daemon finds out which servers listen on a distributed port.
",
    );
    text
}
