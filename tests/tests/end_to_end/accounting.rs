//! What the owner counted, beside what the switches counted.

use std::time::Duration;

use anyhow::Result;
use distributor_common::counter::{Action, COUNTERS};
use tests::lab::Lab;
use tests::stack::Stack;
use tests::wait;

/// What the owner's packet path says of the packets that came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) forwarded: u64,
    pub(crate) passed: u64,
    pub(crate) dropped: u64,
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
        Ok(Self {
            received: packets["received"],
            forwarded: sum(&[Action::Transmit, Action::Redirect]),
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
