//! Children of xtask: started, waited for, interrupted, and run as root.
//!
//! A signal never ends xtask while a child runs: a child that has built a
//! network must be able to take it down, and xtask must still be there to pass
//! its exit code on. Ctrl-C at a terminal reaches the child by itself (the
//! kernel sends it to the whole foreground group); a signal that somebody sent
//! to xtask alone is passed on. No shell is ever involved.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::{env, thread};

use anyhow::{Context, bail};
use nix::sys::signal::{self, SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, geteuid};

/// Process id of the child that [`run`] waits for; 0 when there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Directories in which administrators' programs live, and which the search
/// path of an ordinary user often lacks.
const ADMINISTRATORS_PATH: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Takes the signals that end a program over, for the life of xtask.
///
/// Call it before any other thread exists: the signals are blocked in this
/// thread and in those that it starts. A child would inherit that, so [`run`]
/// lifts it.
pub(crate) fn watch_signals() -> anyhow::Result<()> {
    let signals = watched();
    signals.thread_block().context("cannot block signals")?;
    let queue = SignalFd::new(&signals).context("cannot receive signals")?;
    thread::spawn(move || {
        while let Ok(Some(event)) = queue.read_signal() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            let child = CHILD.load(Ordering::SeqCst);
            // A code above 0 says that the kernel sent it, hence to the child
            // as well: once more would read as "stop at once".
            if event.ssi_code > 0 || child == 0 {
                continue;
            }
            let number = i32::try_from(event.ssi_signo).ok();
            if let Some(signal) = number.and_then(|number| Signal::try_from(number).ok()) {
                // The child may just have ended, or be root's: nothing to do then.
                let _ = signal::kill(Pid::from_raw(child), signal);
            }
        }
    });
    Ok(())
}

/// The signals that are taken over.
fn watched() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .collect()
}

/// Says whether a signal has asked xtask to end.
pub(crate) fn was_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Runs `command` to its end, whatever that is.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<ExitStatus> {
    if was_interrupted() {
        bail!("interrupted before `{}`", shown(command));
    }
    // A child inherits what is blocked. In the moment in which nothing is, a signal ends xtask and,
    // at a terminal, the child that it is about to start.
    let signals = watched();
    signals
        .thread_unblock()
        .context("cannot let a child have signals")?;
    let started = command.spawn();
    signals.thread_block().context("cannot block signals")?;
    let mut child = started.with_context(|| format!("cannot start `{}`", shown(command)))?;
    CHILD.store(i32::try_from(child.id()).unwrap_or(0), Ordering::SeqCst);
    let status = child.wait();
    CHILD.store(0, Ordering::SeqCst);
    status.with_context(|| format!("cannot wait for `{}`", shown(command)))
}

/// Runs a step of xtask's own, which must succeed; what it prints goes to standard error.
pub(crate) fn step(command: &mut Command) -> anyhow::Result<()> {
    command.stdout(std::io::stderr());
    let status = run(command)?;
    if was_interrupted() {
        bail!("interrupted during `{}`", shown(command));
    }
    if !status.success() {
        bail!("`{}` failed with {status}", shown(command));
    }
    Ok(())
}

/// What a program printed, and whether it was content.
pub(crate) struct Answer {
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Asks a program something: runs it without input, and returns what it printed.
pub(crate) fn ask(command: &mut Command) -> anyhow::Result<Answer> {
    let output = command
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    Ok(Answer {
        succeeded: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The child's exit code as xtask's own; 128 + n when signal n ended it, as shells have it.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// A command that runs the built binary `program` as root: directly, or through sudo.
pub(crate) fn as_root(program: &Path) -> anyhow::Result<Command> {
    let Some(sudo) = sudo()? else {
        return Ok(Command::new(program));
    };
    let mut command = Command::new(sudo);
    command.args(SUDO_ARGUMENTS).arg(program);
    Ok(command)
}

/// What cargo puts before each test binary so that it runs as root; nothing when it does anyway.
pub(crate) fn test_runner() -> anyhow::Result<Option<OsString>> {
    Ok(sudo()?.map(|sudo| {
        let mut runner = sudo.into_os_string();
        for argument in SUDO_ARGUMENTS {
            runner.push(" ");
            runner.push(argument);
        }
        runner
    }))
}

/// Of the environment, what tests and demo read.
const SUDO_ARGUMENTS: [&str; 2] = [
    "--preserve-env=CARGO_MANIFEST_DIR,DISTRIBUTOR_LAB_OBJECT,DISTRIBUTOR_PIN_DIR,\
     DISTRIBUTOR_PROGRAM,DISTRIBUTOR_RUN_DIR,NO_COLOR,PARITY_SEED,PROPTEST_CASES,RUST_BACKTRACE,\
     RUST_LOG",
    "--",
];

fn sudo() -> anyhow::Result<Option<PathBuf>> {
    if geteuid().is_root() {
        return Ok(None);
    }
    match find_program("sudo") {
        Some(sudo) => Ok(Some(sudo)),
        None => bail!("network namespaces and XDP need root: run this as root, or install `sudo`"),
    }
}

/// A search path that also finds administrators' programs, with `first` in front.
pub(crate) fn search_path(first: Option<&Path>) -> OsString {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let directories = first
        .map(Path::to_path_buf)
        .into_iter()
        .chain(env::split_paths(&inherited))
        .chain(ADMINISTRATORS_PATH.iter().map(PathBuf::from));
    // Only a colon in `first` can make this fail, and then `first` is of no use.
    env::join_paths(directories).unwrap_or(inherited)
}

/// Every program of that name on the search path, in its order.
pub(crate) fn find_programs(name: &str) -> Vec<PathBuf> {
    env::split_paths(&search_path(None))
        .map(|directory| directory.join(name))
        .filter(|candidate| candidate.is_file())
        .collect()
}

/// The program that typing `name` would run, were the administrators' directories searched too.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    find_programs(name).into_iter().next()
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program()];
    words.extend(command.get_args());
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}
