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

use super::{Effect, Stack};
use crate::engine::fact::Fact;
use crate::engine::forwarding::{Flow, FlowKey, FlowState};

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

/// What a target is asked: which connections it has on a DVIPA.
#[derive(Debug)]
struct Question {
    request: u64,
    target: IpAddr,
    dvipa: IpAddr,
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

    /// Takes the whole table, if a round wants it; returns whom to ask about which DVIPA.
    fn begin(&mut self, flows: Vec<Flow>, now: Duration) -> Vec<Question> {
        if !std::mem::take(&mut self.is_wanted) {
            return Vec::new();
        }
        let mut tables: BTreeMap<(IpAddr, IpAddr), Vec<Flow>> = BTreeMap::new();
        for flow in flows {
            let subject = (flow.target, flow.key.dvipa);
            tables.entry(subject).or_default().push(flow);
        }
        let questions = tables.into_iter().map(|((target, dvipa), table)| {
            self.last_request += 1;
            let audit = Audit {
                target,
                began: now,
                table,
                present: HashSet::new(),
            };
            self.under_way.insert(self.last_request, audit);
            Question {
                request: self.last_request,
                target,
                dvipa,
            }
        });
        questions.collect()
    }

    /// Takes a part of an answer; with the last one, says what to do about the missing rows.
    pub(super) fn answer(
        &mut self,
        request: u64,
        target: IpAddr,
        parts_left: u32,
        flows: Vec<FlowKey>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(audit) = self.under_way.get_mut(&request) else {
            return;
        };
        if audit.target != target {
            return;
        }
        audit.present.extend(flows);
        if parts_left > 0 {
            return;
        }
        let Some(audit) = self.under_way.remove(&request) else {
            return;
        };
        let (mut suspects, mut gone) = (Vec::new(), Vec::new());
        for flow in audit
            .table
            .iter()
            .filter(|flow| !audit.present.contains(&flow.key))
        {
            match flow.state {
                // Its handshake may be on its way; the sweep of the table removes it in time.
                FlowState::HalfOpen => {}
                FlowState::Established => suspects.push(flow.key),
                FlowState::Ending => gone.push(flow.key),
            }
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
        for dvipa in self.quiescing().filter(|dvipa| !busy.contains(dvipa)) {
            let asked = None;
            effects.push(Effect::ListConnections { dvipa, asked });
        }
        for question in self.audits.begin(flows, now) {
            self.ask(&question, effects);
        }
    }

    fn ask(&self, question: &Question, effects: &mut Vec<Effect>) {
        let Question {
            request,
            target,
            dvipa,
        } = *question;
        if Some(target) == self.dynamic_xcf() {
            let asked = Some((self.name.clone(), request));
            effects.push(Effect::ListConnections { dvipa, asked });
            return;
        }
        let present = self
            .members
            .iter()
            .find(|(_, member)| member.dynamic_xcf == target && member.left_at.is_none());
        if let Some((name, _)) = present {
            let fact = Fact::FlowsRequest { request, dvipa };
            effects.push(Effect::Send {
                to: name.clone(),
                fact,
            });
        }
    }
}
