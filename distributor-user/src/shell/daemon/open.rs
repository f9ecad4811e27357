//! The start of a daemon: everything is checked first, then taken into use.
//!
//! A start that fails puts back what it had changed, except what it had
//! adopted: that served before it and goes on serving.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tracing::error;

use super::announcer::Announcer;
use super::attended::Attended;
use super::begin::{Beginning, Begun};
use super::change::{Changes, Outcome};
use super::contested::{Contested, Inquiry, Taken};
use super::life::Life;
use super::network::Network;
use super::orders::{OrdersFile, Questions};
use super::origin::OwnConnections;
use super::probes::Probes;
use super::ready::Ready;
use super::watches::Watches;
use super::{Daemon, DaemonOptions, Input};
use crate::engine::config::Config;
use crate::engine::fact::ReadyRow;
use crate::engine::stack::{Adopted, Event, Placement, Stack, StackOptions};
use crate::engine::xcf::XcfAddresses;
use crate::shell::addresses::{Addresses, Repaired};
use crate::shell::admin::{self, AdminError, AdminServer};
use crate::shell::carriers::{self, CarrierChange};
use crate::shell::connections::{Connections, Ends};
use crate::shell::dataplane::Dataplane;
use crate::shell::group::{self, GroupEvent, GroupOptions, KeyRing};
use crate::shell::listeners::Listeners;
use crate::shell::load::{LoadMeter, all_processors};
use crate::shell::metrics::MetricsServer;
use crate::shell::neighbours::{HopChange, NextHops};
use crate::shell::ports::{Ports, PortsError};
use crate::shell::responsiveness::Faults;
use crate::shell::servers::{Measured, Servers};
use crate::shell::sysctls::Sysctls;
use crate::shell::teller::Teller;

/// What the daemon does to its kernel besides the packet path.
pub(super) struct Kernel {
    pub(super) addresses: Addresses,
    pub(super) sysctls: Sysctls,
    pub(super) listeners: Listeners,
    pub(super) connections: Connections,
    pub(super) next_hops: NextHops,
    pub(super) ports: Ports,
    _endpoints: Endpoints,
}

/// Where the daemon answers questions.
struct Endpoints {
    _admin: AdminServer,
    _metrics: Option<MetricsServer>,
}

impl Endpoints {
    fn open(options: &DaemonOptions) -> Result<(Self, mpsc::Receiver<admin::Pending>), AdminError> {
        let (admin, requests) = AdminServer::start(&options.run_dir, &options.name)?;
        let start = |address| MetricsServer::start(address, admin.requests());
        let metrics = options.metrics.map(start);
        let endpoints = Self {
            _admin: admin,
            _metrics: metrics,
        };
        Ok((endpoints, requests))
    }
}

/// Where inputs come from.
pub(super) struct Sources {
    group: mpsc::Receiver<GroupEvent>,
    admin: mpsc::Receiver<admin::Pending>,
    listeners: watch::Receiver<Vec<ReadyRow>>,
    faults: watch::Receiver<Faults>,
    measured: mpsc::Receiver<Measured>,
    ends: mpsc::Receiver<Ends>,
    hops: mpsc::Receiver<HopChange>,
    repaired: mpsc::Receiver<Repaired>,
    changes: mpsc::Receiver<Outcome>,
    answers: mpsc::Receiver<Event>,
    carriers: mpsc::Receiver<CarrierChange>,
    taken: mpsc::Receiver<anyhow::Result<Taken>>,
}

impl Sources {
    /// Takes what the group has sent so far, without waiting.
    pub(super) fn group_events(&mut self) -> Vec<GroupEvent> {
        let waiting = self.group.len();
        let taken = std::iter::from_fn(|| self.group.try_recv().ok());
        taken.take(waiting).collect()
    }

