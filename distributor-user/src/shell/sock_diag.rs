//! The kernel's own account of TCP sockets: dumps, single look-ups, and events of their ends.
//!
//! IPv4 connections of a dual-stack socket are sockets of the family IPv6
//! with v4-mapped addresses: both families are always asked, and what leaves
//! this module is never v4-mapped.

use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::NetlinkBuffer;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, SOCK_DIAG_BY_FAMILY, TCP_LISTEN};
use netlink_packet_sock_diag::inet::{SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use super::netlink::{NetlinkSocket, Received};
use request::Filter;

mod request;
mod response;

#[cfg(test)]
mod tests;

pub(super) use request::Scope;
pub(super) use response::Entry;

/// Multicast groups of ended TCP sockets, `enum sknetlink_groups` in `linux/sock_diag.h`.
const ENDED_TCP: [u32; 2] = [1, 3];

/// A dump that keeps being interrupted is started anew this often before it counts as failed.
const DUMP_ATTEMPTS: u32 = 5;

/// Ended sockets that are returned at once at most; others stay in the kernel meanwhile.
const MAX_ENDED: usize = 256;

/// Asks about sockets of one network namespace, one question at a time.
pub(super) struct SockDiag {
    socket: NetlinkSocket,
    sequence: u32,
}

/// How an answer to a request ended.
enum End {
    Done,
    Interrupted,
    Refused(i32),
}

impl SockDiag {
    /// Opens a socket in the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            socket: NetlinkSocket::open(NETLINK_SOCK_DIAG)?,
            sequence: 0,
        })
    }

    /// Passes every TCP socket of both families in one of `states` to `visit`.
    ///
    /// A socket may be seen twice, and one whose neighbours in the kernel's
    /// tables come and go may be missed: use [`Self::find`] before concluding
    /// from an absence.
    pub(super) async fn dump(
        &mut self,
        states: StateFlags,
        scope: Scope<'_>,
        mut visit: impl FnMut(&Entry),
    ) -> io::Result<()> {
        if matches!(scope, Scope::Local(addresses) if addresses.is_empty()) {
            return Ok(());
        }
        for family in [AF_INET, AF_INET6] {
            self.dump_family(family, states.clone(), scope, &mut visit)
                .await?;
        }
        Ok(())
    }

    async fn dump_family(
        &mut self,
        family: u8,
        states: StateFlags,
        scope: Scope<'_>,
        visit: &mut impl FnMut(&Entry),
    ) -> io::Result<()> {
        let filter = Filter {
            family,
            states,
            scope,
        };
        for _ in 0..DUMP_ATTEMPTS {
            self.sequence = self.sequence.wrapping_add(1);
            self.socket.send(&filter.dump(self.sequence))?;
            match self.answer(visit).await? {
                End::Done => return Ok(()),
                End::Interrupted => {}
                // The kernel was built, or is running, without this family.
                End::Refused(libc::ENOENT) if family == AF_INET6 => return Ok(()),
                End::Refused(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
        Err(io::Error::other(
            "the kernel's socket tables changed during every dump",
        ))
    }

    /// Finds the socket of one connection, in whatever state it is.
    pub(super) async fn find(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<Entry>> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket
            .send(&request::find(self.sequence, local, remote))?;
        let mut found = None;
        match self.answer(&mut |entry| found = Some(*entry)).await? {
            End::Done | End::Interrupted => {}
            End::Refused(libc::ENOENT) => return Ok(None),
            End::Refused(errno) => return Err(io::Error::from_raw_os_error(errno)),
        }
        // Without a connection the kernel's look-up falls back to the listener of the port.
        Ok(found.filter(|entry| entry.state != TCP_LISTEN))
    }

    /// Ends a connection, and lets its peer know by a RST; says whether there was one.
    pub(super) async fn destroy(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket
            .send(&request::destroy(self.sequence, local, remote))?;
        match self.answer(&mut |_| {}).await? {
            End::Done | End::Interrupted | End::Refused(0) => Ok(true),
            End::Refused(libc::ENOENT) => Ok(false),
            End::Refused(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Reads the answer to the last request.
    ///
    /// An answer to an earlier one, whose reader was cancelled, is skipped.
    async fn answer(&mut self, visit: &mut impl FnMut(&Entry)) -> io::Result<End> {
        let mut is_interrupted = false;
        loop {
            let length = match self.socket.receive().await? {
                Received::Datagram(length) => length,
                // Answers come no faster than they are read; a lost one would never come.
                Received::Overrun => return Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
            };
            let own = self.sequence;
            let messages = self.socket.messages(length);
            for message in messages.filter(|message| message.sequence_number() == own) {
                is_interrupted |= message.flags() & netlink_packet_core::NLM_F_DUMP_INTR != 0;
                match message.message_type() {
                    SOCK_DIAG_BY_FAMILY => {
                        if let Some(entry) = Entry::parse(message.payload()) {
                            visit(&entry);
                        }
                        if message.flags() & netlink_packet_core::NLM_F_MULTIPART == 0 {
                            return Ok(End::Done);
                        }
                    }
                    netlink_packet_core::NLMSG_DONE if is_interrupted => {
                        return Ok(End::Interrupted);
                    }
                    netlink_packet_core::NLMSG_DONE => return Ok(end_of_dump(&message)),
                    netlink_packet_core::NLMSG_ERROR => return Ok(refusal(&message)),
                    _ => {}
                }
            }
        }
    }
}

/// A dump that fails says so in its last message.
fn end_of_dump(message: &NetlinkBuffer<&[u8]>) -> End {
    match leading_i32(message.payload()) {
        Some(code) if code < 0 => End::Refused(-code),
        Some(_) | None => End::Done,
    }
}

fn refusal(message: &NetlinkBuffer<&[u8]>) -> End {
    End::Refused(leading_i32(message.payload()).map_or(libc::EPROTO, i32::wrapping_neg))
}

fn leading_i32(payload: &[u8]) -> Option<i32> {
    payload
        .first_chunk()
        .map(|bytes| i32::from_ne_bytes(*bytes))
}

/// The events of TCP sockets that have ended, in one network namespace.
pub(super) struct EndedSockets {
    socket: NetlinkSocket,
}

impl EndedSockets {
    /// Subscribes in the network namespace of the calling thread.
    pub(super) fn open(buffer_bytes: usize) -> io::Result<Self> {
        let socket = NetlinkSocket::subscribe(NETLINK_SOCK_DIAG, &ENDED_TCP, buffer_bytes)?;
        Ok(Self { socket })
    }

    /// Waits for sockets that have ended, and returns as many as are there.
    ///
    /// Safe to cancel: nothing is taken before the wait is over.
    pub(super) async fn next(&mut self) -> io::Result<Ended> {
        let mut ended = Ended {
            sockets: Vec::new(),
            is_incomplete: false,
        };
        let mut received = Some(self.socket.receive().await?);
        while let Some(one) = received {
            match one {
                Received::Overrun => ended.is_incomplete = true,
                Received::Datagram(length) => {
                    let messages = self.socket.messages(length);
                    let entries = messages.filter_map(|message| Entry::parse(message.payload()));
                    ended.sockets.extend(entries);
                }
            }
            if ended.sockets.len() >= MAX_ENDED {
                break;
            }
            received = self.socket.try_receive()?;
        }
        Ok(ended)
    }
}

/// Sockets that have ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The sockets; of a listener, the remote port is 0.
    pub(super) sockets: Vec<Entry>,
    /// Whether there were others, of which the events are lost.
    pub(super) is_incomplete: bool,
}

/// The address without IPv6's wrapping around IPv4.
pub(super) fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The part of a request or a response that names one connection.
fn socket_id(local: SocketAddr, remote: SocketAddr) -> SocketId {
    SocketId {
        source_port: local.port(),
        destination_port: remote.port(),
        source_address: local.ip(),
        destination_address: remote.ip(),
        interface_id: 0,
        cookie: NO_COOKIE,
    }
}

/// `INET_DIAG_NOCOOKIE` twice: whatever socket it is.
const NO_COOKIE: [u8; 8] = [0xff; 8];
