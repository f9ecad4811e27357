//! The name of a lab, and everything on the machine that bears it.
//!
//! All that a lab leaves on the machine is found by its name alone: network
//! namespaces `sd-NAME-…`, a directory for its files, a directory for its pins, a
//! cgroup, and the processes in those namespaces and in the cgroup. So a lab can be removed by whoever
//! knows its name, and whatever bears the name of a lab whose maker is dead is
//! removed when the next lab starts. Nothing else is ever removed.
//!
//! The maker holds a file lock for as long as it lives; the kernel lets go of
//! it however the maker ends.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::Rng;
use tokio::signal::unix::{SignalKind, signal};

use crate::cgroup::Cgroup;
use crate::namespace::Namespace;
use crate::process::stop_starting;
use crate::program::BPFFS;
use crate::wait;

/// One directory per lab, named as the lab.
const LABS: &str = "/run/distributor-lab";

/// Every name of a lab starts with this, and so does every namespace of it.
const PREFIX: &str = "sd-";

/// In a lab's directory: locked while the maker lives, or there to say that nobody need live.
const LOCK: &str = "lock";
const KEPT: &str = "kept";

/// How long the processes of a lab may take to disappear after SIGKILL.
const DEATH: Duration = Duration::from_secs(10);

/// The labs that this process has to remove when a signal ends it.
static OURS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The right to a name; dropping it removes all that bears the name.
#[derive(Debug)]
pub struct Claim {
    name: String,
    lock: Option<Flock<File>>,
}

impl Claim {
    /// Claims `name`, or a random one, after the labs of dead makers have been removed.
    ///
    /// # Errors
    ///
    /// There is such a lab already, the name is not one, or the directory cannot be made.
    pub fn new(name: Option<&str>) -> Result<Self> {
        let name = match name {
            Some(name) => full_name(name)?,
            None => format!("{PREFIX}{:06x}", rand::rng().random_range(0..1 << 24)),
        };
        fs::create_dir_all(LABS).with_context(|| format!("cannot make `{LABS}`"))?;
        // From the sweep to the lock on the new directory, nobody else may sweep.
        let sweep = lock(&Path::new(LABS).join(LOCK), FlockArg::LockExclusive)?;
        remove_stale()?;
        let directory = directory(&name);
        if let Err(error) = fs::create_dir(&directory) {
            if error.kind() == ErrorKind::AlreadyExists {
                bail!("there is a lab `{name}` already: run `lab down {name}` first");
            }
            return Err(error).with_context(|| format!("cannot make `{}`", directory.display()));
        }
        let lock = lock(&directory.join(LOCK), FlockArg::LockExclusive)?;
        drop(sweep);
        remove_on_signal(&name);
        Ok(Self {
            name,
            lock: Some(lock),
        })
    }

    /// The lab's name, `sd-…`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory for the lab's files.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        directory(&self.name)
    }

    /// The directory for the lab's pins, in bpffs.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        pins(&self.name)
    }

    /// The lab's cgroup.
    ///
    /// # Errors
    ///
    /// There is no hierarchy of cgroups.
    pub fn cgroup(&self) -> Result<Cgroup> {
        Cgroup::of_lab(&self.name).context("no cgroup v2 hierarchy is mounted")
    }

    /// A namespace of the lab.
    #[must_use]
    pub fn namespace(&self, of: &str) -> Namespace {
        Namespace::named(format!("{}-{of}", self.name))
    }

    /// Leaves everything as it is until somebody removes the lab by name.
    ///
    /// # Errors
    ///
    /// The directory is gone.
    pub fn keep(mut self) -> Result<()> {
        File::create(self.directory().join(KEPT)).context("cannot mark the lab as kept")?;
        ours().remove(&self.name);
        self.lock = None;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.lock.is_none() {
            return; // kept
        }
        // Held all the time: either this or a signal removes the lab, never both at once.
        let mut ours = ours();
        if ours.remove(&self.name)
            && let Err(error) = remove_all(&self.name)
        {
            eprintln!("lab `{}` is not removed completely: {error:#}", self.name);
        }
    }
}

/// A lab on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name, `sd-…`.
    pub name: String,
    /// What keeps it alive.
    pub state: State,
    /// What its namespaces are called inside the lab: stacks, clients and switches.
    pub members: Vec<String>,
}

/// What keeps a lab alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its maker runs.
    Running,
    /// Its maker left it there to be used.
    Kept,
    /// Its maker died; the next lab's start removes it.
    Stale,
}

/// Every lab of this machine, by name.
///
/// # Errors
///
/// The directories cannot be read.
pub fn list() -> Result<Vec<Found>> {
    names()?
        .into_iter()
        .map(|name| {
            let prefix = format!("{name}-");
            let members = Namespace::starting_with(&prefix)?
                .iter()
                .filter_map(|namespace| namespace.name().strip_prefix(&prefix))
                .map(str::to_owned)
                .collect();
            Ok(Found {
                state: state(&name)?,
                name,
                members,
            })
        })
        .collect()
}

