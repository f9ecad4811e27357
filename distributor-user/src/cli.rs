//! The command line.
//!
//! One module per verb. Exit codes: 0 done, 1 warnings where they were asked
//! to count, 2 refused (bad input or a machine that cannot do it).

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Distributes the connections of a virtual IP address over Linux stacks, as z/OS does.
#[derive(Debug, Parser)]
#[command(name = "distributor", version, about)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {}

/// Runs the verb that the command line names.
pub fn main() -> ExitCode {
    match Arguments::parse().verb {}
}
