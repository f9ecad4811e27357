//! What the kernel says about one TCP socket.

use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{NlasIterator, Parseable};
use netlink_packet_sock_diag::constants::INET_DIAG_SKV6ONLY;
use netlink_packet_sock_diag::inet::{InetResponseBuffer, InetResponseHeader, Timer};

use super::unmapped;

/// One TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shell) struct Entry {
    /// `TCP_LISTEN` and its like in `netlink_packet_sock_diag`.
    pub(in crate::shell) state: u8,
    /// The local end, never v4-mapped; of a listener, what it is bound to.
    pub(in crate::shell) local: SocketAddr,
    /// The remote end, never v4-mapped; port 0 without one.
    pub(in crate::shell) remote: SocketAddr,
    /// The interface that the socket is bound to; 0 if it is not.
    pub(in crate::shell) ifindex: u32,
    /// Identifies the socket as long as the machine runs.
    pub(in crate::shell) cookie: u64,
    /// Of a listener: connections that wait to be accepted.
    pub(in crate::shell) waiting: u32,
    /// The socket's number among all files of sockets; 0 once no program has it.
    pub(in crate::shell) inode: u32,
    /// The user who made the socket.
    pub(in crate::shell) user: u32,
    /// Whether this is what the kernel keeps of a closed connection, in `FIN_WAIT_2` or
    /// `TIME_WAIT`: no program has it any more, and no event will tell when it goes.
    pub(in crate::shell) is_remnant: bool,
    /// Whether a listener of the family IPv6 takes no IPv4 connections.
    pub(in crate::shell) is_v6_only: bool,
}

impl Entry {
    /// Parses the payload of one message; `None` when it describes no TCP socket.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let header = InetResponseHeader::parse(payload).ok()?;
        let attributes = payload
            .get(size_of::<InetResponseBuffer>()..)
            .unwrap_or_default();
        let is_v6_only = NlasIterator::new(attributes)
            .flatten()
            .find(|attribute| attribute.kind() == INET_DIAG_SKV6ONLY)
            .is_some_and(|attribute| attribute.value().first().is_some_and(|value| *value != 0));
        let id = header.socket_id;
        let [low, high] = [0, 4].map(|at| {
            let word = id.cookie[at..].first_chunk().copied().unwrap_or_default();
            u64::from(u32::from_ne_bytes(word))
        });
        Some(Self {
            state: header.state,
            local: SocketAddr::new(unmapped(id.source_address), id.source_port),
            remote: SocketAddr::new(unmapped(id.destination_address), id.destination_port),
            ifindex: id.interface_id,
            cookie: high << 32 | low,
            waiting: header.recv_queue,
            inode: header.inode,
            user: header.uid,
            is_remnant: header.timer == Some(Timer::TimeWait),
            is_v6_only,
        })
    }

    /// Whether the socket listens on `address`, alone or among others.
    pub(in crate::shell) fn listens_on(&self, address: IpAddr) -> bool {
        match self.local.ip() {
            IpAddr::V4(any) if any.is_unspecified() => address.is_ipv4(),
            IpAddr::V6(any) if any.is_unspecified() => address.is_ipv6() || !self.is_v6_only,
            IpAddr::V4(_) | IpAddr::V6(_) => self.local.ip() == address,
        }
    }
}
