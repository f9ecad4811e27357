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

`distributor run` starts as root and, before it reads its profile, gives up for good what it
does not need of the kernel: whoever finds a defect in it finds less of the kernel behind it. It is
no prison for code that runs as root: that may still write root's files. `--unconfined` gives nothing up, for a
debugger or for a kernel that does not know the filter. `distributor doctor` and the other commands
that talk to a daemon are not confined.

The unit says the same to systemd (`CapabilityBoundingSet`), also with `--unconfined`. Without
`CAP_DAC_OVERRIDE` the daemon writes only where root may: the directories of `--run-dir`, `--state-dir` and `--pin-dir`
have to be root's.

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

Every other call fails with ENOSYS, as on a kernel that does not have it, and has no effect. In
builds with debug assertions, as tests use them, it ends the process: a call that is missing here is
found by the test that makes it. Capabilities and filters outlive an execution: a new program that
takes over in place has only what it and its predecessor both keep. If its rehearsal fails for that, the
reload is refused and the old program goes on; a restart gives the new one what it needs.

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
