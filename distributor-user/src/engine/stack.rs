//! The engine of one stack: what happened goes in, what to do comes out.
//!
//! ```text
//!   Event ──▶ state ──▶ Desired (a pure function of the state) ──diff──▶ Effects
//! ```
//!
//! Nothing here touches the kernel or the network, and no event is answered by
//! patching an earlier answer: after each event the desired state is derived
//! anew and only its difference to the last one is emitted. The clock is an
//! argument.

mod audit;
mod desired;
mod event;
mod flows;
mod member;
mod reconfigure;
mod standing;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use desired::{Desired, Hop, NextHopKey, Placement};
pub use event::{Adopted, Effect, Event};
pub use member::Member;

use super::config::Config;
use super::definitions::{DEFINITIONS_KEY, Definitions, READINESS_KEY, Readiness};
use super::fact::{Fact, ReadyRow};
use super::forwarding::ServiceKey;
use super::message::Message;
use audit::Audits;
use desired::Hops;
use standing::Standing;

/// How long an adopted data plane is left as it was while the targets report again.
const SETTLE: Duration = Duration::from_secs(3);
/// How long a departed member's flows are kept, so that its restart finds them.
const FORGET_MEMBER: Duration = Duration::from_mins(10);

/// What the engine of one stack starts from.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The stack's name.
    pub name: String,
    /// Its profile.
    pub config: Config,
    /// The interface of the DYNAMICXCF network: its paths are preferred.
    pub xcf_ifindex: u32,
    /// Where the numbering of readiness reports starts; must grow from start to start.
    pub first_revision: u64,
}

/// Where the stack is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// A predecessor's data plane was adopted and is left alone until its targets have reported.
    Settling {
        until: Duration,
        awaited: BTreeSet<IpAddr>,
    },
    /// The desired state is applied as it changes.
    Running,
    /// No new connection is taken; what lives goes on.
    Stopping,
    /// Everything is put back.
    Stopped,
}

/// The engine of one stack.
#[derive(Debug)]
pub struct Stack {
    name: String,
    config: Config,
    own: Definitions,
    xcf_ifindex: u32,
    phase: Phase,
    members: BTreeMap<String, Member>,
    standing: Standing,
    /// The edition of our definitions that is published.
    edition: u64,
    hops: Hops,
    readiness: Readiness,
    /// Which member has which revision of our readiness.
    informed: BTreeMap<String, u64>,
    /// Rows of each service in the order in which its targets became known.
    rows: BTreeMap<ServiceKey, Arc<[IpAddr]>>,
    audits: Audits,
    /// Who was last seen to own each DVIPA that is here.
    last_owners: BTreeMap<IpAddr, String>,
    /// DVIPAs that are here though their owner, who lives, has withdrawn them; and who that is.
    withdrawn: BTreeMap<IpAddr, String>,
    /// DVIPAs whose last connection here has ended and that nobody wants here.
    released: BTreeSet<IpAddr>,
    applied: Desired,
    reported_rivals: BTreeSet<(IpAddr, String)>,
}

impl Stack {
    /// Creates the engine; `adopted` is what an earlier daemon of this stack left behind.
    #[must_use]
    pub fn new(options: StackOptions, adopted: Adopted, now: Duration) -> Self {
        let awaited: BTreeSet<IpAddr> = adopted
            .forwarding
            .services
            .values()
            .flat_map(|service| {
                service
                    .ring
                    .iter()
                    .map(|&row| service.rows[usize::from(row)])
            })
            .filter(|target| Some(*target) != options.config.dynamic_xcf.map(|xcf| xcf.address))
            .collect();
        let phase = if adopted.forwarding.services.is_empty() {
            Phase::Running
        } else {
            Phase::Settling {
                until: now + SETTLE,
                awaited,
            }
        };
        let rows = adopted
            .forwarding
            .services
            .iter()
            .map(|(key, service)| (*key, Arc::clone(&service.rows)))
            .collect();
        Self {
            own: Definitions::of(&options.config),
            config: options.config,
            xcf_ifindex: options.xcf_ifindex,
            phase,
            members: BTreeMap::new(),
            standing: Standing::default(),
            edition: options.first_revision,
            hops: Hops::new(),
            readiness: Readiness {
                revision: options.first_revision,
                ready: Vec::new(),
            },
            informed: BTreeMap::new(),
            rows,
            audits: Audits::default(),
            last_owners: adopted
                .placements
                .iter()
                .filter(|(_, placement)| **placement == Placement::Owned)
                .map(|(dvipa, _)| (*dvipa, options.name.clone()))
                .collect(),
            withdrawn: BTreeMap::new(),
            released: BTreeSet::new(),
            name: options.name,
            applied: Desired {
                placements: adopted.placements,
                forwarding: adopted.forwarding,
                ..Desired::default()
            },
            reported_rivals: BTreeSet::new(),
        }
    }

