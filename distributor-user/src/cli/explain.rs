//! `distributor explain`: why each target of a service gets what it gets.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::netstat::print_ours;
use super::running::{StackArguments, unexpected};
use crate::engine::report::{Endpoint, Filters, Query, ReportName};
use crate::shell::admin::{Answer, Request};

/// Arguments of `distributor explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The service; all that the stack has heard of if it is left out.
    #[arg(value_name = "ADDR:PORT")]
    service: Option<SocketAddr>,
    /// The layout.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    stack: StackArguments,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// In words and numbers.
    Text,
    /// One JSON document.
    Json,
}

pub(super) fn run(arguments: &Explain) -> anyhow::Result<ExitCode> {
    let service = arguments.service.map(Endpoint::from);
    let query = Query {
        filters: Filters {
            endpoints: service.into_iter().collect(),
            ..Filters::default()
        },
        ..ReportName::Explain.into()
    };
    let answer = arguments.stack.find()?.ask(&Request::Netstat(query))?;
    let Answer::Report(report) = answer else {
        return Err(unexpected(&answer));
    };
    print_ours(&report, arguments.format == Format::Json)?;
    Ok(ExitCode::SUCCESS)
}