/// Removes the lab `name`, whoever made it, unless its maker still runs.
///
/// # Errors
///
/// There is no such lab, its maker runs, or something of it cannot be removed.
pub fn remove(name: &str) -> Result<()> {
    let name = full_name(name)?;
    let _sweep = lock(&Path::new(LABS).join(LOCK), FlockArg::LockExclusive)
        .with_context(|| format!("there is no lab `{name}`"))?;
    ensure!(names()?.contains(&name), "there is no lab `{name}`");
    ensure!(
        state(&name)? != State::Running,
        "lab `{name}` is in use by the process that made it"
    );
    remove_all(&name)
}

/// The name with its prefix; accepts it with and without.
fn full_name(name: &str) -> Result<String> {
    let own = name.strip_prefix(PREFIX).unwrap_or(name);
    // No dash: `sd-a-` must never be the beginning of another lab's namespaces.
    ensure!(
        (1..=12).contains(&own.len())
            && own
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
        "expected a name of 1 to 12 lower-case letters and digits, found `{name}`"
    );
    Ok(format!("{PREFIX}{own}"))
}

/// Where the stacks of the lab `name` keep their admin sockets.
#[must_use]
pub fn run_directory(name: &str) -> PathBuf {
    directory(name).join("run")
}

fn directory(name: &str) -> PathBuf {
    Path::new(LABS).join(name)
}

fn pins(name: &str) -> PathBuf {
    Path::new(BPFFS).join(name)
}

fn lock(path: &Path, how: FlockArg) -> Result<Flock<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = file.with_context(|| format!("cannot open `{}`", path.display()))?;
    Flock::lock(file, how)
        .map_err(|(_, error)| error)
        .with_context(|| format!("cannot lock `{}`", path.display()))
}

/// The labs that something on this machine is named after.
fn names() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for namespace in Namespace::starting_with(PREFIX)? {
        let own = &namespace.name()[PREFIX.len()..];
        names.extend(own.split_once('-').and_then(|(own, _)| full_name(own).ok()));
    }
    for name in Cgroup::starting_with(PREFIX) {
        names.extend(full_name(&name).ok());
    }
    for parent in [LABS, BPFFS] {
        let Ok(entries) = fs::read_dir(parent) else {
            continue; // no lab was ever made, or bpffs is not mounted
        };
        for entry in entries {
            let file_name = entry?.file_name();
            let own = file_name
                .to_str()
                .and_then(|name| name.strip_prefix(PREFIX));
            names.extend(own.and_then(|own| full_name(own).ok()));
        }
    }
    Ok(names)
}

fn state(name: &str) -> Result<State> {
    let directory = directory(name);
    if directory.join(KEPT).exists() {
        return Ok(State::Kept);
    }
    let Ok(file) = File::open(directory.join(LOCK)) else {
        return Ok(State::Stale);
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(State::Stale),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(State::Running),
        Err((_, error)) => Err(error).context("cannot tell whether the lab's maker lives"),
    }
}

/// Removes the labs of dead makers. The caller holds the lock on the directory of labs.
fn remove_stale() -> Result<()> {
    for name in names()? {
        if state(&name)? == State::Stale {
            remove_all(&name).with_context(|| format!("cannot remove the stale lab `{name}`"))?;
        }
    }
    Ok(())
}

/// Removes everything that bears the lab's name; what is gone already is no error.
fn remove_all(name: &str) -> Result<()> {
    let namespaces = Namespace::starting_with(&format!("{name}-"))?;
    let cgroup = Cgroup::of_lab(name);
    let processes = || -> Result<Vec<_>> {
        let of_each = namespaces
            .iter()
            .filter(|namespace| namespace.path().exists());
        let of_each: Result<Vec<_>> = of_each.map(Namespace::processes).collect();
        let mut processes = of_each?.concat();
        processes.extend(cgroup.iter().flat_map(Cgroup::processes));
        processes.retain(|process| *process != Pid::this());
        Ok(processes)
    };
    wait::until("the processes of the lab to end", DEATH, || {
        let left = processes()?;
        for process in &left {
            // Only a process that has just ended refuses.
            let _ = kill(*process, Signal::SIGKILL);
        }
        Ok(left.is_empty())
    })?;
    for namespace in &namespaces {
        namespace.remove()?;
    }
    if let Some(cgroup) = &cgroup {
        wait::until("the lab's cgroup to be empty", DEATH, || cgroup.remove())?;
    }
    for directory in [pins(name), directory(name)] {
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot remove `{}`", directory.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn ours() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    // A set of names is never half changed.
    OURS.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Removes the lab `name` before a signal ends this process.
fn remove_on_signal(name: &str) {
    static WATCH: Once = Once::new();
    ours().insert(name.to_owned());
    WATCH.call_once(|| {
        thread::spawn(|| {
            let code = match first_signal() {
                Ok(signal) => 128 + signal,
                Err(error) => {
                    eprintln!("signals will not remove the lab: {error:#}");
                    return;
                }
            };
            // Held to the end: nothing may be made or started that is just being removed.
            let _no_starts = stop_starting();
            let ours = ours();
            for name in ours.iter() {
                if let Err(error) = remove_all(name) {
                    eprintln!("lab `{name}` is not removed completely: {error:#}");
                }
            }
            process::exit(code);
        });
    });
}

/// Waits for SIGINT, SIGTERM or SIGHUP, and returns its number.
fn first_signal() -> Result<i32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let kind = tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hang_up.recv() => SignalKind::hangup(),
        };
        Ok(kind.as_raw_value())
    })
}

#[cfg(test)]
mod tests;
