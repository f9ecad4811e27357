//! The daemon: one loop that owns everything.
//!
//! What happens arrives on channels and becomes an event of the engine; what
//! the engine answers is executed here in order, and nothing is decided here.
//! The tasks beside the loop (group, addresses, next hops, sockets, admin) each
//! own their sockets and send to one channel; all of them may be dropped at any
//! time, because what must outlive the daemon is pinned in the kernel.
//!
//! Dropping a `Daemon` puts nothing back: that is what lets its successor go
//! on where it was. Only `stop` does.

mod announcer;
mod attended;
mod begin;
mod change;
mod contested;
mod execute;
mod history;
mod life;
mod network;
mod open;
mod orders;
mod origin;
mod probes;
mod ready;
mod reports;
mod signals;
mod stop;
mod watches;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::engine::ports;
use crate::engine::stack::{Event, NextHopKey, Placement, Stack};
use crate::shell::dataplane::Dataplane;
use crate::shell::group::{ConflictKind, Group, GroupEvent, LeftReason};
use crate::shell::load::LoadMeter;
use crate::shell::servers::{Measured, Question, Servers};
use crate::shell::supervisor;
use crate::shell::teller::Teller;

use announcer::Announcer;
use attended::Attended;
use change::{Changes, Outcome, Source};
use contested::{Contested, Taken};
use history::KeptHistory;
use life::Life;
use network::Network;
use orders::Questions;
use origin::OwnConnections;
use probes::Probes;
use signals::{Asked, Signals};

/// How often the engine and the repairs look around.
const TICK: Duration = Duration::from_secs(1);

/// What `distributor run` was told.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// The profile.
    pub profile: PathBuf,
    /// Where INCLUDE looks for members.
    pub include_dirs: Vec<PathBuf>,
    /// The values of system symbols in the profile, by their names in capitals.
    pub symbols: BTreeMap<String, String>,
    /// The stack's name.
    pub name: String,
    /// Key files, the sealing one first.
    pub keys: Vec<PathBuf>,
    /// Ingress interfaces by name; empty means all that can be.
    pub interfaces: Vec<String>,
    /// The interface of the DYNAMICXCF network by name.
    pub xcf_interface: Option<String>,
    /// Addresses of other stacks.
    pub seeds: Vec<IpAddr>,
    /// The group's UDP port.
    pub port: u16,
    /// How often a beat goes to each member on every network.
    pub beat: Duration,
    /// Beats that must be missing on a network before a member counts as silent there.
    pub missed_beats: u32,
    /// How many flows the table holds.
    pub flow_capacity: u32,
    /// How long the packet path goes on without the daemon before it fences itself.
    pub grace: Duration,
    /// Over which time the share of a target grows that has come back; zero: it gets all at once.
    pub slow_start: Duration,
    /// How much this stack can do, in thousandths of a processor; absent: all processors.
    pub capacity: Option<u32>,
    /// The cgroup whose use of processors counts against it; absent: all of them.
    pub load_cgroup: Option<PathBuf>,
    /// Where scrapes of the metrics are answered; absent: nowhere.
    pub metrics: Option<SocketAddr>,
    /// How long a clean stop waits for connections.
    pub stop_deadline: Duration,
    /// Where the admin socket and the record of changed settings are.
    pub run_dir: PathBuf,
    /// Where the history of configurations is.
    pub state_dir: PathBuf,
    /// Where maps and links are pinned.
    pub pin_dir: PathBuf,
}

/// Runs one stack until SIGTERM or SIGINT, then stops cleanly.
///
/// # Errors
///
/// The profile, a key, an interface or the machine does not allow it; nothing was changed then.
pub async fn run(options: DaemonOptions) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let (mut daemon, mut sources) = Box::pin(Daemon::open(options)).await?;
    daemon.start().await;
    info!("stack {} is up", daemon.stack.name());
    supervisor::ready(&daemon.status());
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => break,
                Asked::Reload => daemon.begin_change(Source::Profile.into()),
            },
            _ = tick.tick() => {
                daemon.catch_up(&mut sources).await;
                daemon.tick().await;
            }
            () = daemon.life.due(daemon.timer()) => daemon.live(&mut sources).await,
            input = sources.next() => {
                if !matches!(input, Input::Group(_)) {
                    daemon.catch_up(&mut sources).await;
                }
                daemon.take(input).await;
            }
        }
        if let Some(refusal) = daemon.contested() {
            return Box::pin(daemon.give_up(refusal)).await;
        }
    }
    Box::pin(daemon.stop(&mut sources, &mut signals)).await
}

/// Checks what a start of this stack needs, here and now, and changes nothing.
///
/// # Errors
///
/// What [`run`] would say, and besides: the packet path that is in the kernel could not be taken over
/// with its connections.
pub async fn rehearse(options: &DaemonOptions) -> anyhow::Result<()> {
    ready::rehearse(options).await
}

