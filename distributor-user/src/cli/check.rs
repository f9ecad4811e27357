//! `distributor check`: what is right and wrong with profiles.
//!
//! Nothing is changed, and no daemon is asked. Each file is the profile of one
//! stack; several are checked against one another too.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::run::stack_name;
use super::symbol::Symbols;
use crate::engine::agreement::{self, Member};
use crate::engine::config::DynamicXcf;
use crate::engine::links::{self, Link};
use crate::engine::profile::{self, Diagnostic, Finding, Loaded, Severity, Style};
use crate::shell::links::list;
use crate::shell::netlink::Netlink;
use crate::shell::profile_files::ProfileFiles;

/// Arguments of `distributor check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Profiles, each of one stack, whose name is that of the file without what follows the first
    /// dot, unless it is written.
    #[arg(required = true, value_name = "[NAME=]FILE")]
    files: Vec<PathBuf>,
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
struct Findings {
    diagnostics: Vec<Finding>,
}

pub(super) fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    let mut files =
        ProfileFiles::new(arguments.include_dirs.clone()).with_symbols(arguments.symbols.by_name());
    let links = present_links();
    let mut checked: Vec<Checked> = Vec::new();
    for argument in &arguments.files {
        let (name, path) = stack_of(argument);
        let mut loaded = match files.open(&path) {
            Ok(text) => profile::load(text, &mut files),
            Err(error) => profile::unreadable(&path.display().to_string(), error),
        };
        loaded
            .diagnostics
            .extend(place_of_xcf(&loaded, &links, arguments));
        checked.push(Checked { name, loaded });
    }
    tell_apart(&mut checked);
    let is_compared = compare(&mut checked);
    let mut out = io::stdout().lock();
    let written = match arguments.format {
        Format::Json => {
            let loaded = checked.iter().map(|checked| &checked.loaded);
            let diagnostics = loaded.flat_map(Loaded::findings).collect();
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
            let written = checked.iter().try_for_each(|Checked { loaded, .. }| {
                write!(out, "{}", loaded.text(style))?;
                writeln!(out, "{}", summary(loaded))
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
    written.context("cannot print the findings")?;
    let has = |severity| checked.iter().any(|one| one.loaded.count(severity) > 0);
    Ok(ExitCode::from(if has(Severity::Error) {
        2
    } else {
        u8::from(arguments.strict && has(Severity::Warning))
    }))
}

/// One profile that was read.
struct Checked {
    /// The name of its stack.
    name: String,
    loaded: Loaded,
}

/// `NAME=FILE`, or the name of a stack from that of its file.
fn stack_of(argument: &Path) -> (String, PathBuf) {
    let text = argument.to_string_lossy();
    if let Some((name, path)) = text.split_once('=')
        && stack_name(name).is_ok()
    {
        return (name.to_owned(), path.into());
    }
    let file = argument.file_name().unwrap_or(argument.as_os_str());
    let file = file.to_string_lossy();
    let stem = file.split('.').find(|part| !part.is_empty());
    let name = stem.unwrap_or(&file).to_ascii_uppercase();
    (name, argument.to_owned())
}

/// Calls stacks whose names are equal by the paths of their profiles.
fn tell_apart(checked: &mut [Checked]) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for one in checked.iter() {
        *count.entry(one.name.clone()).or_default() += 1;
    }
    for one in checked.iter_mut().filter(|one| count[&one.name] > 1) {
        one.loaded.sources.profile().clone_into(&mut one.name);
    }
}

/// Adds what the profiles show together; says whether they could be compared.
fn compare(checked: &mut [Checked]) -> bool {
    if checked.len() < 2 {
        return true;
    }
    let members: Option<Vec<Member<'_>>> = checked
        .iter()
        .map(|Checked { name, loaded }| {
            Some(Member {
                name,
                config: loaded.config.as_ref()?,
                places: Some(&loaded.places),
            })
        })
        .collect();
    let Some(members) = members else {
        return false;
    };
    for disagreement in agreement::compare(&members) {
        let loaded = &mut checked[disagreement.member].loaded;
        loaded.diagnostics.push(disagreement.diagnostic);
    }
    true
}

fn is_colourful() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// `FILE: no errors, 1 warning`.
fn summary(loaded: &Loaded) -> String {
    let name = loaded.sources.profile();
    let count = |severity| match (loaded.count(severity), Severity::name(severity)) {
        (0, name) => format!("no {name}s"),
        (1, name) => format!("1 {name}"),
        (many, name) => format!("{many} {name}s"),
    };
    format!(
        "{name}: {}, {}, {}",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note)
    )
}

fn present_links() -> anyhow::Result<Vec<Link>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async { Ok(list(&Netlink::open()?).await?) })
}

/// Says where `run` would take the DYNAMICXCF address from, on this machine.
fn place_of_xcf(
    loaded: &Loaded,
    links: &anyhow::Result<Vec<Link>>,
    arguments: &Check,
) -> Option<Diagnostic> {
    let xcf = loaded.config.as_ref()?.dynamic_xcf?;
    let span = loaded.places.dynamic_xcf?;
    let links = match links {
        Ok(links) => links,
        Err(error) => {
            let message = format!("the interfaces here cannot be listed: {error:#}");
            return Some(Diagnostic::note(span, message));
        }
    };
    let interface = arguments.xcf_interface.as_deref();
    let named = links::ingress(links, &arguments.interfaces);
    if let (Err(error), false) = (&named, arguments.interfaces.is_empty()) {
        return Some(Diagnostic::warning(span, error.to_string()));
    }
    Some(match where_it_goes(links, interface, &xcf) {
        Ok(place) => Diagnostic::note(span, place),
        Err(error) if interface.is_some() => Diagnostic::warning(span, error.to_string()),
        Err(error) => Diagnostic::note(span, error.to_string())
            .help("this matters only on the machine where the profile runs"),
    })
}

/// `run` makes the same choice, by the same functions.
fn where_it_goes(
    links: &[Link],
    interface: Option<&str>,
    xcf: &DynamicXcf,
) -> Result<String, links::LinkError> {
    let DynamicXcf {
        address,
        prefix_len,
        ..
    } = xcf;
    if let Some(holder) = links::holder(links, *address) {
        return Ok(format!(
            "`{address}` is configured on `{}` here",
            holder.name
        ));
    }
    let chosen = links::xcf(links, interface, xcf)?;
    Ok(format!(
        "`{address}/{prefix_len}` would be added to `{}` here, and removed at the end",
        chosen.name
    ))
}
