//! `cargo xtask setup`: what building and running needs, and how it gets there.
//!
//! Nothing is installed before it has been listed, with why it is needed and
//! how large it is, and nothing at all with `--no-install`. No package is ever
//! removed, no service started, and the machine's apt sources stay as they are.
//! When all is there, set-up asks a few programs for their version and touches
//! no network.

use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

use crate::compiler::{self, Compiler, Kind};
use crate::{process, say};

mod apt;
mod linker;
mod need;

pub(crate) use linker::Linker;
use need::Need;

/// How far set-up may go.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Installs nothing: says what is missing, and ends with exit code 3.
    #[arg(long)]
    no_install: bool,
    /// Builds the eBPF programs with this kind of compiler, instead of any that works.
    #[arg(long, value_name = "KIND", env = "XTASK_EBPF_COMPILER")]
    ebpf_compiler: Option<Kind>,
}

/// What the eBPF programs are built with.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) compiler: Compiler,
    pub(crate) linker: Linker,
}

/// Something is missing and was not installed; the list has been printed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

/// Runs the verb.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let tools = everything(options)?;
    say(format_args!(
        "all there: {}, {}",
        tools.compiler,
        tools.linker.path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Provides what the demo and the tests need.
pub(crate) fn everything(options: &Options) -> anyhow::Result<Tools> {
    provide(options, &need::PROGRAMS)
}

/// Provides what compiling needs.
pub(crate) fn compiling(options: &Options) -> anyhow::Result<Tools> {
    provide(options, &[])
}

fn provide(options: &Options, programs: &[need::Program]) -> anyhow::Result<Tools> {
    let mut before = Vec::new();
    // More than once only when a linker that was there proves too old for a compiler just installed.
    loop {
        let missing = match Found::look(options, programs).complete() {
            Ok(tools) => return Ok(tools),
            Err(missing) => missing,
        };
        let names: Vec<_> = missing.iter().map(Need::name).collect();
        ensure!(
            missing != before,
            "still missing after the installation: {}",
            names.join(", ")
        );
        say(format_args!("missing:"));
        for need in &missing {
            say(format_args!("  {:<14} {}", need.name(), need.purpose()));
        }
        obtain(options, &missing)?;
        before = missing;
    }
}

/// What the machine has of what is needed.
struct Found {
    compiler: Option<Compiler>,
    linker: Option<Linker>,
    absent: Vec<Need>,
}

impl Found {
    fn look(options: &Options, programs: &[need::Program]) -> Self {
        let compiler = Compiler::find(options.ebpf_compiler);
        let linker = Linker::find(compiler.as_ref().map(|compiler| compiler.llvm));
        let absent = programs
            .iter()
            .filter(|program| process::find_program(program.name).is_none())
            .map(|&program| Need::Program(program))
            .collect();
        Self {
            compiler,
            linker,
            absent,
        }
    }

    fn complete(self) -> Result<Tools, Vec<Need>> {
        let mut missing = self.absent;
        if self.compiler.is_none() {
            missing.push(Need::Compiler);
        }
        if self.linker.is_none() {
            missing.push(Need::Linker);
        }
        match (self.compiler, self.linker) {
            (Some(compiler), Some(linker)) if missing.is_empty() => Ok(Tools { compiler, linker }),
            _ => Err(missing),
        }
    }
}

/// Installs what is missing, once it has said how.
fn obtain(options: &Options, missing: &[Need]) -> anyhow::Result<()> {
    let rustup = process::find_program("rustup").is_some();
    let mut archive = None;
    let plan = need::plan(missing, options.ebpf_compiler, rustup, |packages| {
        if archive.is_none() {
            archive =
                apt::Archive::read(options.no_install).map_err(|error| format!("{error:#}"))?;
        }
        match &mut archive {
            Some(archive) => archive.offer(packages),
            None => Err("this machine has no apt-get".to_owned()),
        }
    });
    let plan = match plan {
        Ok(plan) => plan,
        Err(reason) => {
            say(format_args!("{}", need::by_hand(missing)));
            return Err(Refused(reason).into());
        }
    };
    for line in plan.lines() {
        say(format_args!("{line}"));
    }
    if options.no_install {
        let reason = "not installed, because of `--no-install`: run `cargo xtask setup`";
        return Err(Refused(reason.to_owned()).into());
    }
    if let Some(offer) = &plan.packages {
        apt::install(offer)?;
    }
    if plan.nightly {
        install_nightly()?;
    }
    if plan.linker {
        let compiler = Compiler::find(options.ebpf_compiler)
            .context("the eBPF compiler is not there after its installation")?;
        linker::install(&compiler)?;
    }
    Ok(())
}

fn install_nightly() -> anyhow::Result<()> {
    process::step(Command::new("rustup").args([
        "toolchain",
        "install",
        compiler::NIGHTLY,
        "--profile",
        "minimal",
        "--component",
        "rust-src",
        "--no-self-update",
    ]))
}
