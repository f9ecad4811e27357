//! `distributor netstat`: the reports of a running stack.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::running::{StackArguments, unexpected};
use crate::engine::report::{ReportName, render};
use crate::shell::admin::{Answer, Request};

/// Arguments of `distributor netstat`.
#[derive(Debug, Args)]
pub(super) struct Netstat {
    /// The report.
    #[arg(value_enum, ignore_case = true)]
    report: ReportName,
    /// The layout.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    stack: StackArguments,
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
    let stack = arguments.stack.find()?;
    match stack.ask(&Request::Netstat(arguments.report))? {
        Answer::Report(report) if arguments.format == Format::Json => {
            println!(
                "{}",
                serde_json::to_string(&report).context("the report has no JSON form")?
            );
        }
        Answer::Report(report) => print!("{}", render(&report)),
        answer @ (Answer::Done(_) | Answer::Instance(_) | Answer::Refused(_)) => {
            return Err(unexpected(&answer));
        }
    }
    Ok(ExitCode::SUCCESS)
}
