//! `cargo xtask test`: every test there is.
//!
//! The tests of the network need root; cargo does not get it. Run by an
//! ordinary user, each test binary is started through sudo by cargo itself.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{build_ebpf, compiler, dist, process, root, setup, workspace};

/// What the verb takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setup: setup::Options,
    /// For `cargo test`: `-- -p distributor-common flow -- --nocapture`.
    #[arg(last = true)]
    passed_on: Vec<OsString>,
}

/// Runs the verb.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    build_ebpf::build(&setup::everything(&arguments.setup)?)?;
    // The tests start the daemon and the lab's programs, which `cargo test` alone need not build.
    process::step(workspace::cargo().args(["build", "--bins"]))?;
    dist::pack_for_tests()?;
    root::provide_file_systems()?;
    let mut cargo = workspace::cargo();
    cargo.arg("test");
    if arguments.passed_on.is_empty() {
        cargo.arg("--no-fail-fast");
    }
    cargo.args(&arguments.passed_on);
    if let Some(runner) = process::test_runner()? {
        cargo.env(runner_variable(&compiler::host()?), runner);
    }
    Ok(process::exit_code(process::run(&mut cargo)?))
}

/// The variable in which cargo looks for the program that starts binaries for `target`.
fn runner_variable(target: &str) -> String {
    format!(
        "CARGO_TARGET_{}_RUNNER",
        target.to_uppercase().replace(['-', '.'], "_")
    )
}

#[cfg(test)]
mod tests {
    use super::runner_variable;

    #[test]
    fn runner_variable_is_what_cargo_reads() {
        assert_eq!(
            runner_variable("x86_64-unknown-linux-gnu"),
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER"
        );
    }
}
