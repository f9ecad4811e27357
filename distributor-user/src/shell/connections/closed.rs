//! A closed socket, as an event or a report tells of it.

use distributor_common::watch::CloseReport;

use crate::engine::forwarding::FlowKey;
use crate::shell::sock_diag::Entry;
use crate::shell::sock_ops::{self, Report};

/// A socket that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    /// The connection.
    pub(super) flow: FlowKey,
    /// The socket's cookie; what the kernel keeps of it has another one.
    pub(super) cookie: u64,
}

impl Closed {
    /// Reads it from an event of the kernel; `None` when the peer is not known.
    pub(super) fn from_event(entry: &Entry) -> Option<Self> {
        flow(entry).map(|flow| Self {
            flow,
            cookie: entry.cookie,
        })
    }

    /// Whether a socket between the same ports belongs to a later connection.
    pub(super) fn is_followed_by(&self, entry: &Entry) -> bool {
        !entry.is_remnant && entry.cookie != self.cookie
    }
}

impl Report for Closed {
    const PROGRAM: &'static str = "watch_closes";
    const RING: &'static str = "CLOSE_REPORT";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let report = CloseReport::parse(bytes)?;
        let flow = FlowKey {
            client: sock_ops::address(report.family, report.remote),
            client_port: report.remote_port,
            dvipa: sock_ops::address(report.family, report.local),
            port: report.local_port,
        };
        Some(Self {
            flow,
            cookie: report.cookie,
        })
    }
}

/// The connection of a socket, seen from the client; a listener has none.
pub(super) fn flow(entry: &Entry) -> Option<FlowKey> {
    (entry.remote.port() != 0).then_some(FlowKey {
        client: entry.remote.ip(),
        client_port: entry.remote.port(),
        dvipa: entry.local.ip(),
        port: entry.local.port(),
    })
}
