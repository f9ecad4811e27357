//! A packet socket for the frames of one protocol on one interface.

use std::io;
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;

/// Room for a frame of either protocol with whatever padding a driver leaves.
const RECEIVE_LEN: usize = 128;

/// A socket for the frames of one interface.
pub(super) struct PacketSocket {
    socket: AsyncFd<Socket>,
}

impl PacketSocket {
    /// Opens a socket for frames of an Ethernet type, of those that `filter` lets through.
    pub(super) fn open(ifindex: u32, ether_type: u16, filter: &[SockFilter]) -> io::Result<Self> {
        // Without a protocol it receives nothing until it is bound: no frame of another interface.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None::<Protocol>)?;
        socket.set_nonblocking(true)?;
        if !filter.is_empty() {
            socket.attach_filter(filter)?;
        }
        bind(&socket, ifindex, ether_type)?;
        // SAFETY: the socket owns its descriptor, and nothing here replaces or closes it while
        // the reactor knows it.
        let socket = unsafe { AsyncFd::register(socket) }?;
        Ok(Self { socket })
    }

    /// Sends a frame, as soon as there is room for it.
    pub(super) async fn send(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            let mut guard = self.socket.writable().await?;
            if let Ok(sent) = guard.try_io(|socket| socket.get_ref().send(frame)) {
                return sent.map(|_| ());
            }
        }
    }

    /// Waits for a frame that others sent. Safe to cancel: none is taken by a wait.
    pub(super) async fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            let mut guard = self.socket.readable().await?;
            let received = guard.try_io(|socket| {
                let mut frame = vec![0; RECEIVE_LEN];
                let length = io::Read::read(&mut socket.get_ref(), &mut frame)?;
                frame.truncate(length);
                Ok(frame)
            });
            if let Ok(received) = received {
                return received;
            }
        }
    }
}

/// Has a packet socket receive the frames of an Ethernet type on an interface, and send there
/// (`packet(7)`).
#[allow(
    clippy::cast_possible_truncation,
    reason = "both are small constants of the kernel's interface"
)]
fn bind(socket: &Socket, ifindex: u32, ether_type: u16) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ether_type.to_be(),
        sll_ifindex: ifindex.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the pointer is to an address of the stated length, which the kernel only reads.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
