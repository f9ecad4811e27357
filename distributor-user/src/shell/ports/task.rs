//! The task that owns the programs: it does what it is asked, takes what they report, and looks again at
//! what cannot be told at once.
//!
//! Nothing in here waits for a client or a server. It may be dropped at any time: what is in the kernel
//! goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use distributor_common::ports::PortReport;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use super::clients::{self, Clients};
use super::govern::{self, Governor};
use super::reports::{self, Reports};
use super::weigh::Scales;
use super::{Command, Keeping, PortsError, listeners};
use crate::engine::config::Config;
use crate::engine::message::Message;
use crate::engine::ports::{self, PortMessage, PortRules, Program};
use crate::shell::listeners::Aside;
use crate::shell::servers::ListenerLoad;
use crate::shell::sock_diag::SockDiag;
use crate::shell::teller::Teller;

mod compare;
mod keep;

/// A listener that is not known after this time was there before the programs: the kernel is not at
/// the point between making it a listener and telling of it.
pub(super) const SETTLED: Duration = Duration::from_millis(100);

/// How often ports that are not in turn are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often it is looked whose time is over of the clients that keep their listeners.
const TEND: Duration = Duration::from_secs(1);

/// The same is not told again within this time.
const QUIET: Duration = Duration::from_secs(10);

/// What is in force, and what is still to be found out.
pub(super) struct Task {
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
    teller: Teller,
}

/// What others have the task know.
pub(super) struct Watched {
    /// The clients that may keep their listeners, as soon as that is known.
    pub(super) wanted: watch::Receiver<Option<Keeping>>,
    /// The listeners of quiesced servers.
    pub(super) aside: watch::Receiver<Option<Aside>>,
}

impl Task {
    /// A task that has nothing in force; its pins are in `pin_dir`.
    pub(super) fn new(
        pin_dir: PathBuf,
        sock_diag: SockDiag,
        Watched { wanted, aside }: Watched,
        teller: Teller,
    ) -> Self {
        Self {
            pin_dir,
            sock_diag,
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
            teller,
        }
    }

    /// Does what it is asked first, and then whatever comes, until nobody can ask any more.
    pub(super) async fn run(mut self, first: Command, mut commands: mpsc::Receiver<Command>) {
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
            self.teller.tell(message);
        }
    }
}

/// Waits until then, or for ever.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
