//! What aya does not offer: looking at a pinned link, giving it another program, and detaching it,
//! without knowing its kind.

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Commands of the `bpf` system call (UAPI `linux/bpf.h`).
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_LINK_UPDATE: libc::c_long = 29;
const BPF_LINK_DETACH: libc::c_long = 34;

/// The part of `union bpf_attr` that `BPF_LINK_UPDATE` reads.
#[repr(C)]
struct LinkUpdate {
    link_fd: i32,
    new_prog_fd: i32,
    flags: u32,
    old_prog_fd: u32,
}

/// The part of `union bpf_attr` that `BPF_OBJ_GET` reads.
#[repr(C)]
struct ObjGet {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// Index of the interface that the pinned XDP link at `path` is attached to; `None` when its
/// device, or the device's whole namespace, is gone, or when it is no XDP link.
pub(super) fn pinned_link_ifindex(path: &Path) -> io::Result<Option<u32>> {
    let link = open_pin(path)?;
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", link.as_raw_fd()))?;
    Ok(ifindex(&about))
}

/// Finds the interface in what the kernel tells of a link's descriptor.
fn ifindex(fdinfo: &str) -> Option<u32> {
    let value = fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("ifindex:"))?;
    value.trim().parse().ok().filter(|&index| index != 0)
}

/// Gives the pinned link at `path` another program, in one step.
///
/// # Errors
///
/// `NotFound` without such a pin; `ENOLINK` when what it was attached to is gone.
pub(in crate::shell) fn update_pinned_link(path: &Path, program: BorrowedFd<'_>) -> io::Result<()> {
    let link = open_pin(path)?;
    let attributes = LinkUpdate {
        link_fd: link.as_raw_fd(),
        new_prog_fd: program.as_raw_fd(),
        flags: 0,
        old_prog_fd: 0,
    };
    // SAFETY: the kernel reads the structure, whose size is told; both descriptors are open.
    let done = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_LINK_UPDATE,
            &raw const attributes,
            mem::size_of::<LinkUpdate>(),
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
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
    let done = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_LINK_DETACH,
            &raw const fd,
            mem::size_of_val(&fd),
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = ObjGet {
        pathname: path.as_ptr() as u64,
        bpf_fd: 0,
        file_flags: 0,
    };
    // SAFETY: the kernel reads the structure, whose size is told, and the path it points to; both
    // outlive the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_OBJ_GET,
            &raw const attributes,
            mem::size_of::<ObjGet>(),
        )
    };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given out the descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests;
