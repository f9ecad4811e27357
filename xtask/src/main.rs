//! `cargo xtask`: builds, installs, tests, shows and measures the distributor.
//!
//! One module per verb. Nothing in here links with the rest of the workspace:
//! xtask runs the binaries that it has built, and only those ever run as root
//! (never `cargo`, never a shell). Standard output belongs to the program that
//! a verb runs; whatever xtask itself has to say goes to standard error, so
//! that `cargo xtask demo --json` can be piped.
//!
//! Exit codes: those of the program that was run; 1 when a step failed; 2 for
//! a wrong command line; 3 when something is missing and was not installed;
//! 130 after Ctrl-C.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod build_ebpf;
mod check;
mod compiler;
mod demo;
mod dist;
mod lab;
mod process;
mod root;
mod setup;
mod soak;
mod test;
mod workspace;

/// Builds, installs, tests, shows and measures the distributor.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Installs what building and running needs, after saying what and how large.
    Setup(setup::Options),
    /// Builds the eBPF programs into target/bpf/bpfel-unknown-none/bpf.
    BuildEbpf(setup::Options),
    /// Plays the scenario: one address, three stacks, connections distributed by XDP.
    Demo(demo::Arguments),
    /// Runs every test; arguments after `--` go to `cargo test`.
    Test(test::Arguments),
    /// Measures; `bench NAME…` runs only those, `--json` prints only the result.
    Bench(bench::Arguments),
    /// Disturbs a lab at random for a while: no connection may notice.
    Soak(soak::Arguments),
    /// Network of namespaces to play with: up, down, list, exec STACK COMMAND….
    Lab(lab::Arguments),
    /// Makes a Debian package of what a host needs: program, unit, man pages, completions.
    Dist(dist::Arguments),
    /// Formatting, clippy on both sides, documentation: all of them, or the ones named.
    Check(check::Arguments),
    /// What xtask does as root, in a process of its own.
    #[command(hide = true, subcommand)]
    AsRoot(root::Step),
}

fn main() -> ExitCode {
    let verb = Arguments::parse().verb;
    let outcome = process::watch_signals().and_then(|()| match verb {
        Verb::Setup(options) => setup::run(&options),
        Verb::BuildEbpf(options) => build_ebpf::run(&options),
        Verb::Demo(arguments) => demo::run(&arguments),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Soak(arguments) => soak::run(&arguments),
        Verb::Lab(arguments) => lab::run(&arguments),
        Verb::Dist(arguments) => dist::run(&arguments),
        Verb::Check(arguments) => check::run(&arguments),
        Verb::AsRoot(step) => root::run(&step),
    });
    outcome.unwrap_or_else(|error| {
        say(format_args!("error: {error:#}"));
        exit_code_of(&error)
    })
}

fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    if process::was_interrupted() {
        ExitCode::from(130)
    } else if error.is::<setup::Refused>() {
        ExitCode::from(3)
    } else {
        ExitCode::FAILURE
    }
}

/// Says one line to the person at the terminal: always standard error.
fn say(line: std::fmt::Arguments<'_>) {
    eprintln!("{line}");
}
