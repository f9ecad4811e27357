//! Does what PORT and PORTRANGE say, by programs in the kernel that go on without the daemon.
//!
//! What is pinned decides about binds and hands out connections while no
//! daemon lives; the next one takes it over, listeners, turns and the clients that
//! keep their listeners. Without any
//! reservation nothing is loaded, and nothing is left at a clean stop: servers
//! stay where they were bound. One task owns all of this; it may be dropped at
//! any time.

mod attach;
mod clients;
mod error;
mod fetch;
mod govern;
mod listeners;
mod nonlocal;
mod reports;
#[cfg(test)]
mod tests;
mod weigh;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use distributor_common::ports::PortReport;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use super::daemon::tell;
use super::listeners::Aside;
use super::servers::ListenerLoad;
use super::sock_diag::SockDiag;
use crate::engine::config::Config;
use crate::engine::forwarding::ServiceKey;
use crate::engine::message::Message;
use crate::engine::ports::{self, PortMessage, PortRules, Program};

pub use error::PortsError;

use clients::Clients;
use govern::Governor;
use reports::Reports;
use weigh::Scales;

/// Where the pins are, below the stack's.
const DIRECTORY: &str = "ports";

/// A listener that is not known after this time was there before the programs: the kernel is not at
/// the point between making it a listener and telling of it.
const SETTLED: Duration = Duration::from_millis(100);

/// How often ports that are not in turn are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often it is looked whose time is over of the clients that keep their listeners.
const TEND: Duration = Duration::from_secs(1);

/// The same is not told again within this time.
const QUIET: Duration = Duration::from_secs(10);

/// The reservations of a running stack.
#[derive(Debug)]
pub struct Ports {
    commands: mpsc::Sender<Command>,
    keeping: watch::Sender<Option<Keeping>>,
}

/// The services whose clients keep their listeners, and for how many seconds.
type Keeping = BTreeMap<ServiceKey, u16>;

/// What the task is asked to do, and who waits for it.
enum Command {
    Apply(Box<Config>, oneshot::Sender<Result<(), PortsError>>),
    Remove(oneshot::Sender<Result<(), PortsError>>),
    Weigh(Vec<ListenerLoad>),
}

impl Ports {
    /// Starts the task, in the network namespace of the calling thread, with the reservations of a
    /// configuration; `pin_dir` is the stack's. The future ends when they are in force. The listeners in
    /// `aside` get no connections; before that is known, those from before the start do not yet.
    ///
    /// # Errors
    ///
    /// The kernel refuses `sock_diag` sockets.
    pub fn start(
        pin_dir: &Path,
        config: &Config,
        aside: watch::Receiver<Option<Aside>>,
    ) -> io::Result<(Self, impl Future<Output = Result<(), PortsError>> + use<>)> {
        let (commands, received) = mpsc::channel(1);
        let (keeping, wanted) = watch::channel(None);
        let task = Task {
            pin_dir: pin_dir.join(DIRECTORY),
            sock_diag: SockDiag::open()?,
            governor: None,
            clients: None,
            wanted,
            began: Instant::now(),
            config: Box::default(),
            unsettled: BTreeMap::new(),
            told: BTreeMap::new(),
            given_up: BTreeSet::new(),
            aside,
            scales: Scales::default(),
        };
        let (done, answer) = oneshot::channel();
        let first = Command::Apply(Box::new(config.clone()), done);
        tokio::spawn(task.run(first, received));
        let reserving = async { answer.await.map_err(|_ended| PortsError::Ended)? };
        Ok((Self { commands, keeping }, reserving))
    }

    /// Lets clients keep their listeners on the shared ports of exactly these services, until so many
    /// seconds after their last connection. Until this is said for the first time, those of an earlier
    /// daemon do.
    pub fn keep(&self, services: BTreeMap<ServiceKey, u16>) {
        self.keeping.send_replace(Some(services));
    }

    /// Puts the reservations of a configuration in force, and takes those back that it does not have.
    ///
    /// # Errors
    ///
    /// What was in force before still is.
    pub async fn apply(&self, config: &Config) -> Result<(), PortsError> {
        let config = Box::new(config.clone());
        self.ask(|done| Command::Apply(config, done)).await
    }

    /// Has the listeners of ports that are shared by weight get connections by these loads, all of them at
    /// this moment. Nobody waits: if the task is busy, the next loads will do.
    pub fn weigh(&self, listeners: Vec<ListenerLoad>) {
        let _ = self.commands.try_send(Command::Weigh(listeners));
    }

