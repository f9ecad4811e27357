//! Gives the stack's interfaces their addresses, and keeps them there.
//!
//! What should be where, and in which order it changes, `engine::addresses`
//! decides. An address that the distributor did not add is never removed, and
//! dropping [`Addresses`] removes nothing: a restart finds its own addresses
//! by their protocol number and goes on with them.
//!
//! One task owns the wanted placements and the kernel's events. It executes
//! one list of changes at a time and is only ever stopped between two of them.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use rtnetlink::{AddressMessageBuilder, MulticastGroup};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::engine::addresses::{ADDRESS_PROTOCOL, Change, Configured, Placement, Role, changes};

use super::links;
use super::netlink::{Netlink, RequestError, RouteEvent, RouteEvents};

#[cfg(test)]
mod tests;

/// Whoever takes our addresses away in a loop gets this much rest between two repairs.
const REPAIR_PAUSE: Duration = Duration::from_millis(50);

/// A lifetime without end (`INFINITY_LIFE_TIME`).
const FOR_EVER: u32 = u32::MAX;

/// Repairs that wait to be read; more are only logged.
const REPAIR_QUEUE: usize = 64;

/// The addresses that the distributor holds on this stack.
#[derive(Clone, Debug)]
pub struct Addresses {
    commands: mpsc::Sender<Command>,
}

/// An address that somebody else removed and that is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The address.
    pub address: IpAddr,
    /// The interface that has it again.
    pub ifindex: u32,
}

/// How a placement was fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What was wanted.
    pub placement: Placement,
    /// The address that fulfils it: ours, or one that was there and stays somebody else's.
    pub by: Configured,
}

/// Why the addresses could not be brought to the wanted state.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The kernel refused a change; what had been added before it was removed again.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The kernel cannot mark addresses; nothing was left behind.
    #[error(
        "this kernel does not keep the protocol number of an address (`IFA_PROTO`), by which \
         the distributor knows its own; Linux 5.18 or later does"
    )]
    NoAddressProtocol,
    /// The task is gone; the addresses are as they were.
    #[error("the task that holds the addresses has ended")]
    Ended,
}

#[derive(Debug)]
struct Command {
    wanted: Vec<Placement>,
    done: oneshot::Sender<Result<Vec<Settled>, AddressError>>,
}

impl Addresses {
    /// Starts the task, in the network namespace of the calling thread. It changes nothing yet.
    ///
    /// # Errors
    ///
    /// The kernel refuses a socket.
    pub fn start(netlink: &Netlink) -> io::Result<(Self, mpsc::Receiver<Repaired>)> {
        let (commands, received) = mpsc::channel(1);
        let (repaired, repairs) = mpsc::channel(REPAIR_QUEUE);
        let task = Task {
            netlink: netlink.clone(),
            events: RouteEvents::open(&[
                MulticastGroup::Link,
                MulticastGroup::Ipv4Ifaddr,
                MulticastGroup::Ipv6Ifaddr,
            ])?,
            commands: received,
            repaired,
            wanted: Vec::new(),
        };
        tokio::spawn(task.run());
        Ok((Self { commands }, repairs))
    }

    /// Brings the addresses to exactly these placements, and returns how each is fulfilled.
    ///
    /// Everything of ours that is not among them is removed, also what an
    /// earlier daemon has left; without any placement the stack is as it was.
    ///
    /// # Errors
    ///
    /// An address could not be added (then the placements from before stay in
    /// force and in place), or one could not be removed.
    pub async fn apply(&self, wanted: Vec<Placement>) -> Result<Vec<Settled>, AddressError> {
        let (done, answer) = oneshot::channel();
        let command = Command { wanted, done };
        self.commands
            .send(command)
            .await
            .map_err(|_closed| AddressError::Ended)?;
        answer.await.map_err(|_closed| AddressError::Ended)?
    }
}

struct Task {
    netlink: Netlink,
    events: RouteEvents,
    commands: mpsc::Receiver<Command>,
    repaired: mpsc::Sender<Repaired>,
    wanted: Vec<Placement>,
}

impl Task {
    async fn run(mut self) {
        let mut repair_at: Option<Instant> = None;
        let mut earliest_repair = Instant::now();
        loop {
            tokio::select! {
                command = self.commands.recv() => {
                    let Some(Command { wanted, done }) = command else { return };
                    // Nobody waits for the answer any more: the change was made all the same.
                    let _ = done.send(self.apply(wanted).await);
                }
                event = self.events.next() => match event {
                    Ok(event) if self.concerns(&event) => {
                        repair_at.get_or_insert_with(|| earliest_repair.max(Instant::now()));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        warn!(%error, "addresses are no longer watched");
                        return;
                    }
                },
                () = sleep_until(repair_at.unwrap_or(earliest_repair)), if repair_at.is_some() => {
                    repair_at = None;
                    self.repair().await;
                    earliest_repair = Instant::now() + REPAIR_PAUSE;
                }
            }
        }
    }

