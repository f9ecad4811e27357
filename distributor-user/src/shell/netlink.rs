//! Netlink sockets: requests to the kernel's routing side, and events from any side.
//!
//! A socket belongs to the network namespace of the thread that opens it and
//! stays there. Events are never queued without bound: when the reader is too
//! slow the kernel drops them and says so, and the reader must look again.
//!
//! Many requests need the kernel's lock of all interfaces (RTNL), which whoever
//! changes an interface anywhere on the machine may hold for seconds, and the
//! kernel waits for it while the request is sent. So requests are sent by a thread
//! of their own: nothing but who asks waits for the answer.

use std::io;
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures_util::{TryStream, TryStreamExt as _};
use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::SockRef;
use tokio::io::unix::AsyncFd;
use tokio::runtime;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// What the kernel keeps for a reader of events that is late. A storm of ending connections
/// fills the default, some 200 kB, within milliseconds.
pub(super) const EVENT_BUFFER_BYTES: usize = 8 << 20;

/// Larger than any datagram that the kernel sends: dumps come in at most 32 KiB.
const DATAGRAM_BYTES: usize = 64 << 10;

/// How often something is listed before the kernel counts as too busy, and the pause between.
const LIST_TRIES: u32 = 20;
const LIST_PAUSE: Duration = Duration::from_millis(5);

/// A handle for requests about links, addresses, neighbours and routes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Netlink {
    handle: rtnetlink::Handle,
    /// Held while something is listed: the kernel makes one list at a time for a socket.
    listing: Arc<Mutex<()>>,
}

impl Netlink {
    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// Starts the thread that serves it; the thread ends with the last clone.
    ///
    /// # Errors
    ///
    /// The kernel refuses the socket or the thread.
    pub fn open() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        let (opened, handle) = mpsc::sync_channel(1);
        // A thread is born in the namespace of the one that starts it.
        thread::Builder::new()
            .name("netlink".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    match rtnetlink::new_connection() {
                        Ok((connection, handle, _unsolicited)) => {
                            // Who opens it waits for it.
                            let _ = opened.send(Ok(handle));
                            connection.await;
                        }
                        Err(error) => {
                            let _ = opened.send(Err(error));
                        }
                    }
                });
            })?;
        let handle = handle.recv();
        let handle = handle.map_err(|_ended| io::Error::other("the thread has ended"))??;
        Ok(Self {
            handle,
            listing: Arc::default(),
        })
    }

    pub(super) fn handle(&self) -> &rtnetlink::Handle {
        &self.handle
    }

    /// Collects what the kernel lists; `action` says what that is.
    pub(super) async fn list<S>(
        &self,
        action: &str,
        ask: impl Fn(&rtnetlink::Handle) -> S,
    ) -> Result<Vec<S::Ok>, RequestError>
    where
        S: TryStream<Error = rtnetlink::Error>,
    {
        let _turn = self.listing.lock().await;
        let mut tries = LIST_TRIES;
        loop {
            let listed = ask(&self.handle).try_collect().await;
            let listed = listed.map_err(|error| RequestError::new(action, error));
            tries -= 1;
            match listed {
                // Whoever asked before may have gone before its list was at its end.
                Err(error) if error.is_busy() && tries > 0 => sleep(LIST_PAUSE).await,
                listed => return listed,
            }
        }
    }
}

/// A request that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}")]
pub struct RequestError {
    /// What was asked for.
    pub action: String,
    /// Why the kernel refused it.
    pub source: io::Error,
}

impl RequestError {
    pub(super) fn new(action: impl Into<String>, error: rtnetlink::Error) -> Self {
        let source = if let rtnetlink::Error::NetlinkError(message) = &error {
            message.to_io()
        } else {
            io::Error::other(error)
        };
        Self {
            action: action.into(),
            source,
        }
    }

    /// Whether the request failed because what it was about is not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(
            self.source.raw_os_error(),
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::EADDRNOTAVAIL | libc::ESRCH)
        )
    }

    /// Whether the request failed because another one is under way.
    fn is_busy(&self) -> bool {
        self.source.raw_os_error() == Some(libc::EBUSY)
    }

    /// Whether the request failed because what it should create is there already.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.source.raw_os_error() == Some(libc::EEXIST)
    }
}

/// A netlink socket in non-blocking mode with its receive buffer.
pub(super) struct NetlinkSocket {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

/// What a socket has received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// One datagram of this many bytes, now in the buffer.
    Datagram(usize),
    /// The reader was too slow: the kernel has dropped messages.
    Overrun,
}

