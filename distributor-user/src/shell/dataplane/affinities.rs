//! Clients that keep their targets, from the daemon's side: whose time is over.
//!
//! Packets note who keeps what, and forget nothing; so without a daemon, everybody
//! keeps what he has. About once a second the flow table is read, and what no
//! connection uses any more is marked; a new connection takes the mark away.
//! Only what was marked before the table was read, and is still as it was then,
//! is removed: no connection has come meanwhile.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use distributor_common::abi::{Called, Family, program};
use distributor_common::flow::{FlowKey, Stamp, State, Tag};

use super::flows::{Entry, Flows};
use super::names::Known;
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

/// A service as the flow table has it: what the DVIPA is called, and the port.
type ServiceEnd = (Called, u16);

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
    family: Family,
    is_established: bool,
    target: u16,
    /// Where it is in the table.
    place: usize,
}

/// What a client keeps, as it was read.
struct Kept<'a> {
    entry: Entry<'a>,
    client: ClientKey,
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
        match timers.judge(self.client, found, terms.seconds, now) {
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
        let names = self.flows.names();
        let (kept, used) = read(&self.flows, &terms, &names);
        for kept in &kept {
            let connections = of_client(&used, &kept.entry.key);
            let terms = terms.get(&service_end(&kept.entry.key));
            let new = kept.judge(connections, terms, &mut self.affinities.timers, now, stamp);
            if new != kept.tag {
                // If a packet was faster, the next round tells.
                let _ = kept.entry.slot.replace(kept.tag, new);
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
        let names = self.flows.names();
        let affine = self.services.affine().filter_map(|key| {
            let terms = Terms {
                seconds: self.services.affinity(key).seconds,
                targets: self.services.keepable(key).collect(),
            };
            Some(((names.called(key.dvipa)?, key.port), terms))
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
        let known: HashSet<FlowKey> = kept.iter().map(|kept| kept.entry.key).collect();
        for of_client in used.chunk_by(|one, other| one.key() == other.key()) {
            let key = of_client[0].key();
            let Some(terms) = terms
                .get(&service_end(&key))
                .filter(|_| !known.contains(&key))
            else {
                continue;
            };
            let established = of_client.iter().filter(|used| used.is_established);
            let keepable = established.filter(|used| terms.targets.contains(&used.target));
            let ready = keepable.filter_map(|used| Some((used, self.client_of(used)?)));
            // What stays where it starts keeps nothing.
            let mut elsewhere =
                ready.filter(|(used, client)| self.address(used.target) != Some(*client));
            if let Some((used, client)) = elsewhere.next() {
                // Without room it is noted another time, or never.
                let _ = self.flows.store(&key, client, used.target, stamp);
            }
        }
    }

    /// The client of a connection, if it is still in its place.
    fn client_of(&self, used: &Used) -> Option<IpAddr> {
        let (entry, _) = self.flows.entry(used.place)?;
        (entry.key.affinity() == used.key()).then_some(entry.client)
    }
}

impl Traffic {
    /// Every client that keeps its target, in no particular order.
    pub fn kept_clients(&self) -> impl Iterator<Item = KeptClient> {
        let names = self.flows.names();
        self.flows.entries().filter_map(move |(entry, tag)| {
            let client = entry.client(&names).filter(|_| entry.key.is_affinity())?;
            let target = self.settings[0].targets.get(usize::from(tag.target()))?;
            let Keeping { affinities, terms } = &self.keeping;
            let Affinities {
                timers, read_at, ..
            } = affinities;
            let seconds = terms.get(&service_end(&entry.key))?.seconds;
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
            family: self.family,
        }
    }
}

/// Reads the flow table: what clients keep, and the connections to services whose clients keep their
/// targets, sorted.
fn read<'a>(
    flows: &'a Flows,
    terms: &HashMap<ServiceEnd, Terms>,
    names: &Known,
) -> (Vec<Kept<'a>>, Vec<Used>) {
    let (mut kept, mut used) = (Vec::new(), Vec::new());
    for (entry, tag) in flows.entries() {
        if entry.key.is_affinity() {
            kept.extend(
                entry
                    .client(names)
                    .map(|client| Kept { entry, client, tag }),
            );
        } else if tag.state() != State::Ending && terms.contains_key(&service_end(&entry.key)) {
            let FlowKey {
                addresses,
                ports,
                family,
                ..
            } = entry.key.affinity();
            used.push(Used {
                addresses,
                ports,
                family,
                is_established: tag.state() == State::Established,
                target: tag.target(),
                place: entry.place,
            });
        }
    }
    used.sort_unstable();
    (kept, used)
}

/// The connections of one client to one service.
fn of_client<'a>(used: &'a [Used], key: &FlowKey) -> &'a [Used] {
    let wanted = (key.addresses, key.ports, key.family);
    let order = |used: &Used| (used.addresses, used.ports, used.family).cmp(&wanted);
    let first = used.partition_point(|used| order(used).is_lt());
    let len = used[first..].partition_point(|used| order(used).is_eq());
    &used[first..first + len]
}

fn service_end(key: &FlowKey) -> ServiceEnd {
    (key.dvipa(), key.port().host())
}
