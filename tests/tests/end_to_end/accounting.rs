//! What the owner counted, beside what the switches counted.
//!
//! The owner's own "received" is the sum of its verdicts and proves nothing; what
//! the switches delivered to it is counted by somebody else.

use std::time::Duration;

use anyhow::Result;
use distributor_common::counter::{Action, COUNTERS};
use tests::lab::Lab;
use tests::stack::Stack;
use tests::wait;

/// What the owner's packet path says became of the packets that came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    forwarded: u64,
    /// Probes of other members, answered by the packet path itself.
    answered: u64,
    passed: u64,
    dropped: u64,
}

impl Counts {
    fn of(stack: &Stack) -> Result<Self> {
        let packets = stack.counters()?;
        let sum = |actions: &[Action]| {
            let counters = COUNTERS.iter().filter(|counter| {
                counter
                    .action
                    .is_some_and(|action| actions.contains(&action))
            });
            counters
                .map(|counter| packets.get(counter.name).copied().unwrap_or(0))
                .sum()
        };
        let answered = packets.get("probe-answered").copied().unwrap_or(0);
        Ok(Self {
            forwarded: sum(&[Action::Transmit, Action::Redirect]) - answered,
            answered,
            passed: sum(&[Action::Pass]),
            dropped: sum(&[Action::Drop]),
        })
    }
}

/// Frames that both switches have delivered to the owner, and what it counted: read in a moment in
/// which nothing moved, for the members of the group talk all the time.
pub(crate) fn at_rest(lab: &Lab) -> (u64, Counts) {
    let delivered = || -> Result<u64> {
        Ok(lab.lan().delivered_to("tcpip")? + lab.xcf().delivered_to("tcpip")?)
    };
    wait::until_some("a moment of silence", Duration::from_secs(10), || {
        let before = delivered()?;
        let counts = Counts::of(lab.stack("TCPIP"))?;
        Ok((delivered()? == before).then_some((before, counts)))
    })
    .expect("counters")
}

/// Checks that nothing got lost since `before` was [counted](at_rest) between what the switches
/// delivered to the owner, what became of it, and what went out.
pub(crate) fn assert_nothing_lost(lab: &Lab, (delivered, before): (u64, Counts)) {
    let (delivered_after, after) = at_rest(lab);
    assert_eq!(after.dropped, before.dropped, "{after:?}");
    let ended = |counts: Counts| counts.forwarded + counts.answered + counts.passed;
    assert_eq!(
        ended(after) - ended(before),
        delivered_after - delivered,
        "{before:?}, {after:?}"
    );
    let client = lab.lan().tcp_sent_by("client").expect("a port");
    if after.forwarded != client {
        for stack in lab.stacks() {
            eprintln!(
                "{}: {:?}",
                stack.name(),
                stack
                    .counters()
                    .map(|c| c.into_iter().filter(|(_, n)| *n > 0).collect::<Vec<_>>())
            );
        }
    }
    let out = [lab.lan(), lab.xcf()].map(|switch| switch.tcp_sent_by("tcpip").expect("a port"));
    assert_eq!(
        after.forwarded, client,
        "every TCP packet of the client was forwarded"
    );
    assert_eq!(after.forwarded, out.iter().sum::<u64>(), "and left");
}
