//! `distributor plan`: what another profile would change.

use std::process::ExitCode;

use clap::Args;

use super::netstat::print_ours;
use super::running::{StackArguments, unexpected};
use super::text::TextArguments;
use crate::engine::report::Body;
use crate::shell::admin::{Answer, Request};

/// Something differs: `diff` ends so too.
const DIFFERENT: u8 = 1;

/// Arguments of `distributor plan`.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    text: TextArguments,
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: StackArguments,
}

pub(super) fn run(arguments: &Plan) -> anyhow::Result<ExitCode> {
    let texts = arguments.text.read()?;
    let answer = arguments.stack.find()?.ask(&Request::Plan(texts))?;
    let Answer::Report(report) = answer else {
        return Err(unexpected(&answer));
    };
    print_ours(&report, arguments.json)?;
    let is_different = matches!(&report.body, Body::Plan(plan) if !plan.changes.is_empty());
    Ok(ExitCode::from(if is_different { DIFFERENT } else { 0 }))
}
