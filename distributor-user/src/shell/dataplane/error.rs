//! What can go wrong with the packet path, and what to do about it.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use aya::EbpfError;
use aya::maps::MapError;
use aya::pin::PinError;
use aya::programs::ProgramError;
use aya::programs::links::LinkError;

use crate::shell::cgroup::CgroupError;

/// Why the packet path could not be opened or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataplaneError {
    /// The program was built without the eBPF object.
    #[error(
        "this program was built without its eBPF part: run `cargo xtask build-ebpf`, then build again"
    )]
    NoObject,
    /// The pin directory is not on bpffs.
    #[error("`{path}` is not on bpffs: run `mount -t bpf bpf /sys/fs/bpf`")]
    NoBpffs {
        /// Where the pins should go.
        path: PathBuf,
    },
    /// The process may not load programs.
    #[error(
        "not allowed to use eBPF and XDP: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN"
    )]
    NoRights,
    /// The kernel is too old, or was built without something.
    #[error("the kernel lacks {feature} (expected Linux {since} or later)")]
    NoFeature {
        /// What is missing.
        feature: &'static str,
        /// The first kernel that has it.
        since: &'static str,
    },
    /// A stack of the same name is at work in another network namespace.
    #[error(
        "the pins in `{path}` belong to a stack in another network namespace that is still there: expected namespace cookie {expected}, found {found}; stop that stack, or give this one another name"
    )]
    InUse {
        /// The pin directory.
        path: PathBuf,
        /// Cookie of this process's namespace.
        expected: u64,
        /// Cookie in the pinned settings.
        found: u64,
    },
    /// There is no cgroup to attach to.
    #[error(transparent)]
    NoCgroup(#[from] CgroupError),
    /// The pinned maps are of another version.
    #[error(
        "the packet path in `{path}` is of another version and cannot be taken over with its connections: stop the stack cleanly, then start the new program"
    )]
    Incompatible {
        /// The pin directory.
        path: PathBuf,
    },
    /// Somebody else's XDP program is on the interface.
    #[error(
        "interface `{interface}` already runs the XDP program `{program}` (id {id}): detach it, or leave out this interface"
    )]
    Occupied {
        /// Name of the interface.
        interface: String,
        /// Name of the program that is there.
        program: String,
        /// Its id.
        id: u32,
    },
    /// The interface does not exist in this namespace.
    #[error("there is no interface `{name}` with index {ifindex}")]
    NoInterface {
        /// Name of the interface.
        name: String,
        /// Index of the interface.
        ifindex: u32,
    },
    /// The program could not be attached.
    #[error("cannot attach to interface `{interface}`")]
    Attach {
        /// Name of the interface.
        interface: String,
        /// What the kernel said.
        source: ProgramError,
    },
    /// The kernel refused the program.
    #[error("cannot load the program `{program}`")]
    Load {
        /// Name of the program.
        program: &'static str,
        /// What the kernel said.
        source: ProgramError,
    },
    /// The object could not be loaded.
    #[error("cannot load the eBPF object")]
    Object(#[from] EbpfError),
    /// A map could not be used.
    #[error("cannot use the map `{map}`")]
    Map {
        /// Name of the map.
        map: &'static str,
        /// What the kernel said.
        source: MapError,
    },
    /// The object has no such map or program, or another one of the same name.
    #[error("the eBPF object has no usable `{name}`")]
    Mismatch {
        /// Name of the map or program.
        name: &'static str,
    },
    /// A link could not be used.
    #[error("cannot use the link of interface `{interface}`")]
    Link {
        /// Name of the interface.
        interface: String,
        /// What the kernel said.
        source: LinkError,
    },
    /// Something could not be pinned.
    #[error("cannot pin `{path}`")]
    Pin {
        /// The pin.
        path: PathBuf,
        /// What the kernel said.
        source: PinError,
    },
    /// More than the tables have room for.
    #[error("no room for more {what}: at most {limit} at once")]
    Full {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u32,
    },
    /// Outer headers are IPv4 only.
    #[error("cannot reach a target by a tunnel to `{address}`: expected an IPv4 address")]
    NotIpv4 {
        /// An end of the tunnel.
        address: IpAddr,
    },
    /// A system call failed.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl DataplaneError {
    pub(super) fn system(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::System { action, source }
    }

    pub(super) fn map(map: &'static str) -> impl Fn(MapError) -> Self {
        move |source| Self::Map { map, source }
    }
}
