//! A host with files of its own, which is used by commands as an administrator types them.
//!
//! What is written below `/etc`, `/usr` and `/var` stays on the host, which has
//! `/run`, `/root` and a bpffs of its own. Nothing of it is left when it is
//! dropped. It has no systemd and no sshd: `systemctl`, for units of the
//! distributor, and copies to other hosts are done for it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::host::Host;
use crate::process::Process;
use crate::transcript::Said;
use crate::{program, unit, wait};

/// Makes the host's own directories, and holds them.
const HOLD: &str = "mount -t tmpfs none /run && mount -t tmpfs none /root \
    && mkdir /run/distributor \
    && for name in etc usr var; do \
        mkdir -p /root/.$name/upper /root/.$name/work && mount -t overlay none -o \
        lowerdir=/$name,upperdir=/root/.$name/upper,workdir=/root/.$name/work /$name || exit; \
    done \
    && mount -t bpf none /sys/fs/bpf && echo held && exec sleep infinity";

/// How long starts and ends may take.
const SOON: Duration = Duration::from_mins(1);

/// A host, and what runs on it.
#[derive(Debug)]
pub struct Machine {
    host: Host,
    // In this order: what runs on it ends before its files go.
    units: BTreeMap<String, Process>,
    holder: Process,
    path: OsString,
}

impl Machine {
    /// Gives `host` its files. The `distributor` program is on its search path.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or there is no program.
    pub fn start(host: &Host) -> Result<Self> {
        let program = program::distributor()?;
        let directory = program.parent().context("the program is nowhere")?;
        Self::with_path(host, Some(directory))
    }

    /// Gives `host` its files; the program is still to be installed.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn without_program(host: &Host) -> Result<Self> {
        Self::with_path(host, None)
    }

    fn with_path(host: &Host, first: Option<&Path>) -> Result<Self> {
        let mut command = host.namespace().command("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", HOLD]);
        let mut holder = host.start("files", &mut command)?;
        let what = format!("{} to have its files", host.name());
        wait::until(&what, SOON, || {
            if let Some(status) = holder.ended()? {
                bail!(
                    "no files for {}: {status}: {}",
                    host.name(),
                    holder.output()
                );
            }
            Ok(holder.output().contains("held"))
        })?;
        let others = env::var_os("PATH").unwrap_or_default();
        let path = first
            .map(Path::to_owned)
            .into_iter()
            .chain(env::split_paths(&others));
        Ok(Self {
            host: host.clone(),
            units: BTreeMap::new(),
            path: env::join_paths(path)?,
            holder,
        })
    }

    /// Its root directory, seen from outside.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.holder.id()))
    }

    /// A command that will run on the host, in root's home.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.holder.id()));
        // `nsenter --wd` would be the directory outside.
        command.args(["--net", "--mount", "--", "env", "--chdir=/root", "--"]);
        command
            .args(words)
            .env("PATH", &self.path)
            .env("HOME", "/root");
        command
    }

    /// Runs a line of the shell. What it leaves running in the background may go on to write.
    ///
    /// # Errors
    ///
    /// It cannot be started, or does not end soon.
    pub fn shell(&self, line: &str) -> Result<Said> {
        // Not a pipe: that would have no end as long as something in the background has it open.
        let log = tempfile::Builder::new()
            .suffix(".log")
            .tempfile_in(self.host.directory())?;
        let mut command = self.command(&["bash", "-c", line]);
        let mut process = Process::start(line, log.path().to_owned(), &mut command)?;
        let status = process.wait(SOON)?;
        Ok(Said {
            text: process.output(),
            is_success: status.success(),
        })
    }

    /// Copies a file or directory of this host into a directory of another, as `scp -r` does.
    ///
    /// # Errors
    ///
    /// There is no such file, or it cannot be written.
    pub fn copy(&self, from: &str, to: &Self, directory: &str) -> Result<()> {
        let mut command = Command::new("cp");
        command.args(["--recursive", "--preserve=mode", "--"]);
        command.arg(self.root().join("root").join(from));
        command.arg(unit::below(&to.root(), directory));
        program::output(&mut command).map(|_| ())
    }

    /// Does what `systemctl` would: `enable --now`, `start`, `stop` or `kill` of `distributor@NAME`.
    ///
    /// # Errors
    ///
    /// It is something else, or the daemon does not start or stop.
    pub fn systemctl(&mut self, words: &[&str]) -> Result<()> {
        match words {
            ["enable", "--now", unit] | ["start", unit] => self.start_unit(unit),
            ["stop", unit] => {
                let stopped = self.unit(unit)?.stop(SOON)?;
                self.units.remove(*unit);
                if stopped.success() {
                    return Ok(());
                }
                bail!("{unit} on {} ended with {stopped}", self.host.name())
            }
            ["kill", "--signal=KILL", unit] => {
                self.unit(unit)?.kill()?;
                self.units.remove(*unit);
                Ok(())
            }
            _ => bail!("this host has no `systemctl {}`", words.join(" ")),
        }
    }

    /// The daemon of a unit that runs.
    #[must_use]
    pub fn daemon(&self, unit: &str) -> Option<&Process> {
        self.units.get(unit)
    }

    fn unit(&mut self, unit: &str) -> Result<&mut Process> {
        let name = self.host.name().to_owned();
        let process = self.units.get_mut(unit);
        process.with_context(|| format!("{unit} does not run on {name}"))
    }

    fn start_unit(&mut self, unit: &str) -> Result<()> {
        let (template, instance) = unit.split_once('@').context("expected TEMPLATE@INSTANCE")?;
        let words = unit::command_line(&self.root(), template, instance)?;
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Some(program) = words.first_mut()
            && !unit::below(&self.root(), program).exists()
        {
            // Not installed, but on the search path.
            let name = Path::new(*program).file_name();
            *program = name.and_then(|name| name.to_str()).context("no program")?;
        }
        let mut daemon = self.host.start(instance, &mut self.command(&words))?;
        let asked = format!("distributor sysplex group --name {instance}");
        wait::until(&format!("{unit} to answer"), SOON, || {
            if let Some(status) = daemon.ended()? {
                bail!("{unit} ended with {status}: {}", daemon.output());
            }
            Ok(self.shell(&asked)?.is_success)
        })?;
        self.units.insert(unit.to_owned(), daemon);
        Ok(())
    }
}
