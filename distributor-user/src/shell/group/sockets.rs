//! The group's UDP sockets: one for each of this stack's addresses, one for multicast of each family.
//!
//! Each is bound to its interface as well. So a network that is lost is lost:
//! nothing of it finds another way round, and nothing that belongs on one
//! network is taken from another.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::GroupError;
use crate::engine::group::{GroupSettings, LocalAddress};

/// What a socket may hold until it is read: many members may speak at once.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Class selector 6 (RFC 4594 section 3.1): a network full of data has room for the group yet.
const NETWORK_CONTROL: u32 = 0xc0;

/// Sockets that are bound and not read yet.
#[derive(Debug)]
pub(super) struct Sockets {
    /// By local address.
    pub(super) unicast: BTreeMap<IpAddr, UdpSocket>,
    /// By the local address that stands for it.
    pub(super) multicast: BTreeMap<IpAddr, UdpSocket>,
}

impl Sockets {
    /// Binds a socket to each of the stack's addresses.
    pub(super) fn bind(settings: &GroupSettings) -> Result<Self, GroupError> {
        Self::bind_changed(&[], settings)
    }

    /// Binds sockets to the addresses that are not in `before`.
    pub(super) fn bind_changed(
        before: &[LocalAddress],
        settings: &GroupSettings,
    ) -> Result<Self, GroupError> {
        let mut sockets = Self {
            unicast: BTreeMap::new(),
            multicast: BTreeMap::new(),
        };
        for local in settings
            .locals
            .iter()
            .filter(|local| !before.contains(local))
        {
            let at = SocketAddr::new(local.address, settings.port);
            let socket = unicast(at, &local.ifname).map_err(|source| GroupError::Bind {
                address: local.address,
                port: settings.port,
                ifname: local.ifname.clone(),
                source,
            })?;
            sockets.unicast.insert(local.address, socket);
            let mut groups = settings.multicast.iter();
            let is_of_it = |group: &&SocketAddr| group.is_ipv4() == at.is_ipv4();
            let Some(group) = groups.find(is_of_it).filter(|_| local.is_xcf) else {
                continue;
            };
            // Without multicast members are still found by address.
            match multicast(*group, local) {
                Ok(socket) => {
                    sockets.multicast.insert(local.address, socket);
                }
                Err(error) => tracing::warn!(
                    interface = local.ifname,
                    %error,
                    "members are not looked for by multicast, only by DESTIP and seeds"
                ),
            }
        }
        Ok(sockets)
    }
}

fn unicast(at: SocketAddr, ifname: &str) -> io::Result<UdpSocket> {
    let socket = socket(at)?;
    // An address may come later than the stack: from a slow interface, or after duplicate
    // address detection.
    match at {
        SocketAddr::V4(_) => {
            socket.set_freebind_v4(true)?;
            socket.set_tos_v4(NETWORK_CONTROL)?;
            socket.set_multicast_ttl_v4(1)?;
        }
        SocketAddr::V6(_) => {
            socket.set_freebind_v6(true)?;
            socket.set_tclass_v6(NETWORK_CONTROL)?;
            socket.set_multicast_hops_v6(1)?;
        }
    }
    socket.bind_device(Some(ifname.as_bytes()))?;
    socket.bind(&at.into())?;
    Ok(socket.into())
}

fn multicast(group: SocketAddr, local: &LocalAddress) -> io::Result<UdpSocket> {
    let socket = socket(group)?;
    // Other stacks may run on this machine, in namespaces that share nothing but this option.
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(local.ifname.as_bytes()))?;
    match group.ip() {
        IpAddr::V4(address) => {
            socket.join_multicast_v4_n(&address, &InterfaceIndexOrAddress::Index(local.ifindex))?;
        }
        IpAddr::V6(address) => socket.join_multicast_v6(&address, local.ifindex)?,
    }
    socket.bind(&group.into())?;
    Ok(socket.into())
}

fn socket(at: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}
