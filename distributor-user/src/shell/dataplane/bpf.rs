//! What aya does not offer: looking at a pinned link without knowing its kind.

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Command of the `bpf` system call (UAPI `linux/bpf.h`).
const BPF_OBJ_GET: libc::c_long = 7;

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
