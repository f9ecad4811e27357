//! Ends of flows: who hears of them, and what the owner does about them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{Effect, Phase, Stack};
use crate::engine::definitions::Readiness;
use crate::engine::fact::Fact;
use crate::engine::forwarding::FlowKey;
use crate::engine::ownership::Input;
use crate::engine::xcf::XcfAddresses;

/// Most flows that one fact carries.
const FLOWS_PER_FACT: usize = 500;
/// Most DVIPAs that one request for flows names.
pub(super) const DVIPAS_PER_REQUEST: usize = 500;

pub(super) fn mark_ending(_target: IpAddr, flows: Vec<FlowKey>) -> Effect {
    Effect::MarkEnding(flows)
}

pub(super) fn remove_ended(target: IpAddr, flows: Vec<FlowKey>) -> Effect {
    Effect::RemoveEnded { target, flows }
}

/// Which of a stack's flows it terminates under which of its addresses.
pub(super) fn by_target(stack: XcfAddresses, flows: Vec<FlowKey>) -> Vec<(IpAddr, Vec<FlowKey>)> {
    let mut targets: BTreeMap<IpAddr, Vec<FlowKey>> = BTreeMap::new();
    for flow in flows {
        let target = stack.about(flow.dvipa);
        targets.entry(target).or_default().push(flow);
    }
    targets.into_iter().collect()
}

impl Stack {
    /// Reports flows that this stack terminates to the owners of their DVIPAs, itself included.
    pub(super) fn report_flows(
        &self,
        flows: Vec<FlowKey>,
        here: fn(IpAddr, Vec<FlowKey>) -> Effect,
        there: fn(Vec<FlowKey>) -> Fact,
        effects: &mut Vec<Effect>,
    ) {
        let Some(own) = self.xcf() else {
            return;
        };
        let mut by_owner: BTreeMap<&str, Vec<FlowKey>> = BTreeMap::new();
        for flow in flows {
            let holding = self.ownership.holding(flow.dvipa);
            if let Some(owner) = holding.owner.or(holding.vacated_by) {
                by_owner.entry(owner).or_default().push(flow);
            }
        }
        for (owner, flows) in by_owner {
            if owner == self.name {
                let targets = by_target(own, flows).into_iter();
                effects.extend(targets.map(|(target, flows)| here(target, flows)));
                continue;
            }
            effects.extend(flows.chunks(FLOWS_PER_FACT).map(|part| Effect::Send {
                to: owner.to_owned(),
                fact: there(part.to_vec()),
            }));
        }
    }

    /// Takes what a member told.
    pub(super) fn take_fact(
        &mut self,
        from: &str,
        fact: Fact,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(stack) = self.members.get(from).map(|member| member.xcf) else {
            return;
        };
        match fact {
            Fact::Readiness { revision, ready } => {
                self.is_dirty = true;
                let readiness = Readiness { revision, ready };
                self.take_readiness(from, readiness, effects);
            }
            Fact::FlowsEnding { flows } => effects.push(Effect::MarkEnding(flows)),
            Fact::FlowsGone { flows } => {
                let targets = by_target(stack, flows).into_iter();
                let ended = targets.map(|(target, flows)| remove_ended(target, flows));
                effects.extend(ended);
            }
            Fact::FlowsRequest { request, dvipas } => effects.push(Effect::ListConnections {
                dvipas,
                asked: Some((from.to_owned(), request)),
            }),
            Fact::Flows {
                request,
                parts_left,
                flows,
            } => {
                if !self.take_rebuilt(from, request, parts_left, &flows, now, effects) {
                    self.audits
                        .answer(request, stack, parts_left, flows, effects);
                }
            }
            Fact::Load(load) => self.take_load(from, load),
            Fact::Asked { request, ask } => self.take_ask(from, request, ask, now, effects),
            Fact::Answered {
                request,
                parts_left,
                outcome,
            } => self.take_answer(from, request, parts_left, outcome, effects),
            Fact::Servers { parts_left, rows } => self.take_servers(from, parts_left, rows),
            Fact::SynsRequest { request } => effects.push(Effect::CountSyns {
                from: stack,
                asked: (from.to_owned(), request),
            }),
            Fact::SynsTaken { request, taken } => {
                self.take_syns_taken(stack.first(), request, taken, now, effects);
            }
            Fact::Ownership { words } => {
                let from = from.to_owned();
                for (dvipa, word) in words {
                    let from = from.clone();
                    self.decide(Input::Word { from, dvipa, word }, now, effects);
                }
            }
        }
    }

    /// Answers who asked for the connections of some DVIPAs; releases those that nobody needs here.
    pub(super) fn take_connections(
        &mut self,
        dvipas: &[IpAddr],
        asked: Option<(String, u64)>,
        flows: Vec<FlowKey>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        match asked {
            Some((to, request)) if to == self.name => {
                if !self.take_rebuilt(&to, request, 0, &flows, now, effects)
                    && let Some(own) = self.xcf()
                {
                    self.audits.answer(request, own, 0, flows, effects);
                }
            }
            Some((to, request)) => {
                let mut parts_left = u32::try_from(flows.len().div_ceil(FLOWS_PER_FACT))
                    .unwrap_or(u32::MAX)
                    .max(1);
                let mut parts = flows.chunks(FLOWS_PER_FACT);
                while parts_left > 0 {
                    parts_left -= 1;
                    let flows = parts.next().unwrap_or_default().to_vec();
                    let fact = Fact::Flows {
                        request,
                        parts_left,
                        flows,
                    };
                    effects.push(Effect::Send {
                        to: to.clone(),
                        fact,
                    });
                }
            }
            None => {
                let busy: BTreeSet<IpAddr> = flows.iter().map(|flow| flow.dvipa).collect();
                let idle = dvipas.iter().filter(|dvipa| !busy.contains(dvipa));
                let idle: Vec<_> = idle.filter(|dvipa| self.is_unwanted(**dvipa)).collect();
                self.released.extend(idle);
            }
        }
    }

    /// Compares the flow table with what each target really has, when that is due.
    pub(super) fn audit(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Running && self.audits.is_due(now) {
            effects.push(Effect::SnapshotFlows);
        }
    }
}
