//! PLAN: what another profile would change, in words.
//!
//! The words of the history are the same: what was planned is what is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::Room;
use super::snapshot::Snapshot;
use super::vdpt::Totals;
use crate::engine::config::Config;
use crate::engine::difference::{self, Change, Difference, Reach, Subject, When};
use crate::engine::forwarding::ServiceKey;
use crate::engine::stack::Stack;

/// What another profile would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The file that was read.
    pub source: String,
    /// What there is to say about it besides, as `distributor check` words it; empty for nothing.
    pub remarks: String,
    /// One for each difference, in the order in which they take effect.
    pub changes: Vec<ChangeRow>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeRow {
    /// When it takes effect: before anything else, together with the others, when this stack has come to
    /// have the address, or when the last connection has ended.
    #[schemars(extend("enum" = ["first", "at-once", "claimed", "drained"]))]
    pub when: String,
    /// What it is about; `other` is a statement that has no DVIPA.
    #[schemars(extend("enum" = ["dvipa", "service", "target", "dynamic-service", "other"]))]
    pub subject: String,
    /// The DVIPA; null for `other`.
    pub dvipa: Option<IpAddr>,
    /// The service's TCP port; null where it is about none.
    pub port: Option<u16>,
    /// DYNAMICXCF address of the target; null where it is about none.
    pub dest_xcf: Option<IpAddr>,
    /// Name of the target; null where it is about none, or the target is not up.
    pub target: Option<String>,
    /// In which way it differs.
    #[schemars(extend("enum" = ["added", "removed", "changed", "reordered"]))]
    pub change: String,
    /// What of it is another; null unless it is changed.
    pub what: Option<String>,
    /// What was said before; null if nothing was.
    pub before: Option<String>,
    /// What is said now; null if nothing is.
    pub after: Option<String>,
    /// Number of connections that will be drained; null where none are, and where another stack
    /// distributes the DVIPA and has them.
    pub connections: Option<u64>,
    /// All of it in words.
    pub words: String,
}

/// What a stack knows that a plan tells of, as of one moment; nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    own: String,
    names: BTreeMap<IpAddr, String>,
    owners: BTreeMap<IpAddr, String>,
    distributed: BTreeSet<IpAddr>,
}

impl Outlook {
    /// Takes a copy of what `stack` knows now.
    #[must_use]
    pub fn of(stack: &Stack) -> Self {
        let snapshot = Snapshot::of(stack);
        let named = |address| Some((address, snapshot.name_of(address)?.to_owned()));
        let owned = |dvipa| Some((dvipa, stack.owner(dvipa)?.to_owned()));
        let distributed = snapshot.forwarding.services.keys();
        Self {
            own: stack.name().to_owned(),
            names: snapshot.addresses().filter_map(named).collect(),
            owners: stack.known_dvipas().filter_map(owned).collect(),
            distributed: distributed.map(|key| key.dvipa).collect(),
        }
    }

    /// Says what differs; `active` is how many connections each service has to each target, if that
    /// is known.
    #[must_use]
    pub fn plan(
        &self,
        (before, after): (&Config, &Config),
        active: Option<&Totals>,
        room: &mut Room,
    ) -> Vec<ChangeRow> {
        let spell = |address: IpAddr| match self.names.get(&address) {
            Some(name) => format!("{name} ({address})"),
            None => address.to_string(),
        };
        let differences = difference::between(before, after, &spell);
        let differences = differences.iter().filter(|_| room.admit());
        differences
            .map(|difference| self.row(difference, active, &spell))
            .collect()
    }

    fn row(
        &self,
        difference: &Difference,
        active: Option<&Totals>,
        spell: &dyn Fn(IpAddr) -> String,
    ) -> ChangeRow {
        let (subject, dvipa, port, dest_xcf) = match &difference.subject {
            Subject::Statement(..) => ("other", None, None, None),
            Subject::Dvipa(dvipa) => ("dvipa", Some(*dvipa), None, None),
            Subject::Dynamic(dvipa) => ("dynamic-service", Some(*dvipa), None, None),
            Subject::Service(key) => ("service", Some(key.dvipa), Some(key.port), None),
            Subject::Target(key, target) => {
                ("target", Some(key.dvipa), Some(key.port), Some(*target))
            }
        };
        let connections = active.and_then(|active| self.drained(difference, active));
        let target = dest_xcf.and_then(|target| self.names.get(&target).cloned());
        let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let (change, what, before, after) = match &difference.change {
            Change::Added(after) => ("added", None, None, said(after)),
            Change::Removed(before) => ("removed", None, said(before), None),
            Change::Changed {
                what,
                before,
                after,
            } => (
                "changed",
                Some((*what).to_owned()),
                said(before),
                said(after),
            ),
            Change::Reordered => ("reordered", None, None, None),
        };
        ChangeRow {
            when: when(difference.when).0.to_owned(),
            subject: subject.to_owned(),
            dvipa,
            port,
            dest_xcf,
            target,
            change: change.to_owned(),
            what,
            before,
            after,
            connections,
            words: self.words(difference, connections, spell),
        }
    }

