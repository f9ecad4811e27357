//! The flow table of a DVIPA that this stack comes to own, filled by its targets.
//!
//! Every living member is asked for the connections that it terminates. Until
//! all have answered, and for what was missed after that, the packet path
//! offers unknown flows to the targets in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::flows::{DVIPAS_PER_REQUEST, by_target};
use super::standing::reaches;
use super::{Effect, Member, Stack};
use crate::engine::forwarding::FlowKey;
use crate::engine::ownership::{Awaits, Input, Liveness};

/// The flow tables that are being filled.
#[derive(Debug, Default)]
pub(super) struct Rebuilds {
    last_request: u64,
    /// Whose answer to which request is missing, by DVIPA.
    awaited: BTreeMap<IpAddr, Awaited>,
    /// Those of them about which nobody has been asked yet.
    unasked: BTreeSet<IpAddr>,
    /// Until when the preparation of a DVIPA waits for targets that are not heard yet.
    postponed: BTreeMap<IpAddr, Duration>,
}

#[derive(Debug, Default)]
struct Awaited {
    answers: BTreeMap<u64, String>,
    /// Whether the stack waits for it before it claims the DVIPA.
    is_preparation: bool,
}

/// Tells the requests of a rebuild from those of an audit.
const REQUESTS: u64 = 1 << 63;

/// How long a stack that was away waits for the targets that it knew.
const REUNION: Duration = Duration::from_secs(2);

impl Stack {
    /// Prepares to own a DVIPA, as soon as all its targets that are known are heard and have said what
    /// listens there: who takes over without them would reset their connections.
    pub(super) fn prepare(&mut self, dvipa: IpAddr, now: Duration) {
        if self.has_targets(dvipa) {
            self.rebuild(dvipa, true);
        } else {
            self.rebuilds.postponed.insert(dvipa, now + REUNION);
        }
    }

    /// Goes on with what was postponed, where there is no more reason to wait.
    pub(super) fn resume_preparations(&mut self, now: Duration) {
        let postponed = self.rebuilds.postponed.iter();
        let due: Vec<IpAddr> = postponed
            .filter(|(dvipa, until)| now >= **until || self.has_targets(**dvipa))
            .map(|(dvipa, _)| *dvipa)
            .collect();
        for dvipa in due {
            self.rebuilds.postponed.remove(&dvipa);
            if self.ownership.holding(dvipa).awaits == Some(Awaits::Flows) {
                self.rebuild(dvipa, true);
            }
        }
    }

    /// When waiting for targets ends.
    pub(super) fn preparation_deadline(&self) -> Option<Duration> {
        self.rebuilds.postponed.values().min().copied()
    }

    /// Whether every stack that was in the group and is a target of a DVIPA is heard, and has said
    /// what listens there.
    fn has_targets(&self, dvipa: IpAddr) -> bool {
        self.missing_targets(dvipa).next().is_none()
    }

    /// Whether a member is heard and has said what listens there, or is no target of the DVIPA.
    fn is_ready_target(&self, dvipa: IpAddr, member: &Member) -> bool {
        let is_ready = member.liveness == Liveness::Alive && self.is_ready_to_serve(member);
        let services = self.own_distribution(dvipa);
        let target = member.xcf.as_target(dvipa);
        is_ready || !target.is_some_and(|target| reaches(services, target))
    }

    /// Has every living member asked for its connections to a DVIPA.
    pub(super) fn rebuild(&mut self, dvipa: IpAddr, is_preparation: bool) {
        let awaited = Awaited {
            is_preparation,
            ..Awaited::default()
        };
        self.rebuilds.awaited.insert(dvipa, awaited);
        self.rebuilds.unasked.insert(dvipa);
    }

    /// Asks the living members and this stack about what nobody has been asked about yet.
    pub(super) fn ask_for_flows(&mut self, effects: &mut Vec<Effect>) {
        let unasked = std::mem::take(&mut self.rebuilds.unasked);
        if unasked.is_empty() {
            return;
        }
        let dvipas: Vec<IpAddr> = unasked.into_iter().collect();
        let living = self
            .members
            .iter()
            .filter(|(_, member)| member.liveness == Liveness::Alive);
        let names: Vec<String> = living
            .map(|(name, _)| name.clone())
            .chain([self.name.clone()])
            .collect();
        for name in names {
            self.ask(&name, &dvipas, effects);
        }
    }

