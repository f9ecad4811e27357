//! `cargo xtask soak`: disturbs a lab at random, and sees whether connections notice.
//!
//! What is done and what counts as harm is the program's own; here it is only
//! provided for, started as root, and its exit code passed on.

use std::process::ExitCode;

use crate::workspace::Profile;
use crate::{build_ebpf, process, root, setup, workspace};

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setup: setup::Options,
    /// For how long.
    #[arg(long, value_name = "N", default_value_t = 30)]
    minutes: u64,
    /// Repeats the order of a run before.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints nothing but the result, as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    build_ebpf::build(&setup::everything(&arguments.setup)?)?;
    let program = workspace::build_program("soak", Profile::Dev)?;
    root::provide_file_systems()?;
    let mut soak = process::as_root(&program)?;
    soak.env("PATH", process::search_path(None));
    soak.arg("--minutes").arg(arguments.minutes.to_string());
    if let Some(seed) = arguments.seed {
        soak.arg("--seed").arg(seed.to_string());
    }
    if arguments.json {
        soak.arg("--json");
    }
    Ok(process::exit_code(process::run(&mut soak)?))
}
