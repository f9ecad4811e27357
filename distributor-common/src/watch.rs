//! What the kernel reports about listening sockets.
//!
//! A report only says that something has happened to one socket. How many
//! listeners there are is never counted from reports: the socket dump is the
//! truth, and a report is the reason to look.

/// One socket began or stops to listen.
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

/// `ListenerReport::what`: the socket listens; the dump already has it.
pub const LISTENS: u16 = 1;
/// `ListenerReport::what`: the socket stops to listen; the dump may have it for a moment yet.
pub const CLOSES: u16 = 2;

/// `ListenerReport::family`: IPv4.
pub const AF_INET: u32 = 2;
/// `ListenerReport::family`: IPv6, which includes dual-stack sockets.
pub const AF_INET6: u32 = 10;

/// Length of a report in bytes.
pub const REPORT_LEN: usize = 32;

const _: () = assert!(size_of::<ListenerReport>() == REPORT_LEN);

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
