//! Slow state: chitchat, carried by the group's sessions.
//!
//! Nothing that chitchat says decides who is a member: it knows a stack by its
//! name, start and first DYNAMICXCF address, and the driver tells the daemon only
//! what members publish. Its own idea of who is alive is not used.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{
    Chitchat, ChitchatConfig, ChitchatHandle, ChitchatId, ChitchatMessage, Deserializable,
    FailureDetectorConfig, Serializable, spawn_chitchat,
};
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::Member;
use super::driver::Command;

/// Gossip messages that may wait for chitchat.
const INCOMING_MAX: usize = 64;
/// How long chitchat remembers a stack that it has not heard of, and a key that was withdrawn.
const MEMORY: Duration = Duration::from_mins(1);
/// How often members are looked at of which nothing is known yet.
const MEET_AGAIN: Duration = Duration::from_millis(500);

/// What each start of a stack publishes, by its name and instance.
pub(super) type Snapshot = BTreeMap<(String, u64), BTreeMap<String, String>>;

/// What the gossip task is asked to do.
#[derive(Debug)]
pub(super) enum GossipCommand {
    /// Publish a value under a key.
    Publish(String, String),
    /// Publish nothing under a key any more.
    Withdraw(String),
    /// Exchange all there is with the member that has this as its first DYNAMICXCF address.
    Meet(IpAddr),
}

/// How chitchat names one start of a stack.
pub(super) fn id(name: &str, instance: u64, dynamic_xcf: IpAddr, port: u16) -> ChitchatId {
    ChitchatId::new(name, instance, SocketAddr::new(dynamic_xcf, port))
}

/// Chitchat's way into the group, and the group's way to chitchat.
pub(super) fn transport(
    driver: mpsc::WeakUnboundedSender<Command>,
    port: u16,
) -> (mpsc::Sender<(SocketAddr, Vec<u8>)>, GroupTransport) {
    let (incoming, messages) = mpsc::channel(INCOMING_MAX);
    let socket = GroupSocket {
        driver,
        messages,
        port,
    };
    (incoming, GroupTransport(Mutex::new(Some(socket))))
}

/// Opens the one socket that there is.
pub(super) struct GroupTransport(Mutex<Option<GroupSocket>>);

#[async_trait]
impl Transport for GroupTransport {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        match self.0.lock().await.take() {
            Some(socket) => Ok(Box::new(socket)),
            None => anyhow::bail!("the group's gossip socket is open already"),
        }
    }
}

struct GroupSocket {
    driver: mpsc::WeakUnboundedSender<Command>,
    messages: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
    port: u16,
}

#[async_trait]
impl Socket for GroupSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        // When the driver has ended, so does the gossip.
        if let Some(driver) = self.driver.upgrade() {
            driver.send(Command::Gossip(to.ip(), message.serialize_to_vec()))?;
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            let Some((from, bytes)) = self.messages.recv().await else {
                anyhow::bail!("the group has ended");
            };
            let from = SocketAddr::new(from.ip(), self.port);
            match ChitchatMessage::deserialize(&mut bytes.as_slice()) {
                Ok(message) => return Ok((from, message)),
                Err(error) => tracing::warn!(%from, "a member's gossip makes no sense: {error:#}"),
            }
        }
    }
}

/// What the gossip task needs.
pub(super) struct GossipSettings {
    pub(super) id: ChitchatId,
    pub(super) interval: Duration,
    pub(super) transport: GroupTransport,
    pub(super) commands: mpsc::UnboundedReceiver<GossipCommand>,
    pub(super) driver: mpsc::WeakUnboundedSender<Command>,
    pub(super) members: watch::Receiver<Vec<Member>>,
}

/// Everything that the gossip task owns.
pub(super) struct Gossip {
    handle: ChitchatHandle,
    chitchat: Arc<Mutex<Chitchat>>,
    changed: Arc<Notify>,
    port: u16,
    commands: mpsc::UnboundedReceiver<GossipCommand>,
    driver: mpsc::WeakUnboundedSender<Command>,
    members: watch::Receiver<Vec<Member>>,
    told: Arc<Snapshot>,
}

