//! One stack of a lab: a host that runs the daemon.
//!
//! The daemon is only ever talked to as its own command line does: by its
//! arguments, its signals and its admin socket.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::claim::{self, Claim};
use crate::host::{Host, LAN_INTERFACE, XCF_INTERFACE};
use crate::lab::in_ipv6;
use crate::process::Process;
use crate::program;
use crate::wait;

mod reports;

/// How long a packet path goes on without its daemon, in milliseconds.
const GRACE_MS: &str = "2000";

/// Flows that a lab's daemons have room for: more than any test opens, and little enough to be
/// swept by several daemons on a small machine.
const FLOW_CAPACITY: &str = "65536";

/// Processors that each stack may use, unless a test says otherwise.
const CAPACITY: &str = "1";

/// How long a daemon may take to answer its first command.
const START: Duration = Duration::from_secs(10);

/// How long the programs may take for what starts on a stack, after its daemon has answered.
const PROGRAMS: Duration = Duration::from_secs(20);

/// How long a clean stop may take: the daemon's own deadline and a margin.
const STOP: Duration = Duration::from_secs(40);

/// A stack: dereferences to its host.
#[derive(Debug)]
pub struct Stack {
    host: Host,
    xcf_address: Ipv4Addr,
    /// The group's key, the same file for every stack of the lab.
    key: PathBuf,
    run_directory: PathBuf,
    pins: PathBuf,
    daemon: Mutex<Option<Process>>,
    /// Processors that the stack may use, as the daemon is told.
    capacity: Mutex<String>,
    /// What else the daemon is told.
    arguments: Mutex<Vec<OsString>>,
}

impl std::ops::Deref for Stack {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Stack {
    pub(crate) fn new(host: Host, xcf_address: Ipv4Addr, claim: &Claim) -> Self {
        Self {
            key: claim.directory().join("key"),
            // The same for all: on one machine, only their names keep stacks apart.
            run_directory: claim::run_directory(claim.name()),
            pins: claim.pins().join("stacks"),
            host,
            xcf_address,
            daemon: Mutex::new(None),
            capacity: Mutex::new(CAPACITY.to_owned()),
            arguments: Mutex::default(),
        }
    }

    /// The host that the stack is.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its DYNAMICXCF address.
    #[must_use]
    pub fn xcf_address(&self) -> Ipv4Addr {
        self.xcf_address
    }

    /// Its IPv6 one, which counts if its profile says so.
    #[must_use]
    pub fn xcf_address6(&self) -> Ipv6Addr {
        in_ipv6(self.xcf_address)
    }

    /// The group's key file.
    #[must_use]
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// The directory of the admin sockets, shared by the stacks of the lab.
    #[must_use]
    pub fn run_directory(&self) -> &Path {
        &self.run_directory
    }

    /// The directory of the pins, shared by the stacks of the lab.
    #[must_use]
    pub fn pins(&self) -> &Path {
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
        let distributor = match self.installed() {
            path if path.exists() => path,
            _ => program::distributor()?,
        };
        self.provide_key(&distributor)?;
        let mut command = self.host.namespace().command(distributor);
        command.arg("run").arg("--profile").arg(self.profile());
        command.arg("--name").arg(self.host.name());
        command.arg("--key").arg(&self.key);
        command.args(["--interface", LAN_INTERFACE, "--interface", XCF_INTERFACE]);
        command.args(["--xcf-interface", XCF_INTERFACE]);
        let is_told = |option: &str| self.arguments().iter().any(|argument| argument == option);
        if !is_told("--flow-capacity") {
            command.args(["--flow-capacity", FLOW_CAPACITY]);
        }
        command.args(["--grace", GRACE_MS]);
        command.arg("--run-dir").arg(self.run_directory());
        command
            .arg("--state-dir")
            .arg(self.directory().join("state"));
        command.arg("--pin-dir").arg(&self.pins);
        if let Some(cgroup) = self.host.cgroup() {
            command.args(["--capacity", &*self.capacity()]);
            command.arg("--load-cgroup").arg(cgroup.path());
        }
        command.args(&*self.arguments());
        Ok(command)
    }

    /// Tells the daemon these arguments too, from its next start on.
    pub fn add_arguments(&self, arguments: impl IntoIterator<Item = impl Into<OsString>>) {
        let arguments = arguments.into_iter().map(Into::into);
        self.arguments().extend(arguments);
    }

