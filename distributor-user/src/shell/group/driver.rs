//! The driver: feeds the engine and executes what comes out of it, in order.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, sleep_until};

use super::gossip::{GossipCommand, Snapshot};
use super::sockets::Sockets;
use super::{GroupEvent, LocalAddress, Member};
use crate::engine::group::drops::UNSENT;
use crate::engine::group::{DATAGRAM_MAX, EncodedFact, GroupEngine, Input, Notice, Output};
use crate::shell::priority;

/// Datagrams that may wait for the driver; more wait in the sockets.
const DATAGRAMS_MAX: usize = 256;
/// Events that wait for the daemon when the group refuses facts, and when it takes them again.
const BACKLOG_HIGH: usize = 1_024;
const BACKLOG_LOW: usize = 128;

/// What the driver is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Send a fact to the member of that name.
    Fact(String, EncodedFact),
    /// Send a gossip message to the member with that DYNAMICXCF address.
    Gossip(IpAddr, Vec<u8>),
    /// What all stacks publish has changed.
    Published(Arc<Snapshot>),
    /// The stack's addresses are these now; the sockets are those that are new.
    Locals(Vec<LocalAddress>, Sockets),
    /// Members are looked for at these addresses now.
    Seeds(Vec<SocketAddr>),
    /// Tell the counters.
    Counters(oneshot::Sender<Vec<(&'static str, u64)>>),
    /// Say goodbye and end.
    Stop(oneshot::Sender<()>),
}

/// A datagram as a socket had it.
struct Datagram {
    local: IpAddr,
    from: SocketAddr,
    bytes: Vec<u8>,
}

/// What the driver does next.
enum Step<'a> {
    /// The engine's time has come.
    Timer,
    /// There is room for an event; nobody takes events any more if absent.
    Room(Option<mpsc::Permit<'a, GroupEvent>>),
    /// Somebody asks for something; nobody ever will again if absent.
    Command(Option<Command>),
    /// A datagram has arrived.
    Datagram(Datagram),
}

/// Everything that the driver's task owns.
pub(super) struct Driver {
    engine: GroupEngine,
    start: Instant,
    events: mpsc::Sender<GroupEvent>,
    backlog: VecDeque<GroupEvent>,
    is_paused: bool,
    members: watch::Sender<Vec<Member>>,
    gossip: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    meet: mpsc::UnboundedSender<GossipCommand>,
    published: Arc<Snapshot>,
    /// What the daemon was told of each member's publications.
    told: BTreeMap<String, BTreeMap<String, String>>,
    senders: BTreeMap<IpAddr, UdpSocket>,
    unsent: u64,
}

/// Starts the driver on a thread of its own, which ends with it.
pub(super) fn spawn(
    driver: Driver,
    sockets: Sockets,
    commands: mpsc::UnboundedReceiver<Command>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("group".to_owned())
        .spawn(move || {
            // A beat that is late is one that the others miss.
            if let Err(error) = priority::hurry() {
                tracing::info!("the group's thread has no priority over others: {error}");
            }
            let stopped = LocalSet::new().block_on(&runtime, driver.run(sockets, commands));
            // With its runtime the last of the sockets is closed, so the addresses are free.
            drop(runtime);
            if let Some(stopped) = stopped {
                // Who asked for it may have gone away since.
                let _ = stopped.send(());
            }
        })?;
    Ok(())
}

impl Driver {
    pub(super) fn new(
        engine: GroupEngine,
        events: mpsc::Sender<GroupEvent>,
        members: watch::Sender<Vec<Member>>,
        gossip: mpsc::Sender<(SocketAddr, Vec<u8>)>,
        meet: mpsc::UnboundedSender<GossipCommand>,
    ) -> Self {
        Self {
            engine,
            start: Instant::now(),
            events,
            backlog: VecDeque::new(),
            is_paused: false,
            members,
            gossip,
            meet,
            published: Arc::default(),
            told: BTreeMap::new(),
            senders: BTreeMap::new(),
            unsent: 0,
        }
    }

    /// Runs until it is stopped, and returns who is to know, or until nobody needs it any more.
    async fn run(
        mut self,
        sockets: Sockets,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) -> Option<oneshot::Sender<()>> {
        let (datagrams_in, mut datagrams) = mpsc::channel(DATAGRAMS_MAX);
        let mut readers = Readers {
            all: Vec::new(),
            datagrams: datagrams_in,
        };
        self.open(&mut readers, sockets);
        let events = self.events.clone();
        loop {
            let timer = self.engine.next_timer().map(|at| self.start + at);
            // Time comes first, so that nothing delays a beat of ours. The others take turns: neither
            // a flood of datagrams nor the daemon's own zeal keeps the rest waiting.
            let step = tokio::select! {
                biased;
                () = sleep_until(timer.unwrap_or(self.start)), if timer.is_some() => Step::Timer,
                step = async {
                    tokio::select! {
                        room = events.reserve(), if !self.backlog.is_empty() => Step::Room(room.ok()),
                        command = commands.recv() => Step::Command(command),
                        Some(datagram) = datagrams.recv() => Step::Datagram(datagram),
                    }
                } => step,
            };
            match step {
                Step::Timer => self.handle(Input::Timer),
                Step::Datagram(Datagram { local, from, bytes }) => {
                    self.handle(Input::Datagram {
                        local,
                        from,
                        bytes: &bytes,
                    });
                }
                Step::Room(Some(room)) => {
                    if let Some(event) = self.backlog.pop_front() {
                        room.send(event);
                    }
                }
                Step::Command(Some(Command::Stop(done))) => {
                    self.handle(Input::Stop);
                    return Some(done);
                }
                Step::Command(Some(Command::Locals(locals, sockets))) => {
                    readers.close_all_but(&locals, &sockets);
                    let is_kept = |address| locals.iter().any(|local| local.address == address);
                    self.senders.retain(|address, _| is_kept(*address));
                    self.open(&mut readers, sockets);
                    self.handle(Input::Locals(locals));
                }
                Step::Command(Some(command)) => self.obey(command),
                // Nobody is left to act for.
                Step::Command(None) | Step::Room(None) => return None,
            }
            self.regulate();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Fact(to, fact) => self.handle(Input::Fact { to: &to, fact }),
            Command::Gossip(to, bytes) => self.handle(Input::Gossip { to, bytes: &bytes }),
            Command::Published(published) => {
                self.published = published;
                let members = self.members.borrow().clone();
                for member in members {
                    self.tell_published(&member);
                }
            }
            Command::Counters(answer) => {
                let drops = self.engine.drops().iter();
                let mut counters: Vec<_> = drops
                    .map(|(reason, count)| (reason.name(), count))
                    .collect();
                counters.push((UNSENT, self.unsent));
                // Who asked for it may have gone away since.
                let _ = answer.send(counters);
            }
            Command::Seeds(seeds) => self.handle(Input::Seeds(seeds)),
            Command::Locals(..) | Command::Stop(_) => {}
        }
    }

    /// Puts one input into the engine and executes what comes out.
    fn handle(&mut self, input: Input<'_>) {
        let outputs = self.engine.handle(input, self.start.elapsed());
        let mut has_changes = false;
        for output in outputs {
            match output {
                Output::Transmit { paths, datagram } => {
                    for path in paths {
                        let sender = self.senders.get(&path.local);
                        let sent = sender.map(|socket| socket.send_to(&datagram, path.peer));
                        // The other paths carry it too, and what matters is repeated.
                        if !matches!(sent, Some(Ok(_))) {
                            self.unsent += 1;
                        }
                    }
                }
                Output::Gossip { from, bytes } => {
                    let from = SocketAddr::new(from, 0);
                    // Gossip that chitchat has no time for is repeated by who sent it.
                    let _ = self.gossip.try_send((from, bytes));
                }
                Output::Notice(notice) => tell_operator(notice),
                Output::Event(event) => {
                    has_changes |= !matches!(event, GroupEvent::Fact { .. });
                    self.tell(event);
                }
            }
        }
        if has_changes {
            self.members.send_replace(self.engine.members().collect());
        }
    }

    /// Queues an event for the daemon, and what goes with it.
    fn tell(&mut self, event: GroupEvent) {
        match &event {
            GroupEvent::Joined { name, xcf, .. } => {
                // It fails only while the group is ending.
                let _ = self.meet.send(GossipCommand::Meet(xcf.first()));
                let member = self.engine.members().find(|member| member.name == *name);
                self.backlog.push_back(event);
                if let Some(member) = member {
                    self.tell_published(&member);
                }
                return;
            }
            GroupEvent::Left { name, .. } => {
                self.told.remove(name);
            }
            GroupEvent::Addresses { .. }
            | GroupEvent::State { .. }
            | GroupEvent::Fact { .. }
            | GroupEvent::PathUp { .. }
            | GroupEvent::PathDown { .. }
            | GroupEvent::PathLags { .. }
            | GroupEvent::Conflict { .. }
            | GroupEvent::Refused { .. } => {}
        }
        self.backlog.push_back(event);
    }

    /// Tells the daemon what a member publishes, if that is new.
    fn tell_published(&mut self, member: &Member) {
        let Some(values) = self.published.get(&(member.name.clone(), member.instance)) else {
            return;
        };
        if self.told.get(&member.name) != Some(values) {
            self.told.insert(member.name.clone(), values.clone());
            let (name, values) = (member.name.clone(), values.clone());
            self.backlog.push_back(GroupEvent::State { name, values });
        }
    }

    /// Refuses facts while the daemon does not keep up; the members keep and repeat them.
    fn regulate(&mut self) {
        let limit = if self.is_paused {
            BACKLOG_LOW
        } else {
            BACKLOG_HIGH
        };
        let is_paused = self.backlog.len() > limit;
        if is_paused != self.is_paused {
            self.is_paused = is_paused;
            self.handle(Input::Pause(is_paused));
        }
    }

    /// Starts to read and to write on sockets.
    fn open(&mut self, readers: &mut Readers, sockets: Sockets) {
        for (local, socket) in sockets.unicast {
            match socket.try_clone() {
                Ok(sender) => drop(self.senders.insert(local, sender)),
                Err(error) => tracing::error!(%local, %error, "the group cannot send"),
            }
            readers.open(local, socket);
        }
        for (local, socket) in sockets.multicast {
            readers.open(local, socket);
        }
    }
}

/// The tasks that read the sockets.
struct Readers {
    all: Vec<(IpAddr, JoinHandle<()>)>,
    datagrams: mpsc::Sender<Datagram>,
}

impl Readers {
    fn open(&mut self, local: IpAddr, socket: UdpSocket) {
        match tokio::net::UdpSocket::from_std(socket) {
            Ok(socket) => {
                let reader = tokio::task::spawn_local(read(socket, local, self.datagrams.clone()));
                self.all.push((local, reader));
            }
            Err(error) => tracing::error!(%local, %error, "the group cannot receive"),
        }
    }

    /// Ends the reading of addresses that are gone or have new sockets.
    fn close_all_but(&mut self, locals: &[LocalAddress], renewed: &Sockets) {
        self.all.retain(|(address, reader)| {
            let stays = locals.iter().any(|local| local.address == *address)
                && !renewed.unicast.contains_key(address);
            if !stays {
                reader.abort();
            }
            stays
        });
    }
}

async fn read(socket: tokio::net::UdpSocket, local: IpAddr, datagrams: mpsc::Sender<Datagram>) {
    // One byte more than a datagram can have, so that a longer one is not taken for one.
    let mut buffer = [0; DATAGRAM_MAX + 1];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                let from = SocketAddr::new(from.ip(), from.port());
                let datagram = Datagram {
                    local,
                    from,
                    bytes: buffer[..length].to_vec(),
                };
                if datagrams.send(datagram).await.is_err() {
                    return;
                }
            }
            // What the network says about an earlier datagram; an interface that is down says it
            // without end.
            Err(error) => {
                tracing::debug!(%local, %error, "the group's socket reports an error");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

fn tell_operator(notice: Notice) {
    match notice {
        Notice::ForeignKey { from } => {
            tracing::warn!("datagrams from {from} are sealed with a key that is not ours");
        }
        Notice::ForeignVersion { from } => {
            tracing::warn!("datagrams from {from} are of another version of the group's protocol");
        }
    }
}
