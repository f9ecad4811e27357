//! What the kernel reports about the TCP sockets of one stack.
//!
//! A report only says that something has happened to one socket. How many
//! listeners there are and which connections live is never concluded from
//! reports: the socket dump is the truth, and a report is the reason to look.

use crate::word::Word;

/// One socket begins or stops to listen.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerReport {
    /// The socket's cookie, as the socket dump names it.
    pub cookie: u64,
    /// What it is bound to, in network byte order; IPv4 is in the first four bytes.
    pub address: [u8; 16],
    /// [`AF_INET`] or [`AF_INET6`].
    pub family: u32,
    /// Port, host byte order.
    pub port: u16,
    /// [`LISTENS`] or [`CLOSES`].
    pub what: u16,
}

/// One connection leaves the state in which its program can use it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseReport {
    /// The socket's cookie, as the socket dump names it.
    pub cookie: u64,
    /// The local address, in network byte order; IPv4 is in the first four bytes.
    pub local: [u8; 16],
    /// The remote address, likewise.
    pub remote: [u8; 16],
    /// [`AF_INET`] or [`AF_INET6`].
    pub family: u32,
    /// The local port, host byte order.
    pub local_port: u16,
    /// The remote port, host byte order.
    pub remote_port: u16,
}

/// A local end that is connected to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeKey {
    /// The local address, in network byte order; IPv4 is in the first four bytes.
    pub address: [u8; 16],
    /// [`AF_INET`] or [`AF_INET6`].
    pub family: u32,
    /// Port, host byte order.
    pub port: u32,
}

/// What became of the connections to one local end, since the program is there.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Handshakes {
    /// How many were asked for.
    pub requests: Word,
    /// Of how many the handshake was completed.
    pub established: Word,
}

/// Local ends that are counted at most.
pub const MAX_HANDSHAKE_KEYS: u32 = 1 << 16;

/// `ListenerReport::what`: the socket listens; the dump already has it.
pub const LISTENS: u16 = 1;
/// `ListenerReport::what`: the socket stops to listen; the dump may have it for a moment yet.
pub const CLOSES: u16 = 2;

/// IPv4.
pub const AF_INET: u32 = 2;
/// IPv6, which includes dual-stack sockets with v4-mapped addresses.
pub const AF_INET6: u32 = 10;

const _: () = assert!(size_of::<ListenerReport>() == 32);
const _: () = assert!(size_of::<CloseReport>() == 48);
const _: () = assert!(size_of::<HandshakeKey>() == 24);
const _: () = assert!(size_of::<Handshakes>() == 16);

impl ListenerReport {
    /// Reads a report from the bytes of the ring buffer; `None` when there are too few.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (cookie, rest) = bytes.split_first_chunk()?;
        let (address, rest) = rest.split_first_chunk()?;
        let (family, rest) = rest.split_first_chunk()?;
        let (port, rest) = rest.split_first_chunk()?;
        let (what, _) = rest.split_first_chunk()?;
        Some(Self {
            cookie: u64::from_ne_bytes(*cookie),
            address: *address,
            family: u32::from_ne_bytes(*family),
            port: u16::from_ne_bytes(*port),
            what: u16::from_ne_bytes(*what),
        })
    }
}

impl HandshakeKey {
    /// Reads a key from the bytes of the map; `None` when there are too few.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (address, rest) = bytes.split_first_chunk()?;
        let (family, rest) = rest.split_first_chunk()?;
        let (port, _) = rest.split_first_chunk()?;
        Some(Self {
            address: *address,
            family: u32::from_ne_bytes(*family),
            port: u32::from_ne_bytes(*port),
        })
    }
}

impl CloseReport {
    /// Reads a report from the bytes of the ring buffer; `None` when there are too few.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (cookie, rest) = bytes.split_first_chunk()?;
        let (local, rest) = rest.split_first_chunk()?;
        let (remote, rest) = rest.split_first_chunk()?;
        let (family, rest) = rest.split_first_chunk()?;
        let (local_port, rest) = rest.split_first_chunk()?;
        let (remote_port, _) = rest.split_first_chunk()?;
        Some(Self {
            cookie: u64::from_ne_bytes(*cookie),
            local: *local,
            remote: *remote,
            family: u32::from_ne_bytes(*family),
            local_port: u16::from_ne_bytes(*local_port),
            remote_port: u16::from_ne_bytes(*remote_port),
        })
    }
}
