//! Which connections there are on a set of DVIPAs.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use netlink_packet_sock_diag::inet::StateFlags;

use super::closed::flow;
use crate::engine::forwarding::FlowKey;
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
