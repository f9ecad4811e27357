//! `distributor netstat`: the reports of a running stack.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::DEFAULT_RUN_DIR;
use crate::engine::report::{ReportName, render};
use crate::shell::admin::{self, Answer, Request};

/// Arguments of `distributor netstat`.
#[derive(Debug, Args)]
pub(super) struct Netstat {
    /// The report.
    #[arg(value_enum, ignore_case = true)]
    report: ReportName,
    /// The stack to ask; may be left out where only one runs.
    #[arg(long)]
    name: Option<String>,
    /// The layout.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Where the daemon keeps its admin socket.
    #[arg(long, env = "DISTRIBUTOR_RUN_DIR", default_value = DEFAULT_RUN_DIR)]
    run_dir: PathBuf,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// z/OS's layout.
    Table,
    /// One JSON document.
    Json,
}

pub(super) fn run(arguments: &Netstat) -> anyhow::Result<ExitCode> {
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => only_stack(&arguments.run_dir)?,
    };
    match admin::ask(
        &arguments.run_dir,
        &name,
        &Request::Netstat(arguments.report),
    )? {
        Answer::Refused(reason) => bail!("`{name}` refused: {reason}"),
        Answer::Report(report) if arguments.format == Format::Json => {
            println!(
                "{}",
                serde_json::to_string(&report).context("the report has no JSON form")?
            );
        }
        Answer::Report(report) => print!("{}", render(&report)),
    }
    Ok(ExitCode::SUCCESS)
}

fn only_stack(run_dir: &Path) -> anyhow::Result<String> {
    let mut stacks = admin::stacks(run_dir);
    match (stacks.pop(), stacks.is_empty()) {
        (Some(name), true) => Ok(name),
        (None, _) => bail!(
            "no stack runs here: expected an admin socket in `{}`; start `distributor run`",
            run_dir.display()
        ),
        (Some(last), false) => bail!(
            "several stacks run here ({}, {last}): say which with `--name`",
            stacks.join(", ")
        ),
    }
}
