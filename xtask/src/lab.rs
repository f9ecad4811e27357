//! `cargo xtask lab`: a network of namespaces to play with.
//!
//! Everything after the verb is the lab program's own to understand.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::workspace::Profile;
use crate::{build_ebpf, process, root, setup, workspace};

/// What the verb takes.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// up, down, list, or exec STACK COMMAND….
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<OsString>,
}

/// Runs the verb.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    build_ebpf::build(&setup::everything(&setup::Options::default())?)?;
    let program = workspace::build_program("lab", Profile::Dev)?;
    root::provide_bpffs()?;
    let mut lab = process::as_root(&program)?;
    lab.env("PATH", process::search_path(None))
        .args(&arguments.passed_on);
    Ok(process::exit_code(process::run(&mut lab)?))
}
