//! Whole Ethernet frames: what goes over an interface, and what somebody puts there.

use std::io::{self, ErrorKind, Read as _};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::namespace::Namespace;

/// `ETH_P_ALL`: frames of every kind, outgoing ones too.
pub const EVERYTHING: u16 = 0x0003;

/// `ETH_P_ARP`.
pub const ARP: u16 = 0x0806;

/// `ETH_P_IPV6`.
pub const IPV6: u16 = 0x86dd;

/// Longest frame that is read whole.
const FRAME_MAX: usize = 2_048;

/// A packet socket on one interface (`packet(7)`).
#[derive(Debug)]
pub struct Tap {
    socket: Socket,
}

impl Tap {
    /// Taps `interface` of `namespace` for frames of one kind.
    ///
    /// # Errors
    ///
    /// There is no such interface.
    pub fn open(namespace: &Namespace, interface: &str, kind: u16) -> Result<Self> {
        let opened = namespace.run(|| {
            // Without a protocol it receives nothing until it is bound.
            let socket = Socket::new(Domain::PACKET, Type::RAW, None::<Protocol>)?;
            let index = nix::net::if_::if_nametoindex(interface)?;
            bind(&socket, index, kind)?;
            Ok(Self { socket })
        });
        opened.with_context(|| format!("cannot tap `{interface}` of `{}`", namespace.name()))
    }

    /// Puts a frame on the wire.
    ///
    /// # Errors
    ///
    /// The interface is down, or the frame too long.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(|_| ())
    }

    /// Waits for the next frame; nothing if none comes within `patience`.
    ///
    /// # Errors
    ///
    /// The interface is down.
    pub fn receive(&self, patience: Duration) -> io::Result<Option<Vec<u8>>> {
        // No time at all would mean for ever.
        let patience = patience.max(Duration::from_micros(1));
        self.socket.set_read_timeout(Some(patience))?;
        let mut frame = vec![0; FRAME_MAX];
        match (&self.socket).read(&mut frame) {
            Ok(len) => {
                frame.truncate(len);
                Ok(Some(frame))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "both are small constants of the kernel's interface"
)]
fn bind(socket: &Socket, interface: u32, kind: u16) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: kind.to_be(),
        sll_ifindex: interface.cast_signed(),
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
