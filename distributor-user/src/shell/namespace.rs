//! The network namespace that this stack is in.

use std::io;

use nix::getsockopt_impl;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socket};

/// `SO_NETNS_COOKIE` of `asm-generic/socket.h`.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// The socket option that names the namespace of a socket.
#[derive(Clone, Copy, Debug)]
struct NetnsCookie;

getsockopt_impl!(
    NetnsCookie,
    libc::SOL_SOCKET,
    SO_NETNS_COOKIE,
    u64,
    nix::sys::socket::sockopt::GetStruct<u64>
);

/// Returns the cookie of the calling thread's network namespace.
///
/// No two namespaces have the same while the machine runs, not even one
/// after the other.
///
/// # Errors
///
/// The kernel is older than 5.14, which introduced the cookie.
pub fn cookie() -> io::Result<u64> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    Ok(getsockopt(&socket, NetnsCookie)?)
}
