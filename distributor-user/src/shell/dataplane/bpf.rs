//! What aya does not offer: maps that its object does not describe; looking at a pinned link, giving it another program, and detaching it,
//! without knowing its kind; and links of the kinds that aya can neither pin nor give another program.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Commands of the `bpf` system call (UAPI `linux/bpf.h`).
const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_OBJ_PIN: libc::c_long = 6;
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_LINK_UPDATE: libc::c_long = 29;
const BPF_LINK_DETACH: libc::c_long = 34;

/// The part of `union bpf_attr` that `BPF_OBJ_PIN` and `BPF_OBJ_GET` read.
#[repr(C)]
struct Pin {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// The part of `union bpf_attr` that `BPF_MAP_CREATE` reads; what is not there counts as 0.
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

/// `BPF_MAP_TYPE_ARRAY` and `BPF_F_MMAPABLE` (UAPI `linux/bpf.h`).
const ARRAY: u32 = 2;
const MMAPABLE: u32 = 1 << 10;

/// The part of `union bpf_attr` that `BPF_LINK_CREATE` reads; what is not there counts as 0.
#[repr(C)]
struct LinkCreate {
    program: u32,
    /// An interface's index or a cgroup's descriptor.
    target: u32,
    attach_type: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that `BPF_LINK_UPDATE` reads.
#[repr(C)]
struct LinkUpdate {
    link: u32,
    new_program: u32,
    flags: u32,
    old_program: u32,
}

/// Where a link attaches a program (`enum bpf_attach_type`, UAPI `linux/bpf.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum AttachType {
    /// Sockets of a cgroup that connect by IPv4.
    Inet4Connect = 10,
    /// Sockets of a cgroup that connect by IPv6.
    Inet6Connect = 11,
    /// What leaves by an interface.
    TcxEgress = 47,
}

/// What the kernel tells of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkFacts {
    /// Id of the program that it runs.
    pub(super) program: u32,
    /// Index of the interface that it is attached to, if that is what it is attached to.
    pub(super) ifindex: Option<u32>,
    is_on_cgroup: bool,
}

impl LinkFacts {
    /// Whether it is still attached: what it was attached to may be gone, or somebody has detached it.
    pub(super) fn is_attached(self) -> bool {
        self.ifindex.is_some() || self.is_on_cgroup
    }

    /// Reads what the kernel tells of a link's descriptor.
    fn parse(fdinfo: &str) -> Self {
        let number = |name: &str| {
            let value = fdinfo.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().parse::<u64>().ok().filter(|&id| id != 0)
        };
        let short = |name: &str| number(name).and_then(|id| u32::try_from(id).ok());
        Self {
            program: short("prog_id:").unwrap_or_default(),
            ifindex: short("ifindex:"),
            is_on_cgroup: number("cgroup_id:").is_some(),
        }
    }
}

/// Makes a map of one value of `len` bytes, which can be mapped into memory.
pub(super) fn create_value(name: &CStr, len: usize) -> io::Result<OwnedFd> {
    let mut map_name = [0; 16];
    let name = name.to_bytes();
    map_name[..name.len()].copy_from_slice(name);
    let attributes = MapCreate {
        map_type: ARRAY,
        key_size: 4,
        value_size: u32::try_from(len).map_err(io::Error::other)?,
        max_entries: 1,
        map_flags: MMAPABLE,
        inner_map: 0,
        numa_node: 0,
        map_name,
    };
    // SAFETY: the kernel reads the structure, whose size is told, and which outlives the call.
    let fd = unsafe { call(BPF_MAP_CREATE, &attributes) }?;
    // SAFETY: the kernel has just given out the descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes a descriptor stand for what another one stands for; whoever owns it goes on to own it.
pub(super) fn stand_for(descriptor: BorrowedFd<'_>, other: &OwnedFd) -> io::Result<()> {
    // SAFETY: both descriptors are open; what the first one meant is closed by the kernel.
    let result = unsafe { libc::dup3(other.as_raw_fd(), descriptor.as_raw_fd(), libc::O_CLOEXEC) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Looks at the pinned link at `path`.
pub(super) fn pinned_link(path: &Path) -> io::Result<LinkFacts> {
    let link = open_pin(path)?;
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", link.as_raw_fd()))?;
    Ok(LinkFacts::parse(&about))
}

/// Index of the interface that the pinned link at `path` is attached to; `None` when its device, or
/// the device's whole namespace, is gone, or when it is attached to no interface.
pub(super) fn pinned_link_ifindex(path: &Path) -> io::Result<Option<u32>> {
    Ok(pinned_link(path)?.ifindex)
}

/// Attaches a program, beside those that are there; it is detached when the link and its pins are gone.
pub(super) fn create_link(
    program: BorrowedFd<'_>,
    target: u32,
    at: AttachType,
) -> io::Result<OwnedFd> {
    let attributes = LinkCreate {
        program: number(program),
        target,
        attach_type: at as u32,
        flags: 0,
    };
    // SAFETY: the kernel reads the structure, whose size is told, and which outlives the call.
    let fd = unsafe { call(BPF_LINK_CREATE, &attributes) }?;
    // SAFETY: the kernel has just given out the descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Pins a link or a map.
pub(super) fn pin(path: &Path, object: BorrowedFd<'_>) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Pin {
        pathname: path.as_ptr() as u64,
        bpf_fd: number(object),
        file_flags: 0,
    };
    // SAFETY: the kernel reads the structure, whose size is told, and the path it points to; both
    // outlive the call.
    unsafe { call(BPF_OBJ_PIN, &attributes) }.map(drop)
}

/// Gives the pinned link at `path` another program, in one step.
///
/// # Errors
///
/// `NotFound` without such a pin; `ENOLINK` when what it was attached to is gone.
pub(in crate::shell) fn update_pinned_link(path: &Path, program: BorrowedFd<'_>) -> io::Result<()> {
    let link = open_pin(path)?;
    let attributes = LinkUpdate {
        link: link.as_raw_fd().cast_unsigned(),
        new_program: number(program),
        flags: 0,
        old_program: 0,
    };
    // SAFETY: the kernel reads the structure, whose size is told.
    unsafe { call(BPF_LINK_UPDATE, &attributes) }.map(drop)
}

/// Detaches the pinned link at `path`, which is still pinned then.
///
/// Without its pin alone a link is detached too, but only in a moment.
///
/// # Errors
///
/// `NotFound` without such a pin; the kernel has no way to detach a link of its kind.
pub(in crate::shell) fn detach_pinned_link(path: &Path) -> io::Result<()> {
    let link = open_pin(path)?;
    let fd = link.as_raw_fd();
    // SAFETY: the kernel reads the descriptor, whose size is told.
    unsafe { call(BPF_LINK_DETACH, &fd) }.map(drop)
}

/// Opens what is pinned at `path`.
pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Pin {
        pathname: path.as_ptr() as u64,
        bpf_fd: 0,
        file_flags: 0,
    };
    // SAFETY: the kernel reads the structure, whose size is told, and the path it points to; both
    // outlive the call.
    let fd = unsafe { call(BPF_OBJ_GET, &attributes) }?;
    // SAFETY: the kernel has just given out the descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().cast_unsigned()
}

/// Calls the kernel.
///
/// # Safety
///
/// `attributes` is what the command reads, and what it points to is valid.
unsafe fn call<T>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    let attributes = std::ptr::from_ref(attributes);
    // SAFETY: the caller keeps what the kernel reads valid; its size is told.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, mem::size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
