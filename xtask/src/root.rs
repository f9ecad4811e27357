//! What xtask does as root, in a process of its own.
//!
//! Only this module changes the machine outside the project and outside
//! cargo's and rustup's directories: it installs packages, and mounts the
//! kernel's file systems that programs are pinned in and attached to.
//! Run by an ordinary user, xtask starts itself through sudo with one of these
//! steps; cargo never runs as root on his behalf.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::Context;
use nix::mount::{MsFlags, mount};

use crate::{process, say};

mod mounts;
mod services;

use mounts::Place;

/// Where Debian keeps what starts services.
const SERVICES: &str = "/etc/init.d";

/// One thing done as root.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Step {
    /// Installs packages, and starts none of their services.
    Install {
        /// A configuration item for apt, `KEY=VALUE`.
        #[arg(long = "option")]
        options: Vec<String>,
        /// Packages, as `apt-get install` names them.
        #[arg(required = true)]
        packages: Vec<String>,
    },
    /// Mounts bpffs and the cgroup v2 hierarchy, unless they are mounted.
    Mount,
}

impl Step {
    /// This step as arguments of xtask.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["as-root".to_owned()];
        match self {
            Self::Install { options, packages } => {
                arguments.push("install".to_owned());
                arguments.extend(options.iter().map(|option| format!("--option={option}")));
                arguments.push("--".to_owned());
                arguments.extend(packages.iter().cloned());
            }
            Self::Mount => arguments.push("mount".to_owned()),
        }
        arguments
    }
}

/// Does `step` in a process of its own, as root.
pub(crate) fn perform(step: &Step) -> anyhow::Result<()> {
    process::step(process::as_root(&own_program()?)?.args(step.arguments()))
}

/// Where xtask is, also after cargo has built it anew at the same place.
fn own_program() -> anyhow::Result<PathBuf> {
    let program = env::current_exe().context("cannot find xtask's own program")?;
    Ok(
        match program
            .to_str()
            .and_then(|path| path.strip_suffix(" (deleted)"))
        {
            Some(path) => PathBuf::from(path),
            None => program,
        },
    )
}

/// Mounts the kernel's file systems that are missing, and without which no daemon runs.
pub(crate) fn provide_file_systems() -> anyhow::Result<()> {
    if mounts::missing(&mounted()?).is_empty() {
        Ok(())
    } else {
        perform(&Step::Mount)
    }
}

/// Runs the verb, as root.
pub(crate) fn run(step: &Step) -> anyhow::Result<ExitCode> {
    match step {
        Step::Install { options, packages } => install(options, packages)?,
        Step::Mount => mount_missing()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn install(options: &[String], packages: &[String]) -> anyhow::Result<()> {
    let before = services()?;
    let silence = services::Silence::begin(Path::new("/usr/sbin"))?;
    let outcome = process::step(
        Command::new("apt-get")
            .args(options.iter().flat_map(|option| ["-o", option]))
            .args([
                "-o",
                "Dpkg::Use-Pty=0",
                "-o",
                "DPkg::Lock::Timeout=120",
                "--quiet=1",
            ])
            .args([
                "install",
                "--yes",
                "--no-install-recommends",
                "--no-remove",
                "--",
            ])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("PATH", process::search_path(None)),
    );
    silence.end()?;
    outcome?;
    for service in services()?.difference(&before) {
        let mut disable = Command::new("update-rc.d");
        process::step(
            disable
                .args([service, "disable"])
                .env("PATH", process::search_path(None)),
        )?;
        say(format_args!(
            "`{service}` is installed but neither running nor started at boot"
        ));
    }
    Ok(())
}

fn services() -> anyhow::Result<BTreeSet<String>> {
    let Ok(entries) = Path::new(SERVICES).read_dir() else {
        return Ok(BTreeSet::new());
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()
        .with_context(|| format!("cannot list `{SERVICES}`"))
}

fn mounted() -> anyhow::Result<String> {
    fs::read_to_string("/proc/self/mounts").context("cannot read the mounts: mount /proc first")
}

fn mount_missing() -> anyhow::Result<()> {
    for Place { kind, path } in mounts::missing(&mounted()?) {
        let directory = Path::new(path);
        if !directory.is_dir() {
            fs::create_dir(directory).with_context(|| {
                format!("no `{path}` to mount {kind} on: mount /sys first; the kernel needs {kind}")
            })?;
        }
        mount(
            Some(kind),
            directory,
            Some(kind),
            MsFlags::empty(),
            None::<&str>,
        )
        .with_context(|| format!("cannot mount {kind} on `{path}`"))?;
        say(format_args!("mounted {kind} on {path}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Step;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        step: Step,
    }

    #[test]
    fn a_step_survives_its_way_through_sudo() {
        let install = Step::Install {
            options: vec!["Dir::State::lists=/a b/lists/".to_owned(), "A=1".to_owned()],
            packages: vec![
                "curl".to_owned(),
                "rustc-web=1.96.0+dfsg1-1~deb12u2".to_owned(),
            ],
        };
        for step in [install, Step::Mount] {
            // The first word is the verb, which stands where a program's name would.
            let line = Line::try_parse_from(step.arguments()).expect("xtask's own arguments");
            assert_eq!(format!("{:?}", line.step), format!("{step:?}"));
        }
    }
}
