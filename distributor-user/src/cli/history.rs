//! `distributor history`: what was changed, when and by whom.

use std::process::ExitCode;

use clap::Args;

use super::netstat::print_ours;
use super::running::{StackArguments, unexpected};
use crate::engine::report::ReportName;
use crate::shell::admin::{Answer, Request};

/// Arguments of `distributor history`.
#[derive(Debug, Args)]
pub(super) struct History {
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: StackArguments,
}

pub(super) fn run(arguments: &History) -> anyhow::Result<ExitCode> {
    let request = Request::Netstat(ReportName::History.into());
    let answer = arguments.stack.find()?.ask(&request)?;
    let Answer::Report(report) = answer else {
        return Err(unexpected(&answer));
    };
    print_ours(&report, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}
