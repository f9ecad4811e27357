//! `cargo xtask check`: what a change must pass besides its tests.
//!
//! Warnings are errors here, and nowhere else.

use std::process::ExitCode;

use crate::{process, say, workspace};

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these; all of them when none is named.
    checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Check {
    /// Formatting.
    Fmt,
    /// Clippy on the host side.
    Clippy,
    /// Clippy on the eBPF programs.
    ClippyEbpf,
    /// The documentation builds, and no link in it is broken.
    Docs,
}

const ALL: [Check; 4] = [Check::Fmt, Check::Clippy, Check::ClippyEbpf, Check::Docs];

/// Runs the verb.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let checks = if arguments.checks.is_empty() {
        &ALL[..]
    } else {
        &arguments.checks
    };
    for check in checks {
        let mut cargo = workspace::cargo();
        match check {
            Check::Fmt => cargo.args(["fmt", "--all", "--check"]),
            Check::Clippy => cargo.args(["clippy", "--all-targets", "--", "--deny", "warnings"]),
            // The compiler that builds the programs need not come with clippy, and clippy reads
            // only what its own compiler wrote. The packet path is the same code on both sides, so
            // it is linted for the host, with the profile that does without unwinding.
            Check::ClippyEbpf => cargo
                .args([
                    "clippy",
                    "--package",
                    "distributor-ebpf",
                    "--profile",
                    "bpf",
                ])
                .args([
                    "--target-dir",
                    "target/clippy-ebpf",
                    "--",
                    "--deny",
                    "warnings",
                ]),
            Check::Docs => cargo
                .args(["doc", "--no-deps", "--document-private-items"])
                .env("RUSTDOCFLAGS", "--deny warnings"),
        };
        say(format_args!("checking {check:?}"));
        process::step(&mut cargo)?;
    }
    Ok(ExitCode::SUCCESS)
}