    /// Waits for the next input. Safe to cancel: an input is taken whole or not at all.
    pub(super) async fn next(&mut self) -> Input {
        tokio::select! {
            Some(event) = self.group.recv() => Input::Group(event),
            Some(pending) = self.admin.recv() => Input::Admin(pending),
            Ok(()) = self.listeners.changed() => {
                Input::Event(Event::Listeners(self.listeners.borrow_and_update().clone()))
            }
            Ok(()) = self.faults.changed() => {
                Input::Event(Event::Responsiveness(self.faults.borrow_and_update().clone()))
            }
            Some(measured) = self.measured.recv() => Input::Measured(measured),
            Some(ends) = self.ends.recv() => Input::Event(match ends {
                Ends::Ending(flows) => Event::FlowsEnding(flows),
                Ends::Gone(flows) => Event::FlowsGone(flows),
                Ends::Resync => Event::Resync,
            }),
            Some(change) = self.hops.recv() => Input::Event(match change {
                HopChange::Path { path, hop } => Event::NextHop { path, hop },
                HopChange::Route { destination, route } => Event::Route { destination, route },
            }),
            Some(event) = self.answers.recv() => Input::Event(event),
            Some(CarrierChange { ifindex, is_up }) = self.carriers.recv() => {
                Input::Event(Event::Link { ifindex, is_up })
            }
            Some(taken) = self.taken.recv() => Input::Taken(taken),
            Some(outcome) = self.changes.recv() => Input::Change(outcome),
            Some(repaired) = self.repaired.recv() => Input::AddressRepaired(repaired.address),
            // Every sender lives in a task; when all have ended, only signals and ticks are left.
            else => std::future::pending().await,
        }
    }
}

impl Daemon {
    /// Checks everything, then takes it into use.
    pub(super) async fn open(options: DaemonOptions) -> anyhow::Result<(Self, Sources)> {
        let Ready {
            started,
            xcf,
            keys,
            netlink,
            all,
            mut network,
        } = Ready::check(&options).await?;
        let config = started.config.clone();
        let held = network.held(&all);
        let (endpoints, admin) = Endpoints::open(&options)?;
        let inquiry = Inquiry::of(&config, &held.keys().copied().collect(), &network);
        let (asked, taken) = (inquiry.dvipas().collect(), inquiry.begin());
        let (probes, answers) = Probes::new(keys.sealing().probe());
        let (addresses, repaired) = Addresses::start(&netlink)?;
        let mut sysctls = Sysctls::open(&state_file(&options))?;
        let beginning = Beginning {
            options: &options,
            xcf,
            accepted: keys.probes().collect(),
            choice: keys.sealing().choice(),
            held: &held,
            netlink: &netlink,
            addresses: &addresses,
        };
        let group = group_options(&config, &options, xcf, keys);
        let (set_aside, aside) = watch::channel(None);
        let watches = Watches::start(set_aside);
        let teller = Teller::default();
        let ports = Ports::start(&pins(&options), &config, aside, teller.clone())?;
        let (begun, ports) = begin(&beginning, ports, group, &mut network, &mut sysctls).await?;
        let Begun {
            dataplane,
            group,
            group_events,
            joined_at,
            life: _until_the_loop_begins,
        } = begun;
        let watches = watches.await.context("the watches were not begun")??;
        let adopted = adopted(&dataplane, held, &options);
        let (servers, measured) = Servers::start(options.capacity.unwrap_or_else(all_processors))?;
        let (next_hops, hops) = NextHops::start(&netlink)?;
        let (changes, outcomes) = Changes::new()?;
        let instance = since_epoch_ms();
        let mut stack = stack_options(config, &options, &network);
        stack.first_revision = instance;
        stack.contested = asked;
        stack.listened = joined_at.elapsed();
        let carriers = carriers::watch(&netlink, network.ifindexes());
        let daemon = Self {
            began: Instant::now(),
            placements: adopted.placements.clone(),
            is_misplaced: false,
            announcer: Announcer::new(owned(&adopted.placements)),
            stack: Stack::new(stack, adopted, Duration::ZERO),
            dataplane,
            own_connections: OwnConnections::open(pins(&options)),
            attended: Attended::default(),
            group,
            kernel: Kernel {
                addresses,
                sysctls,
                listeners: watches.listeners,
                connections: watches.connections,
                next_hops,
                ports,
                _endpoints: endpoints,
            },
            network,
            activated: BTreeMap::new(),
            instance,
            changes,
            history: started.note(),
            teller,
            walks: Arc::default(),
            life: Life::new(options.grace),
            probes,
            contested: Contested::default(),
            load: LoadMeter::open(options.load_cgroup.as_deref(), options.capacity),
            questions: Questions::from(instance),
            servers,
            options,
        };
        let sources = Sources {
            group: group_events,
            admin,
            listeners: watches.rows,
            faults: watches.faults,
            measured,
            ends: watches.ends,
            hops,
            repaired,
            changes: outcomes,
            answers,
            carriers,
            taken,
        };
        Ok((daemon, sources))
    }
}

