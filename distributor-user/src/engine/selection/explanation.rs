//! Why a target gets the share that it gets: inputs, arithmetic, results, in words.
//!
//! Everything is taken from the functions that weights are computed by; nothing
//! is computed here a second time but what is written out.

use super::super::config::{DistMethod, Terms};
use super::super::load::{Load, Server};
use super::weighted::{self, Basis, TOTAL};
use super::{
    Best, Row, Warmth, configured, loads, minds_responsiveness, raw_weights, responsiveness,
    weights,
};
use crate::engine::responsiveness::UNRESPONSIVE;

/// One step on the way to a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What the step comes to, in a word.
    pub step: &'static str,
    /// How.
    pub arithmetic: String,
}

/// What decides about one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The weight before it is scaled and reduced.
    pub raw: Option<u16>,
    /// The weight that it is given connections by.
    pub weight: Option<u16>,
    /// How much of the new connections it gets, in thousandths.
    pub share_permille: u16,
    /// How that comes about.
    pub reasons: Vec<Reason>,
}

/// Explains the share of each row. `servers` are those of each row, and `ring` is what its rows were
/// compiled into.
#[must_use]
pub fn explain(
    terms: &Terms,
    rows: &[Row],
    servers: &[&[Server]],
    ring: &[u16],
) -> Vec<Explanation> {
    let steps = Steps {
        terms,
        rows,
        raw: raw_weights(terms, rows),
        weights: weights(terms, rows),
        configured: configured(terms, rows),
        responsiveness: responsiveness(rows),
        loads: loads(terms, rows),
        ring,
    };
    let servers = servers.iter().copied().chain(std::iter::repeat(&[][..]));
    let of = |((at, row), servers)| steps.of(at, row, servers);
    rows.iter().enumerate().zip(servers).map(of).collect()
}

/// What all rows of a service have in common.
struct Steps<'a> {
    terms: &'a Terms,
    rows: &'a [Row],
    raw: Vec<Option<u16>>,
    weights: Vec<Option<u16>>,
    /// What the profile says, reduced.
    configured: Vec<u8>,
    responsiveness: Vec<u8>,
    /// What counts of the eligible rows, once all have said it.
    loads: Option<Vec<Load>>,
    ring: &'a [u16],
}

