//! Which interfaces have a carrier: what is plugged in, and answers.
//!
//! The kernel tells that a carrier is gone up to a second late (`linkwatch`), but
//! whoever asks is told at once. So one task asks, fifty times a second; it tells
//! changes only, and may be dropped at any time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::TryStreamExt;
use netlink_packet_route::link::LinkFlags;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::debug;

use super::netlink::Netlink;

/// How often it is asked.
const ASK: Duration = Duration::from_millis(20);
/// Changes that may wait to be read.
const CHANGES_MAX: usize = 64;

/// A carrier that came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarrierChange {
    /// The interface.
    pub ifindex: u32,
    /// Whether it has a carrier now.
    pub is_up: bool,
}

/// Watches these interfaces. All of them are taken to have a carrier at first.
#[must_use]
pub fn watch(netlink: &Netlink, ifindexes: Vec<u32>) -> mpsc::Receiver<CarrierChange> {
    let (changes, received) = mpsc::channel(CHANGES_MAX);
    let netlink = netlink.clone();
    let known = ifindexes.into_iter().map(|ifindex| (ifindex, true));
    let mut known: BTreeMap<u32, bool> = known.collect();
    tokio::spawn(async move {
        let mut ask = tokio::time::interval(ASK);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ask.tick().await;
            for (ifindex, before) in &mut known {
                let ifindex = *ifindex;
                let Some(is_up) = has_carrier(&netlink, ifindex).await else {
                    continue;
                };
                let has_changed = std::mem::replace(before, is_up) != is_up;
                let change = CarrierChange { ifindex, is_up };
                if has_changed && changes.send(change).await.is_err() {
                    return;
                }
            }
        }
    });
    received
}

/// Whether an interface has a carrier; `None` if the kernel does not say.
async fn has_carrier(netlink: &Netlink, ifindex: u32) -> Option<bool> {
    let mut links = netlink.handle().link().get().match_index(ifindex).execute();
    match links.try_next().await {
        Ok(link) => Some(link?.header.flags.contains(LinkFlags::LowerUp)),
        Err(error) => {
            debug!(ifindex, %error, "an interface could not be looked at");
            None
        }
    }
}