/// Puts the reservations in force while the packet path is opened and the group joined.
async fn begin(
    beginning: &Beginning<'_>,
    (ports, reserving): (Ports, impl Future<Output = Result<(), PortsError>>),
    group: GroupOptions,
    network: &mut Network,
    sysctls: &mut Sysctls,
) -> anyhow::Result<(Begun, Ports)> {
    let pin_dir = pins(beginning.options);
    let begun = beginning.begin(group, network, sysctls).await;
    if let Err(error) = reserving.await {
        error!("{error:#}");
    }
    if begun.is_err() && !Dataplane::is_adoptable(&pin_dir).unwrap_or(true) {
        ports.remove().await?;
    }
    Ok((begun?, ports))
}

/// What an earlier daemon of this stack has left behind.
fn adopted(
    dataplane: &Dataplane,
    held: BTreeMap<IpAddr, Placement>,
    options: &DaemonOptions,
) -> Adopted {
    let orders = OrdersFile::of(options);
    if !dataplane.is_adopted() {
        // It was stopped, or the machine has started anew.
        orders.remove();
    }
    Adopted {
        forwarding: dataplane.forwarding(),
        placements: held,
        silent_for: dataplane.last_beat_age(),
        orders: orders.read(),
    }
}

fn owned(placements: &BTreeMap<IpAddr, Placement>) -> BTreeSet<IpAddr> {
    let owned = placements
        .iter()
        .filter(|(_, placement)| **placement == Placement::Owned);
    owned.map(|(dvipa, _)| *dvipa).collect()
}

/// Where the stack's maps and links are pinned.
fn pins(options: &DaemonOptions) -> PathBuf {
    options.pin_dir.join(&options.name)
}

/// Where the settings that were changed are recorded.
fn state_file(options: &DaemonOptions) -> PathBuf {
    options.run_dir.join(format!("{}.sysctls", options.name))
}

fn stack_options(config: Config, options: &DaemonOptions, network: &Network) -> StackOptions {
    StackOptions {
        name: options.name.clone(),
        config,
        xcf_ifindex: network.xcf_link.index,
        client_ifindexes: network.client_ifindexes(),
        addresses: network
            .own_addresses
            .iter()
            .map(|own| own.address)
            .collect(),
        grace: options.grace,
        slow_start: options.slow_start,
        first_revision: 0,
        listened: Duration::ZERO,
        contested: BTreeSet::new(),
    }
}

fn group_options(
    config: &Config,
    options: &DaemonOptions,
    xcf: XcfAddresses,
    keys: KeyRing,
) -> GroupOptions {
    let down_after = options.beat * options.missed_beats;
    GroupOptions {
        seeds: seeds(config, &options.seeds),
        port: options.port,
        beat: options.beat,
        down_after,
        gone_after: group::GONE_AFTER.max(down_after),
        ..GroupOptions::new(&options.name, xcf, keys, Vec::new())
    }
}

/// Lists where group members may be: the targets of the profile, where its routes lead to, and what the
/// operator named.
pub(super) fn seeds(config: &Config, named: &[IpAddr]) -> Vec<IpAddr> {
    let own = config.xcf();
    let mut seeds: BTreeSet<IpAddr> = named.iter().copied().collect();
    let mut last = None;
    for service in &config.services {
        // The services of a statement share their terms.
        let terms = std::ptr::from_ref(&*service.terms);
        if last.replace(terms) != Some(terms) {
            seeds.extend(service.terms.destinations.addresses());
        }
    }
    seeds.extend(config.routes.iter().map(|route| route.target));
    seeds.retain(|seed| {
        let is_own = own.is_some_and(|own| own.contain(*seed));
        !is_own || named.contains(seed)
    });
    seeds.into_iter().collect()
}

/// Numbers the readiness reports of this start above those of the last one.
fn since_epoch_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
