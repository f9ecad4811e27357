//! What xtask does as root, in a process of its own.
//!
//! Only this module changes the machine outside the project and outside
//! cargo's and rustup's directories: it installs packages and mounts bpffs.
//! Run by an ordinary user, xtask starts itself through sudo with one of these
//! steps; cargo never runs as root on his behalf.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::{process, say};

mod services;

/// Where pinned maps, links and programs live.
const BPFFS: &str = "/sys/fs/bpf";

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
    /// Mounts the BPF file system, unless it is mounted.
    MountBpffs,
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
            Self::MountBpffs => arguments.push("mount-bpffs".to_owned()),
        }
        arguments
    }
}

/// Does `step` in a process of its own, as root.
pub(crate) fn perform(step: &Step) -> anyhow::Result<()> {
    let xtask = env::current_exe().context("cannot find xtask's own program")?;
    process::step(process::as_root(&xtask)?.args(step.arguments()))
}

/// Mounts the BPF file system where it is missing: pins need it.
pub(crate) fn provide_bpffs() -> anyhow::Result<()> {
    if is_bpffs() {
        Ok(())
    } else {
        perform(&Step::MountBpffs)
    }
}

/// Runs the verb, as root.
pub(crate) fn run(step: &Step) -> anyhow::Result<ExitCode> {
    match step {
        Step::Install { options, packages } => install(options, packages)?,
        Step::MountBpffs => mount_bpffs()?,
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
        say(format_args!(
            "`{service}` is installed but neither running nor started at boot"
        ));
        process::step(Command::new("update-rc.d").args([service, "disable"]))?;
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

fn mount_bpffs() -> anyhow::Result<()> {
    if is_bpffs() {
        return Ok(());
    }
    ensure!(
        Path::new(BPFFS).is_dir(),
        "`{BPFFS}` does not exist: mount /sys first, on a kernel with CONFIG_BPF_SYSCALL"
    );
    mount(
        Some("bpf"),
        BPFFS,
        Some("bpf"),
        MsFlags::empty(),
        None::<&str>,
    )
    .with_context(|| format!("cannot mount `{BPFFS}`"))
}

fn is_bpffs() -> bool {
    statfs(BPFFS).is_ok_and(|system| system.filesystem_type() == BPF_FS_MAGIC)
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
        for step in [install, Step::MountBpffs] {
            // The first word is the verb, which stands where a program's name would.
            let line = Line::try_parse_from(step.arguments()).expect("xtask's own arguments");
            assert_eq!(format!("{:?}", line.step), format!("{step:?}"));
        }
    }
}