/// One running stack.
pub(super) struct Daemon {
    options: DaemonOptions,
    began: Instant,
    stack: Stack,
    dataplane: Dataplane,
    own_connections: OwnConnections,
    attended: Attended,
    group: Group,
    kernel: open::Kernel,
    network: Network,
    placements: BTreeMap<IpAddr, Placement>,
    /// Whether the kernel refused the placements: they are tried again.
    is_misplaced: bool,
    activated: BTreeMap<IpAddr, String>,
    announcer: Announcer,
    /// Tells this start of the daemon from others.
    instance: u64,
    changes: Changes,
    history: KeptHistory,
    teller: Teller,
    /// Held by who walks over the connections for a report.
    walks: Arc<Mutex<()>>,
    life: Life,
    probes: Probes,
    contested: Contested,
    load: LoadMeter,
    questions: Questions,
    servers: Servers,
}

/// Something that arrived on one of the channels.
pub(super) enum Input {
    Event(Event),
    Group(GroupEvent),
    Admin(crate::shell::admin::Pending),
    AddressRepaired(IpAddr),
    Taken(anyhow::Result<Taken>),
    Measured(Measured),
    Change(Outcome),
}

impl Daemon {
    /// Returns the engine's clock: monotonic, since the daemon began.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn start(&mut self) {
        let effects = self.stack.start(self.now());
        self.execute(effects).await;
    }

    async fn handle(&mut self, event: Event) {
        let effects = self.stack.handle(event, self.now());
        self.execute(effects).await;
    }

    async fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.handle(event).await,
            Input::Group(event) => self.take_group(event).await,
            Input::Admin(pending) => self.answer(pending).await,
            Input::Change(outcome) => self.finish_change(outcome).await,
            Input::Taken(taken) => self.take_answer(taken).await,
            Input::Measured(measured) => {
                self.kernel.ports.weigh(measured.listeners);
                self.handle(Event::Servers(measured.services)).await;
            }
            Input::AddressRepaired(address) => {
                warn!("address {address} was removed by somebody and is back");
            }
        }
    }

    pub(super) async fn take_group(&mut self, event: GroupEvent) {
        let path = |ifindex, destination| NextHopKey {
            ifindex,
            destination,
        };
        let event = match event {
            GroupEvent::Joined {
                name,
                xcf,
                addresses,
            } => {
                let joined = Event::Joined {
                    name: name.clone(),
                    xcf,
                };
                self.handle(joined).await;
                Event::Addresses {
                    name,
                    addresses: addresses.into_iter().map(|(address, _)| address).collect(),
                }
            }
            GroupEvent::State { name, values } => Event::State { name, values },
            GroupEvent::Left { name, reason } => Event::Left {
                name,
                is_goodbye: reason == LeftReason::Goodbye,
            },
            GroupEvent::Fact { from, fact } => Event::Fact { from, fact },
            GroupEvent::PathUp {
                name,
                ifindex,
                peer_address,
            } => Event::Path {
                name,
                path: path(ifindex, peer_address),
                is_up: true,
            },
            GroupEvent::PathDown {
                name,
                ifindex,
                peer_address,
            } => Event::Path {
                name,
                path: path(ifindex, peer_address),
                is_up: false,
            },
            GroupEvent::PathLags {
                name,
                ifindex,
                peer_address,
                lags,
            } => Event::PathLags {
                name,
                path: path(ifindex, peer_address),
                lags,
            },
            GroupEvent::Addresses { name, addresses } => Event::Addresses {
                name,
                addresses: addresses.into_iter().map(|(address, _)| address).collect(),
            },
            GroupEvent::Conflict {
                what,
                name,
                xcf,
                at,
            } => {
                warn!(
                    "{name} ({xcf}) at {at} is not admitted: its {what} belongs to a \
                     living stack",
                    what = spell(what)
                );
                return;
            }
            GroupEvent::Refused { what, by } => {
                let what = spell(what);
                warn!("{by} does not admit this stack: its {what} belongs to another living stack");
                return;
            }
        };
        self.handle(event).await;
    }

    async fn tick(&mut self) {
        if let Err(error) = self.dataplane.sweep() {
            warn!("the flow table could not be swept: {error}");
        }
        if let Err(error) = self.dataplane.tend_affinities(self.now()) {
            warn!("what clients keep could not be looked through: {error}");
        }
        self.own_connections.tend().await;
        self.undo_if_due();
        self.look_around();
        let poll = self.stack.config().global.wlm_poll_s;
        let poll = Duration::from_secs(poll.into()).saturating_sub(TICK / 2);
        if let Some(load) = self.load.measure(poll) {
            self.servers.measure(Question {
                services: self.stack.weighed(),
                ports: ports::by_weight(self.stack.config()),
                within: load.map(|load| load.free),
            });
            self.handle(Event::Load(load)).await;
        }
        let sent = self.dataplane.syns_sent();
        self.handle(Event::SynsSent(sent)).await;
        self.handle(Event::Tick).await;
        self.announcer.refresh(&self.network);
        supervisor::alive();
    }

    /// Says in a line what the stack is and has.
    fn status(&self) -> String {
        let config = self.stack.config();
        format!(
            "stack {}: {} DVIPAs defined, {} services distributed",
            self.stack.name(),
            config.dvipas.len(),
            config.services.len()
        )
    }
}

fn spell(what: ConflictKind) -> &'static str {
    match what {
        ConflictKind::Name => "name",
        ConflictKind::DynamicXcf => "DYNAMICXCF address",
    }
}
