//! Gets hold of a socket that another process has.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::getsockopt_impl;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

use crate::shell::holders;
use crate::shell::sock_diag::Entry;

/// `SO_COOKIE` of `asm-generic/socket.h`.
const SO_COOKIE: libc::c_int = 57;

/// The socket option that names a socket.
#[derive(Clone, Copy, Debug)]
struct Cookie;

getsockopt_impl!(
    Cookie,
    libc::SOL_SOCKET,
    SO_COOKIE,
    u64,
    nix::sys::socket::sockopt::GetStruct<u64>
);

/// Gets a copy of a listener's descriptor, and lets the listener share its port.
///
/// # Errors
///
/// No process has it, or none may be asked for it (Linux 5.6, and the rights of a debugger).
pub(super) fn socket(listener: &Entry) -> io::Result<OwnedFd> {
    let (process, descriptor) = holder(listener.inode)?;
    let process = open_process(process)?;
    // SAFETY: the call takes numbers only.
    let socket =
        unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) };
    let socket = owned(socket)?;
    // The process may have closed it meanwhile, and opened something else.
    if getsockopt(&socket, Cookie)? != listener.cookie {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    setsockopt(&socket, sockopt::ReusePort, &true)?;
    Ok(socket)
}

/// Finds a process that has the socket, and the descriptor by which it has it.
fn holder(inode: u32) -> io::Result<(i32, i32)> {
    let found = holders::look(|held| {
        if held.inode == inode {
            ControlFlow::Break((held.process, held.descriptor))
        } else {
            ControlFlow::Continue(())
        }
    });
    found?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no process was found that has it"))
}

fn open_process(id: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, id, 0) })
}

/// Takes a descriptor that a system call has returned, or its error.
fn owned(returned: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(returned).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given out the descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