impl Steps<'_> {
    fn of(&self, at: usize, row: &Row, servers: &[Server]) -> Explanation {
        let mut reasons = Vec::new();
        let mut say = |step, arithmetic| reasons.push(Reason { step, arithmetic });
        if row.is_eligible {
            self.say_load(row, servers, &mut say);
            self.say_raw(at, row, &mut say);
            self.say_responsiveness(at, row, &mut say);
            self.say_warmth(row, &mut say);
        }
        let weight = self.weight(at);
        let share_permille = self.say_share(at, row, &mut say);
        Explanation {
            raw: self.raw[at],
            weight,
            share_permille,
            reasons,
        }
    }

    /// The weight that a row is given connections by, if the method has any.
    fn weight(&self, at: usize) -> Option<u16> {
        if self.terms.method == DistMethod::WeightedActive {
            return self.rows[at]
                .is_eligible
                .then(|| self.configured[at].into());
        }
        self.weights[at]
    }

    /// What is kept back of the share of a target that has come back.
    fn say_warmth(&self, row: &Row, say: &mut impl FnMut(&'static str, String)) {
        let grows = !matches!(
            self.terms.method,
            DistMethod::HotStandby { .. } | DistMethod::Maglev
        );
        if grows && row.warmth != Warmth::FULL {
            let percent = row.warmth.percent();
            let arithmetic = format!("came back a moment ago: {percent} % of its share");
            say("slow start", arithmetic);
        }
    }

    /// From what was measured to what is free.
    fn say_load(&self, row: &Row, servers: &[Server], say: &mut impl FnMut(&'static str, String)) {
        match self.terms.method {
            DistMethod::BaseWlm { .. } => match &row.load {
                Some(load) => say_free(load, "", say),
                None => say(
                    "free",
                    "this target has not said what it could do".to_owned(),
                ),
            },
            DistMethod::ServerWlm { .. } => {
                for (server, number) in servers.iter().zip(1..) {
                    let name = format!("server {number} ({}): ", server.account.word());
                    say_free(&server.load, &name, say);
                }
                match &row.load {
                    Some(load) => say(
                        "average",
                        format!("{} of {} servers", decimal(load.free), servers.len()),
                    ),
                    None => say(
                        "free",
                        "no server of this target was measured yet".to_owned(),
                    ),
                }
            }
            DistMethod::RoundRobin
            | DistMethod::WeightedActive
            | DistMethod::HotStandby { .. }
            | DistMethod::TargControlled
            | DistMethod::Maglev => {}
        }
    }

    /// From what is free, or said, to a weight of 0 to 16.
    fn say_raw(&self, at: usize, row: &Row, say: &mut impl FnMut(&'static str, String)) {
        let method = self.terms.method;
        if method.has_fixed_weights() {
            let weight = self.terms.destinations.weight(row.target);
            return say("raw", format!("WEIGHT {weight} of the profile"));
        }
        let Some(raw) = self.raw[at] else {
            if super::is_weighted(self.terms) {
                let text = "not all targets have said what they could do: they take turns";
                say("raw", text.to_owned());
            }
            return;
        };
        match (&self.loads, row.load) {
            (Some(loads), Some(load)) => {
                let basis = Basis::of(loads);
                let all: u64 = loads.iter().map(|load| u64::from(basis.units(load))).sum();
                let what = match basis {
                    Basis::Free => "what all have free",
                    Basis::Capacity => "all capacity, because none has a twentieth of its own free",
                };
                let own = decimal(basis.units(&load));
                let all = decimal(all);
                say("raw", format!("{TOTAL} x {own} / {all} ({what}) = {raw}"));
            }
            _ => say(
                "raw",
                match row.weight {
                    Some(_) => format!("{raw}, as its operator says"),
                    None => format!("{raw}: its operator says nothing"),
                },
            ),
        }
        let all: Vec<u16> = self.raw.iter().copied().flatten().collect();
        let scaled = weighted::normalised(&all);
        let place = self.raw[..at].iter().flatten().count();
        if scaled != all {
            let scaled = scaled[place];
            say(
                "scaled",
                format!("{raw} / 4 = {scaled}, because a weight is above 16"),
            );
        }
    }

    /// What is taken off, because its servers do not take what they are given.
    fn say_responsiveness(&self, at: usize, row: &Row, say: &mut impl FnMut(&'static str, String)) {
        if !minds_responsiveness(self.terms) {
            return;
        }
        let best = Best::of(self.rows);
        let tsr = self.responsiveness[at];
        let parts = row.responsiveness;
        say(
            "TSR",
            format!(
                "TCSR {} of the best target's {} x CER {} of {} x SEF {} = {tsr} %",
                row.tcsr, best.tcsr, parts.cer, best.cer, parts.sef
            ),
        );
        if tsr == 100 {
            return;
        }
        let Some(weight) = self.weight(at) else {
            return;
        };
        let text = if tsr < UNRESPONSIVE && weight > 0 {
            format!("{weight}: no target with a weight has {UNRESPONSIVE} % or more")
        } else if tsr < UNRESPONSIVE {
            format!("0: below {UNRESPONSIVE} % a target gets nothing while another has more")
        } else {
            format!("x {tsr} % = {weight}")
        };
        say("weight", text);
    }

    /// How much it gets; returns that.
    fn say_share(&self, at: usize, row: &Row, say: &mut impl FnMut(&'static str, String)) -> u16 {
        let is_it = |place: &&u16| usize::from(**place) == at;
        let (own, all, what) = if self.terms.method == DistMethod::WeightedActive {
            let all = self
                .configured
                .iter()
                .map(|weight| u64::from(*weight))
                .sum();
            let own = u64::from(self.configured[at]);
            (own, all, "of the weights, in active connections")
        } else {
            let own = self.ring.iter().filter(is_it).count() as u64;
            let what = match self.terms.method {
                DistMethod::Maglev => "of the places that a hash leads to",
                DistMethod::BaseWlm { .. }
                | DistMethod::RoundRobin
                | DistMethod::ServerWlm { .. }
                | DistMethod::WeightedActive
                | DistMethod::HotStandby { .. }
                | DistMethod::TargControlled => "turns",
            };
            (own, self.ring.len() as u64, what)
        };
        let share = (own * 1_000).checked_div(all).unwrap_or_default();
        let share = u16::try_from(share).unwrap_or_default();
        if row.is_eligible || own > 0 {
            say(
                "share",
                format!("{own} of {all} {what} = {} %", percent(share)),
            );
        }
        share
    }
}

/// What was measured of a stack or a server, and what is free of it.
fn say_free(load: &Load, name: &str, say: &mut impl FnMut(&'static str, String)) {
    let unused = decimal(load.unused());
    let [capacity, used] = [load.capacity, load.used].map(decimal);
    let within = load.within.map_or_else(String::new, |within| {
        format!(", at most {} that its stack has free,", decimal(within))
    });
    say(
        "unused",
        format!("{name}capacity {capacity} - used {used}{within} = {unused} processors"),
    );
    let usable = decimal(load.usable());
    match load.stall {
        Some(stall) => say(
            "usable",
            format!(
                "{name}{unused} x (100 % - {} % waiting for {}) = {usable}",
                percent(stall.permille),
                stall.cause.word()
            ),
        ),
        None => say(
            "usable",
            format!("{name}{usable}: the kernel does not tell how long work waits"),
        ),
    }
    let free = decimal(load.free);
    match load.before {
        Some(before) => say(
            "free",
            format!(
                "{name}(3 x {usable} + {} before) / 4 = {free}",
                decimal(before)
            ),
        ),
        None => say("free", format!("{name}{free}, the first time")),
    }
}

/// Thousandths as a decimal number.
fn decimal(thousandths: impl Into<u64>) -> String {
    let thousandths = thousandths.into();
    format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
}

/// Thousandths in percent.
fn percent(permille: u16) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests;
