//! `cargo xtask bench`: measurements, always of optimised code.
//!
//! What is measured, against what, and within which limit is the bench
//! program's own; its exit code says whether every limit held.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::workspace::Profile;
use crate::{build_ebpf, process, root, setup, workspace};

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setup: setup::Options,
    /// Measurements to make; all of them when none is named.
    names: Vec<String>,
    /// Prints nothing but the result, as JSON.
    #[arg(long)]
    json: bool,
    /// Repetitions of each measurement, of which the median counts; of takeovers, the worst.
    #[arg(long, value_name = "N")]
    repeat: Option<u32>,
    /// Only this case of the measurements; may be repeated.
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// More for the bench itself.
    #[arg(last = true)]
    passed_on: Vec<OsString>,
}

/// Runs the verb.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    build_ebpf::build(&setup::everything(&arguments.setup)?)?;
    // Servers that are processes of their own are started by it.
    workspace::build_program("lab", Profile::Release)?;
    let program = workspace::build_program("bench", Profile::Release)?;
    root::provide_file_systems()?;
    let mut bench = process::as_root(&program)?;
    bench
        .env("PATH", process::search_path(None))
        .args(&arguments.names);
    if arguments.json {
        bench.arg("--json");
    }
    if let Some(repeat) = arguments.repeat {
        bench.arg("--repeat").arg(repeat.to_string());
    }
    for case in &arguments.case {
        bench.arg("--case").arg(case);
    }
    bench.args(&arguments.passed_on);
    Ok(process::exit_code(process::run(&mut bench)?))
}