    /// Has the daemon believe from its next start on that the stack may use so many processors, such as
    /// `0.4`. Nothing keeps what runs in the stack's cgroup from using more.
    pub fn set_capacity(&self, processors: &str) {
        processors.clone_into(&mut self.capacity());
    }

    /// Where [`Self::install`] puts the program.
    #[must_use]
    pub fn installed(&self) -> PathBuf {
        self.host.directory().join("distributor")
    }

    /// Gives the stack a program of its own, in place of the one before: the built one, with `more`
    /// at its end, which no program notices.
    ///
    /// # Errors
    ///
    /// The program is not built, or cannot be written.
    pub fn install(&self, more: &[u8]) -> Result<()> {
        let new = self.host.directory().join("distributor.new");
        fs::copy(program::distributor()?, &new).context("cannot copy the program")?;
        let mut file = fs::File::options().append(true).open(&new)?;
        file.write_all(more)?;
        drop(file);
        fs::rename(&new, self.installed()).context("cannot put the program in its place")
    }

    /// Writes the profile that the daemon reads next.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write_profile(&self, profile: &str) -> Result<()> {
        fs::write(self.profile(), profile).context("cannot write the profile")
    }

    /// Lets the daemon read its profile again, and a new program take over; returns what it said.
    ///
    /// # Errors
    ///
    /// The daemon refuses; why is in the error.
    pub fn reload(&self) -> Result<String> {
        self.order(&["reload"])
    }

    /// Changes the running configuration by the statements of `text`; returns what the daemon said.
    ///
    /// # Errors
    ///
    /// The daemon refuses; why is in the error.
    pub fn obey(&self, text: &str) -> Result<String> {
        let file = self.host.directory().join("obeyfile");
        fs::write(&file, text).context("cannot write the obeyfile")?;
        self.order(&["obey", &file.to_string_lossy()])
    }

    /// The process id of the daemon.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn daemon_id(&self) -> Result<u32> {
        let daemon = self.daemon();
        let process = daemon.as_ref();
        Ok(process
            .with_context(|| format!("no daemon of {} runs", self.name()))?
            .id())
    }

    /// Starts the daemon with this profile, and waits until it answers commands.
    ///
    /// # Errors
    ///
    /// It runs already, ends, or does not answer in time.
    pub fn start(&self, profile: &str) -> Result<()> {
        self.write_profile(profile)?;
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
                Ok(self.vipadyn().is_ok())
            },
        )?;
        *daemon = Some(process);
        Ok(())
    }

    /// Waits until what starts on this stack is distributed: the programs for it are attached beside
    /// the start.
    ///
    /// # Errors
    ///
    /// They are not in time.
    pub fn wait_for_programs(&self) -> Result<()> {
        let last = self.pins.join(self.name()).join("LINK_choose_source6");
        let what = format!("the programs of {}", self.name());
        wait::until(&what, PROGRAMS, || Ok(last.exists()))
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

    /// Kills the daemon (SIGKILL) if there is one.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn kill_if_running(&self) -> Result<()> {
        match self.daemon().take() {
            Some(mut process) => process.kill(),
            None => Ok(()),
        }
    }

    /// Stops the daemon where it is (SIGSTOP); its packet path goes on.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn suspend(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets the daemon go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Runs a command of the `distributor` program on this stack, such as `vary deactivate
    /// 10.1.3.10`; returns what it said.
    ///
    /// # Errors
    ///
    /// The daemon refuses; why is in the error.
    pub fn order(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(program::distributor()?);
        command
            .args(words)
            .args(["--name", self.name(), "--run-dir"]);
        program::output(command.arg(self.run_directory()))
    }

    /// What the daemon has written since the lab was built.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read_to_string(self.host.directory().join("daemon.log")).unwrap_or_default()
    }

    /// The first stack of the lab to start makes the key; others may start at the same time.
    fn provide_key(&self, distributor: &Path) -> Result<()> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.key.exists() {
            program::output(Command::new(distributor).arg("keygen").arg(&self.key))?;
        }
        Ok(())
    }

    pub(crate) fn keep(&self) {
        if let Some(process) = self.daemon().as_mut() {
            process.keep();
        }
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let mut daemon = self.daemon();
        let process = daemon.as_mut();
        process
            .with_context(|| format!("no daemon runs on {}", self.name()))?
            .signal(signal)
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

    fn capacity(&self) -> MutexGuard<'_, String> {
        self.capacity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arguments(&self) -> MutexGuard<'_, Vec<OsString>> {
        self.arguments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