    /// Asks a stack for its connections to DVIPAs whose flow tables are being filled.
    fn ask(&mut self, name: &str, dvipas: &[IpAddr], effects: &mut Vec<Effect>) {
        for dvipas in dvipas.chunks(DVIPAS_PER_REQUEST) {
            self.rebuilds.last_request += 1;
            let request = REQUESTS | self.rebuilds.last_request;
            for dvipa in dvipas {
                if let Some(awaited) = self.rebuilds.awaited.get_mut(dvipa) {
                    awaited.answers.insert(request, name.to_owned());
                }
            }
            effects.push(self.request_flows(name, request, dvipas.to_vec()));
        }
    }

    /// Takes a part of an answer, if it belongs to a rebuild.
    pub(super) fn take_rebuilt(
        &mut self,
        from: &str,
        request: u64,
        parts_left: u32,
        flows: &[FlowKey],
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if request & REQUESTS == 0 {
            return false;
        }
        let is_asked = |awaited: &Awaited| {
            awaited
                .answers
                .get(&request)
                .is_some_and(|name| name == from)
        };
        let rebuilds = self.rebuilds.awaited.iter();
        let asked = rebuilds.filter(|(_, awaited)| is_asked(awaited));
        let asked: BTreeSet<IpAddr> = asked.map(|(dvipa, _)| *dvipa).collect();
        // Some of them may have become another's meanwhile.
        let flows = flows.iter().filter(|flow| asked.contains(&flow.dvipa));
        let flows: Vec<FlowKey> = flows.copied().collect();
        if let Some(stack) = self.addresses_of(from) {
            let targets = by_target(stack, flows).into_iter();
            effects.extend(targets.map(|(target, flows)| Effect::InsertFlows { target, flows }));
        }
        if parts_left == 0 {
            for dvipa in asked {
                if let Some(awaited) = self.rebuilds.awaited.get_mut(&dvipa) {
                    awaited.answers.remove(&request);
                }
                self.end_if_complete(dvipa, now, effects);
            }
        }
        true
    }

    /// Asks a member again that was started anew, and knows nothing of what it was asked.
    pub(super) fn ask_again(&mut self, name: &str, effects: &mut Vec<Effect>) {
        let mut dvipas = Vec::new();
        for (dvipa, awaited) in &mut self.rebuilds.awaited {
            let before = awaited.answers.len();
            awaited.answers.retain(|_, member| member != name);
            if awaited.answers.len() < before {
                dvipas.push(*dvipa);
            }
        }
        self.ask(name, &dvipas, effects);
    }

    /// Waits no longer for the answers of a member that is dead.
    pub(super) fn rebuilds_without(
        &mut self,
        name: &str,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        for awaited in self.rebuilds.awaited.values_mut() {
            awaited.answers.retain(|_, member| member != name);
        }
        let all: Vec<IpAddr> = self.rebuilds.awaited.keys().copied().collect();
        for dvipa in all {
            self.end_if_complete(dvipa, now, effects);
        }
    }

    fn end_if_complete(&mut self, dvipa: IpAddr, now: Duration, effects: &mut Vec<Effect>) {
        let is_complete = |awaited: &Awaited| awaited.answers.is_empty();
        if !self.rebuilds.unasked.contains(&dvipa)
            && self.rebuilds.awaited.get(&dvipa).is_some_and(is_complete)
            && let Some(awaited) = self.rebuilds.awaited.remove(&dvipa)
            && awaited.is_preparation
        {
            self.decide(Input::Prepared(dvipa), now, effects);
        }
    }

    pub(super) fn drop_rebuilds(&mut self, dvipa: IpAddr) {
        self.rebuilds.awaited.remove(&dvipa);
        self.rebuilds.postponed.remove(&dvipa);
        self.rebuilds.unasked.remove(&dvipa);
    }

    /// Which targets of a DVIPA are not heard, or have not said yet what listens there.
    pub fn missing_targets(&self, dvipa: IpAddr) -> impl Iterator<Item = &str> {
        let members = self.members.iter();
        let missing = members.filter(move |(_, member)| !self.is_ready_target(dvipa, member));
        missing.map(|(name, _)| name.as_str())
    }

    /// Whose connections to a DVIPA are not in the flow table yet.
    pub fn missing_flows(&self, dvipa: IpAddr) -> impl Iterator<Item = &str> {
        let awaited = self.rebuilds.awaited.get(&dvipa).into_iter();
        awaited.flat_map(|awaited| awaited.answers.values().map(String::as_str))
    }
}
