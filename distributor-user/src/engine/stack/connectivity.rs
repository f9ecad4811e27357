//! Whether what this stack sends to its targets arrives there.
//!
//! A target is asked as long as it is sent anything, once a second, and not at
//! rest. This stack itself needs no asking: nothing lies between.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Effect, Stack};
use crate::engine::connectivity::{Counts, Gauge, matters};
use crate::engine::fact::Fact;
use crate::engine::message::Message;
use crate::engine::responsiveness::UNRESPONSIVE;
use crate::engine::xcf::XcfAddresses;

/// What is known of the ways to the targets.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// By the first address of each.
    by_target: BTreeMap<IpAddr, Way>,
    last_request: u64,
}

#[derive(Debug, Default)]
struct Way {
    gauge: Option<Gauge>,
    /// The last question: its number, and what had been sent by then.
    asked: Option<(u64, u64)>,
    /// What is acted on.
    told: Option<u8>,
    /// Whether the operator was told that nothing arrives.
    is_lost: bool,
}

impl Stack {
    /// Takes what was sent to the targets so far, and asks those what has arrived that were sent
    /// something since they were last asked.
    pub(super) fn take_syns_sent(
        &mut self,
        sent: &BTreeMap<IpAddr, u64>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let sent = self.by_stack(sent);
        let present = self.members.iter();
        let present = present.filter(|(_, member)| !member.is_lost());
        for (name, member) in present {
            let target = member.xcf.first();
            let Some(&sent) = sent.get(&target).filter(|sent| **sent > 0) else {
                continue;
            };
            let way = self.ways.by_target.entry(target).or_default();
            if way.asked.is_none_or(|(_, asked)| asked != sent) {
                self.ways.last_request += 1;
                let request = self.ways.last_request;
                way.asked = Some((request, sent));
                effects.push(Effect::Send {
                    to: name.clone(),
                    fact: Fact::SynsRequest { request },
                });
            }
        }
        let targets: Vec<IpAddr> = self.ways.by_target.keys().copied().collect();
        for target in targets {
            let way = self.ways.by_target.get_mut(&target);
            let shown = way.and_then(|way| way.gauge.as_mut()?.rest(now));
            self.note_way(target, shown, effects);
        }
        let ways = &mut self.ways.by_target;
        ways.retain(|target, _| sent.contains_key(target));
    }

    /// The counts of stacks by their first addresses: what goes to one takes the same way, whatever
    /// the family.
    fn by_stack(&self, counts: &BTreeMap<IpAddr, u64>) -> BTreeMap<IpAddr, u64> {
        let mut by_stack = BTreeMap::new();
        for (address, count) in counts {
            let mut members = self.members.values();
            let member = members.find(|member| member.xcf.contain(*address));
            let stack = member.map_or(*address, |member| member.xcf.first());
            *by_stack.entry(stack).or_default() += count;
        }
        by_stack
    }

    /// Takes a target's answer.
    pub(super) fn take_syns_taken(
        &mut self,
        target: IpAddr,
        request: u64,
        taken: u64,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(way) = self.ways.by_target.get_mut(&target) else {
            return;
        };
        let Some((_, sent)) = way.asked.filter(|(asked, _)| *asked == request) else {
            return;
        };
        let counts = Counts { sent, taken };
        let shown = if let Some(gauge) = &mut way.gauge {
            gauge.take(counts, now)
        } else {
            way.gauge = Some(Gauge::new(counts, now));
            None
        };
        self.note_way(target, shown, effects);
    }

    /// Acts on what is known of a way, if that is something else now.
    fn note_way(&mut self, target: IpAddr, shown: Option<u8>, effects: &mut Vec<Effect>) {
        let name = self.name_of(target).map(ToOwned::to_owned);
        let (Some(way), Some(target)) = (self.ways.by_target.get_mut(&target), name) else {
            return;
        };
        // That nothing is wrong is shown as soon as it is known.
        let is_first = way.told.is_none() != shown.is_none();
        let matters = matters(shown, way.told);
        if !matters && !is_first {
            return;
        }
        way.told = shown;
        self.is_dirty |= matters;
        // One that is only tried again is not back.
        let message = match (way.is_lost, shown) {
            (false, Some(tcsr @ ..UNRESPONSIVE)) => Message::OutOfReach { target, tcsr },
            (true, Some(tcsr)) if tcsr > UNRESPONSIVE => Message::WithinReach { target },
            (_, _) => return,
        };
        way.is_lost = !way.is_lost;
        effects.push(Effect::Tell(message));
    }

    /// How many of the SYNs that are sent to each target arrive there, in percent, as far as it is known;
    /// by each address that a target has.
    #[must_use]
    pub fn connectivity(&self) -> BTreeMap<IpAddr, u8> {
        let mut arriving: BTreeMap<IpAddr, u8> = BTreeMap::new();
        for (target, way) in &self.ways.by_target {
            let Some(told) = way.told else {
                continue;
            };
            let mut members = self.members.values();
            let member = members.find(|member| member.xcf.contain(*target));
            let stack = member.map_or(XcfAddresses::from(*target), |member| member.xcf);
            arriving.extend(stack.iter().map(|address| (address, told)));
        }
        let own = self.xcf().into_iter().flat_map(XcfAddresses::iter);
        arriving.extend(own.map(|own| (own, 100)));
        arriving
    }
}
