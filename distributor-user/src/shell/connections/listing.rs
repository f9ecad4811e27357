//! Which connections there are on a set of DVIPAs.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_sock_diag::inet::StateFlags;

use super::closed::flow;
use crate::engine::forwarding::{FlowKey, ServiceKey};
use crate::shell::sock_diag::{Scope, SockDiag};

/// Lists every connection on one of `dvipas` that this stack has, from the first SYN to the
/// end of `TIME_WAIT`.
///
/// Connections that were opened from such an address are among them: nothing
/// tells them apart, and their packets belong here as well.
///
/// # Errors
///
/// The kernel refuses the dump.
pub async fn list(dvipas: &BTreeSet<IpAddr>) -> io::Result<Vec<FlowKey>> {
    in_states(connected(), dvipas).await
}

/// Lists the connections of [`list`] that can still carry data: all but those in `TIME_WAIT`.
///
/// # Errors
///
/// The kernel refuses the dump.
pub async fn living(dvipas: &BTreeSet<IpAddr>) -> io::Result<Vec<FlowKey>> {
    in_states(connected() - StateFlags::TIME_WAIT, dvipas).await
}

/// Lists the connections of [`living`] whose handshake is complete.
///
/// # Errors
///
/// The kernel refuses the dump.
pub async fn completed(dvipas: &BTreeSet<IpAddr>) -> io::Result<Vec<FlowKey>> {
    let open = StateFlags::TIME_WAIT | StateFlags::SYN_RECV | StateFlags::SYN_SENT;
    in_states(connected() - open, dvipas).await
}

/// Ends the connections of [`living`] to some services with a RST; returns how many there were.
///
/// # Errors
///
/// The kernel refuses: one that is built without `CONFIG_INET_DIAG_DESTROY` cannot do it. What was
/// ended before stays so.
pub async fn reset(services: &BTreeSet<ServiceKey>) -> io::Result<usize> {
    let mut socket = SockDiag::open()?;
    let mut ended = 0;
    for flow in living_of(services).await? {
        let local = SocketAddr::new(flow.dvipa, flow.port);
        let remote = SocketAddr::new(flow.client, flow.client_port);
        ended += usize::from(socket.destroy(local, remote).await?);
    }
    Ok(ended)
}

/// Lists the connections of [`living`] to some services.
///
/// # Errors
///
/// The kernel refuses the dump.
pub async fn living_of(services: &BTreeSet<ServiceKey>) -> io::Result<Vec<FlowKey>> {
    let dvipas = services.iter().map(|service| service.dvipa).collect();
    let mut flows = living(&dvipas).await?;
    flows.retain(|flow| {
        services.contains(&ServiceKey {
            dvipa: flow.dvipa,
            port: flow.port,
        })
    });
    Ok(flows)
}

async fn in_states(states: StateFlags, dvipas: &BTreeSet<IpAddr>) -> io::Result<Vec<FlowKey>> {
    let mut flows = BTreeSet::new();
    SockDiag::open()?
        .dump(states, Scope::Local(dvipas), |entry| {
            flows.extend(flow(entry).filter(|flow| dvipas.contains(&flow.dvipa)));
        })
        .await?;
    Ok(flows.into_iter().collect())
}

/// Every state but those without a peer.
pub(super) fn connected() -> StateFlags {
    StateFlags::all() - StateFlags::LISTEN - StateFlags::CLOSE
}
