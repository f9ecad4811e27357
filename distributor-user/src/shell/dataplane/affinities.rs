//! Clients that keep their targets, from the daemon's side: whose time is over.
//!
//! Packets note who keeps what, and forget nothing; so without a daemon, everybody
//! keeps what he has. About once a second the flow table is read, and what no
//! connection uses any more is marked; a new connection takes the mark away.
//! Only what was marked before the table was read, and is still as it was then,
//! is removed: no connection has come meanwhile.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use distributor_common::abi::program;
use distributor_common::flow::{FlowKey, Slot, Stamp, State, Tag};

use super::flows::Flows;
use super::{Dataplane, DataplaneError, Traffic, clock, object, targets};
use crate::engine::affinity::{Fate, Timers, Use};
use crate::engine::forwarding::{ClientKey, KeptClient};

/// What the daemon knows of clients that keep their targets.
#[derive(Clone, Debug)]
pub(super) struct Affinities {
    timers: Timers,
    /// When the table was last read.
    read_at: Duration,
    /// Whether some client may keep a target.
    are_there: bool,
}

/// The same for a report, with the services whose clients do.
#[derive(Debug)]
pub(super) struct Keeping {
    affinities: Affinities,
    terms: HashMap<ServiceEnd, Terms>,
}

/// A service as the flow table has it: the DVIPA in the order of memory, and the port.
type ServiceEnd = (u32, u16);

/// How clients of a service keep their targets.
#[derive(Clone, Debug)]
struct Terms {
    seconds: u16,
    /// Slots of the targets that can be kept.
    targets: Vec<u16>,
}

impl Affinities {
    /// Of a table that was taken over, or is new.
    pub(super) fn new(is_adopted: bool) -> Self {
        Self {
            timers: Timers::default(),
            read_at: Duration::ZERO,
            are_there: is_adopted,
        }
    }
}

/// A connection as far as it matters to what its client keeps; in the order in which they are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Used {
    addresses: u64,
    ports: u32,
    is_established: bool,
    target: u16,
}

/// What a client keeps, as it was read.
struct Kept<'a> {
    key: FlowKey,
    slot: &'a Slot,
    tag: Tag,
}

impl Kept<'_> {
    /// The tag that it is to have: removed, marked, without the mark, or as it is.
    fn judge(
        &self,
        connections: &[Used],
        terms: Option<&Terms>,
        timers: &mut Timers,
        now: Duration,
        stamp: Stamp,
    ) -> Tag {
        let tag = self.tag;
        let Some(terms) = terms.filter(|terms| terms.targets.contains(&tag.target())) else {
            return tag.freed();
        };
        let is_marked = tag.state() == State::Ending;
        let found = match (connections.is_empty(), is_marked) {
            (false, _) => Use::Connected,
            (true, true) => Use::Idle,
            (true, false) => Use::Recent,
        };
        match timers.judge(client_key(&self.key), found, terms.seconds, now) {
            Fate::Over => tag.freed(),
            Fate::Idle if is_marked => tag,
            Fate::Idle => tag.with_state(State::Ending).with_stamp(stamp),
            Fate::Used if connections.iter().any(|used| used.is_established) => {
                tag.with_state(State::Established)
            }
            // It pushes out nobody who has completed a connection.
            Fate::Used => tag.with_state(State::HalfOpen),
        }
    }
}

impl Dataplane {
    /// Ends what clients keep whose time is over, or whose target is not ready any more, and lets keep
    /// their target those who have a connection and nothing noted: a new owner learns of them from the
    /// targets. Call it every second or so; `now` is any clock that grows.
    ///
    /// # Errors
    ///
    /// The kernel does not tell the time.
    pub fn tend_affinities(&mut self, now: Duration) -> Result<(), DataplaneError> {
        let terms = self.terms();
        if terms.is_empty() && !self.affinities.are_there {
            return Ok(());
        }
        let reading = clock::read(object::program_mut(&mut self.object, program::READ_CLOCKS)?)
            .map_err(|source| DataplaneError::Load {
                program: program::READ_CLOCKS,
                source,
            })?;
        let stamp = self.unit.stamp(reading);
        let (kept, used) = read(&self.flows, &terms);
        for kept in &kept {
            let connections = of_client(&used, &kept.key);
            let terms = terms.get(&service_end(&kept.key));
            let new = kept.judge(connections, terms, &mut self.affinities.timers, now, stamp);
            if new != kept.tag {
                // If a packet was faster, the next round tells.
                let _ = kept.slot.replace(kept.tag, new);
            }
        }
        self.affinities.timers.end_round();
        self.note_unnoted(&terms, &kept, &used, stamp);
        self.affinities.are_there = !(terms.is_empty() && kept.is_empty());
        self.affinities.read_at = now;
        Ok(())
    }

