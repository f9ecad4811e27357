//! bpf-linker: found, or built against the LLVM library that the compiler itself loads.
//!
//! It reads what the compiler's LLVM wrote, so its own LLVM must not be older.
//! Linking it with the compiler's library makes that true by construction, and
//! needs no LLVM development package (700 MB). A bpf-linker of another version
//! that somebody has installed is left alone.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::compiler::{self, Compiler};
use crate::{process, workspace};

/// The version that was tried.
pub(crate) const VERSION: &str = "0.13.0";

/// The versions of LLVM that it can be built with.
const LLVM_VERSIONS: std::ops::RangeInclusive<u32> = 21..=23;

/// A bpf-linker that can read what the compiler writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linker {
    pub(crate) path: PathBuf,
}

impl Linker {
    /// Finds a suitable one on the search path, among cargo's programs, or among this project's own.
    pub(crate) fn find(compilers_llvm: Option<u32>) -> Option<Self> {
        let mut candidates = process::find_programs("bpf-linker");
        candidates.extend(cargo_home().map(|home| home.join("bin/bpf-linker")));
        candidates.push(own_root().join("bin/bpf-linker"));
        candidates
            .into_iter()
            .find(|candidate| is_suitable(candidate, compilers_llvm))
            .map(|path| Self { path })
    }
}

fn is_suitable(candidate: &Path, compilers_llvm: Option<u32>) -> bool {
    let Ok(version) = process::ask(Command::new(candidate).arg("--version")) else {
        return false;
    };
    if !version.succeeded || !is_tried(&version.stdout) {
        return false;
    }
    let Ok(libraries) = process::ask(Command::new("ldd").arg(candidate)) else {
        return false;
    };
    // A statically linked one comes with the newest LLVM that its version knows.
    let llvm = compiler::shared_llvm(&libraries.stdout)
        .map_or(*LLVM_VERSIONS.end(), |library| library.major);
    compilers_llvm.is_none_or(|needed| needed <= llvm)
}

fn is_tried(version: &str) -> bool {
    version.trim().strip_prefix("bpf-linker ") == Some(VERSION)
}

/// Builds and installs it, linked with `compiler`'s LLVM.
pub(crate) fn install(compiler: &Compiler) -> anyhow::Result<()> {
    if !LLVM_VERSIONS.contains(&compiler.llvm) {
        bail!(
            "bpf-linker {VERSION} can be built with LLVM {} to {}, but {compiler} has LLVM {}: \
             install `bpf-linker` {VERSION} yourself",
            LLVM_VERSIONS.start(),
            LLVM_VERSIONS.end(),
            compiler.llvm
        );
    }
    let library = compiler.llvm_library()?;
    let library = fs::canonicalize(&library)
        .with_context(|| format!("cannot find `{}`", library.display()))?;
    let prefix = link_directory(&library)?;
    let directory = library
        .parent()
        .context("an LLVM library without a directory")?;

    let mut install = workspace::cargo();
    install
        .args(["install", "bpf-linker", "--version", VERSION, "--locked"])
        .args(["--no-default-features", "--features"])
        .arg(format!("llvm-{}", compiler.llvm))
        .env("LLVM_PREFIX", &prefix)
        // Its release profile asks for debug information: 30 MB, and a third of the time.
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        // Found again at run time where the compiler has it, not where the link stands now.
        .env("CARGO_ENCODED_RUSTFLAGS", rpath(directory)?);
    if cargo_home().is_none_or(|home| home.join("bin/bpf-linker").exists()) {
        install.arg("--root").arg(own_root()).arg("--force");
    }
    let outcome = process::step(&mut install);
    fs::remove_dir_all(&prefix).with_context(|| format!("cannot remove `{}`", prefix.display()))?;
    outcome
}

/// A directory in which `-lLLVM` means exactly `library`.
fn link_directory(library: &Path) -> anyhow::Result<PathBuf> {
    let prefix = workspace::target().join("llvm");
    let lib = prefix.join("lib");
    if prefix.exists() {
        fs::remove_dir_all(&prefix)
            .with_context(|| format!("cannot remove `{}`", prefix.display()))?;
    }
    fs::create_dir_all(&lib).with_context(|| format!("cannot create `{}`", lib.display()))?;
    symlink(library, lib.join("libLLVM.so"))
        .with_context(|| format!("cannot link to `{}`", library.display()))?;
    Ok(prefix)
}

fn rpath(directory: &Path) -> anyhow::Result<String> {
    let directory = directory
        .to_str()
        .context("an LLVM library at a path that is not UTF-8")?;
    Ok(["-C".to_owned(), format!("link-arg=-Wl,-rpath,{directory}")].join("\x1f"))
}

/// Where cargo installs programs.
fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

/// Where one is put that must not replace another.
fn own_root() -> PathBuf {
    workspace::target().join("tools")
}

#[cfg(test)]
mod tests {
    use super::is_tried;

    #[test]
    fn only_the_version_that_was_tried_will_do() {
        let cases = [
            ("bpf-linker 0.13.0\n", true),
            ("bpf-linker 0.13.1\n", false),
            ("bpf-linker 0.9.15\n", false),
            ("LLD 22.0\n", false),
            ("", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_tried(text), expected, "{text:?}");
        }
    }
}
