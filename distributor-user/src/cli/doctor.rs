//! `distributor doctor`: what is wrong on the way of a connection.
//!
//! Exit codes: 0 nothing is wrong, 1 something is, 2 it could not be looked at.
//! Without `--fix` nothing is changed.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::DEFAULT_PIN_DIR;
use super::netstat::print;
use super::running::StackArguments;
use super::symbol::Symbols;
use crate::engine::doctor::{Daemon, Diagnosis, VERSION, examine, text};
use crate::shell::admin;
use crate::shell::doctor::{Question, Start, look, mend};

/// Where the unit looks for profiles, options and the key.
const CONFIGURATION: &str = "/etc/distributor";

/// Arguments of `distributor doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// A client, to look at the way back to it as well; may be repeated.
    #[arg(long, value_name = "ADDR")]
    client: Vec<IpAddr>,
    /// Mends what can be mended without being asked, and looks again.
    #[arg(long)]
    fix: bool,
    /// How the findings are printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The profile that a start would read, if the daemon does not run; without it,
    /// `/etc/distributor/STACK.profile`.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Where INCLUDE looks for `dataset(member)`; may be repeated.
    #[arg(long, value_name = "DIR")]
    include_dir: Vec<PathBuf>,
    #[command(flatten)]
    symbols: Symbols,
    /// The key that a start would read; without it, `/etc/distributor/group.key`.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// An interface that `run` would be given; without it, what `/etc/distributor/STACK.options` says.
    #[arg(long, value_name = "IF")]
    interface: Vec<String>,
    /// The interface of the DYNAMICXCF network that `run` would be given; likewise.
    #[arg(long, value_name = "IF")]
    xcf_interface: Option<String>,
    /// Where maps and links are pinned.
    #[arg(long, env = "DISTRIBUTOR_PIN_DIR", default_value = DEFAULT_PIN_DIR)]
    pin_dir: PathBuf,
    #[command(flatten)]
    stack: StackArguments,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people; nothing if nothing is wrong.
    Text,
    /// One JSON document.
    Json,
}

pub(super) fn run(arguments: &Doctor) -> anyhow::Result<ExitCode> {
    if !nix::unistd::geteuid().is_root() {
        bail!("expected to run as root, which alone may look at all of it");
    }
    let question = arguments.question()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be started")?;
    let mut diagnosis = runtime.block_on(diagnose(&question))?;
    if arguments.fix {
        let mut has_mended = false;
        for finding in &diagnosis.findings {
            let Some(fix) = &finding.fix else { continue };
            match mend(fix) {
                Ok(()) => {
                    has_mended = true;
                    eprintln!("mended: {} ({})", finding.what, fix.line());
                }
                Err(error) => eprintln!("not mended: {}: {error:#}", finding.what),
            }
        }
        if has_mended {
            diagnosis = runtime.block_on(diagnose(&question))?;
        }
    }
    print(&match arguments.format {
        Format::Text => text(&diagnosis),
        Format::Json => {
            serde_json::to_string(&diagnosis).context("the findings have no JSON form")? + "\n"
        }
    })?;
    Ok(ExitCode::from(u8::from(!diagnosis.findings.is_empty())))
}

async fn diagnose(question: &Question) -> anyhow::Result<Diagnosis> {
    let seen = look(question).await?;
    Ok(Diagnosis {
        version: VERSION,
        stack: question.name.clone(),
        is_running: matches!(seen.facts.daemon, Daemon::Running(_)),
        findings: examine(&seen.facts),
        not_seen: seen.not_seen,
    })
}

impl Doctor {
    fn question(&self) -> anyhow::Result<Question> {
        let name = self.name()?;
        let configuration = Path::new(CONFIGURATION);
        let options = Options::read(&configuration.join(format!("{name}.options")));
        let profile = || configuration.join(format!("{name}.profile"));
        Ok(Question {
            run_dir: self.stack.run_dir().to_owned(),
            pin_dir: self.pin_dir.clone(),
            clients: self.client.clone(),
            start: Start {
                profile: self.profile.clone().unwrap_or_else(profile),
                include_dirs: self.include_dir.clone(),
                symbols: self.symbols.by_name(),
                keys: or(&self.key, || vec![configuration.join("group.key")]),
                interfaces: or(&self.interface, || options.interfaces),
                xcf_interface: self.xcf_interface.clone().or(options.xcf_interface),
            },
            name,
        })
    }

    /// The stack that is meant: the one that is named, else the only one that runs or has run here, else
    /// the only one that has a profile where the unit looks for it.
    fn name(&self) -> anyhow::Result<String> {
        if let Some(name) = self.stack.name() {
            return Ok(name.to_owned());
        }
        let running = admin::stacks(self.stack.run_dir());
        let found = if running.is_empty() {
            configured()
        } else {
            running
        };
        match &found[..] {
            [name] => Ok(name.clone()),
            [] => bail!(
                "no stack runs here, and there is no profile in `{CONFIGURATION}`: say which stack is \
                 meant with `--name`, and where its profile is with `--profile`"
            ),
            several => bail!(
                "there are several stacks here ({}): say which with `--name`",
                several.join(", ")
            ),
        }
    }
}

/// The stacks that have a profile where the unit looks for it.
fn configured() -> Vec<String> {
    let entries = fs::read_dir(CONFIGURATION).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_suffix(".profile")?.to_owned())
    });
    names.collect()
}

fn or<T: Clone>(given: &[T], otherwise: impl FnOnce() -> Vec<T>) -> Vec<T> {
    if given.is_empty() {
        otherwise()
    } else {
        given.to_vec()
    }
}

/// What the unit gives to `run` besides, as far as interfaces are concerned.
#[derive(Debug, Default)]
struct Options {
    interfaces: Vec<String>,
    xcf_interface: Option<String>,
}

impl Options {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.trim().strip_prefix("OPTIONS="));
        Self::of(line.unwrap_or_default())
    }

    fn of(line: &str) -> Self {
        let line = line.replace(['"', '\'', '='], " ");
        let mut words = line.split_whitespace();
        let mut options = Self::default();
        while let Some(word) = words.next() {
            match word {
                "--interface" => options.interfaces.extend(words.next().map(str::to_owned)),
                "--xcf-interface" => options.xcf_interface = words.next().map(str::to_owned),
                _ => {}
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn interfaces_are_read_as_init_writes_them() {
        let options =
            Options::of("--interface eth0 --interface=eth1 --grace 5000 --xcf-interface xcf0");
        assert_eq!(options.interfaces, ["eth0", "eth1"]);
        assert_eq!(options.xcf_interface.as_deref(), Some("xcf0"));
        let options = Options::of("");
        assert_eq!(options.interfaces, Vec::<String>::new());
        assert_eq!(options.xcf_interface, None);
    }
}