    /// Takes everything out of the kernel.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub async fn remove(&self) -> Result<(), PortsError> {
        self.ask(Command::Remove).await
    }

    async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), PortsError>>) -> Command,
    ) -> Result<(), PortsError> {
        let (done, answer) = oneshot::channel();
        let sent = self.commands.send(command(done)).await;
        sent.map_err(|_ended| PortsError::Ended)?;
        answer.await.map_err(|_ended| PortsError::Ended)?
    }
}

struct Task {
    pin_dir: PathBuf,
    sock_diag: SockDiag,
    /// The programs, while there are reservations.
    governor: Option<Governor>,
    /// The clients that keep their listeners, with the programs.
    clients: Option<Clients>,
    /// Which may, as soon as it is known.
    wanted: watch::Receiver<Option<Keeping>>,
    began: Instant,
    /// What is in force.
    config: Box<Config>,
    /// Shared ports whose listeners are to be compared again, and when.
    unsettled: BTreeMap<u16, Instant>,
    /// What was told, and when.
    told: BTreeMap<String, Instant>,
    /// Cookies of listeners that cannot be fetched.
    given_up: BTreeSet<u64>,
    /// The listeners of quiesced servers.
    aside: watch::Receiver<Option<Aside>>,
    /// How listeners that share a port by weight get on.
    scales: Scales,
}

