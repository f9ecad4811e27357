//! Where things are in the workspace, and how cargo is called on it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// The workspace's directory.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Cargo's target directory for the host side.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |directory| root().join(directory))
}

/// A command that runs the cargo that runs xtask, in the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.env("PATH", process::search_path(None));
    in_workspace(&mut command);
    command
}

/// Lets `command`, a cargo, work in the workspace as if it had been typed there.
///
/// The cargo that runs xtask says in the environment that this is xtask; build scripts that
/// look would run anew each time that the one or the other cargo has built last.
pub(crate) fn in_workspace(command: &mut Command) {
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// How the host side is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }

    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Builds the daemon, and returns where it is.
pub(crate) fn build_daemon(profile: Profile) -> anyhow::Result<PathBuf> {
    build(&["distributor-user"], &["distributor"], profile)?;
    Ok(built("distributor", profile))
}

/// Builds the daemon and the program `name` of the crate `tests`, and returns where that is.
pub(crate) fn build_program(name: &str, profile: Profile) -> anyhow::Result<PathBuf> {
    let packages = ["distributor-user", "tests"];
    build(&packages, &["distributor", name], profile)?;
    Ok(built(name, profile))
}

fn build(packages: &[&str], programs: &[&str], profile: Profile) -> anyhow::Result<()> {
    let mut cargo = cargo();
    cargo.arg("build").args(profile.arguments());
    cargo.args(packages.iter().flat_map(|name| ["--package", name]));
    cargo.args(programs.iter().flat_map(|name| ["--bin", name]));
    process::step(&mut cargo)
}

fn built(program: &str, profile: Profile) -> PathBuf {
    target().join(profile.directory()).join(program)
}