    /// Returns what to do first: publish what this stack defines, and act on it.
    pub fn start(&mut self, now: Duration) -> Vec<Effect> {
        self.take_stock();
        let mut effects = self.publish_definitions();
        effects.push(self.publish_readiness());
        let held: BTreeSet<IpAddr> = self.applied.placements.keys().copied().collect();
        if !held.is_empty() {
            effects.push(Effect::Watch(held));
        }
        self.settle(now, &mut effects);
        effects
    }

    /// Takes one event and returns what to do about it, in order.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take(event, now, &mut effects);
        self.settle(now, &mut effects);
        effects
    }

    /// Brings what is applied to what is desired.
    fn settle(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if let Phase::Settling { until, awaited } = &self.phase {
            let reported = |target: &IpAddr| {
                self.members.values().any(|member| {
                    member.dynamic_xcf == *target && member.is_ready_to_serve(&self.hops)
                })
            };
            if now >= *until || awaited.iter().all(reported) {
                self.phase = Phase::Running;
            }
        }
        for member in self.members.values_mut() {
            member.choose_path(self.xcf_ifindex, &self.hops);
        }
        self.note_withdrawals();
        let desired = self.desired();
        let is_settling = matches!(self.phase, Phase::Settling { .. });
        desired::plan(&mut self.applied, desired, is_settling, effects);
        self.released.clear();
        self.note_owners();
        self.report_rivals(effects);
        self.inform_owners(effects);
    }

    fn take(&mut self, event: Event, now: Duration, effects: &mut Vec<Effect>) {
        match event {
            Event::Joined { name, dynamic_xcf } => {
                self.informed.remove(&name);
                effects.push(Effect::Tell(Message::Joined {
                    name: name.clone(),
                    dynamic_xcf,
                }));
                self.members
                    .entry(name)
                    .and_modify(|member| member.rejoin(dynamic_xcf))
                    .or_insert_with(|| Member::new(dynamic_xcf));
                self.take_stock();
            }
            Event::State { name, values } => self.take_state(&name, &values, effects),
            Event::Left { name } => {
                if let Some(member) = self.members.get_mut(&name) {
                    member.left_at = Some(now);
                    member.readiness = Readiness::default();
                    effects.push(Effect::Tell(Message::Left { name: name.clone() }));
                }
                self.informed.remove(&name);
                self.take_stock();
            }
            Event::Path { name, path, is_up } => {
                if let Some(member) = self.members.get_mut(&name) {
                    member.paths.insert(path, is_up);
                }
            }
            Event::NextHop { path, hop } => {
                match hop {
                    Some(hop) => self.hops.insert(path, hop),
                    None => self.hops.remove(&path),
                };
            }
            Event::Fact { from, fact } => self.take_fact(&from, fact, effects),
            Event::Listeners(ready) => self.take_listeners(ready, effects),
            Event::FlowsEnding(flows) => {
                let fact = |flows| Fact::FlowsEnding { flows };
                self.report_flows(flows, flows::mark_ending, fact, effects);
            }
            Event::FlowsGone(flows) => {
                let fact = |flows| Fact::FlowsGone { flows };
                self.report_flows(flows, flows::remove_ended, fact, effects);
            }
            Event::Connections {
                dvipa,
                asked,
                flows,
            } => {
                self.take_connections(dvipa, asked, flows, effects);
            }
            Event::FlowSnapshot(flows) => self.take_snapshot(flows, now, effects),
            Event::Reconfigured(config) => self.reconfigure(*config, effects),
            Event::Resync => self.audits.hurry(),
            Event::Tick => self.tick(now, effects),
            Event::Stop => {
                self.phase = Phase::Stopping;
                self.take_listeners(Vec::new(), effects);
            }
            Event::Quiet => self.phase = Phase::Stopped,
        }
    }

    fn take_state(
        &mut self,
        name: &str,
        values: &BTreeMap<String, String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        let mut unreadable = |key, error: serde_json::Error| {
            effects.push(Effect::Tell(Message::Unreadable {
                name: name.to_owned(),
                key,
                reason: error.to_string(),
            }));
        };
        match Definitions::from_parts(values, member.edition) {
            Ok(Some((edition, definitions))) => {
                member.definitions = definitions;
                member.edition = Some(edition);
                member.is_arriving = false;
                self.take_stock();
            }
            Ok(None) => member.is_arriving = Definitions::are_arriving(values, member.edition),
            Err(error) => {
                member.is_arriving = true;
                unreadable(DEFINITIONS_KEY, error);
            }
        }
        if let Some(text) = values.get(READINESS_KEY) {
            match serde_json::from_str(text) {
                Ok(readiness) => self.take_readiness(name, readiness, effects),
                Err(error) => unreadable(READINESS_KEY, error),
            }
        }
    }

    fn take_readiness(&mut self, name: &str, readiness: Readiness, effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        if member.left_at.is_some() || readiness.revision <= member.readiness.revision {
            return;
        }
        let mut readiness = readiness;
        readiness.ready.sort_unstable();
        let before = std::mem::replace(&mut member.readiness, readiness);
        let after = member.readiness.clone();
        for key in self.applied.forwarding.services.keys() {
            let had = before.listeners(key.dvipa, key.port) > 0;
            let has = after.listeners(key.dvipa, key.port) > 0;
            let (dvipa, port, target) = (key.dvipa, key.port, name.to_owned());
            match (had, has) {
                (false, true) => {
                    effects.push(Effect::Tell(Message::ServerStarted {
                        dvipa,
                        port,
                        target,
                    }));
                }
                (true, false) => {
                    effects.push(Effect::Tell(Message::ServerEnded {
                        dvipa,
                        port,
                        target,
                    }));
                }
                (true, true) | (false, false) => {}
            }
        }
    }

    fn take_listeners(&mut self, mut ready: Vec<ReadyRow>, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Stopping | Phase::Stopped) {
            ready.clear();
        }
        ready.sort_unstable();
        if ready == self.readiness.ready {
            return;
        }
        self.readiness = Readiness {
            revision: self.readiness.revision + 1,
            ready,
        };
        effects.push(self.publish_readiness());
    }

    fn publish_readiness(&self) -> Effect {
        let value = serde_json::to_string(&self.readiness);
        Effect::Publish {
            key: READINESS_KEY.to_owned(),
            value: value.expect("plain data always has a JSON form"),
        }
    }

    fn publish_definitions(&mut self) -> Vec<Effect> {
        self.edition += 1;
        let parts = self.own.to_parts(self.edition).into_iter();
        parts
            .map(|(key, value)| Effect::Publish { key, value })
            .collect()
    }

    /// Tells each owner that we are a target of what listens here, once per revision.
    fn inform_owners(&mut self, effects: &mut Vec<Effect>) {
        let owners: BTreeSet<String> = self
            .applied
            .placements
            .keys()
            .filter_map(|dvipa| self.owner(*dvipa))
            .filter(|owner| *owner != self.name)
            .map(ToOwned::to_owned)
            .collect();
        let revision = self.readiness.revision;
        for owner in owners {
            if self.informed.get(&owner) != Some(&revision) {
                let fact = Fact::Readiness {
                    revision,
                    ready: self.readiness.ready.clone(),
                };
                effects.push(Effect::Send {
                    to: owner.clone(),
                    fact,
                });
                self.informed.insert(owner, revision);
            }
        }
    }

    fn report_rivals(&mut self, effects: &mut Vec<Effect>) {
        for dvipa in self.own.dvipas.iter().map(|dvipa| dvipa.address) {
            let Some(owner) = self.standing.definers.owner(dvipa) else {
                continue;
            };
            for rival in self.standing.definers.rivals(dvipa) {
                if self.reported_rivals.insert((dvipa, rival.to_owned())) {
                    effects.push(Effect::Tell(Message::ConflictingDefinition {
                        dvipa,
                        owner: owner.to_owned(),
                        rival: rival.to_owned(),
                    }));
                }
            }
        }
    }

    fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let departed: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| {
                member
                    .left_at
                    .is_some_and(|left_at| now.saturating_sub(left_at) >= FORGET_MEMBER)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in departed {
            if let Some(member) = self.members.remove(&name) {
                effects.push(Effect::ForgetTarget(member.dynamic_xcf));
            }
        }
        self.release_idle(effects);
        self.audit(now, effects);
    }
}

#[cfg(test)]
mod tests;