impl Task {
    async fn run(mut self, first: Command, mut commands: mpsc::Receiver<Command>) {
        self.obey(first).await;
        let mut look = interval(LOOK_AGAIN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tend = interval(TEND);
        tend.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.unsettled.values().min().copied();
            tokio::select! {
                command = commands.recv() => match command {
                    None => return,
                    Some(command) => self.obey(command).await,
                },
                reports = Reports::next(self.governor.as_mut().and_then(Governor::reports)) => {
                    match reports {
                        Ok(reports) => self.take(&reports).await,
                        Err(error) => {
                            warn!(%error, "what happens to reserved ports is not told any more");
                            self.forget_reports();
                        }
                    }
                }
                Ok(()) = self.wanted.changed() => self.keep(),
                _ = tend.tick(), if self.clients.is_some() => self.tend().await,
                () = at(due) => self.compare_due().await,
                Ok(()) = self.aside.changed() => self.set_aside().await,
                _ = look.tick() => self.look_again(),
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        // Nobody has to wait for the answer.
        match command {
            Command::Apply(config, done) => {
                let _ = done.send(self.apply(config).await);
            }
            Command::Remove(done) => {
                let _ = done.send(self.remove());
            }
            Command::Weigh(listeners) => self.weigh(&listeners).await,
        }
    }

    async fn apply(&mut self, config: Box<Config>) -> Result<(), PortsError> {
        let rules = PortRules::of(&config)?;
        if rules.is_empty() {
            self.config = config;
            return self.remove();
        }
        if self.governor.is_none() {
            // Beside the loop: the kernel takes its time to verify the programs.
            let pin_dir = self.pin_dir.clone();
            let opened = tokio::task::spawn_blocking(move || Governor::open(&pin_dir)).await;
            self.governor = Some(opened.map_err(|_panicked| PortsError::Ended)??);
        }
        let Some(governor) = &mut self.governor else {
            return Err(PortsError::Ended);
        };
        governor.write(&rules)?;
        let weighted = ports::by_weight(&config);
        governor.forget_orders(|port| weighted.iter().any(|ports| ports.contains(&port)))?;
        if self.clients.is_none() {
            let opened = Clients::open(&self.pin_dir);
            self.clients = opened.map_err(|error| clients::warn_of(&error)).ok();
            self.keep();
        }
        self.config = config;
        let now = Instant::now();
        self.unsettled = rules.shared().map(|port| (port, now)).collect();
        self.compare_due().await;
        Ok(())
    }

    fn remove(&mut self) -> Result<(), PortsError> {
        self.governor = None;
        self.clients = None;
        self.scales = Scales::default();
        self.unsettled.clear();
        govern::remove(&self.pin_dir)
    }

    async fn weigh(&mut self, loads: &[ListenerLoad]) {
        let Some(governor) = self.governor.as_mut() else {
            return;
        };
        let weighed = self.scales.weigh(&mut self.sock_diag, governor, loads);
        if let Err(error) = weighed.await {
            warn!("listeners of shared ports are not weighed anew: {error:#}");
        }
    }

    fn forget_reports(&mut self) {
        if let Some(governor) = &mut self.governor {
            governor.forget_reports();
        }
    }

    /// Ports whose listeners are not all known may have become complete meanwhile.
    fn look_again(&mut self) {
        let now = Instant::now();
        self.told.retain(|_, when| now - *when < QUIET);
        if let Some(governor) = &self.governor {
            for port in governor.out_of_turn() {
                self.unsettled.entry(port).or_insert(now);
            }
        }
    }

    async fn take(&mut self, reports: &[PortReport]) {
        for report in reports {
            if report.what == PortReport::LISTENS {
                let soon = Instant::now() + SETTLED;
                self.unsettled.entry(report.port).or_insert(soon);
                continue;
            }
            let message = if report.what == PortReport::SHARES {
                self.other_user(report).await
            } else {
                reports::message(report, &self.config)
            };
            if let Some(message) = message {
                self.tell(message);
            }
        }
    }

    /// What there is to say about a server that is going to share a port.
    async fn other_user(&mut self, report: &PortReport) -> Option<PortMessage> {
        let (port, user) = (report.port, reports::user(report));
        let ports = BTreeSet::from([port]);
        let listeners = listeners::on(&mut self.sock_diag, &ports).await;
        let listeners = listeners.unwrap_or_default();
        let other = listeners.iter().find(|listener| listener.user != user)?;
        let program = Program {
            command: reports::command(report),
            process: report.process,
            user,
        };
        Some(PortMessage::OtherUser {
            port,
            program,
            user: other.user,
        })
    }

    /// Tells the operator, unless the same was told a moment ago.
    fn tell(&mut self, message: PortMessage) {
        let message = Message::Port(message);
        let now = Instant::now();
        let last = self.told.insert(message.to_string(), now);
        if last.is_none_or(|last| now - last >= QUIET) {
            tell(&message);
        }
    }

    /// Takes its turns from who is set aside, and gives them back to who no longer is.
    async fn set_aside(&mut self) {
        let aside = self.aside.borrow_and_update().clone().unwrap_or_default();
        if let Some(governor) = &mut self.governor
            && let Err(error) = listeners::set_aside(governor, &aside.cookies)
        {
            warn!("quiesced servers may be given connections: {error:#}");
        }
        let governor = self.governor.as_ref();
        let is_shared = |port: &u16| governor.is_some_and(|governor| governor.is_shared(*port));
        let mixed = aside.shared.into_iter().filter(|port| !is_shared(port));
        for port in mixed.collect::<Vec<_>>() {
            self.tell(PortMessage::NotAside { port });
        }
        let now = Instant::now();
        let shared = self.governor.iter().flat_map(Governor::shared);
        self.unsettled.extend(shared.map(|port| (port, now)));
        self.compare_due().await;
    }

    /// Compares the listeners of the ports that are due with those that get connections in turn.
    async fn compare_due(&mut self) {
        let now = Instant::now();
        let due = self.unsettled.iter().filter(|(_, at)| **at <= now);
        let due: BTreeSet<u16> = due.map(|(port, _)| *port).collect();
        let Some(governor) = self.governor.as_mut().filter(|_| !due.is_empty()) else {
            return;
        };
        let aside = self.aside.borrow().clone();
        let cookies = aside.as_ref().map(|aside| &aside.cookies);
        let none = BTreeSet::new();
        let cookies = cookies.unwrap_or(&none);
        let compared = listeners::compare(&mut self.sock_diag, governor, &due, cookies).await;
        let missing = match compared {
            Ok(missing) => missing,
            Err(error) => {
                warn!("listeners of shared ports could not be compared: {error:#}");
                let later = now + LOOK_AGAIN;
                self.unsettled
                    .extend(due.into_iter().map(|port| (port, later)));
                return;
            }
        };
        let mut told = Vec::new();
        for port in due {
            let missing = missing.get(&port).map(Vec::as_slice).unwrap_or_default();
            self.unsettled.remove(&port);
            if missing.is_empty() {
                put_in_turn(governor, port, true);
                continue;
            }
            // One that is just beginning to listen must not be noted twice, nor one be taken in that is
            // going to be set aside.
            if !governor.was_missing(missing) || aside.is_none() {
                self.unsettled.insert(port, now + SETTLED);
                continue;
            }
            let mut out_of_reach = Vec::new();
            for listener in missing {
                if let Err(error) = listeners::take_in(governor, listener) {
                    out_of_reach.push((listener.cookie, error));
                }
            }
            put_in_turn(governor, port, out_of_reach.is_empty());
            let new = out_of_reach
                .iter()
                .any(|(cookie, _)| self.given_up.insert(*cookie));
            if let Some((_, error)) = out_of_reach.first().filter(|_| new) {
                told.push(PortMessage::NotInTurn {
                    port,
                    listeners: out_of_reach.len(),
                    reason: error.to_string(),
                });
            }
        }
        for message in told {
            self.tell(message);
        }
    }
}

fn put_in_turn(governor: &mut Governor, port: u16, is_in_turn: bool) {
    if let Err(error) = governor.put_in_turn(port, is_in_turn) {
        warn!("TCP port {port}: its listeners stay as they were: {error:#}");
    }
}

/// Waits until then, or for ever.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
