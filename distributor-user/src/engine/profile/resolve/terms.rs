//! The terms of one VIPADISTRIBUTE: method, options, and what each target is to them.
//!
//! Nothing here reports: whether the parts go together is checked beside it.

use super::super::super::config::{
    Destination, Destinations, DistMethod, DistOptions, Encapsulation, Processors, Standby, Terms,
    Tier, TierGroup,
};
use super::super::grammar::Row;
use super::super::table::vipadistribute::{
    BACKUP, CONTROLPORT, CP_SHARE, DISTMETHOD, ENCAP, GRE, HOTSTANDBY, ILWEIGHTING, MAGLEV,
    NOAUTOSWITCHBACK, NOHEALTHSWITCH, OPTLOCAL, PREFERRED, PROCTYPE, PROCXCOST, ROUNDROBIN,
    SERVERWLM, SYSPLEXPORTS, TARGCONTROLLED, TIER1, TIER2, TIMEDAFFINITY, WEIGHT, WEIGHTEDACTIVE,
    ZAAP_COST, ZAAP_SHARE, ZIIP_COST, ZIIP_SHARE,
};
use super::super::tree::Node;

/// `OPTLOCAL` where no value is written.
const DEFAULT_OPT_LOCAL: u8 = 1;
/// `PROCXCOST` where no cost is written.
const DEFAULT_COST: u8 = 1;

pub(super) fn terms(node: &Node, destinations: Destinations) -> Terms {
    Terms {
        method: method(node),
        destinations,
        options: options(node),
    }
}

/// The method; `BASEWLM` where none is written.
pub(super) fn method(node: &Node) -> DistMethod {
    let method = node.child(&DISTMETHOD);
    let is = |row| method.is_some_and(|method| method.child(row).is_some());
    if is(&ROUNDROBIN) {
        DistMethod::RoundRobin
    } else if is(&SERVERWLM) {
        let cost = node.child(&PROCXCOST);
        DistMethod::ServerWlm {
            cross_cost: Processors {
                cp: DEFAULT_COST,
                zaap: number(cost, &ZAAP_COST).unwrap_or(DEFAULT_COST),
                ziip: number(cost, &ZIIP_COST).unwrap_or(DEFAULT_COST),
            },
            importance: number(Some(node), &ILWEIGHTING).unwrap_or(0),
        }
    } else if is(&WEIGHTEDACTIVE) {
        DistMethod::WeightedActive
    } else if is(&HOTSTANDBY) {
        DistMethod::HotStandby {
            switches_back: node.child(&NOAUTOSWITCHBACK).is_none(),
            minds_health: node.child(&NOHEALTHSWITCH).is_none(),
        }
    } else if is(&TARGCONTROLLED) {
        DistMethod::TargControlled
    } else if is(&MAGLEV) {
        DistMethod::Maglev
    } else {
        let shares = node.child(&PROCTYPE);
        let share = |row| number(shares, row).unwrap_or(0);
        DistMethod::BaseWlm {
            processors: shares.map(|_| Processors {
                cp: share(&CP_SHARE),
                zaap: share(&ZAAP_SHARE),
                ziip: share(&ZIIP_SHARE),
            }),
        }
    }
}

fn options(node: &Node) -> DistOptions {
    let opt_local = node.child(&OPTLOCAL);
    let affinity = node.child(&TIMEDAFFINITY).and_then(Node::number);
    DistOptions {
        opt_local: opt_local.map(|_| number(Some(node), &OPTLOCAL).unwrap_or(DEFAULT_OPT_LOCAL)),
        has_sysplex_ports: node.child(&SYSPLEXPORTS).is_some(),
        timed_affinity_s: affinity
            .and_then(|(seconds, _)| u16::try_from(seconds).ok())
            .unwrap_or(0),
        tier: tier_group(node),
    }
}

fn tier_group(node: &Node) -> Option<TierGroup> {
    let one = node.child(&TIER1);
    let group = one.or(node.child(&TIER2))?;
    let port = group.child(&CONTROLPORT).and_then(Node::number);
    Some(TierGroup {
        tier: if one.is_some() { Tier::One } else { Tier::Two },
        name: group.name()?.to_owned(),
        encapsulation: if group.child(&GRE).is_some() {
            Some(Encapsulation::Gre)
        } else {
            group.child(&ENCAP).map(|_| Encapsulation::Encap)
        },
        control_port: port
            .and_then(|(port, _)| u16::try_from(port).ok())
            .unwrap_or(TierGroup::DEFAULT_CONTROL_PORT),
    })
}

pub(super) fn weight(entry: &Node) -> u8 {
    number(Some(entry), &WEIGHT).unwrap_or(Destination::DEFAULT_WEIGHT)
}

pub(super) fn standby(entry: &Node) -> Option<Standby> {
    if entry.child(&PREFERRED).is_some() {
        return Some(Standby::Preferred);
    }
    entry.child(&BACKUP).map(|_| Standby::Backup {
        rank: number(Some(entry), &BACKUP).unwrap_or(Standby::DEFAULT_RANK),
    })
}

/// How many of `list` are PREFERRED.
pub(super) fn preferred(list: &[Destination]) -> usize {
    let is_preferred = |target: &&Destination| target.standby == Some(Standby::Preferred);
    list.iter().filter(is_preferred).count()
}

/// How many of `list` are BACKUP.
pub(super) fn backup(list: &[Destination]) -> usize {
    list.iter()
        .filter(|target| matches!(target.standby, Some(Standby::Backup { .. })))
        .count()
}

/// The number after keyword `row` of `node`; its bounds are the table's.
fn number(node: Option<&Node>, row: &'static Row) -> Option<u8> {
    let (number, _) = node?.child(row)?.number()?;
    u8::try_from(number).ok()
}
