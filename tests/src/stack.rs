//! One stack of a lab: a host that runs the daemon.
//!
//! Only the command line of `distributor` is used here, as an administrator
//! would, never a function of it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::host::{Host, LAN_INTERFACE, XCF_INTERFACE};
use crate::process::Process;
use crate::program;
use crate::wait;

/// How long a daemon may take to answer its first command.
const START: Duration = Duration::from_secs(10);

/// How long a clean stop may take: the daemon's own deadline and a margin.
const STOP: Duration = Duration::from_secs(40);

/// A stack: dereferences to its host.
#[derive(Debug)]
pub struct Stack {
    host: Host,
    xcf_address: Ipv4Addr,
    /// The group's key, the same file for every stack of the lab.
    key: PathBuf,
    pins: PathBuf,
    daemon: Mutex<Option<Process>>,
}

impl std::ops::Deref for Stack {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Stack {
    pub(crate) fn new(host: Host, xcf_address: Ipv4Addr, lab: &Path, pins: &Path) -> Self {
        Self {
            pins: pins.join(host.port()),
            key: lab.join("key"),
            host,
            xcf_address,
            daemon: Mutex::new(None),
        }
    }

    /// Its DYNAMICXCF address.
    #[must_use]
    pub fn xcf_address(&self) -> Ipv4Addr {
        self.xcf_address
    }

    /// The group's key file.
    #[must_use]
    pub fn key(&self) -> &PathBuf {
        &self.key
    }

    /// The directory of the daemon's admin socket.
    #[must_use]
    pub fn run_directory(&self) -> PathBuf {
        self.host.directory().join("run")
    }

    /// The directory of the daemon's pins.
    #[must_use]
    pub fn pins(&self) -> &PathBuf {
        &self.pins
    }

    /// The file with the profile that the daemon was last started with.
    #[must_use]
    pub fn profile(&self) -> PathBuf {
        self.host.directory().join("profile")
    }

    /// The command that runs the daemon here, with the profile file that is there.
    ///
    /// # Errors
    ///
    /// The program is not built, or makes no key.
    pub fn run_command(&self) -> Result<Command> {
        let distributor = program::distributor()?;
        if !self.key.exists() {
            program::output(Command::new(&distributor).arg("keygen").arg(&self.key))?;
        }
        let mut command = self.host.namespace().command(distributor);
        command.arg("run").arg("--profile").arg(self.profile());
        command.arg("--name").arg(self.host.name());
        command.arg("--key").arg(&self.key);
        command.args(["--interface", LAN_INTERFACE, "--interface", XCF_INTERFACE]);
        command.args(["--xcf-interface", XCF_INTERFACE]);
        command.arg("--run-dir").arg(self.run_directory());
        command.arg("--pin-dir").arg(&self.pins);
        Ok(command)
    }

    /// Starts the daemon with this profile, and waits until it answers commands.
    ///
    /// # Errors
    ///
    /// It runs already, ends, or does not answer in time.
    pub fn start(&self, profile: &str) -> Result<()> {
        fs::write(self.profile(), profile).context("cannot write the profile")?;
        self.restart()
    }

    /// Starts the daemon with the profile that it had before, and waits until it answers.
    ///
    /// # Errors
    ///
    /// It runs already, ends, or does not answer in time.
    pub fn restart(&self) -> Result<()> {
        let mut daemon = self.daemon();
        ensure!(
            daemon.is_none(),
            "the daemon of {} runs already",
            self.name()
        );
        let mut process = self.host.start("daemon", &mut self.run_command()?)?;
        wait::until(
            &format!("the daemon of {} to answer", self.name()),
            START,
            || {
                if let Some(status) = process.ended()? {
                    bail!(
                        "the daemon of {} ended with {status}: {}",
                        self.name(),
                        process.output()
                    );
                }
                Ok(self.netstat("vipadyn").is_ok())
            },
        )?;
        *daemon = Some(process);
        Ok(())
    }

    /// Ends the daemon cleanly (SIGTERM), and returns how it ended.
    ///
    /// # Errors
    ///
    /// It does not run, or does not end in time.
    pub fn stop(&self) -> Result<ExitStatus> {
        let mut process = self.take_daemon()?;
        process.stop(STOP)
    }

    /// Kills the daemon (SIGKILL).
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn kill(&self) -> Result<()> {
        self.take_daemon()?.kill()
    }

    /// What the daemon has written since the lab was built.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read_to_string(self.host.directory().join("daemon.log")).unwrap_or_default()
    }

    /// A report as JSON: `vdpt`, `vcrt`, `vipadyn` or `vipadcfg`.
    ///
    /// # Errors
    ///
    /// The daemon does not answer, or not with JSON.
    pub fn netstat(&self, report: &str) -> Result<Value> {
        let text = program::output(self.netstat_command(report)?.args(["--format", "json"]))?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// A report as an operator reads it.
    ///
    /// # Errors
    ///
    /// The daemon does not answer.
    pub fn netstat_text(&self, report: &str) -> Result<String> {
        program::output(&mut self.netstat_command(report)?)
    }

    fn netstat_command(&self, report: &str) -> Result<Command> {
        // The admin socket is a file: no namespace need be entered.
        let mut command = Command::new(program::distributor()?);
        command.args(["netstat", report, "--name", self.name(), "--run-dir"]);
        command.arg(self.run_directory());
        Ok(command)
    }

    pub(crate) fn keep(&self) {
        if let Some(process) = self.daemon().as_mut() {
            process.keep();
        }
    }

    fn take_daemon(&self) -> Result<Process> {
        self.daemon()
            .take()
            .with_context(|| format!("no daemon runs on {}", self.name()))
    }

    fn daemon(&self) -> MutexGuard<'_, Option<Process>> {
        // A panic elsewhere does not change what runs.
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
