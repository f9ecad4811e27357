//! `cargo xtask demo`: the scenario, from nothing to distributed connections.
//!
//! What is shown is the demo's own: here it is only provided for, started as
//! root, and its exit code passed on.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::workspace::Profile;
use crate::{build_ebpf, process, root, setup, workspace};

/// What the verb takes; what it does not know is the demo's.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setup: setup::Options,
    /// Prints nothing but the result, as JSON.
    #[arg(long)]
    json: bool,
    /// Leaves the lab up, to play with.
    #[arg(long)]
    keep: bool,
    /// Connections to open.
    #[arg(long, value_name = "N")]
    connections: Option<u32>,
    /// More for the demo itself.
    #[arg(last = true)]
    passed_on: Vec<OsString>,
}

/// Runs the verb.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    build_ebpf::build(&setup::everything(&arguments.setup)?)?;
    let program = workspace::build_program("demo", Profile::Dev)?;
    root::provide_file_systems()?;
    let mut demo = process::as_root(&program)?;
    demo.env("PATH", process::search_path(None));
    if arguments.json {
        demo.arg("--json");
    }
    if arguments.keep {
        demo.arg("--keep");
    }
    if let Some(connections) = arguments.connections {
        demo.arg("--connections").arg(connections.to_string());
    }
    demo.args(&arguments.passed_on);
    Ok(process::exit_code(process::run(&mut demo)?))
}
