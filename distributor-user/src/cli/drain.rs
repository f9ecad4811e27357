//! `distributor drain`: no new connections for a target, a port or a server of it, until the last one has
//! ended.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;

use super::running::{StackArguments, unexpected};
use super::scope::Addressee;
use crate::engine::fact::{Ask, Remaining};
use crate::engine::servers::{JobName, Server};
use crate::engine::stack::Scope;
use crate::shell::admin::Answer;

/// How often it is asked what is left.
const ASK: Duration = Duration::from_secs(1);

/// Arguments of `distributor drain`.
#[derive(Debug, Args)]
pub(super) struct Drain {
    /// The target: a stack that runs here, or another member of the group, which is asked through the stack
    /// here. Without it, the stack here.
    #[arg(value_name = "TARGET", value_parser = super::run::stack_name)]
    target: Option<String>,
    /// Drains the services of one port only.
    #[arg(long, value_name = "PORT", value_parser = super::scope::port)]
    port: Option<u16>,
    /// Drains the servers of one job only.
    #[arg(long, value_name = "NAME")]
    job: Option<JobName>,
    /// Resets what is left after this time, such as `10m` or `1h 30m`; without it nothing is reset.
    #[arg(long, value_name = "TIME", value_parser = time)]
    deadline: Option<Duration>,
    /// Shows what is left until nothing is.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    stack: StackArguments,
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time: Option<SignedDuration> = text.parse().ok();
    let time = time.and_then(|time| Duration::try_from(time).ok());
    time.ok_or_else(|| format!("expected a time such as `30s`, `10m` or `1h 30m`, found `{text}`"))
}

pub(super) fn run(arguments: &Drain) -> anyhow::Result<ExitCode> {
    let target = Addressee::find(&arguments.stack, arguments.target.as_deref())?;
    let scope = match (arguments.port, arguments.job) {
        (None, None) => Scope::Target,
        (Some(port), None) => Scope::Port(port),
        (port, Some(job)) => Scope::Server(Server { port, job }),
    };
    let order = Ask::Drain {
        scope,
        within: arguments.deadline,
    };
    println!("{}", target.order(order)?);
    let mut shown = None;
    loop {
        let left = remaining(&target, scope)?;
        let is_empty = left.is_empty();
        if shown.as_ref() != Some(&left) {
            println!("{}", describe(target.name(), &left));
            shown = Some(left);
        }
        if is_empty || !arguments.wait {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(ASK);
    }
}

fn remaining(target: &Addressee, scope: Scope) -> anyhow::Result<Vec<Remaining>> {
    let answer = target.ask(Ask::Remaining(scope));
    let answer = answer.context("what is left is not known; what is drained stays quiesced")?;
    if let Answer::Remaining(left) = answer {
        Ok(left)
    } else {
        Err(unexpected(&answer))
    }
}

fn describe(name: &str, left: &[Remaining]) -> String {
    let total: u64 = left.iter().map(|left| left.connections).sum();
    let services: Vec<String> = left
        .iter()
        .map(|left| {
            let Remaining {
                dvipa,
                port,
                connections,
            } = left;
            format!("{connections} to {dvipa} port {port}")
        })
        .collect();
    match total {
        0 => format!("{name} has no connection any more"),
        1 => format!("{name} has 1 connection left: {}", services.join(", ")),
        _ => format!(
            "{name} has {total} connections left: {}",
            services.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("1h 30m", 5_400), ("0s", 0)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "ten minutes", "-10m"] {
            let error = time(text).expect_err("no time");
            assert!(error.contains("`10m`"), "{error}");
        }
    }

    #[test]
    fn what_is_left_is_told_by_service() {
        let left = |port, connections| Remaining {
            dvipa: [10, 1, 3, 10].into(),
            port,
            connections,
        };
        for (left, expected) in [
            (&[][..], "TCPIP2 has no connection any more"),
            (
                &[left(80, 1)],
                "TCPIP2 has 1 connection left: 1 to 10.1.3.10 port 80",
            ),
            (
                &[left(80, 2), left(8443, 35)],
                "TCPIP2 has 37 connections left: 2 to 10.1.3.10 port 80, 35 to 10.1.3.10 port 8443",
            ),
        ] {
            assert_eq!(describe("TCPIP2", left), expected);
        }
    }
}
