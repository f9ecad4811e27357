//! `distributor events`: what has happened at a running stack of late.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::netstat::put;
use super::running::{RunningStack, StackArguments, unexpected};
use crate::engine::report::{Body, EventRow, ReportName};
use crate::shell::admin::{AdminError, Answer, Request};

/// How often it is looked for more.
const PAUSE: Duration = Duration::from_millis(500);

/// Arguments of `distributor events`.
#[derive(Debug, Args)]
pub(super) struct Events {
    /// Goes on with what happens, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// Prints a JSON object for each, in a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: StackArguments,
}

pub(super) fn run(arguments: &Events) -> anyhow::Result<ExitCode> {
    let stack = arguments.stack.find()?;
    let mut shown = Shown {
        is_json: arguments.json,
        instance: 0,
        number: 0,
    };
    if !shown.more(&stack)? {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        thread::sleep(PAUSE);
        match shown.more(&stack) {
            Ok(true) => {}
            Ok(false) => return Ok(ExitCode::SUCCESS),
            // A daemon that is restarted answers again soon.
            Err(error) if error.is::<AdminError>() => {}
            Err(error) => return Err(error),
        }
    }
}

/// How far it was shown.
struct Shown {
    is_json: bool,
    /// Which start of the daemon it is about.
    instance: u64,
    /// The number of the last one.
    number: u64,
}

impl Shown {
    /// Prints what is new; returns whether somebody still reads.
    fn more(&mut self, stack: &RunningStack) -> anyhow::Result<bool> {
        let answer = stack.ask(&Request::Instance)?;
        let Answer::Instance(instance) = answer else {
            return Err(unexpected(&answer));
        };
        if std::mem::replace(&mut self.instance, instance) != instance {
            self.number = 0;
        }
        let answer = stack.ask(&Request::Netstat(ReportName::Events.into()))?;
        let Answer::Report(report) = answer else {
            return Err(unexpected(&answer));
        };
        let Body::Events(latest) = report.body else {
            anyhow::bail!("expected EVENTS, found another report: is another version running?");
        };
        let mut text = String::new();
        for row in latest.rows.iter().filter(|row| row.number > self.number) {
            text += &self.line(row)?;
        }
        self.number = latest.rows.last().map_or(self.number, |row| row.number);
        put(&text)
    }

    fn line(&self, row: &EventRow) -> anyhow::Result<String> {
        if self.is_json {
            let json = serde_json::to_string(row).context("the event has no JSON form")?;
            Ok(json + "\n")
        } else {
            Ok(format!("{row}\n"))
        }
    }
}
