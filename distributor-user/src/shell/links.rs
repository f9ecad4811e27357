//! Lists the interfaces of the stack. Which of them is used for what, `engine::links` decides.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressProtocol, AddressScope,
};
use netlink_packet_route::link::{
    LinkAttribute, LinkFlags, LinkHeader, LinkInfo, LinkLayerType, LinkMessage,
};

use crate::engine::addresses::{ADDRESS_PROTOCOL, Configured};
use crate::engine::links::{Link, LinkAddress};

use super::netlink::{Netlink, RequestError};

#[cfg(test)]
mod tests;

/// Lists every interface with its addresses, by index.
///
/// # Errors
///
/// The kernel refuses the dump.
pub async fn list(netlink: &Netlink) -> Result<Vec<Link>, RequestError> {
    let messages = netlink
        .list("list the interfaces", |handle| {
            handle.link().get().execute()
        })
        .await?;
    let mut links: BTreeMap<u32, Link> = messages
        .iter()
        .filter_map(link)
        .map(|link| (link.index, link))
        .collect();
    for message in address_messages(netlink).await? {
        let Some(configured) = configured(&message) else {
            continue;
        };
        // An interface that came after the first dump is not in the list: neither is its address.
        if let Some(link) = links.get_mut(&configured.ifindex) {
            link.addresses.push(LinkAddress {
                address: configured.address,
                prefix_len: configured.prefix_len,
                is_ours: configured.is_ours,
                is_fleeting: configured.address.is_ipv6() && is_fleeting(&message),
            });
        }
    }
    Ok(links.into_values().collect())
}

/// Lists every address of every interface.
pub(super) async fn addresses(netlink: &Netlink) -> Result<Vec<Configured>, RequestError> {
    let messages = address_messages(netlink).await?;
    Ok(messages.iter().filter_map(configured).collect())
}

async fn address_messages(netlink: &Netlink) -> Result<Vec<AddressMessage>, RequestError> {
    netlink
        .list("list the addresses", |handle| {
            handle.address().get().execute()
        })
        .await
}

/// Whether an IPv6 address comes and goes, or must not be used.
fn is_fleeting(message: &AddressMessage) -> bool {
    // With IPv6 the first of these stands for a temporary address (`IFA_F_TEMPORARY`).
    let fleeting = AddressHeaderFlags::Secondary
        | AddressHeaderFlags::Deprecated
        | AddressHeaderFlags::Tentative
        | AddressHeaderFlags::Dadfailed;
    message.header.flags.intersects(fleeting)
}

/// Reads an interface from the kernel's description of it.
pub(super) fn link(message: &LinkMessage) -> Option<Link> {
    let LinkHeader {
        index,
        link_layer_type,
        flags,
        ..
    } = message.header;
    let mut name = None;
    let mut mac = None;
    let mut mtu = 0;
    let mut kind = None;
    for attribute in &message.attributes {
        if let LinkAttribute::IfName(text) = attribute {
            name = Some(text.clone());
        } else if let LinkAttribute::Address(bytes) = attribute
            && link_layer_type == LinkLayerType::Ether
        {
            mac = bytes.as_slice().try_into().ok();
        } else if let LinkAttribute::Mtu(bytes) = attribute {
            mtu = *bytes;
        } else if let LinkAttribute::LinkInfo(entries) = attribute {
            kind = entries.iter().find_map(|entry| {
                if let LinkInfo::Kind(kind) = entry {
                    Some(kind.to_string())
                } else {
                    None
                }
            });
        }
    }
    Some(Link {
        index,
        name: name?,
        mac,
        mtu,
        is_up: flags.contains(LinkFlags::Up),
        is_loopback: flags.contains(LinkFlags::Loopback),
        kind,
        addresses: Vec::new(),
    })
}

/// Reads an address from the kernel's description of it.
pub(super) fn configured(message: &AddressMessage) -> Option<Configured> {
    let mut local: Option<IpAddr> = None;
    let mut prefix: Option<IpAddr> = None;
    let mut is_ours = false;
    for attribute in &message.attributes {
        if let AddressAttribute::Local(address) = attribute {
            local = Some(*address);
        } else if let AddressAttribute::Address(address) = attribute {
            prefix = Some(*address);
        } else if let AddressAttribute::Protocol(protocol) = attribute {
            is_ours = *protocol == AddressProtocol::Other(ADDRESS_PROTOCOL);
        }
    }
    Some(Configured {
        // On a point-to-point interface the other one is the peer's; IPv6 has only that one.
        address: local.or(prefix)?,
        prefix_len: message.header.prefix_len,
        ifindex: message.header.index,
        is_host_scope: message.header.scope == AddressScope::Host,
        is_ours,
    })
}
