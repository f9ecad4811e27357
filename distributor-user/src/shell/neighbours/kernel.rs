//! Questions to the kernel about routes and neighbours, and the entries that it manages for us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage,
    NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteProtocol, RouteType,
    RouteVia,
};
use rtnetlink::RouteMessageBuilder;

use crate::engine::addresses::ADDRESS_PROTOCOL;
use crate::engine::stack::NextHopKey;
use crate::shell::netlink::{Netlink, RequestError};

/// An entry of the kernel's neighbour table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) ifindex: u32,
    pub(super) address: IpAddr,
    /// Absent while the kernel does not know it, or knows that it is wrong.
    pub(super) mac: Option<[u8; 6]>,
    /// Whether the kernel keeps the entry because a distributor asked for it.
    pub(super) is_managed_by_us: bool,
    /// Whether an administrator has said what it is; asking for it to be kept would undo that.
    pub(super) is_static: bool,
}

impl Neighbour {
    /// What the kernel knows the entry by.
    pub(super) fn key(&self) -> (u32, IpAddr) {
        (self.ifindex, self.address)
    }

    /// Whether the entry stays without anybody using it.
    pub(super) fn is_kept(&self) -> bool {
        self.is_managed_by_us || self.is_static
    }

    /// What is left of the entry once the kernel has removed it.
    pub(super) fn gone(self) -> Self {
        Self {
            mac: None,
            is_managed_by_us: false,
            is_static: false,
            ..self
        }
    }

    /// Reads an entry; `None` when it is not about an IP address.
    pub(super) fn read(message: &NeighbourMessage) -> Option<Self> {
        let mut address = None;
        let mut mac = None;
        let mut is_ours = false;
        let mut is_managed = false;
        for attribute in &message.attributes {
            if let NeighbourAttribute::Destination(destination) = attribute {
                if let NeighbourAddress::Inet(v4) = destination {
                    address = Some(IpAddr::V4(*v4));
                } else if let NeighbourAddress::Inet6(v6) = destination {
                    address = Some(IpAddr::V6(*v6));
                }
            } else if let NeighbourAttribute::LinkLayerAddress(bytes) = attribute {
                mac = bytes.as_slice().try_into().ok();
            } else if let NeighbourAttribute::Protocol(protocol) = attribute {
                is_ours = *protocol == RouteProtocol::Other(ADDRESS_PROTOCOL);
            } else if let NeighbourAttribute::ExtFlags(flags) = attribute {
                is_managed = flags.contains(NeighbourExtFlags::Managed);
            }
        }
        Some(Self {
            ifindex: message.header.ifindex,
            address: address?,
            mac: mac.filter(|_| is_valid(message.header.state)),
            is_managed_by_us: is_ours && is_managed,
            is_static: message.header.state == NeighbourState::Permanent,
        })
    }
}

/// Whether the kernel would send to this neighbour without asking first (`NUD_VALID`).
fn is_valid(state: NeighbourState) -> bool {
    matches!(
        state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
            | NeighbourState::Noarp
    )
}

/// Lists the neighbours of every interface.
pub(super) async fn neighbours(netlink: &Netlink) -> Result<Vec<Neighbour>, RequestError> {
    let messages = netlink
        .list("list the neighbours", |handle| {
            handle.neighbours().get().execute()
        })
        .await?;
    Ok(messages.iter().filter_map(Neighbour::read).collect())
}

/// Returns who a packet on this path is handed to; `None` when the path leads elsewhere.
pub(super) async fn next_hop(netlink: &Netlink, path: &NextHopKey) -> Option<IpAddr> {
    let mut question = match path.destination {
        IpAddr::V4(v4) => RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(v4, 32)
            .output_interface(path.ifindex)
            .build(),
        IpAddr::V6(v6) => RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(v6, 128)
            .output_interface(path.ifindex)
            .build(),
    };
    let answer = ask(netlink, question.clone()).await?;
    let leads_there = answer
        .attributes
        .contains(&RouteAttribute::Oif(path.ifindex));
    if !leads_there || answer.header.kind != RouteType::Unicast {
        return None;
    }
    if let Some(gateway) = answer.attributes.iter().find_map(gateway) {
        return Some(gateway);
    }
    // With an interface named and no route, the kernel assumes that everybody is on that link
    // (`ip_route_output_key_hash_rcu`). It admits so when it is asked for the route itself.
    question.header.flags |= RouteFlags::FibMatch;
    ask(netlink, question).await.map(|_route| path.destination)
}

