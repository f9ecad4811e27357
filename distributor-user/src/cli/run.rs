//! `distributor run`: one stack, until a signal ends it.

use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tracing_subscriber::EnvFilter;

use super::symbol::Symbols;
use super::{DEFAULT_PIN_DIR, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR};
use crate::shell::confinement;
use crate::shell::daemon::{self, DaemonOptions};

/// Arguments of `distributor run`.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The profile of this stack.
    #[arg(long, value_name = "FILE")]
    profile: PathBuf,
    /// Where INCLUDE looks for `dataset(member)`; may be repeated.
    #[arg(long, value_name = "DIR")]
    include_dir: Vec<PathBuf>,
    #[command(flatten)]
    symbols: Symbols,
    /// The name of this stack: 1 to 16 letters, digits, `-`, `_`, `@`, `#` or `$`.
    #[arg(long, value_parser = stack_name)]
    name: String,
    /// The group's key, made by `distributor keygen`; repeated during rotation: the first one
    /// seals, all of them open.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// An interface on which packets for DVIPAs arrive; may be repeated. Without it: every
    /// interface that is up and has an address, except lo.
    #[arg(long, value_name = "IF")]
    interface: Vec<String>,
    /// The interface of the DYNAMICXCF network. Without it: the one that has the DYNAMICXCF
    /// address, or an address of its subnet.
    #[arg(long, value_name = "IF")]
    xcf_interface: Option<String>,
    /// The address of another stack, to find the group by, besides DESTIP and multicast; may be
    /// repeated.
    #[arg(long, value_name = "ADDR")]
    seed: Vec<IpAddr>,
    /// The group's UDP port; the one above it is that of the probes.
    #[arg(long, default_value_t = crate::shell::group::DEFAULT_PORT, value_parser = clap::value_parser!(u16).range(1..=65_534))]
    port: u16,
    /// How often a beat goes to each member on every network, in milliseconds; the same on every
    /// stack.
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(10..=1_000))]
    beat: u64,
    /// Beats that must be missing on a network before the member counts as silent there.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(5..=100))]
    missed_beats: u32,
    /// How many connections the flow table holds; 16 bytes each.
    #[arg(long, value_name = "N", default_value_t = 1 << 20)]
    flow_capacity: u32,
    /// How long the packet path hands out new connections without a living daemon, in
    /// milliseconds, while another stack could own the DVIPA; the same on every stack.
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(500..))]
    grace: u64,
    /// Over how many seconds the share of new connections grows that a target gets when it comes back:
    /// its stack, its server, or by `resume`. 0: it gets all of its share at once. What counts is what
    /// the stack was told that owns the DVIPA.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=86_400))]
    slow_start: u64,
    /// How many processors this stack may use, such as `1.5`: what of them is free is its weight for
    /// BASEWLM. Without it, all that there are.
    #[arg(long, value_name = "PROCESSORS", value_parser = capacity)]
    capacity: Option<u32>,
    /// The cgroup (v2) whose use of processors counts against the capacity; without it, everything's.
    #[arg(long, value_name = "DIR")]
    load_cgroup: Option<PathBuf>,
    /// Answers `GET /metrics` there, as Prometheus reads it, to whoever reaches it. Without it, nowhere.
    #[arg(long, value_name = "ADDR:PORT")]
    metrics: Option<SocketAddr>,
    /// How long a clean stop waits for connections to end, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    stop_deadline: u64,
    /// Checks everything that a start needs, changes nothing, and ends.
    #[arg(long)]
    rehearse: bool,
    /// Keeps all capabilities and system calls, as for a debugger.
    #[arg(long)]
    unconfined: bool,
    /// Where the admin socket and the record of changed settings are kept.
    #[arg(long, env = "DISTRIBUTOR_RUN_DIR", default_value = DEFAULT_RUN_DIR)]
    run_dir: PathBuf,
    /// Where the history of configurations is kept, also when the machine starts anew.
    #[arg(long, env = "DISTRIBUTOR_STATE_DIR", default_value = DEFAULT_STATE_DIR)]
    state_dir: PathBuf,
    /// Where maps and links are pinned; on a mounted bpffs.
    #[arg(long, env = "DISTRIBUTOR_PIN_DIR", default_value = DEFAULT_PIN_DIR)]
    pin_dir: PathBuf,
}

pub(super) fn stack_name(text: &str) -> Result<String, String> {
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || "-_@#$".contains(letter);
    if (1..=16).contains(&text.len()) && text.chars().all(is_legal) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "expected 1 to 16 letters, digits, `-`, `_`, `@`, `#` or `$`, found `{text}`"
        ))
    }
}

/// A number of processors, in thousandths.
fn capacity(text: &str) -> Result<u32, String> {
    let thousandths = text
        .parse()
        .map(|processors: f64| (processors * 1_000.0).round());
    match thousandths {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked"
        )]
        Ok(thousandths) if (1.0..=4e9).contains(&thousandths) => Ok(thousandths as u32),
        Ok(_) | Err(_) => Err(format!(
            "expected a number of processors such as `2` or `0.5`, found `{text}`"
        )),
    }
}

pub(super) fn run(arguments: RunArguments) -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_env("DISTRIBUTOR_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    if !arguments.unconfined {
        let confined = confinement::confine();
        confined.context("expected to be confined; `--unconfined` does without")?;
    }
    let options = DaemonOptions {
        profile: arguments.profile,
        include_dirs: arguments.include_dir,
        symbols: arguments.symbols.by_name(),
        name: arguments.name,
        keys: arguments.key,
        interfaces: arguments.interface,
        xcf_interface: arguments.xcf_interface,
        seeds: arguments.seed,
        port: arguments.port,
        beat: Duration::from_millis(arguments.beat),
        missed_beats: arguments.missed_beats,
        flow_capacity: arguments.flow_capacity,
        grace: Duration::from_millis(arguments.grace),
        slow_start: Duration::from_secs(arguments.slow_start),
        capacity: arguments.capacity,
        load_cgroup: arguments.load_cgroup,
        metrics: arguments.metrics,
        stop_deadline: Duration::from_secs(arguments.stop_deadline),
        run_dir: arguments.run_dir,
        state_dir: arguments.state_dir,
        pin_dir: arguments.pin_dir,
    };
    // One thread: the loop owns everything, and its namespace is the process's.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be started")?;
    if arguments.rehearse {
        runtime.block_on(daemon::rehearse(&options))?;
    } else {
        runtime.block_on(daemon::run(options))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::stack_name;

    #[test]
    fn a_name_is_fit_for_a_file_name() {
        for (text, is_legal) in [
            ("TCPIP2", true),
            ("a-b_c@#$", true),
            ("", false),
            ("..", false),
            ("a/b", false),
            ("ABCDEFGHIJKLMNOPQ", false),
        ] {
            assert_eq!(stack_name(text).is_ok(), is_legal, "{text:?}");
        }
    }
}