impl NetlinkSocket {
    /// Opens a socket for requests.
    pub(super) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        Self::register(socket)
    }

    /// Opens a socket for the events of the multicast `groups`, of which the kernel keeps about
    /// as many as fit into `buffer_bytes`.
    pub(super) fn subscribe(
        protocol: isize,
        groups: &[u32],
        buffer_bytes: usize,
    ) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        set_receive_buffer(&socket, buffer_bytes);
        for group in groups {
            socket.add_membership(*group)?;
        }
        Self::register(socket)
    }

    fn register(socket: Socket) -> io::Result<Self> {
        socket.set_non_blocking(true)?;
        // SAFETY: the socket owns its descriptor, and nothing here replaces or closes it while
        // the reactor knows it.
        let socket = unsafe { AsyncFd::register(socket) }?;
        Ok(Self {
            socket,
            buffer: vec![0; DATAGRAM_BYTES],
        })
    }

    /// Sends one request to the kernel, which has processed it when this returns.
    pub(super) fn send(&self, request: &[u8]) -> io::Result<()> {
        let kernel = SocketAddr::new(0, 0);
        let sent = self.socket.get_ref().send_to(request, &kernel, 0)?;
        if sent == request.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    /// Receives one datagram. Safe to cancel: nothing is taken from the socket by a wait.
    pub(super) async fn receive(&mut self) -> io::Result<Received> {
        // A long answer is read without a wait; other tasks get their turn all the same.
        tokio::task::coop::consume_budget().await;
        loop {
            if let Some(received) = self.try_receive()? {
                return Ok(received);
            }
            self.socket.readable().await?.clear_ready();
        }
    }

    /// Receives one datagram if there is one.
    pub(super) fn try_receive(&mut self) -> io::Result<Option<Received>> {
        match self.socket.get_ref().recv(&mut &mut self.buffer[..], 0) {
            Ok(length) => Ok(Some(Received::Datagram(length))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                Ok(Some(Received::Overrun))
            }
            Err(error) => Err(error),
        }
    }

    /// The messages of the datagram of `length` bytes that was received last.
    pub(super) fn messages(&self, length: usize) -> Messages<'_> {
        Messages {
            rest: self.buffer.get(..length).unwrap_or(&self.buffer),
        }
    }
}

/// Iterates over the messages of one datagram; ends at the first that is cut short.
pub(super) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = NetlinkBuffer<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let message = NetlinkBuffer::new_checked(self.rest).ok()?;
        let length = usize::try_from(message.length()).ok()?;
        self.rest = self.rest.get(aligned(length)..).unwrap_or_default();
        Some(message)
    }
}

/// Netlink messages and attributes begin at multiples of four bytes.
pub(super) const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Events of the kernel's routing side.
pub(super) struct RouteEvents {
    socket: NetlinkSocket,
    pending: Range<usize>,
}

/// One event of the kernel's routing side.
#[derive(Debug)]
pub(super) enum RouteEvent {
    /// Something has changed.
    Message(RouteNetlinkMessage),
    /// Events were lost: everything may have changed.
    Overrun,
}

impl RouteEvents {
    /// Subscribes to `groups` in the network namespace of the calling thread.
    pub(super) fn open(groups: &[rtnetlink::MulticastGroup]) -> io::Result<Self> {
        let groups: Vec<u32> = groups.iter().map(|group| *group as u32).collect();
        Ok(Self {
            socket: NetlinkSocket::subscribe(NETLINK_ROUTE, &groups, EVENT_BUFFER_BYTES)?,
            pending: 0..0,
        })
    }

    /// Waits for the next event. Safe to cancel: an event is taken only when it is returned.
    pub(super) async fn next(&mut self) -> io::Result<RouteEvent> {
        loop {
            while !self.pending.is_empty() {
                if let Some(message) = self.take() {
                    return Ok(RouteEvent::Message(message));
                }
            }
            match self.socket.receive().await? {
                Received::Datagram(length) => self.pending = 0..length,
                Received::Overrun => return Ok(RouteEvent::Overrun),
            }
        }
    }

    /// Takes the next message of the last datagram; `None` when it is of no use or there is none.
    fn take(&mut self) -> Option<RouteNetlinkMessage> {
        let rest = self
            .socket
            .buffer
            .get(self.pending.clone())
            .unwrap_or_default();
        let Ok(message) = NetlinkBuffer::new_checked(rest) else {
            self.pending = 0..0;
            return None;
        };
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
        let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest);
        self.pending.start = self.pending.start.saturating_add(aligned(length));
        let NetlinkPayload::InnerMessage(message) = parsed.ok()?.payload else {
            return None;
        };
        Some(message)
    }
}

/// Sets the receive buffer beyond `net.core.rmem_max` where the process may, else up to it.
fn set_receive_buffer(socket: &Socket, bytes: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_err() {
        // A smaller buffer only means that a storm leads to an `Overrun` earlier.
        let _ = SockRef::from(socket).set_recv_buffer_size(bytes);
    }
}
