//! `cargo xtask lab`: a network of namespaces to play with.
//!
//! Everything after the verb is the lab program's own to understand. Only `up`
//! is prepared for; a lab can be looked at and removed with what is there.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::workspace::Profile;
use crate::{build_ebpf, process, root, setup, workspace};

/// What the verb takes.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setup: setup::Options,
    /// up, down, list, or exec STACK COMMAND….
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<OsString>,
}

/// Runs the verb.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let is_up = arguments.passed_on.first().is_some_and(|verb| verb == "up");
    if is_up {
        build_ebpf::build(&setup::everything(&arguments.setup)?)?;
    }
    let program = workspace::build_program("lab", Profile::Dev)?;
    if is_up {
        root::provide_file_systems()?;
    }
    let mut lab = process::as_root(&program)?;
    lab.env("PATH", process::search_path(None))
        .args(&arguments.passed_on);
    Ok(process::exit_code(process::run(&mut lab)?))
}