impl Gossip {
    /// Starts chitchat and the task that goes with it; both end when the commands do.
    pub(super) async fn start(settings: GossipSettings) -> anyhow::Result<JoinHandle<()>> {
        let port = settings.id.gossip_advertise_addr.port();
        let config = ChitchatConfig {
            listen_addr: settings.id.gossip_advertise_addr,
            chitchat_id: settings.id,
            cluster_id: "distributor".to_owned(),
            gossip_interval: settings.interval,
            seed_nodes: Vec::new(),
            failure_detector_config: FailureDetectorConfig {
                initial_interval: settings.interval,
                dead_node_grace_period: MEMORY,
                ..FailureDetectorConfig::default()
            },
            marked_for_deletion_grace_period: MEMORY,
            catchup_callback: None,
            extra_liveness_predicate: None,
        };
        let handle = spawn_chitchat(config, Vec::new(), &settings.transport).await?;
        let chitchat = handle.chitchat();
        let changed = Arc::new(Notify::new());
        let notify = Arc::clone(&changed);
        chitchat
            .lock()
            .await
            .subscribe_event("", move |_| notify.notify_one())
            .forever();
        let task = Self {
            handle,
            chitchat,
            changed,
            port,
            commands: settings.commands,
            driver: settings.driver,
            members: settings.members,
            told: Arc::default(),
        };
        Ok(tokio::spawn(task.run()))
    }

    async fn run(mut self) {
        let mut live = self.chitchat.lock().await.live_nodes_watcher();
        let mut meet_again = tokio::time::interval(MEET_AGAIN);
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break,
                },
                () = self.changed.notified() => self.tell_driver().await,
                // Also when a key is withdrawn or a stack forgotten, which nobody else tells.
                Ok(()) = live.changed() => self.tell_driver().await,
                _ = meet_again.tick() => self.meet_strangers(),
            }
        }
        // It has nobody to gossip with any more, however it ends.
        let _ = self.handle.shutdown().await;
    }

    async fn obey(&mut self, command: GossipCommand) {
        match command {
            GossipCommand::Meet(dynamic_xcf) => self.meet(dynamic_xcf),
            GossipCommand::Publish(key, value) => {
                self.chitchat.lock().await.self_node_state().set(key, value);
                self.meet_all();
            }
            GossipCommand::Withdraw(key) => {
                self.chitchat.lock().await.self_node_state().delete(&key);
                self.meet_all();
            }
        }
    }

    /// Gossips with a member now rather than at the next round.
    fn meet(&self, dynamic_xcf: IpAddr) {
        // It fails only when chitchat has ended.
        let _ = self.handle.gossip(SocketAddr::new(dynamic_xcf, self.port));
    }

    fn meet_all(&self) {
        self.members
            .borrow()
            .iter()
            .for_each(|member| self.meet(member.xcf.first()));
    }

    fn meet_strangers(&self) {
        let is_stranger = |member: &&Member| {
            !self
                .told
                .contains_key(&(member.name.clone(), member.instance))
        };
        let members = self.members.borrow();
        members
            .iter()
            .filter(is_stranger)
            .for_each(|member| self.meet(member.xcf.first()));
    }

    async fn tell_driver(&mut self) {
        let snapshot: Snapshot = {
            let chitchat = self.chitchat.lock().await;
            let states = chitchat.node_states().iter();
            states
                .map(|(id, state)| {
                    let values = state.key_values();
                    let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
                    ((id.node_id.to_string(), id.generation_id), values.collect())
                })
                .collect()
        };
        if snapshot == *self.told {
            return;
        }
        self.told = Arc::new(snapshot);
        if let Some(driver) = self.driver.upgrade() {
            // It fails only when the driver has ended.
            let _ = driver.send(Command::Published(Arc::clone(&self.told)));
        }
    }
}
