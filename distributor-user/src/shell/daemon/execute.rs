//! Executes the engine's effects, in their order.
//!
//! An effect that fails is told to the operator and the rest goes on: the
//! engine's desired state stands, and what is missing is repaired later.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use tracing::{debug, error, info, warn};

use super::reports::wall_clock;
use super::{Daemon, orders};
use crate::engine::fact::Fact;
use crate::engine::forwarding::FlowKey;
use crate::engine::stack::{Effect, Event, NextHopKey, Placement};
use crate::shell::group::SendError;
use crate::shell::{challenge, connections, probe};

impl Daemon {
    pub(super) async fn execute(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            if let Effect::Place { dvipa, placement } = effect {
                self.note_placement(dvipa, placement);
                // Placements stand together, each with its message; the kernel is asked for all of
                // them at once.
                let next = queue.iter().find(|next| !matches!(next, Effect::Tell(_)));
                if !matches!(next, Some(Effect::Place { .. })) {
                    self.place_all().await;
                }
                continue;
            }
            match self.perform(effect).await {
                Ok(None) => {}
                Ok(Some(event)) => queue.extend(self.stack.handle(event, self.now())),
                Err(error) => error!("{error:#}"),
            }
        }
    }

    /// Performs one effect; returns the event that it asked for.
    async fn perform(&mut self, effect: Effect) -> anyhow::Result<Option<Event>> {
        match effect {
            Effect::Place { dvipa, placement } => {
                self.note_placement(dvipa, placement);
                self.place_all().await;
            }
            Effect::Forward(forwarding) => self.dataplane.apply(&forwarding)?,
            Effect::Watch(dvipas) => {
                self.kernel.listeners.watch(dvipas.clone());
                self.kernel.connections.watch(dvipas);
            }
            Effect::KeepListeners(services) => self.kernel.ports.keep(services),
            Effect::Resolve(paths) => self.kernel.next_hops.watch(paths),
            Effect::Route(addresses) => self.kernel.next_hops.follow(addresses),
            Effect::Send { to, fact } => self.send(&to, &fact)?,
            Effect::Publish { key, value } => self.group.publish(key, value),
            Effect::MarkEnding(flows) => self.dataplane.mark_ending(&flows),
            Effect::RemoveEnded { target, flows } => {
                let removed = self.dataplane.remove_ended(&flows, target);
                debug!(
                    "{removed} of {} ended flows of {target} were in the table",
                    flows.len()
                );
            }
            Effect::ForgetTarget(target) => {
                let removed = self.dataplane.forget_target(target);
                info!("{removed} flows of {target} were removed: it is not coming back");
            }
            Effect::ResetTarget(target) => self.reset_target(target),
            Effect::ListConnections { dvipas, asked } => {
                let flows = connections::list(&dvipas.iter().copied().collect()).await?;
                return Ok(Some(Event::Connections {
                    dvipas,
                    asked,
                    flows,
                }));
            }
            Effect::CountRemaining {
                to,
                request,
                served,
            } => {
                return Ok(Some(orders::count_for(to, request, &served).await));
            }
            Effect::Answer { request, outcome } => self.questions.answer(request, outcome),
            Effect::SetAside(servers) => self.kernel.listeners.set_aside(servers),
            Effect::KeepOrders => self.keep_orders(),
            Effect::CountSyns { from, asked } => {
                let taken = from
                    .iter()
                    .map(|from| self.dataplane.syns_taken(from))
                    .sum();
                return Ok(Some(Event::SynsTaken { asked, taken }));
            }
            Effect::ResetConnections(served) => {
                // Beside the loop: there may be a hundred thousand.
                tokio::spawn(async move {
                    match connections::reset(&served).await {
                        Ok(ended) => {
                            warn!("{ended} connections were reset: the time of the drain is over");
                        }
                        Err(error) => error!("what was to be drained is not reset: {error}"),
                    }
                });
            }
            Effect::CountConnections(dvipa) => {
                let here = connections::completed(&BTreeSet::from([dvipa])).await?;
                let count = here.len() as u64 + self.dataplane.living_flows(dvipa);
                return Ok(Some(Event::ConnectionCount { dvipa, count }));
            }
            Effect::InsertFlows { target, flows } => {
                let inserted = self.dataplane.insert_flows(target, &flows)?;
                debug!(
                    "{} flows of {target} were reported: {inserted:?}",
                    flows.len()
                );
            }
            Effect::ForgetFlows(dvipa) => {
                let removed = self.dataplane.forget_dvipa(dvipa);
                info!("{removed} flows of {dvipa} are another stack's now");
            }
            Effect::Fence(is_fenced) => {
                self.announcer.pause(is_fenced);
                if is_fenced {
                    self.dataplane.fence();
                } else if !self.life.is_late() {
                    // One that is late may own nothing any more, and finds out first.
                    self.dataplane.beat();
                }
            }
            Effect::Probe {
                name,
                target,
                paths,
            } => self.probe(name, target, &paths),
            Effect::SnapshotFlows => {
                return Ok(Some(Event::FlowSnapshot(self.dataplane.flows().collect())));
            }
            Effect::Tell(message) => self.teller.tell(message),
        }
        Ok(None)
    }

    fn probe(&mut self, name: String, target: IpAddr, paths: &[NextHopKey]) {
        let port = self.options.port + probe::PORT_OFFSET;
        let paths = self.network.probe_paths(paths, port);
        self.probes.ask(name, target, paths);
    }

    /// Removes the flows of a target, and has their clients find out beside the loop.
    fn reset_target(&self, target: IpAddr) {
        let flows = self.dataplane.flows();
        let flows = flows.filter(|flow| flow.target == target);
        let flows: Vec<FlowKey> = flows.map(|flow| flow.key).collect();
        let removed = self.dataplane.forget_target(target);
        info!("{removed} flows of {target} were removed: its host is gone, and clients are told");
        tokio::task::spawn_blocking(move || match challenge::challenge(&flows) {
            Ok(sent) => debug!("{sent} clients were challenged"),
            Err(error) => warn!("clients of {target} find out by themselves: {error}"),
        });
    }

    /// Sends a fact; a member that has just left needs none.
    fn send(&self, to: &str, fact: &Fact) -> anyhow::Result<()> {
        match self.group.send(to, fact) {
            Ok(()) | Err(SendError::NoMember(_)) => Ok(()),
            Err(error @ (SendError::TooLong(_) | SendError::Ended)) => Err(error.into()),
        }
    }

    fn note_placement(&mut self, dvipa: IpAddr, placement: Option<Placement>) {
        let is_owned = placement == Some(Placement::Owned);
        self.announcer.note(dvipa, is_owned);
        if let Some(placement) = placement {
            self.activated
                .insert(dvipa, wall_clock("%m/%d/%Y %H:%M:%S"));
            self.placements.insert(dvipa, placement);
        } else {
            self.activated.remove(&dvipa);
            self.placements.remove(&dvipa);
        }
    }

    /// Puts every DVIPA where it belongs, and announces those that this stack has come to own. What the
    /// kernel refuses is tried again at the next sign of life: an address that stays where it was is
    /// answered for.
    pub(super) async fn place_all(&mut self) {
        let placed = self.place().await;
        self.is_misplaced = placed.is_err();
        if let Err(error) = placed {
            error!("{error:#}");
        }
    }

    async fn place(&mut self) -> anyhow::Result<()> {
        let wanted = self.network.addresses(&self.placements);
        self.kernel.addresses.apply(wanted).await?;
        self.announcer.announce_new(&self.network);
        Ok(())
    }
}
