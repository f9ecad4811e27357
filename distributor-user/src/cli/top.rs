//! `distributor top`: a running stack on a terminal, as it goes on.
//!
//! The screen is in two parts that know no terminal: `model` makes lines of
//! reports and takes keys, `view` draws them. Here are the clock, the keyboard
//! and the questions to the daemon.

mod changes;
mod model;
#[cfg(test)]
mod tests;
mod view;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::running::{RunningStack, StackArguments, unexpected};
use super::scope::Addressee;
use crate::engine::report::{Body, Report, ReportName};
use crate::shell::admin::{Answer, Request};
use model::{Glance, Model, Order, Step};

/// Arguments of `distributor top`.
#[derive(Debug, Args)]
pub(super) struct Top {
    #[command(flatten)]
    stack: StackArguments,
    /// How often it is looked, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    every: u16,
}

pub(super) fn run(arguments: &Top) -> anyhow::Result<ExitCode> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        bail!(
            "expected a terminal; for a program there is `distributor netstat vdpt --watch \
             --format json`"
        );
    }
    let stack = arguments.stack.find()?;
    let began = Instant::now();
    let mut model = Model::default();
    // What cannot be asked at all is said where it can be read.
    model.take(glance(&stack, began)?);
    // What was begun is undone.
    let terminal = ratatui::try_init().inspect_err(|_| ratatui::restore());
    let mut terminal = terminal.context("the terminal cannot be used")?;
    let every = Duration::from_secs(arguments.every.into());
    let watched = Watched {
        arguments: &arguments.stack,
        stack: &stack,
        began,
        every,
    };
    let outcome = watched.watch(&mut terminal, &mut model);
    ratatui::restore();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// What is looked at, and how often.
struct Watched<'a> {
    arguments: &'a StackArguments,
    stack: &'a RunningStack,
    began: Instant,
    every: Duration,
}

impl Watched<'_> {
    /// Shows it until somebody quits.
    fn watch(&self, terminal: &mut DefaultTerminal, model: &mut Model) -> anyhow::Result<()> {
        let mut next = Instant::now() + self.every;
        loop {
            terminal.draw(|frame| view::draw(model, frame))?;
            if event::poll(next.saturating_duration_since(Instant::now()))? {
                let Event::Key(key) = event::read()? else {
                    continue;
                };
                if key.kind == KeyEventKind::Release {
                    continue;
                }
                match model.press(key) {
                    Step::Stay => {}
                    Step::Quit => return Ok(()),
                    Step::Order(order) => model.say(obey(self.arguments, order)),
                }
                continue;
            }
            // What was missed while the daemon or the terminal was slow is not made up for.
            next = Instant::now() + self.every;
            match glance(self.stack, self.began) {
                Ok(glance) => model.take(glance),
                Err(error) => model.failed = Some(format!("{error:#}")),
            }
        }
    }
}

/// Has a member do what was ordered; says what came of it.
fn obey(arguments: &StackArguments, Order { member, ask }: Order) -> String {
    let done = Addressee::find(arguments, Some(&member)).and_then(|member| member.order(ask));
    done.unwrap_or_else(|error| format!("{error:#}"))
}

fn glance(stack: &RunningStack, began: Instant) -> anyhow::Result<Glance> {
    let (time, Body::Vdpt(vdpt)) = ask(stack, ReportName::Vdpt)? else {
        bail!("the daemon made another report");
    };
    let at = began.elapsed();
    let (_, Body::Sysplex(sysplex)) = ask(stack, ReportName::Sysplex)? else {
        bail!("the daemon made another report");
    };
    let (_, Body::Group(group)) = ask(stack, ReportName::Group)? else {
        bail!("the daemon made another report");
    };
    let (_, Body::Stats(stats)) = ask(stack, ReportName::Stats)? else {
        bail!("the daemon made another report");
    };
    Ok(Glance {
        stack: stack.name.clone(),
        // The hours, minutes and seconds of an RFC 3339 time.
        time: time.get(11..19).unwrap_or_default().to_owned(),
        at,
        vdpt,
        sysplex,
        group,
        stats,
    })
}

fn ask(stack: &RunningStack, name: ReportName) -> anyhow::Result<(String, Body)> {
    let answer = stack.ask(&Request::Netstat(name.into()))?;
    let Answer::Report(Report { frame, body }) = answer else {
        return Err(unexpected(&answer));
    };
    Ok((frame.time, body))
}
