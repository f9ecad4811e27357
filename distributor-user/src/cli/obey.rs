//! `distributor obey`: z/OS's VARY TCPIP,,OBEYFILE.

use std::process::ExitCode;

use clap::Args;

use super::running::StackArguments;
use super::text::TextArguments;
use crate::shell::admin::Request;

/// Arguments of `distributor obey`.
#[derive(Debug, Args)]
pub(super) struct Obey {
    #[command(flatten)]
    text: TextArguments,
    #[command(flatten)]
    stack: StackArguments,
}

pub(super) fn run(arguments: &Obey) -> anyhow::Result<ExitCode> {
    let texts = arguments.text.read()?;
    let stack = arguments.stack.find()?;
    println!("{}", stack.order(&Request::Obey(texts))?);
    Ok(ExitCode::SUCCESS)
}
