//! The `sock_ops` program that reports listeners: loading, attaching, reading.
//!
//! The program lives as long as its [`Hook`]; nothing of it is pinned, so a
//! daemon that is killed leaves nothing behind. Programs of other stacks and
//! of other software on the same cgroup are left alone.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use aya::maps::{MapData, RingBuf};
use aya::programs::{CgroupAttachMode, SockOps};
use aya::{Ebpf, EbpfLoader};
use distributor_common::watch::{AF_INET, CLOSES, LISTENS, ListenerReport};
use tokio::io::unix::AsyncFd;

use crate::shell::namespace;

/// Name of the program in the object.
const PROGRAM: &str = "watch";
/// Name of its ring buffer.
const REPORTS: &str = "LISTENER_REPORT";
/// Name of its constant: the namespace whose sockets it reports.
const NETNS_COOKIE: &str = "NETNS_COOKIE";

/// What the program reports about one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// What happens to it.
    pub(super) what: Transition,
    /// Its cookie.
    pub(super) cookie: u64,
    /// What it is bound to, never v4-mapped.
    pub(super) address: IpAddr,
}

/// What happens to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// It listens.
    Listens,
    /// It is about to leave the kernel's tables.
    Closes,
}

/// Why listeners cannot be reported as they come.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The eBPF object is not there.
    #[error("this program was built without its eBPF objects; `cargo xtask build-ebpf` makes them")]
    NoObject,
    /// There is no cgroup to attach to.
    #[error("no cgroup v2 hierarchy is mounted; `mount -t cgroup2 none /sys/fs/cgroup` does it")]
    NoCgroup,
    /// The mounts or the cgroup cannot be read.
    #[error("cannot open `{path}`")]
    Open {
        /// What could not be opened.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel does not say which network namespace this is.
    #[error("the kernel has no cookie for network namespaces; Linux 5.14 or later has")]
    NoNamespaceCookie(#[source] io::Error),
    /// The object is not the one that this program was built with.
    #[error("the eBPF object has no `{0}`")]
    Incomplete(&'static str),
    /// The kernel refused the object.
    #[error("the kernel does not load the eBPF program `watch`")]
    Load(#[from] aya::EbpfError),
    /// The kernel refused the program.
    #[error("the kernel does not load or attach the eBPF program `watch`")]
    Program(#[from] aya::programs::ProgramError),
    /// The kernel refused the ring buffer.
    #[error("the kernel does not provide the ring buffer of the eBPF program `watch`")]
    Map(#[from] aya::maps::MapError),
    /// The ring buffer cannot be waited for.
    #[error("the ring buffer of the eBPF program `watch` cannot be waited for")]
    Wait(#[source] io::Error),
}

/// The attached program.
pub(super) struct Hook {
    reports: AsyncFd<RingBuf<MapData>>,
    /// Holds the program and its link.
    _program: Ebpf,
}

impl Hook {
    /// Loads the program for the calling thread's namespace and attaches it to the root cgroup.
    pub(super) fn attach(object: &[u8]) -> Result<Self, HookError> {
        let cgroup = cgroup()?;
        let cookie = namespace::cookie().map_err(HookError::NoNamespaceCookie)?;
        let mut ebpf = EbpfLoader::new()
            .override_global(NETNS_COOKIE, &cookie, true)
            .load(object)?;
        let program: &mut SockOps = ebpf
            .program_mut(PROGRAM)
            .ok_or(HookError::Incomplete(PROGRAM))?
            .try_into()?;
        program.load()?;
        // A link never displaces another program, and takes no flag that says so.
        program.attach(cgroup, CgroupAttachMode::Single)?;
        let reports = ebpf
            .take_map(REPORTS)
            .ok_or(HookError::Incomplete(REPORTS))?;
        let reports = RingBuf::try_from(reports)?;
        // SAFETY: the ring buffer owns its descriptor, and nothing here replaces or closes it
        // while the reactor knows it.
        let reports =
            unsafe { AsyncFd::register(reports) }.map_err(|error| HookError::Wait(error.into()))?;
        Ok(Self {
            reports,
            _program: ebpf,
        })
    }

    /// Waits for reports and returns all that are there.
    ///
    /// Safe to cancel: nothing is taken before the wait is over.
    pub(super) async fn next(&mut self) -> io::Result<Vec<Report>> {
        let mut guard = self.reports.readable_mut().await?;
        let ring = guard.get_inner_mut();
        let mut reports = Vec::new();
        while let Some(bytes) = ring.next() {
            reports.extend(ListenerReport::parse(&bytes).and_then(Report::read));
        }
        guard.clear_ready();
        Ok(reports)
    }
}

impl Report {
    fn read(report: ListenerReport) -> Option<Self> {
        let ListenerReport {
            cookie,
            address: bytes,
            family,
            what,
            ..
        } = report;
        let address = if family == AF_INET {
            let [a, b, c, d, ..] = bytes;
            IpAddr::from([a, b, c, d])
        } else {
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        };
        let what = match what {
            LISTENS => Transition::Listens,
            CLOSES => Transition::Closes,
            _ => return None,
        };
        Some(Self {
            what,
            cookie,
            address,
        })
    }
}

/// Opens the root of the cgroup v2 hierarchy, wherever it is mounted.
fn cgroup() -> Result<File, HookError> {
    let open = |path: PathBuf| File::open(&path).map_err(|source| HookError::Open { path, source });
    let path = PathBuf::from("/proc/self/mountinfo");
    let mounts = fs::read_to_string(&path).map_err(|source| HookError::Open { path, source })?;
    open(cgroup_root(&mounts).ok_or(HookError::NoCgroup)?)
}

/// Finds where the cgroup v2 hierarchy is mounted (`proc_pid_mountinfo(5)`).
///
/// Of several mounts the one that shows the most of it: that with the
/// shortest root, which is `/` where nothing is hidden.
pub(super) fn cgroup_root(mountinfo: &str) -> Option<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let is_cgroup2 = filesystem.split(' ').next() == Some("cgroup2");
        let mut fields = mount.split(' ').skip(3);
        let (root, path) = (fields.next()?, fields.next()?);
        is_cgroup2.then_some((root.len(), path))
    });
    // The kernel writes a space in a path as `\040`, and so on.
    mounts
        .min()
        .map(|(_, path)| PathBuf::from(path.replace("\\040", " ")))
}
