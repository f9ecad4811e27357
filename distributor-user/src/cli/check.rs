//! `distributor check`: what is right and wrong with profiles.
//!
//! Nothing is changed. Each file is the profile of one stack; several are checked
//! against one another too, and with `--running` against what the stacks of a
//! running group publish. Only then is a daemon asked.

mod compared;
mod xcf;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::running::StackArguments;
use super::symbol::Symbols;
use crate::engine::profile::{self, Severity, Style, Text};
use crate::shell::profile_files::ProfileFiles;
use compared::{Checked, Named, StackFinding};

/// Arguments of `distributor check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Profiles, each of one stack, whose name is that of the file without what follows the first
    /// dot, unless it is written.
    #[arg(required_unless_present = "running", value_name = "[NAME=]FILE")]
    files: Vec<PathBuf>,
    /// Compare with the running group: a profile without NAME is that of the stack that is asked,
    /// and stands in its place, one with NAME in the place of that stack, or beside the others.
    #[arg(long)]
    running: bool,
    /// End with 1 if there are warnings.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    symbols: Symbols,
    /// Where `INCLUDE dataset(member)` is looked up, as `DIR/dataset/member`; may be repeated.
    #[arg(long = "include-dir", value_name = "DIR")]
    include_dirs: Vec<PathBuf>,
    /// How the findings are printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// An interface that `run` will be given; may be repeated.
    #[arg(long = "interface", value_name = "IF")]
    interfaces: Vec<String>,
    /// The interface of the DYNAMICXCF network that `run` will be given.
    #[arg(long, value_name = "IF")]
    xcf_interface: Option<String>,
    #[command(flatten)]
    stack: StackArguments,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, each with the text it is about.
    Text,
    /// One JSON document.
    Json,
}

/// The JSON document.
#[derive(Serialize)]
struct Findings<'a> {
    diagnostics: Vec<StackFinding<'a>>,
}

pub(super) fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    ensure!(
        arguments.running || !arguments.stack.is_named(),
        "expected `--running` with `--name`: without it no stack is asked"
    );
    let mut files =
        ProfileFiles::new(arguments.include_dirs.clone()).with_symbols(arguments.symbols.by_name());
    let links = xcf::present_links();
    let mut profiles = Vec::new();
    for argument in &arguments.files {
        let named = Named::of(argument);
        let mut loaded = match files.open(&named.path) {
            Ok(text) => profile::load(text, &mut files),
            Err(error) => profile::unreadable(&named.path.display().to_string(), error),
        };
        let here = [xcf::place(&loaded, &links, arguments), xcf::ipv6(&loaded)];
        loaded.diagnostics.extend(here.into_iter().flatten());
        profiles.push((named, loaded));
    }
    let mut checked = if arguments.running {
        compared::with_group(profiles, &arguments.stack.find()?)?
    } else {
        compared::by_themselves(profiles)
    };
    let is_compared = compared::compare(&mut checked);
    print(&checked, is_compared, arguments.format)?;
    let has = |severity| checked.iter().any(|one| one.loaded.count(severity) > 0);
    Ok(ExitCode::from(if has(Severity::Error) {
        2
    } else {
        u8::from(arguments.strict && has(Severity::Warning))
    }))
}

fn print(checked: &[Checked], is_compared: bool, format: Format) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = match format {
        Format::Json => {
            let diagnostics = checked.iter().flat_map(Checked::findings).collect();
            let document = serde_json::to_string(&Findings { diagnostics })
                .context("the findings have no JSON form")?;
            writeln!(out, "{document}")
        }
        Format::Text => {
            let style = if is_colourful() {
                Style::Coloured
            } else {
                Style::Plain
            };
            let written = checked.iter().try_for_each(|one| {
                write!(out, "{}", one.loaded.text(style))?;
                writeln!(out, "{}", one.summary())
            });
            match written {
                Ok(()) if !is_compared => writeln!(
                    out,
                    "the stacks were not compared: mend the errors of each first"
                ),
                written => written,
            }
        }
    };
    written.context("cannot print the findings")
}

/// Profiles that are no files yet, checked all together.
pub(super) struct Together(Vec<Checked>);

impl Together {
    /// Checks the profiles of stacks with these names.
    pub(super) fn of(profiles: impl Iterator<Item = (String, Text)>) -> Self {
        let profiles = profiles.map(|(name, text)| {
            let loaded = profile::load(text, &mut ProfileFiles::default());
            Checked::of_profile(name, loaded)
        });
        let mut checked: Vec<Checked> = profiles.collect();
        compared::compare(&mut checked);
        Self(checked)
    }

    /// Whether there is anything to say about them.
    pub(super) fn has_findings(&self) -> bool {
        self.0.iter().any(|one| !one.loaded.diagnostics.is_empty())
    }

    /// Whether one of them could not be used.
    pub(super) fn has_errors(&self) -> bool {
        let mut all = self.0.iter();
        all.any(|one| one.loaded.count(Severity::Error) > 0)
    }
}

impl fmt::Display for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.0.iter();
        all.try_for_each(|one| f.write_str(&one.loaded.text(Style::Plain)))
    }
}

fn is_colourful() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
