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
    command
        .current_dir(root())
        .env("PATH", process::search_path(None));
    command
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

    fn directory(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Builds the daemon and the program `name` of the crate `tests`, and returns where that is.
pub(crate) fn build_program(name: &str, profile: Profile) -> anyhow::Result<PathBuf> {
    process::step(
        cargo()
            .args([
                "build",
                "--package",
                "distributor-user",
                "--package",
                "tests",
            ])
            .args(["--bin", "distributor", "--bin", name])
            .args(profile.arguments()),
    )?;
    Ok(target().join(profile.directory()).join(name))
}
