//! Which compiler builds the eBPF programs.
//!
//! Two kinds can: one that came with a `core` built for eBPF (Debian's
//! `rustc-web` with `libstd-rust-web-dev-bpf`), and a nightly of rustup's with
//! the sources of `core`, which cargo then builds. Nothing here guesses from a
//! name or a version: a compiler is asked for its directories, and what must
//! be in them is looked for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::Context;

use crate::process;
use crate::workspace;

/// The nightly that was tried; its LLVM is one that bpf-linker can read.
pub(crate) const NIGHTLY: &str = "nightly-2026-05-20";

/// The target that the programs are built for.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// The kinds of compiler, for one who wants a certain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A compiler with a `core` already built for eBPF, as Debian packages it.
    Prebuilt,
    /// A nightly of rustup's, which builds `core` from its sources.
    Nightly,
}

/// A compiler that can build the eBPF programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiler {
    way: Way,
    /// The major version of its LLVM: bpf-linker's must not be lower.
    pub(crate) llvm: u32,
    /// The `rustc` itself, whose LLVM library bpf-linker can be linked with.
    pub(crate) rustc: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    Prebuilt,
    Nightly { toolchain: String },
}

impl Compiler {
    /// Finds a compiler of the kind wanted, else of any kind; `None` when the machine has none.
    pub(crate) fn find(wanted: Option<Kind>) -> Option<Self> {
        let prebuilt = || {
            let mut candidates: Vec<PathBuf> = env::var_os("RUSTC")
                .map(PathBuf::from)
                .into_iter()
                .collect();
            candidates.extend(process::find_programs("rustc"));
            candidates.into_iter().find_map(Self::prebuilt)
        };
        let nightly = || [NIGHTLY, "nightly"].into_iter().find_map(Self::nightly);
        match wanted {
            Some(Kind::Prebuilt) => prebuilt(),
            Some(Kind::Nightly) => nightly(),
            None => prebuilt().or_else(nightly),
        }
    }

    fn prebuilt(rustc: PathBuf) -> Option<Self> {
        let libraries =
            line_of(Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]))?;
        let has_core = fs::read_dir(libraries).ok()?.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libcore-") && name.ends_with(".rlib")
        });
        if !has_core {
            return None;
        }
        let llvm = llvm_of(&rustc)?;
        Some(Self {
            way: Way::Prebuilt,
            llvm,
            rustc,
        })
    }

    fn nightly(toolchain: &str) -> Option<Self> {
        // `rustup which` must answer, not install.
        let rustc = PathBuf::from(line_of(
            Command::new(process::find_program("rustup")?)
                .args(["which", "--toolchain", toolchain, "rustc"])
                .env("RUSTUP_AUTO_INSTALL", "0"),
        )?);
        let sysroot = rustc.parent()?.parent()?;
        if !sysroot
            .join("lib/rustlib/src/rust/library/core/src/lib.rs")
            .is_file()
        {
            return None;
        }
        let llvm = llvm_of(&rustc)?;
        let toolchain = toolchain.to_owned();
        Some(Self {
            way: Way::Nightly { toolchain },
            llvm,
            rustc,
        })
    }

    /// A cargo that runs `verb` for the eBPF target with this compiler.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        let mut command = match &self.way {
            Way::Prebuilt => {
                let mut command = workspace::cargo();
                command
                    .arg(verb)
                    .env("RUSTC", &self.rustc)
                    // It is a released compiler, and `aya-ebpf` uses what only a nightly allows.
                    .env("RUSTC_BOOTSTRAP", "1");
                command
            }
            Way::Nightly { toolchain } => {
                let mut command = Command::new("rustup");
                workspace::in_workspace(&mut command);
                command
                    .args(["run", toolchain, "cargo", verb, "-Z", "build-std=core"])
                    .env_remove("RUSTC")
                    .env_remove("CARGO");
                command
            }
        };
        command.args(["--target", TARGET]);
        command
    }

    /// The LLVM library that this compiler itself loads.
    pub(crate) fn llvm_library(&self) -> anyhow::Result<PathBuf> {
        let answer = process::ask(Command::new("ldd").arg(&self.rustc))?;
        shared_llvm(&answer.stdout)
            .with_context(|| format!("`{}` loads no `libLLVM.so`", self.rustc.display()))
            .map(|library| library.path)
    }
}

impl std::fmt::Display for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.way {
            Way::Prebuilt => write!(f, "{} with a prebuilt `core`", self.rustc.display()),
            Way::Nightly { toolchain } => write!(f, "rustup's {toolchain} with `rust-src`"),
        }
    }
}

/// The target that the host side is built for.
pub(crate) fn host() -> anyhow::Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = process::ask(Command::new(rustc).arg("-vV"))?;
    let host = answer
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// A shared LLVM library that a program loads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LlvmLibrary {
    pub(crate) path: PathBuf,
    /// The major version in its name.
    pub(crate) major: u32,
}

/// Finds LLVM in what `ldd` prints of a program; `None` when it is linked statically or absent.
pub(crate) fn shared_llvm(ldd: &str) -> Option<LlvmLibrary> {
    ldd.lines().find_map(|line| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let version = name
            .strip_prefix("libLLVM.so.")
            .or_else(|| name.strip_prefix("libLLVM-"))?;
        let major = leading_number(version)?;
        let path = rest
            .split(" (")
            .next()
            .map(Path::new)
            .filter(|path| path.is_absolute())?;
        Some(LlvmLibrary {
            path: path.to_path_buf(),
            major,
        })
    })
}

/// Reads the major version of LLVM from what `rustc -vV` prints.
fn llvm_major(version: &str) -> Option<u32> {
    version
        .lines()
        .find_map(|line| leading_number(line.strip_prefix("LLVM version: ")?))
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..digits].parse().ok()
}

fn llvm_of(rustc: &Path) -> Option<u32> {
    let answer = process::ask(Command::new(rustc).arg("-vV")).ok()?;
    llvm_major(&answer.stdout)
}

/// The one line that a willing program prints.
fn line_of(command: &mut Command) -> Option<String> {
    let answer = process::ask(command).ok()?;
    answer.succeeded.then(|| answer.stdout.trim().to_owned())
}

#[cfg(test)]
mod tests;
