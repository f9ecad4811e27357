//! Selection: each service is compiled into a ring of its rows.
//!
//! The packet path takes `ring[cursor++ % n]`, with MAGLEV `ring[hash % n]`, or
//! with WEIGHTEDACTIVE the place whose target has the fewest connections for its
//! weight; nothing here knows about packets. A ring contains only rows that may
//! receive a new connection, so an empty ring means that none may.
//!
//! WLM's weights come from the free capacity that each target reports, of its
//! whole stack or with SERVERWLM of its servers, and a target whose servers do not
//! take connections as they should gets fewer, down to none. A target that comes
//! back may get a share that grows; HOTSTANDBY, where one gets all, and MAGLEV,
//! where all stacks choose alike, know no such thing. TARGCONTROLLED goes by
//! what targets say that they weigh.

mod explanation;
mod maglev;
mod standby;
mod warmth;
mod weighted;

use std::net::IpAddr;

pub use explanation::{Explanation, Reason, explain};

use super::config::{Destination, DistMethod, Terms};
use super::forwarding::{Affinity, Choice};
use super::load::Load;
use super::responsiveness::{Responsiveness, UNRESPONSIVE};

pub use warmth::Warmth;

/// What is known of one row of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The target.
    pub target: IpAddr,
    /// Whether it may receive new connections.
    pub is_eligible: bool,
    /// What it last said that it could do.
    pub load: Option<Load>,
    /// How its servers take connections, as far as the method minds it.
    pub responsiveness: Responsiveness,
    /// How many of a hundred SYNs that are sent to it arrive, likewise; 100 where that is not known.
    pub tcsr: u8,
    /// What it says that it weighs.
    pub weight: Option<u8>,
    /// How much of its share it gets.
    pub warmth: Warmth,
}

/// What a target says of its servers for one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// How they take connections.
    pub responsiveness: Responsiveness,
    /// What its operator says that it weighs.
    pub weight: Option<u8>,
}

/// The largest weight that a target may say that it has, as of those that WLM computes.
pub const LARGEST_WEIGHT: u8 = 64;

impl Row {
    /// What is known of a target, as far as the method minds it; `ready` is what it says of its servers,
    /// if it may receive a connection.
    #[must_use]
    pub fn new(
        terms: &Terms,
        target: IpAddr,
        ready: Option<Ready>,
        load: Option<Load>,
        tcsr: Option<u8>,
    ) -> Self {
        let said = ready.unwrap_or_default();
        let minds = minds_responsiveness(terms);
        let is_controlled = terms.method == DistMethod::TargControlled;
        Self {
            target,
            is_eligible: ready.is_some(),
            load: load.filter(|_| is_weighted(terms)),
            responsiveness: Some(said.responsiveness)
                .filter(|_| minds)
                .unwrap_or_default(),
            tcsr: tcsr.filter(|_| minds).unwrap_or(100),
            weight: said.weight.filter(|_| is_controlled),
            warmth: Warmth::FULL,
        }
    }
}

/// Whether what the targets could still do decides how connections are handed out.
#[must_use]
pub fn is_weighted(terms: &Terms) -> bool {
    matches!(
        terms.method,
        DistMethod::BaseWlm { .. } | DistMethod::ServerWlm { .. }
    )
}

/// Whether the method minds how the targets' servers take connections.
#[must_use]
pub fn minds_responsiveness(terms: &Terms) -> bool {
    match terms.method {
        DistMethod::BaseWlm { .. } | DistMethod::ServerWlm { .. } | DistMethod::WeightedActive => {
            true
        }
        DistMethod::HotStandby { minds_health, .. } => minds_health,
        DistMethod::RoundRobin | DistMethod::TargControlled | DistMethod::Maglev => false,
    }
}

/// Target server responsiveness of each row, in percent.
///
/// SYNs that arrive and handshakes that are completed are compared with the target where they are most:
/// what is lost on the way to all, and what clients, or who pretends to be many, leave open everywhere is
/// not the servers' fault.
#[must_use]
pub fn responsiveness(rows: &[Row]) -> Vec<u8> {
    let best = Best::of(rows);
    let relative = |part: u8, best: u8| {
        let relative = u32::from(part) * 100;
        relative.checked_div(best.into()).unwrap_or(100).min(100)
    };
    let of = |row: &Row| {
        let Responsiveness { cer, sef } = row.responsiveness;
        let parts = relative(row.tcsr, best.tcsr) * relative(cer, best.cer) * u32::from(sef);
        u8::try_from(parts / 10_000).unwrap_or(100)
    };
    rows.iter().map(of).collect()
}

