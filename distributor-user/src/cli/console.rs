//! `distributor console`: operator commands as z/OS's console takes them.

use std::io::{self, BufRead as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser as _};

use super::running::StackArguments;
use super::{Arguments, do_it};
use crate::engine::console;

/// Arguments of `distributor console`.
#[derive(Debug, Args)]
pub(super) struct Console {
    /// The command, such as `D TCPIP,,NETSTAT,VDPT,DETAIL`; without it, commands are read from standard
    /// input, one a line.
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
    /// Where a data set of DSN is looked up, as `DIR/dataset/member`; may be repeated.
    #[arg(long = "include-dir", value_name = "DIR")]
    include_dirs: Vec<PathBuf>,
    #[command(flatten)]
    stack: StackArguments,
}

pub(super) fn run(arguments: &Console) -> anyhow::Result<ExitCode> {
    if let Some(command) = &arguments.command {
        return obey(command, arguments);
    }
    let mut last = ExitCode::SUCCESS;
    for line in io::stdin().lock().lines() {
        let line = line.context("the commands cannot be read")?;
        if line.trim().is_empty() {
            continue;
        }
        // One that is wrong does not end the others.
        last = obey(&line, arguments).unwrap_or_else(|error| {
            eprintln!("distributor: {error:#}");
            ExitCode::from(2)
        });
    }
    Ok(last)
}

fn obey(text: &str, arguments: &Console) -> anyhow::Result<ExitCode> {
    let command = console::parse(text)?;
    let mut line = vec!["distributor".to_owned()];
    line.extend(command.words.iter().cloned());
    match (&command.stack, arguments.stack.name()) {
        (None, Some(name)) if command.verb() != "check" => {
            line.extend(["--name".to_owned(), name.to_owned()]);
        }
        _ => {}
    }
    let run_dir = arguments.stack.run_dir().display();
    line.extend(["--run-dir".to_owned(), run_dir.to_string()]);
    if matches!(command.verb(), "obey" | "check") {
        for dir in &arguments.include_dirs {
            line.extend(["--include-dir".to_owned(), dir.display().to_string()]);
        }
    }
    let asked = Arguments::try_parse_from(line).map_err(|error| {
        // Without clap's own frame, which shows a command line that nobody wrote.
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        anyhow::anyhow!("{}", first.trim_start_matches("error: "))
    })?;
    let is_order = command.title != console::DISPLAY;
    if is_order {
        println!(
            "EZZ0060I PROCESSING COMMAND: {}",
            text.trim().to_uppercase()
        );
    }
    let code = do_it(asked)?;
    if is_order && code == ExitCode::SUCCESS {
        println!("EZZ0053I COMMAND {} COMPLETED SUCCESSFULLY", command.title);
    }
    Ok(code)
}
