//! The clean stop: hand over, wait, put everything back.
//!
//! Address first, program last. While it waits, the packet path goes on; a
//! second signal, or the deadline, ends the waiting.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::Daemon;
use super::open::Sources;
use super::orders::OrdersFile;
use super::signals::Signals;
use crate::engine::stack::Event;
use crate::shell::addresses::Addresses;
use crate::shell::connections;
use crate::shell::dataplane::Dataplane;
use crate::shell::supervisor;
use crate::shell::sysctls::Sysctls;

/// How often it looks whether all has ended.
const LOOK: Duration = Duration::from_millis(100);
/// How long no packet for a DVIPA must have come.
const SILENCE: Duration = Duration::from_secs(1);

impl Daemon {
    pub(super) async fn stop(
        mut self,
        sources: &mut Sources,
        signals: &mut Signals,
    ) -> anyhow::Result<()> {
        supervisor::stopping("waiting for connections to end");
        info!("stopping; a second signal ends the waiting for connections");
        self.handle(Event::Stop).await;
        let deadline = Instant::now() + self.options.stop_deadline;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silence = Silence {
            packets: self.distributed_packets(),
            since: Instant::now(),
        };
        loop {
            tokio::select! {
                () = signals.stop() => break,
                // What was said and not heeded is said again: a hand-over takes more than one word.
                () = self.life.due(self.timer()) => self.live(sources).await,
                input = sources.next() => self.take(input).await,
                _ = look.tick() => {
                    let is_silent = silence.lasts(self.distributed_packets());
                    if is_silent && self.living_connections().await == 0 {
                        break;
                    }
                    if Instant::now() >= deadline {
                        warn!(
                            "stopping with {} connections, after {:?}",
                            self.living_connections().await,
                            self.options.stop_deadline
                        );
                        break;
                    }
                }
            }
        }
        let name = self.stack.name().to_owned();
        self.end().await?;
        info!("stack {name} is down; everything is as it was");
        Ok(())
    }

    /// Ends a start that must not go on, for the reason that is returned again.
    pub(super) async fn give_up(self, reason: anyhow::Error) -> anyhow::Result<()> {
        if self.dataplane.is_adopted() {
            // It served before this start, and goes on serving.
            return Err(reason);
        }
        if let Err(left) = self.end().await {
            warn!("{left:#}");
        }
        Err(reason)
    }

    async fn end(mut self) -> anyhow::Result<()> {
        self.handle(Event::Quiet).await;
        self.group.stop().await;
        self.own_connections.settle().await;
        self.kernel.next_hops.stop().await;
        OrdersFile::of(&self.options).remove();
        let ports = self.kernel.ports.remove().await;
        if let Err(error) = &ports {
            warn!("ports stay reserved: {error:#}");
        }
        put_back(
            &self.kernel.addresses,
            &mut self.kernel.sysctls,
            Some(self.dataplane),
        )
        .await?;
        ports.context("ports stay reserved")
    }

    /// Counts the connections that end here and that a program still has.
    async fn living_connections(&self) -> usize {
        let dvipas = self.placements.keys().copied().collect();
        connections::living(&dvipas)
            .await
            .map_or(0, |connections| connections.len())
    }

    /// Counts the packets that came for what is distributed here.
    fn distributed_packets(&self) -> u64 {
        self.dataplane.distributed_packets()
    }
}

/// Puts everything back, address first and program last; what fails does not stop the rest.
pub(super) async fn put_back(
    addresses: &Addresses,
    sysctls: &mut Sysctls,
    dataplane: Option<Dataplane>,
) -> anyhow::Result<()> {
    let addresses = addresses.apply(Vec::new()).await.map(|_| ());
    let done = [
        addresses.context("addresses stay behind"),
        sysctls.apply(&[]).context("settings stay changed"),
        dataplane
            .map_or(Ok(()), Dataplane::close_and_remove)
            .context("the program stays attached"),
    ];
    for failure in done.iter().filter_map(|done| done.as_ref().err()) {
        warn!("{failure:#}");
    }
    done.into_iter().collect()
}

/// Since when nothing has come.
struct Silence {
    packets: u64,
    since: Instant,
}

impl Silence {
    fn lasts(&mut self, packets: u64) -> bool {
        if packets != self.packets {
            *self = Self {
                packets,
                since: Instant::now(),
            };
        }
        self.since.elapsed() >= SILENCE
    }
}
