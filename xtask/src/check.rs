//! `cargo xtask check`: what a change must pass besides its tests.
//!
//! Warnings are errors here, and nowhere else. A failed check does not keep the others from running.

use std::process::{Command, ExitCode};

use anyhow::ensure;

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
    let mut failed = Vec::new();
    for &check in checks {
        say(format_args!("checking: {}", check.name()));
        if !process::run(check.command().stdout(std::io::stderr()))?.success() {
            failed.push(check.name());
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(ExitCode::SUCCESS)
}

impl Check {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "formatting",
            Self::Clippy => "clippy",
            Self::ClippyEbpf => "clippy on the eBPF programs",
            Self::Docs => "documentation",
        }
    }

    fn command(self) -> Command {
        let mut cargo = workspace::cargo();
        match self {
            Self::Fmt => cargo.args(["fmt", "--all", "--check"]),
            Self::Clippy => cargo.args(["clippy", "--all-targets", "--", "--deny", "warnings"]),
            // The compiler that builds the programs need not come with clippy, and clippy reads
            // only what its own compiler wrote. The packet path is the same code on both sides, so
            // it is linted for the host, with the profile that does without unwinding.
            Self::ClippyEbpf => cargo
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
            // It is read with its private items: no crate here is published.
            Self::Docs => cargo
                .args(["doc", "--no-deps", "--document-private-items"])
                .env("RUSTDOCFLAGS", "--deny warnings"),
        };
        cargo
    }
}
