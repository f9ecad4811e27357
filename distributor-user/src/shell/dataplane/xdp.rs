//! Which XDP program runs on an interface, as the kernel tells by netlink.
//!
//! Only asks; never attaches or detaches.

use std::io;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, XdpAttached};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Where in the kernel a program sees packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver, before the kernel allocates anything for the packet.
    Native,
    /// Behind the driver, for drivers without XDP: correct, and slower.
    Generic,
}

/// The program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    /// Id of the program.
    pub(super) program: u32,
    /// Where it runs.
    pub(super) mode: AttachMode,
}

/// Asks which program runs on an interface of this namespace.
///
/// `ENODEV` when there is no such interface.
pub(super) fn running(ifindex: u32) -> io::Result<Option<Running>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut link = LinkMessage::default();
    link.header.index = ifindex;
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetLink(link));
    request.header.flags = NLM_F_REQUEST;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (answer, _from) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = answer.payload {
        return Ok(program_of(&link));
    }
    if let NetlinkPayload::Error(error) = answer.payload {
        return Err(error.to_io());
    }
    Err(io::Error::from(io::ErrorKind::InvalidData))
}

/// The program of an interface, from the kernel's description of that.
pub(super) fn program_of(link: &LinkMessage) -> Option<Running> {
    let xdp = link.attributes.iter().find_map(|attribute| {
        if let LinkAttribute::Xdp(xdp) = attribute {
            Some(xdp)
        } else {
            None
        }
    })?;
    let mut mode = None;
    let mut program = None;
    for attribute in xdp {
        if let LinkXdp::ProgId(id) = attribute {
            program = Some(*id);
        } else if let LinkXdp::Attached(attached) = attribute {
            mode = if *attached == XdpAttached::SocketBuffer {
                Some(AttachMode::Generic)
            } else {
                Some(AttachMode::Native)
            };
        }
    }
    Some(Running {
        program: program?,
        mode: mode?,
    })
}
