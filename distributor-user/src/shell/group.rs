//! The group's shell: sockets, tasks and the clock around [`crate::engine::group`].
//!
//! Nothing in here looks into a datagram or decides who is a member.
//!
//! | task | where | owns | safe to cancel because |
//! |---|---|---|---|
//! | driver | a thread of its own, so that a busy daemon delays no beat | the engine, the clock | it ends only on `stop` or when the [`Group`] is dropped |
//! | one reader per socket | the driver's thread | the socket's receiving side | a datagram is read whole or not at all |
//! | gossip | the caller's runtime | chitchat | it holds nothing that is not gossiped again |

mod driver;
mod gossip;
mod key_file;
mod sockets;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::sync::{mpsc, oneshot, watch};

pub use crate::engine::group::key::KeyRing;
pub use crate::engine::group::{
    ConflictKind, FactTooLong, GroupEvent, LeftReason, LocalAddress, Member,
};
pub use key_file::{KeyFileError, create_key, load_key, load_keys};

use crate::engine::fact::Fact;
use crate::engine::group::{EncodedFact, GroupEngine, GroupSettings, SettingsError};
use crate::engine::xcf::XcfAddresses;
use driver::{Command, Driver};
use gossip::{Gossip, GossipCommand};
use sockets::Sockets;

/// The UDP port of the group unless another is given.
pub const DEFAULT_PORT: u16 = 4911;

/// Where members are looked for on the DYNAMICXCF network: administratively scoped to the local
/// network (RFC 2365 section 6.1), and sent with a TTL of 1.
const MULTICAST_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 49, 11);
/// The same for IPv6: link-local scope, not permanently assigned (RFC 4291 section 2.7).
const MULTICAST_V6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x4911);

/// How often a beat goes on every path.
pub const BEAT: Duration = Duration::from_millis(50);
/// Beats that must be missing before a path counts as down.
pub const BEATS_MISSED: u32 = 5;
/// How long a member may be silent before its session is given up. Whether a silent owner is dead is
/// found out long before, by asking its packet path; a host whose processors are all taken answers
/// late, and a session that ends takes the facts with it that are on their way.
pub const GONE_AFTER: Duration = Duration::from_secs(3);

/// Events that may wait for the daemon before the group refuses further facts.
const EVENTS_MAX: usize = 1_024;

/// How a stack takes part in the group.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// This stack's name.
    pub name: String,
    /// This stack's DYNAMICXCF addresses.
    pub xcf: XcfAddresses,
    /// The group's keys.
    pub keys: KeyRing,
    /// This stack's addresses on every network of the group; no DVIPA, no link-local address.
    pub local: Vec<LocalAddress>,
    /// Addresses where members are looked for: DESTIPs and what the operator gave.
    pub seeds: Vec<IpAddr>,
    /// UDP port, the same on every member.
    pub port: u16,
    /// Whether members are looked for by multicast on the DYNAMICXCF network.
    pub multicast: bool,
    /// How often a beat goes on every path.
    pub beat: Duration,
    /// How long a path is up without a beat that made the round trip.
    pub down_after: Duration,
    /// How long a stack is a member without one, on any path.
    pub gone_after: Duration,
    /// How often published key-values are exchanged.
    pub gossip_interval: Duration,
}

impl GroupOptions {
    /// The usual options: port 4911, beats every 50 ms, a path down after five, a member gone after
    /// 3 s, gossip every 100 ms.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        xcf: XcfAddresses,
        keys: KeyRing,
        local: Vec<LocalAddress>,
    ) -> Self {
        Self {
            name: name.into(),
            xcf,
            keys,
            local,
            seeds: Vec::new(),
            port: DEFAULT_PORT,
            multicast: true,
            beat: BEAT,
            down_after: BEAT * BEATS_MISSED,
            gone_after: GONE_AFTER,
            gossip_interval: Duration::from_millis(100),
        }
    }

    fn settings(&self) -> GroupSettings {
        let multicast = self.xcf.iter().filter(|_| self.multicast);
        let multicast = multicast.map(|xcf| match xcf {
            IpAddr::V4(_) => IpAddr::V4(MULTICAST_V4),
            IpAddr::V6(_) => IpAddr::V6(MULTICAST_V6),
        });
        GroupSettings {
            name: self.name.clone(),
            xcf: self.xcf,
            port: self.port,
            locals: self.local.clone(),
            seeds: self
                .seeds
                .iter()
                .map(|seed| SocketAddr::new(*seed, self.port))
                .collect(),
            multicast: multicast
                .map(|group| SocketAddr::new(group, self.port))
                .collect(),
            beat: self.beat,
            down_after: self.down_after,
            gone_after: self.gone_after,
        }
    }
}

