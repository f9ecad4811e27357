//! `distributor manual`: man pages and shell completions, from the definition of the command line.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

/// Arguments of `distributor manual`.
#[derive(Debug, Args)]
pub(super) struct Manual {
    /// Where to put them: below `man` and `completions`.
    directory: PathBuf,
}

/// Writes the pages and completions of `command`.
pub(super) fn run(arguments: &Manual, command: Command) -> anyhow::Result<ExitCode> {
    let make = |name: &str| -> anyhow::Result<PathBuf> {
        let directory = arguments.directory.join(name);
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make `{}`", directory.display()))?;
        Ok(directory)
    };
    clap_mangen::generate_to(command.clone(), make("man")?)
        .context("the man pages cannot be written")?;
    let completions = make("completions")?;
    let mut command = command;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "distributor", &completions)
            .with_context(|| format!("the completions for {shell} cannot be written"))?;
    }
    Ok(ExitCode::SUCCESS)
}
