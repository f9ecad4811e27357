//! `distributor apply`, `confirm` and `rollback`: another configuration, for good or on trial.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::drain::time;
use super::running::StackArguments;
use super::text::TextArguments;
use crate::shell::admin::Request;

/// Arguments of `distributor apply`.
#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    text: TextArguments,
    #[command(flatten)]
    trial: Trial,
    #[command(flatten)]
    stack: StackArguments,
}

/// Arguments of `distributor confirm`.
#[derive(Debug, Args)]
pub(super) struct Confirm {
    #[command(flatten)]
    stack: StackArguments,
}

/// Arguments of `distributor rollback`.
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The number of an entry of `distributor history`; without it, the configuration before.
    #[arg(value_name = "ENTRY")]
    to: Option<u64>,
    #[command(flatten)]
    trial: Trial,
    #[command(flatten)]
    stack: StackArguments,
}

/// Whether a change is undone unless it is confirmed.
#[derive(Debug, Args)]
struct Trial {
    /// Undoes the change after this time, such as `5m` or `1h 30m`, unless `distributor confirm` is said
    /// before; also if the daemon is started anew meanwhile.
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    confirm: Option<Duration>,
}

fn some_time(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time < Duration::from_secs(1) {
        return Err(format!("expected a second or more, found `{text}`"));
    }
    Ok(time)
}

pub(super) fn run(arguments: &Apply) -> anyhow::Result<ExitCode> {
    let texts = arguments.text.read()?;
    let within = arguments.trial.confirm;
    order(&arguments.stack, &Request::Apply { texts, within })
}

pub(super) fn confirm(arguments: &Confirm) -> anyhow::Result<ExitCode> {
    order(&arguments.stack, &Request::Confirm)
}

pub(super) fn roll_back(arguments: &Rollback) -> anyhow::Result<ExitCode> {
    let (to, within) = (arguments.to, arguments.trial.confirm);
    order(&arguments.stack, &Request::Rollback { to, within })
}

fn order(stack: &StackArguments, request: &Request) -> anyhow::Result<ExitCode> {
    println!("{}", stack.find()?.order(request)?);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_takes_its_time() {
        assert_eq!(some_time("5m"), Ok(Duration::from_mins(5)));
        for text in ["0s", "500ms", "5"] {
            assert!(some_time(text).is_err(), "{text}");
        }
    }
}