    /// How many connections a difference drains, if this stack has them.
    fn drained(&self, difference: &Difference, active: &Totals) -> Option<u64> {
        if difference.reach != Reach::Drains {
            return None;
        }
        let counts = |is_meant: &dyn Fn(ServiceKey, IpAddr) -> bool| -> u64 {
            let meant = active
                .iter()
                .filter(|((key, target), _)| is_meant(*key, *target));
            meant.map(|(_, count)| count).sum()
        };
        let (dvipa, count) = match difference.subject {
            Subject::Target(key, target) => {
                (key.dvipa, counts(&|other, to| other == key && to == target))
            }
            Subject::Service(key) => (key.dvipa, counts(&|other, _| other == key)),
            Subject::Dvipa(dvipa) => (dvipa, counts(&|other, _| other.dvipa == dvipa)),
            Subject::Statement(..) | Subject::Dynamic(_) => return None,
        };
        self.distributed.contains(&dvipa).then_some(count)
    }

    fn words(
        &self,
        difference: &Difference,
        connections: Option<u64>,
        spell: &dyn Fn(IpAddr) -> String,
    ) -> String {
        let mut text = difference.subject.to_string();
        if let Subject::Target(_, target) = &difference.subject {
            let _ = write!(text, ": target {}", spell(*target));
        }
        let has_text = |said: &str| !said.is_empty();
        match (&difference.subject, &difference.change) {
            (Subject::Statement(..), Change::Added(_)) => text.push_str(" is new"),
            (Subject::Statement(..), Change::Removed(_)) => text.push_str(" is gone"),
            (Subject::Target(..), Change::Added(said)) => {
                text.push_str(if has_text(said) {
                    " joins as "
                } else {
                    " joins"
                });
                text.push_str(said);
            }
            (Subject::Target(..) | Subject::Dvipa(_), Change::Removed(_)) => {
                text.push_str(" leaves");
            }
            (Subject::Dvipa(_), Change::Added(said)) => {
                text.insert_str(0, "new ");
                let _ = write!(text, ", {said}");
            }
            (Subject::Service(_) | Subject::Dynamic(_), Change::Added(said)) => {
                let _ = write!(text, ": new service, {said}");
            }
            (Subject::Service(_) | Subject::Dynamic(_), Change::Removed(_)) => {
                text.push_str(" is not distributed any more");
            }
            (
                _,
                Change::Changed {
                    what,
                    before,
                    after,
                },
            ) => {
                let _ = write!(text, ": {what} changes {before} → {after}");
            }
            (_, Change::Reordered) => text.push_str(": the order of the statements changes"),
        }
        let effect = self.effect(difference, connections);
        if !effect.is_empty() {
            let _ = write!(text, ": {effect}");
        }
        text
    }

    /// Whom it concerns, in words.
    fn effect(&self, difference: &Difference, connections: Option<u64>) -> String {
        let effect = match difference.reach {
            Reach::NewConnections => match difference.change {
                Change::Added(_) => "new connections, as soon as a server listens there".to_owned(),
                Change::Removed(_) | Change::Changed { .. } | Change::Reordered => {
                    "new connections only".to_owned()
                }
            },
            Reach::Drains => match connections {
                None => "its connections will be drained".to_owned(),
                Some(0) => "no connection is there to be drained".to_owned(),
                Some(1) => "1 connection will be drained".to_owned(),
                Some(count) => format!("{count} connections will be drained"),
            },
            Reach::AllConnections => "packets of all connections".to_owned(),
            Reach::NewServers => "servers that start from then on".to_owned(),
            Reach::Ownership => "the group decides who has it".to_owned(),
            Reach::Stack => return String::new(),
            Reach::Shown => return "kept and shown, without further effect".to_owned(),
        };
        let dvipa = match &difference.subject {
            Subject::Service(key) | Subject::Target(key, _) => key.dvipa,
            Subject::Dvipa(dvipa) => *dvipa,
            Subject::Statement(..) | Subject::Dynamic(_) => return effect,
        };
        match self.owners.get(&dvipa) {
            Some(owner) if *owner != self.own => format!("{effect} ({owner} owns {dvipa} now)"),
            Some(_) | None => effect,
        }
    }
}

/// The word of JSON, and the heading of text.
const fn when(when: When) -> (&'static str, &'static str) {
    match when {
        When::First => ("first", "First:"),
        When::AtOnce => ("at-once", "Then, all together:"),
        When::Claimed => ("claimed", "When this stack has come to have the address:"),
        When::Drained => ("drained", "When the last connection has ended:"),
    }
}

pub(super) fn text(out: &mut String, plan: &Plan) -> fmt::Result {
    out.push_str(&plan.remarks);
    if plan.changes.is_empty() {
        return writeln!(out, "`{}` says what the stack does already.", plan.source);
    }
    writeln!(out, "What `{}` would change:", plan.source)?;
    for (word, heading) in [When::First, When::AtOnce, When::Claimed, When::Drained].map(when) {
        let mut changes = plan
            .changes
            .iter()
            .filter(|change| change.when == word)
            .peekable();
        if changes.peek().is_some() {
            writeln!(out, "{heading}")?;
        }
        for change in changes {
            writeln!(out, "  {}", change.words)?;
        }
    }
    Ok(())
}
