//! What this stack and the others could still do: who is told, and when it matters.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Effect, Stack};
use crate::engine::config::{DistMethod, Terms};
use crate::engine::fact::{Fact, ServerRow};
use crate::engine::forwarding::ServiceKey;
use crate::engine::load::{Load, Server, of_servers};

/// After so many servers another fact begins.
const SERVERS_PER_FACT: usize = 500;

/// What the stacks and their servers could still do, as far as they have said so.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    /// Of stacks, by their DYNAMICXCF addresses.
    pub stacks: BTreeMap<IpAddr, Load>,
    /// Of the servers of one service on one stack.
    pub servers: BTreeMap<(ServiceKey, IpAddr), Vec<Server>>,
}

impl Loads {
    /// What counts for a target of a service: what its stack could do, or with SERVERWLM its servers.
    #[must_use]
    pub fn of(&self, terms: &Terms, key: ServiceKey, target: IpAddr) -> Option<Load> {
        match terms.method {
            DistMethod::ServerWlm { .. } => of_servers(self.servers.get(&(key, target))?),
            DistMethod::BaseWlm { .. }
            | DistMethod::RoundRobin
            | DistMethod::WeightedActive
            | DistMethod::HotStandby { .. }
            | DistMethod::TargControlled
            | DistMethod::Maglev => self.stacks.get(&target).copied(),
        }
    }
}

impl Stack {
    /// Takes what this stack could still do, if that is known, and tells the others: whoever comes to
    /// own a DVIPA knows it already.
    pub(super) fn take_own_load(&mut self, load: Option<Load>, effects: &mut Vec<Effect>) {
        self.is_dirty |= note(&mut self.load, load) && self.weighs;
        self.tell_all(&Fact::Load(load), effects);
    }

    /// Takes what a member could still do.
    pub(super) fn take_load(&mut self, from: &str, load: Option<Load>) {
        if let Some(member) = self.members.get_mut(from) {
            self.is_dirty |= note(&mut member.load, load) && self.weighs;
        }
    }

    /// Takes what servers of this stack could still do, and tells the others.
    pub(super) fn take_own_servers(
        &mut self,
        servers: BTreeMap<ServiceKey, Vec<Server>>,
        effects: &mut Vec<Effect>,
    ) {
        if servers.is_empty() && self.servers.is_empty() {
            return;
        }
        for fact in in_parts(&servers) {
            self.tell_all(&fact, effects);
        }
        self.is_dirty |= note_servers(&mut self.servers, servers) && self.weighs;
    }

    /// Takes what servers of a member could still do.
    pub(super) fn take_servers(&mut self, from: &str, parts_left: u32, rows: Vec<ServerRow>) {
        let Some(member) = self.members.get_mut(from) else {
            return;
        };
        let part = rows.into_iter().map(|row| {
            let (dvipa, port) = (row.dvipa, row.port);
            (ServiceKey { dvipa, port }, row.servers)
        });
        member.telling.extend(part);
        if parts_left == 0 {
            let told = std::mem::take(&mut member.telling);
            self.is_dirty |= note_servers(&mut member.servers, told) && self.weighs;
        }
    }

    fn tell_all(&self, fact: &Fact, effects: &mut Vec<Effect>) {
        let members = self.members.iter();
        let present = members.filter(|(_, member)| member.left_at.is_none());
        effects.extend(present.map(|(name, _)| Effect::Send {
            to: name.clone(),
            fact: fact.clone(),
        }));
    }

    /// The services whose servers here count for who gets a connection.
    #[must_use]
    pub fn weighed(&self) -> BTreeSet<ServiceKey> {
        let by_servers = |key: &ServiceKey| {
            let Some(own) = self.as_target(key.dvipa) else {
                return false;
            };
            let mut services = self.distribution(key.dvipa).iter();
            services.any(|service| {
                let terms = &service.terms;
                service.port == key.port
                    && matches!(terms.method, DistMethod::ServerWlm { .. })
                    && terms.destinations.include(own)
            })
        };
        let listeners = self.listeners.iter().map(|row| {
            let (dvipa, port) = (row.dvipa, row.port);
            ServiceKey { dvipa, port }
        });
        listeners.filter(by_servers).collect()
    }

    /// What the stacks and their servers could still do, as far as they have said so.
    #[must_use]
    pub fn loads(&self) -> Loads {
        let members = self.members.values();
        let present = members.filter(|member| member.left_at.is_none());
        let told = present.map(|member| (member.xcf, member.load, &member.servers));
        let own = self.xcf().map(|own| (own, self.load, &self.servers));
        let mut loads = Loads::default();
        for (stack, load, servers) in told.chain(own) {
            let addresses = stack.iter().zip(std::iter::repeat(load));
            let known = addresses.filter_map(|(address, load)| Some((address, load?)));
            loads.stacks.extend(known);
            let servers = servers.iter().filter_map(|(key, servers)| {
                let target = stack.as_target(key.dvipa)?;
                Some(((*key, target), servers.clone()))
            });
            loads.servers.extend(servers);
        }
        loads
    }
}

/// What is said of servers, in parts that a fact has room for; at least one.
fn in_parts(servers: &BTreeMap<ServiceKey, Vec<Server>>) -> Vec<Fact> {
    let mut parts: Vec<Vec<ServerRow>> = vec![Vec::new()];
    let mut in_last = 0;
    for (key, servers) in servers {
        if in_last >= SERVERS_PER_FACT {
            parts.push(Vec::new());
            in_last = 0;
        }
        in_last += servers.len();
        let row = ServerRow {
            dvipa: key.dvipa,
            port: key.port,
            servers: servers.clone(),
        };
        parts.last_mut().expect("there is one").push(row);
    }
    let left = (0..u32::try_from(parts.len()).unwrap_or(u32::MAX)).rev();
    let parts = left.zip(parts);
    parts
        .map(|(parts_left, rows)| Fact::Servers { parts_left, rows })
        .collect()
}

/// Keeps what is told if that matters; says whether it does.
fn note(known: &mut Option<Load>, told: Option<Load>) -> bool {
    let matters = match (*known, told) {
        (Some(known), Some(told)) => told.differs_from(known),
        (known, told) => known != told,
    };
    if matters {
        *known = told;
    }
    matters
}

/// Keeps what is told of each service where that matters; says whether it does anywhere.
fn note_servers(
    known: &mut BTreeMap<ServiceKey, Vec<Server>>,
    told: BTreeMap<ServiceKey, Vec<Server>>,
) -> bool {
    let before = known.len();
    known.retain(|key, _| told.contains_key(key));
    let mut matters = known.len() != before;
    for (key, servers) in told {
        let mut last = known.get(&key).and_then(|last| of_servers(last));
        let is_other = known
            .get(&key)
            .is_none_or(|last| last.len() != servers.len());
        if note(&mut last, of_servers(&servers)) || is_other {
            known.insert(key, servers);
            matters = true;
        }
    }
    matters
}