/// How long clients of a service keep their targets, and which they can keep: any that may receive
/// connections, whether the method would give it one now or not.
#[must_use]
pub fn affinity(terms: &Terms, rows: &[Row]) -> Option<Affinity> {
    let seconds = terms.options.timed_affinity_s;
    let eligible = rows.iter().zip(0..).filter(|(row, _)| row.is_eligible);
    (seconds > 0).then(|| Affinity {
        seconds,
        ready: eligible.map(|(_, row)| row).collect(),
    })
}

/// What the others are compared with, of the eligible rows.
#[derive(Clone, Copy, Debug)]
struct Best {
    tcsr: u8,
    cer: u8,
}

impl Best {
    fn of(rows: &[Row]) -> Self {
        let eligible = rows.iter().filter(|row| row.is_eligible);
        let best = |of: fn(&Row) -> u8| eligible.clone().map(of).max().unwrap_or_default();
        Self {
            tcsr: best(|row| row.tcsr),
            cer: best(|row| row.responsiveness.cer),
        }
    }
}

/// How a new connection gets its place in a ring of these rows.
#[must_use]
pub fn choice(terms: &Terms, rows: &[Row], ring: &[u16]) -> Choice {
    match terms.method {
        DistMethod::Maglev => Choice::Hash,
        DistMethod::WeightedActive => {
            let weights = configured(terms, rows);
            let weights = ring.iter().map(|row| weights[usize::from(*row)]);
            Choice::Active {
                weights: weights.collect(),
            }
        }
        DistMethod::BaseWlm { .. }
        | DistMethod::RoundRobin
        | DistMethod::ServerWlm { .. }
        | DistMethod::HotStandby { .. }
        | DistMethod::TargControlled => Choice::Turn,
    }
}

/// The effective weight of each row, 0–16, as far as the method distributes by one and it is known.
///
/// As long as one eligible target has not said what it can do, none has a weight.
#[must_use]
pub fn weights(terms: &Terms, rows: &[Row]) -> Vec<Option<u16>> {
    let raw = raw_weights(terms, rows);
    if raw.iter().all(Option::is_none) {
        return raw;
    }
    let raw: Vec<u16> = raw.into_iter().flatten().collect();
    effective(rows, &weighted::normalised(&raw))
}

/// The same before it is scaled and reduced, 0–64.
#[must_use]
pub fn raw_weights(terms: &Terms, rows: &[Row]) -> Vec<Option<u16>> {
    let eligible = rows.iter().filter(|row| row.is_eligible);
    if terms.method == DistMethod::TargControlled {
        let said = eligible.map(|row| row.weight.unwrap_or(Destination::DEFAULT_WEIGHT).into());
        return spread(rows, said);
    }
    match loads(terms, rows) {
        Some(loads) => spread(rows, weighted::of_systems(&loads)),
        None => vec![None; rows.len()],
    }
}

/// What the eligible rows could do, if that counts and all have said so.
fn loads(terms: &Terms, rows: &[Row]) -> Option<Vec<Load>> {
    let eligible = rows.iter().filter(|row| row.is_eligible);
    let loads: Option<Vec<Load>> = eligible.map(|row| row.load).collect();
    loads.filter(|_| is_weighted(terms))
}

/// Gives each eligible row the next of these, and the others nothing.
fn spread<T>(rows: &[Row], of_eligible: impl IntoIterator<Item = T>) -> Vec<Option<T>> {
    let mut of_eligible = of_eligible.into_iter();
    rows.iter()
        .map(|row| row.is_eligible.then(|| of_eligible.next()).flatten())
        .collect()
}

/// The profile's weight of each row, reduced by how its servers take connections, and while it comes
/// back; 0 where it gets none.
fn configured(terms: &Terms, rows: &[Row]) -> Vec<u8> {
    let eligible = rows.iter().filter(|row| row.is_eligible);
    let weights = eligible.map(|row| terms.destinations.weight(row.target).into());
    let effective = effective(rows, &weights.collect::<Vec<_>>()).into_iter();
    let weight = |weight: Option<u16>| u8::try_from(weight.unwrap_or_default()).unwrap_or(u8::MAX);
    let warmths = rows.iter().map(|row| row.warmth);
    let weights = effective.zip(warmths);
    weights
        .map(|(known, warmth)| warmth.coarse(weight(known)))
        .collect()
}

