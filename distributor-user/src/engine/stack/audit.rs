//! Audits: the flow table against what the targets really have.
//!
//! Reports of ends can be lost with the process that would have sent them. An
//! audit reads the table's rows of one target first, then asks the target; a
//! row that the target does not have is marked as ending, and removed by the
//! next audit that misses it again. A living connection that was marked
//! wrongly loses nothing: its packets are forwarded all the same.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{Effect, Stack};
use crate::engine::fact::Fact;
use crate::engine::forwarding::{Flow, FlowKey, FlowState};

/// How often each target is audited.
const INTERVAL: Duration = Duration::from_secs(15);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The audits under way.
#[derive(Debug, Default)]
pub(super) struct Audits {
    under_way: BTreeMap<u64, Audit>,
    last_request: u64,
    last_round: Duration,
}

#[derive(Debug)]
struct Audit {
    target: IpAddr,
    dvipa: IpAddr,
    began: Duration,
    table: Vec<Flow>,
    present: HashSet<FlowKey>,
}

impl Audits {
    /// Begins a round over `subjects` (target, DVIPA) when one is due.
    pub(super) fn schedule(
        &mut self,
        now: Duration,
        subjects: &[(IpAddr, IpAddr)],
        effects: &mut Vec<Effect>,
    ) {
        self.under_way
            .retain(|_, audit| now.saturating_sub(audit.began) < PATIENCE);
        if now.saturating_sub(self.last_round) < INTERVAL {
            return;
        }
        self.last_round = now;
        for (target, dvipa) in subjects {
            self.last_request += 1;
            let (table, present) = (Vec::new(), HashSet::new());
            let audit = Audit {
                target: *target,
                dvipa: *dvipa,
                began: now,
                table,
                present,
            };
            self.under_way.insert(self.last_request, audit);
            let (request, target, dvipa) = (self.last_request, *target, *dvipa);
            effects.push(Effect::SnapshotFlows {
                request,
                target,
                dvipa,
            });
        }
    }

    /// Makes the next round due at once.
    pub(super) fn hurry(&mut self) {
        self.last_round = Duration::ZERO;
    }

    /// Takes the table's rows; returns whom to ask about which DVIPA, if there is anything to ask.
    fn begin(&mut self, request: u64, table: Vec<Flow>) -> Option<(IpAddr, IpAddr)> {
        if table.is_empty() {
            self.under_way.remove(&request);
            return None;
        }
        let audit = self.under_way.get_mut(&request)?;
        audit.table = table;
        Some((audit.target, audit.dvipa))
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
    /// Takes the table's rows for an audit and asks the target for what it has.
    pub(super) fn begin_audit(
        &mut self,
        request: u64,
        table: Vec<Flow>,
        effects: &mut Vec<Effect>,
    ) {
        let Some((target, dvipa)) = self.audits.begin(request, table) else {
            return;
        };
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
