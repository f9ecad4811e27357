//! `cargo xtask build-ebpf`: the eBPF programs, as objects that aya loads.
//!
//! The objects are built apart from everything else (another target, another
//! compiler, a target directory of their own), and found at a fixed place by
//! the build script that embeds them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::setup::{self, Tools};
use crate::{compiler, process, say, workspace};

/// What cargo calls the profile, and the directory of what it makes.
const PROFILE: &str = "bpf";

/// BTF for maps and programs, and a processor version with atomics that fetch.
const RUSTFLAGS: [&str; 6] = [
    "-C",
    "debuginfo=2",
    "-C",
    "link-arg=--btf",
    "-C",
    "target-cpu=v3",
];

/// Runs the verb.
pub(crate) fn run(options: &setup::Options) -> anyhow::Result<ExitCode> {
    build(&setup::compiling(options)?)?;
    say(format_args!(
        "built in {}",
        directory().join(compiler::TARGET).join(PROFILE).display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Builds the objects; quick when they are fresh.
pub(crate) fn build(tools: &Tools) -> anyhow::Result<()> {
    process::step(
        tools
            .compiler
            .cargo("build")
            .args(["--package", "distributor-ebpf", "--profile", PROFILE])
            .arg("--target-dir")
            .arg(directory())
            .env("PATH", process::search_path(tools.linker.path.parent()))
            .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f")),
    )
    .with_context(|| {
        format!(
            "compiled with {}, linked with {}",
            tools.compiler,
            tools.linker.path.display()
        )
    })
}

/// Always here, whatever `CARGO_TARGET_DIR` says: the build script that embeds the objects looks
/// nowhere else.
fn directory() -> PathBuf {
    workspace::root().join("target/bpf")
}
