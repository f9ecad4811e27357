//! What is asked of the kernel once, and not kept.

use std::net::IpAddr;

use super::kernel;
use crate::shell::netlink::{Netlink, RequestError};

/// The neighbours that an administrator has fixed: interface, address and Ethernet address.
pub(in crate::shell) async fn fixed(
    netlink: &Netlink,
) -> Result<Vec<(u32, IpAddr, [u8; 6])>, RequestError> {
    let all = kernel::neighbours(netlink).await?.into_iter();
    let fixed = all.filter(|neighbour| neighbour.is_static);
    let with_mac = fixed.filter_map(|one| Some((one.ifindex, one.address, one.mac?)));
    Ok(with_mac.collect())
}

/// The interface by which an address is reached, and what the route says of its MTU; `None` where the
/// routes lead nowhere, or to this host itself.
pub(in crate::shell) async fn way_to(
    netlink: &Netlink,
    address: IpAddr,
) -> Option<(u32, Option<u32>)> {
    let way = kernel::way(netlink, address).await?;
    Some((way.ifindex, way.mtu))
}
