//! Processes of a lab: started here, ended here, their output kept.
//!
//! A process is only ever signalled by the id under which it was started, and
//! only while it has not been waited for, so that the id cannot be another's.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// Held for reading while a process is being started.
static STARTS: RwLock<()> = RwLock::new(());

/// Starts a process, unless this one is about to end: then the caller waits for that.
///
/// # Errors
///
/// The program cannot be started.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    let _start = STARTS.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// Lets no thread of this process start another process as long as the value lives.
pub(crate) fn stop_starting() -> RwLockWriteGuard<'static, ()> {
    STARTS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Resident memory of a process in bytes, from `VmRSS` of `/proc/PID/status` (`proc_pid_status(5)`).
///
/// # Errors
///
/// There is no such process.
pub fn resident_bytes(id: u32) -> Result<u64> {
    let file = format!("/proc/{id}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("cannot read `{file}`"))?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kilobytes.with_context(|| format!("no `VmRSS` in `{file}`"))? * 1024)
}

/// A running program whose output goes to a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    is_kept: bool,
}

impl Process {
    /// Starts `command`; what it writes is appended to the file `log`, and its id is put into a
    /// file beside, `.pid` instead of `.log`.
    ///
    /// It gets a process group of its own, so that a Ctrl-C at the terminal reaches the maker of
    /// the lab only, which then ends everything in order.
    ///
    /// # Errors
    ///
    /// The program or the file cannot be opened.
    pub fn start(name: impl Into<String>, log: PathBuf, command: &mut Command) -> Result<Self> {
        let name = name.into();
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write `{}`", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let child = spawn(command).with_context(|| format!("cannot start {name}"))?;
        let process = Self {
            name,
            child,
            log,
            is_kept: false,
        };
        let id = process.log.with_extension("pid");
        fs::write(&id, format!("{}\n", process.id()))
            .with_context(|| format!("cannot write `{}`", id.display()))?;
        Ok(process)
    }

    /// What the lab calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id under which it was started.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file that its output goes to.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What it has written so far.
    #[must_use]
    pub fn output(&self) -> String {
        let mut text = Vec::new();
        // Nothing written yet and no file yet look the same to the reader.
        let _ = File::open(&self.log).and_then(|mut file| file.read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends `signal`, unless it has ended.
    ///
    /// # Errors
    ///
    /// The signal cannot be sent.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.ended()?.is_none() {
            let id = i32::try_from(self.child.id()).context("a process id is no `pid_t`")?;
            kill(Pid::from_raw(id), signal)
                .with_context(|| format!("cannot send {signal} to {}", self.name))?;
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    ///
    /// It has not ended within `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        wait::until_some(&what, deadline, || self.ended())
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    ///
    /// # Errors
    ///
    /// It has not ended within `deadline`.
    pub fn stop(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.wait(deadline)
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Lets it live on when this value is dropped.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_kept {
            // Both fail only if it has ended before.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, tail(&self.output()));
        }
    }
}

/// The last lines of `text`: enough to see why something failed.
fn tail(text: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