    async fn apply(&mut self, wanted: Vec<Placement>) -> Result<Vec<Settled>, AddressError> {
        let steps = changes(&links::addresses(&self.netlink).await?, &wanted);
        let mut added = Vec::new();
        for placement in additions(&steps) {
            if let Err(error) = add(&self.netlink, &placement).await {
                self.undo(&added).await;
                return Err(error.into());
            }
            added.push(placement.configured());
        }
        let present = links::addresses(&self.netlink).await?;
        if added.iter().any(|address| !present.contains(address)) {
            self.undo(&added).await;
            return Err(AddressError::NoAddressProtocol);
        }
        self.wanted = wanted;
        let mut removed = Ok(());
        for address in removals(&steps) {
            removed = removed.and(remove(&self.netlink, address).await);
        }
        removed?;
        let settled = self.wanted.iter().filter_map(|placement| {
            placement.satisfied_by(&present).map(|by| Settled {
                placement: *placement,
                by,
            })
        });
        Ok(settled.collect())
    }

    async fn undo(&self, added: &[Configured]) {
        for address in added {
            if let Err(error) = remove(&self.netlink, *address).await {
                warn!(%error, "an address stays behind");
            }
        }
    }

    /// Whether a wanted address may be gone.
    fn concerns(&self, event: &RouteEvent) -> bool {
        let RouteEvent::Message(message) = event else {
            return !self.wanted.is_empty();
        };
        if let RouteNetlinkMessage::DelAddress(message) = message {
            let gone = links::configured(message).map(|configured| configured.address);
            self.wanted
                .iter()
                .any(|placement| Some(placement.address) == gone)
        } else if let RouteNetlinkMessage::NewLink(message) = message {
            self.wanted
                .iter()
                .any(|placement| placement.ifindex == message.header.index)
        } else {
            false
        }
    }

    async fn repair(&self) {
        let present = match links::addresses(&self.netlink).await {
            Ok(present) => present,
            Err(error) => {
                warn!(%error, "addresses could not be checked");
                return;
            }
        };
        for placement in additions(&changes(&present, &self.wanted)) {
            let Placement {
                address: ip,
                ifindex,
                ..
            } = placement;
            match add(&self.netlink, &placement).await {
                Ok(()) => {
                    info!(address = %ip, ifindex, "an address that was removed is back");
                    // A reader that is far behind has enough to read.
                    let _ = self.repaired.try_send(Repaired {
                        address: ip,
                        ifindex,
                    });
                }
                Err(error) => warn!(%error, "an address is missing"),
            }
        }
    }
}

fn additions(changes: &[Change]) -> impl Iterator<Item = Placement> {
    changes.iter().filter_map(|change| match change {
        Change::Add(placement) => Some(*placement),
        Change::Remove(_) => None,
    })
}

fn removals(changes: &[Change]) -> impl Iterator<Item = Configured> {
    changes.iter().filter_map(|change| match change {
        Change::Remove(address) => Some(*address),
        Change::Add(_) => None,
    })
}

async fn add(netlink: &Netlink, placement: &Placement) -> Result<(), RequestError> {
    let address = placement.configured();
    let mut message = message(address);
    message.header.scope = if address.is_host_scope {
        AddressScope::Host
    } else {
        AddressScope::Universe
    };
    // An IPv6 address would be unusable during duplicate address detection; the group has
    // made sure that nobody else has it.
    let mut flags = AddressFlags::Nodad;
    let is_dvipa = matches!(placement.role, Role::Owned | Role::Hidden);
    if is_dvipa && address.address.is_ipv6() {
        // It stays usable for whoever connects to it, but this host's own connections come from
        // another one as long as there is any (RFC 6724 §5, rule 3): they would end when it moves.
        // IPv4 needs nothing of the kind, for it takes the interface's first address.
        let mut lifetimes = CacheInfo::default();
        lifetimes.ifa_preferred = 0;
        lifetimes.ifa_valid = FOR_EVER;
        message
            .attributes
            .push(AddressAttribute::CacheInfo(lifetimes));
        // A route to it, beside that of the table of local addresses, is of no use, and routing
        // daemons would pass on that of a hidden one.
        flags |= AddressFlags::Noprefixroute;
    }
    message.attributes.push(AddressAttribute::Flags(flags));
    message
        .attributes
        .push(AddressAttribute::Protocol(AddressProtocol::Other(
            ADDRESS_PROTOCOL,
        )));
    let mut request =
        netlink
            .handle()
            .address()
            .add(address.ifindex, address.address, address.prefix_len);
    *request.message_mut() = message;
    match request.execute().await {
        Ok(()) => Ok(()),
        Err(error) => {
            let action = format!(
                "add `{}/{}` to interface {}",
                address.address, address.prefix_len, address.ifindex
            );
            let error = RequestError::new(action, error);
            if error.is_present() {
                Ok(())
            } else {
                Err(error)
            }
        }
    }
}

async fn remove(netlink: &Netlink, address: Configured) -> Result<(), RequestError> {
    match netlink
        .handle()
        .address()
        .del(message(address))
        .execute()
        .await
    {
        Ok(()) => Ok(()),
        Err(error) => {
            let action = format!(
                "remove `{}/{}` from interface {}",
                address.address, address.prefix_len, address.ifindex
            );
            let error = RequestError::new(action, error);
            if error.is_absent() {
                Ok(())
            } else {
                Err(error)
            }
        }
    }
}

fn message(address: Configured) -> AddressMessage {
    match address.address {
        IpAddr::V4(ip) => AddressMessageBuilder::<std::net::Ipv4Addr>::new()
            .index(address.ifindex)
            .address(ip, address.prefix_len)
            .build(),
        IpAddr::V6(ip) => AddressMessageBuilder::<std::net::Ipv6Addr>::new()
            .index(address.ifindex)
            .address(ip, address.prefix_len)
            .build(),
    }
}