    /// What is known of clients that keep their targets.
    pub(super) fn keeping(&self) -> Keeping {
        Keeping {
            affinities: self.affinities.clone(),
            terms: self.terms(),
        }
    }

    /// The services whose clients keep their targets.
    fn terms(&self) -> HashMap<ServiceEnd, Terms> {
        let affine = self.services.affine().filter_map(|key| {
            let IpAddr::V4(dvipa) = key.dvipa else {
                return None;
            };
            let terms = Terms {
                seconds: self.services.affinity(key).seconds,
                targets: self.services.keepable(key).collect(),
            };
            Some(((u32::from_ne_bytes(dvipa.octets()), key.port), terms))
        });
        affine.collect()
    }

    /// Lets clients keep the targets of their connections, if they keep none.
    fn note_unnoted(
        &self,
        terms: &HashMap<ServiceEnd, Terms>,
        kept: &[Kept<'_>],
        used: &[Used],
        stamp: Stamp,
    ) {
        let known: HashSet<FlowKey> = kept.iter().map(|kept| kept.key).collect();
        for of_client in used.chunk_by(|one, other| one.key() == other.key()) {
            let key = of_client[0].key();
            let Some(terms) = terms.get(&service_end(&key)) else {
                continue;
            };
            let mut established = of_client.iter().filter(|used| used.is_established);
            let ready = established.find(|used| {
                terms.targets.contains(&used.target) && !self.starts_there(&key, used.target)
            });
            if let Some(used) = ready
                && !known.contains(&key)
            {
                // Without room it is noted another time, or never.
                let _ = self.flows.bucket(&key).report(&key, used.target, stamp);
            }
        }
    }

    /// Whether a client is the target itself: what stays where it starts keeps nothing.
    fn starts_there(&self, key: &FlowKey, target: u16) -> bool {
        self.address(target) == Some(client_key(key).client)
    }
}

impl Traffic {
    /// Every client that keeps its target, in no particular order.
    pub fn kept_clients(&self) -> impl Iterator<Item = KeptClient> {
        let all = self.flows.slots().filter_map(Slot::read);
        all.filter_map(|(key, tag)| {
            let client = key.is_affinity().then(|| client_key(&key))?;
            let target = self.settings[0].targets.get(usize::from(tag.target()))?;
            let Keeping { affinities, terms } = &self.keeping;
            let Affinities {
                timers, read_at, ..
            } = affinities;
            let seconds = terms.get(&service_end(&key))?.seconds;
            let left_s = timers.left_s(&client, seconds, *read_at);
            Some(KeptClient {
                key: client,
                target: targets::address_of(target)?,
                left_s: left_s.filter(|_| tag.state() == State::Ending),
            })
        })
    }
}

impl Used {
    /// The key of what its client keeps.
    fn key(&self) -> FlowKey {
        FlowKey {
            addresses: self.addresses,
            ports: self.ports,
            protocol: distributor_common::wire::tcp::PROTOCOL,
        }
    }
}

/// Reads the flow table: what clients keep, and the connections to services whose clients keep their
/// targets, sorted.
fn read<'a>(flows: &'a Flows, terms: &HashMap<ServiceEnd, Terms>) -> (Vec<Kept<'a>>, Vec<Used>) {
    let (mut kept, mut used) = (Vec::new(), Vec::new());
    for slot in flows.slots() {
        let Some((key, tag)) = slot.read() else {
            continue;
        };
        if key.is_affinity() {
            kept.push(Kept { key, slot, tag });
        } else if tag.state() != State::Ending && terms.contains_key(&service_end(&key)) {
            let FlowKey {
                addresses, ports, ..
            } = key.affinity();
            used.push(Used {
                addresses,
                ports,
                is_established: tag.state() == State::Established,
                target: tag.target(),
            });
        }
    }
    used.sort_unstable();
    (kept, used)
}

/// The connections of one client to one service.
fn of_client<'a>(used: &'a [Used], key: &FlowKey) -> &'a [Used] {
    let order = |used: &Used| (used.addresses, used.ports).cmp(&(key.addresses, key.ports));
    let first = used.partition_point(|used| order(used).is_lt());
    let len = used[first..].partition_point(|used| order(used).is_eq());
    &used[first..first + len]
}

fn client_key(key: &FlowKey) -> ClientKey {
    ClientKey {
        client: Ipv4Addr::from(key.client().bytes()).into(),
        dvipa: Ipv4Addr::from(key.dvipa().bytes()).into(),
        port: key.port().host(),
    }
}

fn service_end(key: &FlowKey) -> ServiceEnd {
    (key.dvipa().0, key.port().host())
}
