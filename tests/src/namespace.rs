//! Network namespaces by name.
//!
//! Only the network namespace is ever entered. `ip netns exec` would also make
//! a private mount namespace with a fresh `/sys`, in which the pins of bpffs
//! cannot be seen; so commands are started through `nsenter --net=`, and
//! threads enter by `setns`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

use crate::program;

/// Where the `ip` command keeps its named namespaces.
const NAMESPACES: &str = "/run/netns";

/// A network namespace that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Names a namespace, which need not exist.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// Every namespace whose name starts with `prefix`.
    ///
    /// # Errors
    ///
    /// The directory of names cannot be read.
    pub fn starting_with(prefix: &str) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        let Ok(entries) = fs::read_dir(NAMESPACES) else {
            return Ok(found); // nobody has named a namespace since the machine started
        };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(prefix) {
                found.push(Self { name });
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Creates all of `namespaces`.
    ///
    /// # Errors
    ///
    /// One of them exists already, or the caller may not create namespaces.
    pub fn create_all<'a>(namespaces: impl IntoIterator<Item = &'a Self>) -> Result<()> {
        let lines = namespaces
            .into_iter()
            .map(|namespace| format!("netns add {}", namespace.name));
        program::ip(&mut Command::new("ip"), lines).context("cannot create the network namespaces")
    }

    /// Removes the name; the namespace ends with its last process and its last name.
    ///
    /// # Errors
    ///
    /// The name cannot be removed. That it does not exist is no error.
    pub fn remove(&self) -> Result<()> {
        let path = self.path();
        match umount2(&path, MntFlags::MNT_DETACH) {
            // Not there, or a name that stands for nothing because its maker was killed.
            Ok(()) | Err(Errno::ENOENT | Errno::EINVAL) => {}
            Err(error) => return Err(error).context(format!("cannot unmount `{}`", self.name)),
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Name, as `ip netns` lists it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for the namespace.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(NAMESPACES).join(&self.name)
    }

    /// A command that will run in the namespace, under the id that it is started with.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display()));
        command.arg("--").arg(program);
        command
    }

    /// Runs lines of the `ip` command in the namespace, in order, up to the first that fails.
    ///
    /// # Errors
    ///
    /// One of them failed; which one is in the error.
    pub fn ip(&self, lines: impl IntoIterator<Item = String>) -> Result<()> {
        program::ip(&mut self.command("ip"), lines)
    }

    /// Moves the calling thread into the namespace, for the rest of its life.
    ///
    /// # Errors
    ///
    /// The namespace does not exist, or the caller may not enter it.
    pub fn enter(&self) -> Result<()> {
        let path = self.path();
        let file = File::open(&path)
            .with_context(|| format!("cannot open network namespace `{}`", path.display()))?;
        setns(file, CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("cannot enter network namespace `{}`", self.name))
    }

    /// Runs `work` on a thread of its own inside the namespace, and returns what it gave.
    ///
    /// Sockets opened there belong to the namespace wherever they are used later.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered, or `work` failed.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                self.enter()?;
                work()
            });
            match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Ids of the processes whose main thread is in the namespace, this one excepted.
    ///
    /// # Errors
    ///
    /// The namespace or the list of processes cannot be read.
    pub fn processes(&self) -> Result<Vec<Pid>> {
        let path = self.path();
        let namespace = fs::metadata(&path)
            .with_context(|| format!("cannot look at network namespace `{}`", path.display()))?;
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            // A process that ended meanwhile, or a kernel thread, has nothing to read here.
            let Ok(of_process) = fs::metadata(entry.path().join("ns/net")) else {
                continue;
            };
            let same = (of_process.dev(), of_process.ino()) == (namespace.dev(), namespace.ino());
            if same && Pid::from_raw(id) != Pid::this() {
                found.push(Pid::from_raw(id));
            }
        }
        Ok(found)
    }
}
