//! Executes the engine's effects, in their order.
//!
//! An effect that fails is told to the operator and the rest goes on: the
//! engine's desired state stands, and what is missing is repaired later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use tracing::{debug, error, info, warn};

use super::Daemon;
use super::reports::wall_clock;
use crate::engine::fact::Fact;
use crate::engine::message::Message;
use crate::engine::stack::{Effect, Event, Placement};
use crate::shell::arp::Port;
use crate::shell::group::SendError;
use crate::shell::{arp, connections};

impl Daemon {
    pub(super) async fn execute(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            if let Effect::Place { dvipa, placement } = effect {
                self.note_placement(dvipa, placement);
                // Placements stand together, each with its message; the kernel is asked for all of
                // them at once.
                let next = queue.iter().find(|next| !matches!(next, Effect::Tell(_)));
                if !matches!(next, Some(Effect::Place { .. }))
                    && let Err(error) = self.place().await
                {
                    error!("{error:#}");
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
                self.place().await?;
            }
            Effect::Forward(forwarding) => self.dataplane.apply(&forwarding)?,
            Effect::Watch(dvipas) => {
                self.kernel.listeners.watch(dvipas.clone());
                self.kernel.connections.watch(dvipas);
            }
            Effect::Resolve(paths) => self.kernel.next_hops.watch(paths),
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
            Effect::ListConnections { dvipa, asked } => {
                let flows = connections::list(&BTreeSet::from([dvipa])).await?;
                return Ok(Some(Event::Connections {
                    dvipa,
                    asked,
                    flows,
                }));
            }
            Effect::SnapshotFlows => {
                return Ok(Some(Event::FlowSnapshot(self.dataplane.flows().collect())));
            }
            Effect::Tell(message) => tell(&message),
        }
        Ok(None)
    }

    /// Sends a fact; a member that has just left needs none.
    fn send(&self, to: &str, fact: &Fact) -> anyhow::Result<()> {
        match self.group.send(to, fact) {
            Ok(()) | Err(SendError::NoMember(_)) => Ok(()),
            Err(error @ (SendError::TooLong(_) | SendError::Ended)) => Err(error.into()),
        }
    }

    fn note_placement(&mut self, dvipa: IpAddr, placement: Option<Placement>) {
        if placement == Some(Placement::Owned) {
            self.unannounced.push(dvipa);
        }
        if let Some(placement) = placement {
            self.activated
                .insert(dvipa, wall_clock("%m/%d/%Y %H:%M:%S"));
            self.placements.insert(dvipa, placement);
        } else {
            self.activated.remove(&dvipa);
            self.placements.remove(&dvipa);
        }
    }

    /// Puts the DVIPAs where they belong, and announces those that this stack has come to own.
    async fn place(&mut self) -> anyhow::Result<()> {
        let wanted = self.network.addresses(&self.placements);
        let new = std::mem::take(&mut self.unannounced);
        self.kernel.addresses.apply(wanted).await?;
        let mut by_port: BTreeMap<(u32, [u8; 6]), (String, Vec<Ipv4Addr>)> = BTreeMap::new();
        for dvipa in new {
            if let IpAddr::V4(address) = dvipa
                && let Some((link, port)) = self.network.owner_port(dvipa)
            {
                let at_port = by_port.entry((port.ifindex, port.mac));
                let (_, addresses) = at_port.or_insert_with(|| (link.name.clone(), Vec::new()));
                addresses.push(address);
            }
        }
        for ((ifindex, mac), (name, addresses)) in by_port {
            // Beside the loop: it is repeated over a second, and dropping it loses only repeats.
            tokio::spawn(async move {
                let port = Port { ifindex, mac };
                if let Err(error) = arp::announce(port, &addresses, arp::ANNOUNCE).await {
                    warn!("the VIPAs could not be announced on {name}: {error}");
                }
            });
        }
        Ok(())
    }
}

fn tell(message: &Message) {
    let id = message.id();
    if message.is_warning() {
        warn!("{id} {message}");
    } else {
        info!("{id} {message}");
    }
}