/// Why the group cannot be joined. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The options contradict what a group is.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An address cannot be used.
    #[error(
        "cannot use UDP port {port} of `{address}` on interface `{ifname}` for the group{}",
        hint(source)
    )]
    Bind {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// The interface.
        ifname: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The kernel gave no random number.
    #[error("the kernel gave no random number")]
    Random(#[source] rand::rand_core::OsError),
    /// The driver's thread did not start.
    #[error("the group's thread did not start")]
    Thread(#[source] std::io::Error),
    /// Chitchat did not start.
    #[error("gossip did not start: {0:#}")]
    Gossip(anyhow::Error),
    /// The group has ended already.
    #[error("the group has ended")]
    Ended,
}

fn hint(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        ": is another stack running here?"
    } else {
        ""
    }
}

/// Why a fact was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nobody of that name is a member.
    #[error("expected the name of a member, found `{0}`")]
    NoMember(String),
    /// The fact is too long.
    #[error(transparent)]
    TooLong(#[from] FactTooLong),
    /// The group has ended already.
    #[error("the group has ended")]
    Ended,
}

/// This stack's part in the group. Dropped without [`Group::stop`], it vanishes without a word.
#[derive(Debug)]
pub struct Group {
    settings: GroupSettings,
    commands: mpsc::UnboundedSender<Command>,
    gossip: mpsc::UnboundedSender<GossipCommand>,
    gossip_task: tokio::task::JoinHandle<()>,
    members: watch::Receiver<Vec<Member>>,
}

impl Group {
    /// Starts to take part in the group, in the network namespace of the calling thread.
    ///
    /// An address need not be there yet: the group works on it as soon as it appears.
    ///
    /// # Errors
    ///
    /// When the options are wrong, an address is taken, or the machine lacks something; then
    /// nothing is left behind.
    pub async fn start(
        options: GroupOptions,
    ) -> Result<(Self, mpsc::Receiver<GroupEvent>), GroupError> {
        let settings = options.settings();
        let mut seed = [0; 32];
        OsRng
            .try_fill_bytes(&mut seed)
            .map_err(GroupError::Random)?;
        let engine = GroupEngine::new(settings.clone(), options.keys, seed)?;
        let instance = engine.instance();
        let sockets = Sockets::bind(&settings)?;

        let (events_in, events) = mpsc::channel(EVENTS_MAX);
        let (members_in, members) = watch::channel(Vec::new());
        let (commands, commands_out) = mpsc::unbounded_channel();
        let (gossip, gossip_out) = mpsc::unbounded_channel();
        let (gossip_in, transport) = gossip::transport(commands.downgrade(), settings.port);
        let gossip_task = Gossip::start(gossip::GossipSettings {
            id: gossip::id(
                &settings.name,
                instance,
                settings.xcf.first(),
                settings.port,
            ),
            interval: options.gossip_interval,
            transport,
            commands: gossip_out,
            driver: commands.downgrade(),
            members: members.clone(),
        })
        .await
        .map_err(GroupError::Gossip)?;
        let driver = Driver::new(engine, events_in, members_in, gossip_in, gossip.clone());
        driver::spawn(driver, sockets, commands_out).map_err(GroupError::Thread)?;
        Ok((
            Self {
                settings,
                commands,
                gossip,
                gossip_task,
                members,
            },
            events,
        ))
    }

    /// Publishes a value under `key` to all members, present and future, in place of the last.
    pub fn publish(&self, key: impl Into<String>, value: impl Into<String>) {
        // It fails only when the group has ended, and then nobody listens.
        let _ = self
            .gossip
            .send(GossipCommand::Publish(key.into(), value.into()));
    }

    /// Withdraws what was published under `key`.
    pub fn withdraw(&self, key: impl Into<String>) {
        let _ = self.gossip.send(GossipCommand::Withdraw(key.into()));
    }

    /// Sends a fact to the member called `to`. It arrives once and in order, unless the member
    /// leaves first; then its [`GroupEvent::Left`] comes.
    ///
    /// # Errors
    ///
    /// When there is no such member, or the fact is longer than the group carries.
    pub fn send(&self, to: &str, fact: &Fact) -> Result<(), SendError> {
        let fact = EncodedFact::new(fact)?;
        if !self.members.borrow().iter().any(|member| member.name == to) {
            return Err(SendError::NoMember(to.to_owned()));
        }
        self.commands
            .send(Command::Fact(to.to_owned(), fact))
            .map_err(|mpsc::error::SendError(_)| SendError::Ended)
    }

    /// The members as they are now, this stack not included.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        self.members.borrow().clone()
    }

    /// Follows a change of this stack's addresses, in the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// When an address cannot be used or the addresses are too many; then nothing has changed.
    pub fn set_local(&mut self, local: Vec<LocalAddress>) -> Result<(), GroupError> {
        GroupSettings::check_locals(&local)?;
        let before = std::mem::replace(&mut self.settings.locals, local);
        match Sockets::bind_changed(&before, &self.settings) {
            Ok(sockets) => self
                .commands
                .send(Command::Locals(self.settings.locals.clone(), sockets))
                .map_err(|mpsc::error::SendError(_)| GroupError::Ended),
            Err(error) => {
                self.settings.locals = before;
                Err(error)
            }
        }
    }

    /// Looks for members at these addresses instead of the seeds before.
    pub fn set_seeds(&mut self, seeds: &[IpAddr]) {
        let port = self.settings.port;
        let seeds: Vec<_> = seeds.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        self.settings.seeds.clone_from(&seeds);
        // It fails only when the group has ended, and then nobody is looked for.
        let _ = self.commands.send(Command::Seeds(seeds));
    }

    /// How many datagrams and messages had no effect, by reason, and how many were not sent.
    pub async fn counters(&self) -> Vec<(&'static str, u64)> {
        let (answer, counters) = oneshot::channel();
        let _ = self.commands.send(Command::Counters(answer));
        counters.await.unwrap_or_default()
    }

    /// Leaves the group: the others know at once. The events end.
    pub async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).is_ok() {
            // An error means that the driver has ended already.
            let _ = stopped.await;
        }
        drop(self.gossip);
        let _ = self.gossip_task.await;
    }
}

/// The place where `distributor keygen` puts a key and `distributor run` looks for it.
#[must_use]
pub fn default_key_file() -> PathBuf {
    PathBuf::from("/etc/distributor.key")
}

#[cfg(test)]
mod tests;
