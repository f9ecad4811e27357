//! `distributor reload`: the profile is read again, and a new program takes over.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;

use super::running::{RunningStack, StackArguments, unexpected};
use crate::shell::admin::{AdminError, Answer, Request};

/// How long a program that takes over may need until it answers.
const TAKE_OVER: Duration = Duration::from_mins(1);
/// How often it is asked.
const ASK: Duration = Duration::from_millis(50);

/// Arguments of `distributor reload`.
#[derive(Debug, Args)]
pub(super) struct Reload {
    #[command(flatten)]
    stack: StackArguments,
}

pub(super) fn run(arguments: &Reload) -> anyhow::Result<ExitCode> {
    let stack = arguments.stack.find()?;
    let before = instance(&stack)?;
    match stack.try_ask(&Request::Reload) {
        Ok(Answer::Done(done)) => println!("{done}"),
        Ok(Answer::Refused(reason)) => {
            bail!(
                "`{}` refused, and nothing was changed: {reason}",
                stack.name
            )
        }
        Ok(answer) => return Err(unexpected(&answer)),
        // The program that was asked has been replaced before it could answer.
        Err(AdminError::Closed { .. }) => await_successor(&stack, before)?,
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn instance(stack: &RunningStack) -> anyhow::Result<u64> {
    let answer = stack.ask(&Request::Instance)?;
    if let Answer::Instance(instance) = answer {
        Ok(instance)
    } else {
        Err(unexpected(&answer))
    }
}

fn await_successor(stack: &RunningStack, before: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + TAKE_OVER;
    loop {
        match instance(stack) {
            Ok(now) if now != before => break,
            Ok(_) | Err(_) if Instant::now() < deadline => thread::sleep(ASK),
            Ok(_) => bail!(
                "`{}` still runs the program before; see its log",
                stack.name
            ),
            Err(error) => {
                return Err(error.context(format!(
                    "`{}` does not answer since its program was replaced; packets go on as \
                     before; see its log",
                    stack.name
                )));
            }
        }
    }
    println!("the new program has taken over, with the profile as it is now");
    Ok(())
}
