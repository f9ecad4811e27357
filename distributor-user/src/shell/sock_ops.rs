//! The `sock_ops` programs that report on sockets: loading, attaching, reading.
//!
//! A program is attached as long as its link lives, which is not pinned:
//! a daemon that is killed leaves nothing behind. Programs
//! of other stacks and of other software on the same cgroup are left alone.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;

use aya::maps::{Map, MapData, RingBuf};
use aya::programs::sock_ops::SockOpsLink;
use aya::programs::{CgroupAttachMode, SockOps};
use aya::{Ebpf, EbpfLoader};
use distributor_common::watch::AF_INET;
use tokio::io::unix::AsyncFd;

use super::cgroup::{self, CgroupError};
use super::namespace;

/// Name of the constant of all programs: the namespace whose sockets they report.
const NETNS_COOKIE: &str = "NETNS_COOKIE";

/// What one of the programs reports.
pub(super) trait Report: Sized {
    /// Name of the program in the object.
    const PROGRAM: &'static str;
    /// Name of its ring buffer.
    const RING: &'static str;

    /// Reads a report; `None` when it is none.
    fn parse(bytes: &[u8]) -> Option<Self>;
}

/// Why sockets cannot be reported on as things happen to them.
#[derive(Debug, thiserror::Error)]
pub enum SockOpsError {
    /// The eBPF object is not there.
    #[error("this program was built without its eBPF objects; `cargo xtask build-ebpf` makes them")]
    NoObject,
    /// There is no cgroup to attach to.
    #[error(transparent)]
    NoCgroup(#[from] CgroupError),
    /// The cgroup cannot be read.
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
    #[error("the kernel does not load the eBPF object `watch`")]
    Load(#[from] aya::EbpfError),
    /// The kernel refused the program.
    #[error("the kernel does not load or attach a program of the eBPF object `watch`")]
    Program(#[from] aya::programs::ProgramError),
    /// The kernel refused the ring buffer.
    #[error("the kernel does not provide a ring buffer of the eBPF object `watch`")]
    Map(#[from] aya::maps::MapError),
    /// The ring buffer cannot be waited for.
    #[error("a ring buffer of the eBPF object `watch` cannot be waited for")]
    Wait(#[source] io::Error),
}

/// The eBPF object `watch`, loaded for one namespace, or why it could not be.
///
/// Loading takes a tenth of a second, most of it for the types of the kernel: it is loaded once, for all
/// who attach a program of it.
pub struct WatchObject(Result<Loaded, Arc<SockOpsError>>);

struct Loaded {
    object: Ebpf,
    cgroup: File,
}

impl WatchObject {
    /// Loads the object for the calling thread's namespace.
    #[must_use]
    pub fn load(object: Option<&[u8]>) -> Self {
        Self(Loaded::load(object).map_err(Arc::new))
    }

    /// Attaches one of the programs to the root cgroup for as long as the link lives, and takes the map
    /// that it writes to.
    pub(super) fn attach(
        &mut self,
        program: &'static str,
        map: &'static str,
    ) -> Result<(Map, SockOpsLink), Arc<SockOpsError>> {
        let loaded = self.0.as_mut().map_err(|missing| Arc::clone(missing))?;
        Ok(loaded.attach(program, map)?)
    }
}

impl Loaded {
    fn load(object: Option<&[u8]>) -> Result<Self, SockOpsError> {
        let object = object.ok_or(SockOpsError::NoObject)?;
        let path = cgroup::root()?;
        let cgroup = File::open(&path).map_err(|source| SockOpsError::Open { path, source })?;
        let cookie = namespace::cookie().map_err(SockOpsError::NoNamespaceCookie)?;
        let object = EbpfLoader::new()
            .override_global(NETNS_COOKIE, &cookie, true)
            .load(object)?;
        Ok(Self { object, cgroup })
    }

    fn attach(
        &mut self,
        name: &'static str,
        map: &'static str,
    ) -> Result<(Map, SockOpsLink), SockOpsError> {
        let program = self.object.program_mut(name);
        let program: &mut SockOps = program.ok_or(SockOpsError::Incomplete(name))?.try_into()?;
        program.load()?;
        // A link never displaces another program, and takes no flag that says so.
        let link = program.attach(&self.cgroup, CgroupAttachMode::Single)?;
        let link = program.take_link(link)?;
        let taken = self.object.take_map(map);
        Ok((taken.ok_or(SockOpsError::Incomplete(map))?, link))
    }
}

/// An attached program and its reports.
pub(super) struct SockOpsProgram<R> {
    ring: AsyncFd<RingBuf<MapData>>,
    /// Holds the program.
    _link: SockOpsLink,
    report: PhantomData<R>,
}

impl<R: Report> SockOpsProgram<R> {
    /// Attaches the program.
    pub(super) fn attach(object: &mut WatchObject) -> Result<Self, Arc<SockOpsError>> {
        let (ring, link) = object.attach(R::PROGRAM, R::RING)?;
        let ring = RingBuf::try_from(ring).map_err(SockOpsError::from)?;
        // SAFETY: the ring buffer owns its descriptor, and nothing here replaces or closes it
        // while the reactor knows it.
        let ring =
            unsafe { AsyncFd::register(ring) }.map_err(|error| SockOpsError::Wait(error.into()))?;
        Ok(Self {
            ring,
            _link: link,
            report: PhantomData,
        })
    }

    /// Waits for reports and returns all that are there.
    ///
    /// Safe to cancel: nothing is taken before the wait is over.
    pub(super) async fn next(&mut self) -> io::Result<Vec<R>> {
        tokio::task::coop::consume_budget().await;
        loop {
            let ring = self.ring.get_mut();
            let mut reports = Vec::new();
            while let Some(bytes) = ring.next() {
                reports.extend(R::parse(&bytes));
            }
            if !reports.is_empty() {
                return Ok(reports);
            }
            self.ring.readable_mut().await?.clear_ready();
        }
    }
}

/// Waits for reports of a program that may be missing: then for ever.
pub(super) async fn reports<R: Report>(
    program: Option<&mut SockOpsProgram<R>>,
) -> io::Result<Vec<R>> {
    match program {
        Some(program) => program.next().await,
        None => std::future::pending().await,
    }
}

/// The address in a report, never v4-mapped.
pub(super) fn address(family: u32, bytes: [u8; 16]) -> IpAddr {
    if family == AF_INET {
        let [a, b, c, d, ..] = bytes;
        IpAddr::from([a, b, c, d])
    } else {
        IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
    }
}
