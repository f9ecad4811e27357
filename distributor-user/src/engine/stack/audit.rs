//! Audits: the flow table against what the targets really have.
//!
//! Reports of ends can be lost with the process that would have sent them. An
//! audit reads the table first, then asks every target that it leads to; a row
//! that the target does not have is marked as ending, and removed by the
//! next audit that misses it again. A living connection that was marked
//! wrongly loses nothing: its packets are forwarded all the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::flows::DVIPAS_PER_REQUEST;
use super::{Effect, Member, Stack};
use crate::engine::fact::Fact;
use crate::engine::forwarding::{Flow, FlowKey, FlowState};
use crate::engine::xcf::XcfAddresses;

/// How often all targets are audited.
const INTERVAL: Duration = Duration::from_secs(15);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The audits under way.
#[derive(Debug, Default)]
pub(super) struct Audits {
    under_way: BTreeMap<u64, Audit>,
    last_request: u64,
    last_round: Duration,
    /// Whether the table was asked for and has not come yet.
    is_wanted: bool,
}

/// What a target is asked: which connections it has on some DVIPAs.
#[derive(Debug)]
struct Question {
    request: u64,
    target: IpAddr,
    dvipas: Vec<IpAddr>,
}

#[derive(Debug)]
struct Audit {
    target: IpAddr,
    began: Duration,
    table: Vec<Flow>,
    present: HashSet<FlowKey>,
}

impl Audits {
    /// Says whether a round is due, and begins it if so.
    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        self.under_way
            .retain(|_, audit| now.saturating_sub(audit.began) < PATIENCE);
        if now.saturating_sub(self.last_round) < INTERVAL {
            return false;
        }
        self.last_round = now;
        self.is_wanted = true;
        true
    }

    /// Makes the next round due at once.
    pub(super) fn hurry(&mut self) {
        self.last_round = Duration::ZERO;
    }

    /// Takes the whole table, if a round wants it; returns whom to ask about which DVIPAs.
    fn begin(&mut self, flows: Vec<Flow>, now: Duration) -> Vec<Question> {
        if !std::mem::take(&mut self.is_wanted) {
            return Vec::new();
        }
        let mut tables: BTreeMap<IpAddr, BTreeMap<IpAddr, Vec<Flow>>> = BTreeMap::new();
        for flow in flows {
            let table = tables.entry(flow.target).or_default();
            table.entry(flow.key.dvipa).or_default().push(flow);
        }
        let mut questions = Vec::new();
        for (target, mut tables) in tables {
            let dvipas: Vec<IpAddr> = tables.keys().copied().collect();
            for dvipas in dvipas.chunks(DVIPAS_PER_REQUEST) {
                self.last_request += 1;
                let tables = dvipas.iter().filter_map(|dvipa| tables.remove(dvipa));
                let audit = Audit {
                    target,
                    began: now,
                    table: tables.flatten().collect(),
                    present: HashSet::new(),
                };
                self.under_way.insert(self.last_request, audit);
                questions.push(Question {
                    request: self.last_request,
                    target,
                    dvipas: dvipas.to_vec(),
                });
            }
        }
        questions
    }

    /// Takes a part of an answer; with the last one, says what to do about the missing rows.
    pub(super) fn answer(
        &mut self,
        request: u64,
        from: XcfAddresses,
        parts_left: u32,
        flows: Vec<FlowKey>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(audit) = self.under_way.get_mut(&request) else {
            return;
        };
        if !from.contain(audit.target) {
            return;
        }
        audit.present.extend(flows);
        if parts_left > 0 {
            return;
        }
        let Some(audit) = self.under_way.remove(&request) else {
            return;
        };
        let target = audit.target;
        let (mut suspects, mut gone, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
        for flow in &audit.table {
            match (flow.state, audit.present.contains(&flow.key)) {
                // It starts on its target: only its first segment has come by here.
                (FlowState::HalfOpen, true) if flow.key.client == target => {
                    unseen.push(flow.key);
                }
                (FlowState::Established, false) => suspects.push(flow.key),
                (FlowState::Ending, false) => gone.push(flow.key),
                // The handshake of one that is half-open may be on its way; the sweep of the table
                // removes it in time.
                (FlowState::HalfOpen, _) | (_, true) => {}
            }
        }
        if !unseen.is_empty() {
            effects.push(Effect::InsertFlows {
                target,
                flows: unseen,
            });
        }
        if !suspects.is_empty() {
            effects.push(Effect::MarkEnding(suspects));
        }
        if !gone.is_empty() {
            effects.push(Effect::RemoveEnded {
                target,
                flows: gone,
            });
        }
    }
}

impl Stack {
    /// Takes the whole flow table: asks the targets what they have of it, and looks which DVIPAs that
    /// were withdrawn have no flow left.
    pub(super) fn take_snapshot(
        &mut self,
        flows: Vec<Flow>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let busy: BTreeSet<IpAddr> = flows.iter().map(|flow| flow.key.dvipa).collect();
        let quiescing = self.quiescing();
        let idle: Vec<IpAddr> = quiescing.filter(|dvipa| !busy.contains(dvipa)).collect();
        if !idle.is_empty() {
            effects.push(Effect::ListConnections {
                dvipas: idle,
                asked: None,
            });
        }
        for question in self.audits.begin(flows, now) {
            let target = question.target;
            let is_asked = |member: &Member| member.xcf.contain(target) && member.left_at.is_none();
            let name = if self.has_address(target) {
                Some(&self.name)
            } else {
                let mut members = self.members.iter();
                let asked = members.find(|(_, member)| is_asked(member));
                asked.map(|(name, _)| name)
            };
            if let Some(name) = name {
                effects.push(self.request_flows(name, question.request, question.dvipas));
            }
        }
    }

    /// Asks a stack of the group, this one included, for its connections to some DVIPAs.
    pub(super) fn request_flows(&self, of: &str, request: u64, dvipas: Vec<IpAddr>) -> Effect {
        if of == self.name {
            let asked = Some((of.to_owned(), request));
            return Effect::ListConnections { dvipas, asked };
        }
        Effect::Send {
            to: of.to_owned(),
            fact: Fact::FlowsRequest { request, dvipas },
        }
    }
}