/// The weights of the eligible rows, reduced by how their servers take connections.
fn effective(rows: &[Row], weights: &[u16]) -> Vec<Option<u16>> {
    let responsiveness = responsiveness(rows);
    let eligible = rows.iter().zip(responsiveness);
    let eligible = eligible.filter(|(row, _)| row.is_eligible);
    let responsiveness: Vec<u8> = eligible.map(|(_, percent)| percent).collect();
    spread(rows, weighted::reduced(weights, &responsiveness))
}

/// Whether a connection that starts on the target `own` stays there: what `OPTLOCAL` says.
///
/// With 0 always; with 1 unless the target has no weight; with more if no other weighs more than it
/// does that many times. Where the method has no weights, none is heavier. With HOTSTANDBY one target
/// gets everything, whoever starts it.
#[must_use]
pub fn keeps(terms: &Terms, rows: &[Row], own: IpAddr) -> bool {
    let is_own = |row: &Row| row.target == own && row.is_eligible;
    let (Some(factor), Some(place)) = (terms.options.opt_local, rows.iter().position(is_own))
    else {
        return false;
    };
    if factor == 0 {
        return true;
    }
    if matches!(terms.method, DistMethod::HotStandby { .. }) {
        return false;
    }
    let weights = weights(terms, rows);
    let Some(weight) = weights[place] else {
        return true;
    };
    let heaviest = weights.into_iter().flatten().max().unwrap_or_default();
    weight > 0 && (factor == 1 || u16::from(factor) * weight >= heaviest)
}

/// Puts the servers of one shared port into the order in which they get connections: by the numbers of
/// their places among these loads, each reduced by how it accepts, in percent. Empty where all are alike.
#[must_use]
pub fn order(loads: &[Load], acceptance: &[u8]) -> Vec<u16> {
    let weights = weighted::normalised(&weighted::of_systems(loads));
    let weights = weighted::reduced(&weights, acceptance);
    if weights.windows(2).all(|pair| pair[0] == pair[1]) {
        return Vec::new();
    }
    let servers: Vec<(u16, u16)> = (0..).zip(weights).collect();
    weighted::smooth(&servers)
}

/// Compiles the ring of one service: row numbers in the order in which connections are handed out,
/// or in that of the hash; with WEIGHTEDACTIVE each once.
///
/// `active` is the target that HOTSTANDBY has sent them to so far.
#[must_use]
pub fn ring(terms: &Terms, rows: &[Row], active: Option<IpAddr>) -> Vec<u16> {
    let ready = (0..).zip(rows).filter(|(_, row)| row.is_eligible);
    match terms.method {
        DistMethod::BaseWlm { .. } | DistMethod::ServerWlm { .. } | DistMethod::TargControlled => {
            let mut weights = weights(terms, rows);
            if weights.iter().all(Option::is_none) {
                weights = effective(rows, &vec![weighted::LARGEST; rows.len()]);
            }
            // Without any weight all are alike.
            let least = u16::from(weights.iter().flatten().all(|weight| *weight == 0));
            let weight = |(row, known): (u16, &Row)| {
                let weight = weights[usize::from(row)].unwrap_or_default().max(least);
                (row, known.warmth.fine(weight))
            };
            weighted::smooth(&ready.map(weight).collect::<Vec<_>>())
        }
        DistMethod::RoundRobin => {
            let weight = |(row, known): (u16, &Row)| (row, known.warmth.fine(1));
            weighted::smooth(&ready.map(weight).collect::<Vec<_>>())
        }
        DistMethod::WeightedActive => {
            let weights = configured(terms, rows);
            let ready = ready.map(|(row, _)| row);
            ready.filter(|row| weights[usize::from(*row)] > 0).collect()
        }
        DistMethod::Maglev => {
            let weighted = |(number, row): (u16, &Row)| {
                let weight = terms.destinations.weight(row.target);
                (number, row.target, weight)
            };
            maglev::table(ready.map(weighted).collect())
        }
        DistMethod::HotStandby { switches_back, .. } => {
            let list = terms.destinations.listed();
            let responsiveness = responsiveness(rows);
            let responds = |row: u16| responsiveness[usize::from(row)] >= UNRESPONSIVE;
            let ready: Vec<_> = ready.map(|(row, known)| (row, known.target)).collect();
            let responsive = ready.iter().copied().filter(|(row, _)| responds(*row));
            let chosen = standby::choose(list, responsive, active, switches_back)
                .or_else(|| standby::choose(list, ready.iter().copied(), active, switches_back));
            chosen.into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests;