/// The way that a packet to an address takes, before its next hop is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) ifindex: u32,
    pub(super) gateway: Option<IpAddr>,
    /// The address that the kernel would send from.
    pub(super) source: IpAddr,
    /// What the route says of its MTU, if anything.
    pub(super) mtu: Option<u32>,
}

impl Way {
    /// The neighbour that a packet to an address is handed to on this way.
    pub(super) fn next_hop(&self, destination: IpAddr) -> (u32, IpAddr) {
        (self.ifindex, self.gateway.unwrap_or(destination))
    }
}

/// Returns the way to an address by whatever interface the routes say; `None` when there is none, or
/// the address is one of this host itself.
pub(super) async fn way(netlink: &Netlink, destination: IpAddr) -> Option<Way> {
    let question = match destination {
        IpAddr::V4(v4) => RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(v4, 32)
            .build(),
        IpAddr::V6(v6) => RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(v6, 128)
            .build(),
    };
    let answer = ask(netlink, question).await?;
    if answer.header.kind != RouteType::Unicast {
        return None;
    }
    let (mut ifindex, mut source, mut mtu) = (None, None, None);
    for attribute in &answer.attributes {
        if let RouteAttribute::Oif(index) = attribute {
            ifindex = Some(*index);
        } else if let RouteAttribute::PrefSource(RouteAddress::Inet(v4)) = attribute {
            source = Some(IpAddr::V4(*v4));
        } else if let RouteAttribute::PrefSource(RouteAddress::Inet6(v6)) = attribute {
            source = Some(IpAddr::V6(*v6));
        } else if let RouteAttribute::Metrics(metrics) = attribute {
            mtu = metrics.iter().find_map(|metric| {
                if let RouteMetric::Mtu(mtu) = metric {
                    Some(*mtu)
                } else {
                    None
                }
            });
        }
    }
    Some(Way {
        ifindex: ifindex?,
        gateway: answer.attributes.iter().find_map(gateway),
        source: source?,
        mtu,
    })
}

/// Asks for a route; the kernel refuses where there is none.
async fn ask(netlink: &Netlink, question: RouteMessage) -> Option<RouteMessage> {
    let request = netlink.handle().route().get(question).execute();
    let answers: Vec<RouteMessage> = request.try_collect().await.ok()?;
    answers.into_iter().next()
}

fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    if let RouteAttribute::Gateway(RouteAddress::Inet(v4))
    | RouteAttribute::Via(RouteVia::Inet(v4)) = attribute
    {
        Some(IpAddr::V4(*v4))
    } else if let RouteAttribute::Gateway(RouteAddress::Inet6(v6))
    | RouteAttribute::Via(RouteVia::Inet6(v6)) = attribute
    {
        Some(IpAddr::V6(*v6))
    } else {
        None
    }
}

/// Has the kernel resolve a neighbour and keep it resolved (`NTF_EXT_MANAGED`, Linux 5.16).
pub(super) async fn manage(
    netlink: &Netlink,
    (ifindex, address): (u32, IpAddr),
) -> Result<(), RequestError> {
    let extended = NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed);
    set(netlink, ifindex, address, Some(extended))
        .await
        .map_err(|error| RequestError::new(format!("keep neighbour `{address}` resolved"), error))
}

/// Leaves a neighbour to the kernel's own judgement again.
pub(super) async fn release(
    netlink: &Netlink,
    (ifindex, address): (u32, IpAddr),
) -> Result<(), RequestError> {
    match set(netlink, ifindex, address, None).await {
        Ok(()) => Ok(()),
        Err(error) => {
            let error = RequestError::new(format!("release neighbour `{address}`"), error);
            if error.is_absent() {
                Ok(())
            } else {
                Err(error)
            }
        }
    }
}

/// Changes the flags of an entry; `NTF_USE` leaves its state and its MAC address alone.
async fn set(
    netlink: &Netlink,
    ifindex: u32,
    address: IpAddr,
    extended: Option<NeighbourAttribute>,
) -> Result<(), rtnetlink::Error> {
    let mut request = netlink
        .handle()
        .neighbours()
        .add(ifindex, address)
        .state(NeighbourState::None)
        .flags(NeighbourFlags::Use)
        .replace();
    let attributes = &mut request.message_mut().attributes;
    attributes.push(NeighbourAttribute::Protocol(RouteProtocol::Other(
        ADDRESS_PROTOCOL,
    )));
    attributes.extend(extended);
    request.execute().await
}
