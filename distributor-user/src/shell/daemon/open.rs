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
use tracing::warn;

use super::announcer::Announcer;
use super::change::{Changes, Outcome};
use super::contested::{Contested, Inquiry, Taken};
use super::life::Life;
use super::network::Network;
use super::orders::OrdersFile;
use super::probes::Probes;
use super::ready::Ready;
use super::stop::put_back;
use super::{Daemon, DaemonOptions, Input};
use crate::engine::config::{Config, DynamicXcf};
use crate::engine::fact::ReadyRow;
use crate::engine::group::key::ProbeKey;
use crate::engine::ownership::LISTEN;
use crate::engine::stack::{Adopted, Event, Placement, Stack, StackOptions};
use crate::shell::addresses::{Addresses, Repaired};
use crate::shell::admin::{self, AdminServer};
use crate::shell::carriers::{self, CarrierChange};
use crate::shell::connections::{Connections, Ends};
use crate::shell::dataplane::{Dataplane, DataplaneOptions};
use crate::shell::group::{self, Group, GroupEvent, GroupOptions, KeyRing};
use crate::shell::listeners::Listeners;
use crate::shell::load::LoadMeter;
use crate::shell::neighbours::{HopChange, NextHops};
use crate::shell::sysctls::Sysctls;
use crate::shell::{self, objects, probe};

/// How long a stack that has joined long ago still listens, to take what has come meanwhile.
const CATCH_UP: Duration = Duration::from_millis(50);

/// What the daemon does to its kernel besides the packet path.
pub(super) struct Kernel {
    pub(super) addresses: Addresses,
    pub(super) sysctls: Sysctls,
    pub(super) listeners: Listeners,
    pub(super) connections: Connections,
    pub(super) next_hops: NextHops,
    _admin: AdminServer,
}

/// Where inputs come from.
pub(super) struct Sources {
    group: mpsc::Receiver<GroupEvent>,
    admin: mpsc::Receiver<admin::Pending>,
    listeners: watch::Receiver<Vec<ReadyRow>>,
    ends: mpsc::Receiver<Ends>,
    hops: mpsc::Receiver<HopChange>,
    repaired: mpsc::Receiver<Repaired>,
    changes: mpsc::Receiver<Outcome>,
    answers: mpsc::Receiver<Event>,
    carriers: mpsc::Receiver<CarrierChange>,
    taken: mpsc::Receiver<anyhow::Result<Taken>>,
}

impl Sources {
    /// Waits for the next input. Safe to cancel: an input is taken whole or not at all.
    pub(super) async fn next(&mut self) -> Input {
        tokio::select! {
            Some(event) = self.group.recv() => Input::Group(event),
            Some(pending) = self.admin.recv() => Input::Admin(pending),
            Ok(()) = self.listeners.changed() => {
                Input::Event(Event::Listeners(self.listeners.borrow_and_update().clone()))
            }
            Some(ends) = self.ends.recv() => Input::Event(match ends {
                Ends::Ending(flows) => Event::FlowsEnding(flows),
                Ends::Gone(flows) => Event::FlowsGone(flows),
                Ends::Resync => Event::Resync,
            }),
            Some(change) = self.hops.recv() => Input::Event(Event::NextHop {
                path: change.path,
                hop: change.hop,
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
            config,
            xcf,
            keys,
            netlink,
            all,
            mut network,
        } = Ready::check(&options).await?;
        let held = network.held(&all);
        let (admin_server, admin) = AdminServer::start(&options.run_dir, &options.name)?;
        let inquiry = Inquiry::of(&config, &held.keys().copied().collect(), &network);
        let (asked, taken) = (inquiry.dvipas().collect(), inquiry.begin());
        let (probes, answers) = Probes::new(keys.sealing().probe());
        let accepted: Vec<_> = keys.probes().collect();
        let (addresses, repaired) = Addresses::start(&netlink)?;
        let mut sysctls = Sysctls::open(&state_file(&options))?;
        let group = group_options(&config, &options, xcf, keys);
        let path = DataplaneOptions {
            pin_dir: options.pin_dir.join(&options.name),
            interfaces: network.interfaces(),
            flow_capacity: options.flow_capacity,
            seeds: None,
        };
        let serves = Dataplane::is_adoptable(&path.pin_dir)?;
        let opening = async {
            // Beside the loop: the kernel takes a fifth of a second to verify the program.
            let opened = tokio::task::spawn_blocking(move || Dataplane::open(&path));
            let dataplane = opened.await.context("the packet path is not opened")??;
            prepare_life(&dataplane, &options, xcf, &accepted);
            anyhow::Ok(dataplane)
        };
        let joining = async {
            sysctls.apply(&network.uses())?;
            addresses.apply(network.addresses(&held)).await?;
            let local = network.locals(&shell::links::list(&netlink).await?);
            network.own_addresses.clone_from(&local);
            let (group, events) = Group::start(GroupOptions { local, ..group }).await?;
            anyhow::Ok((group, events, Instant::now()))
        };
        // The members wait for what the owner that they see again says next: a packet path that serves
        // is taken over before they see it. A new one has nothing to say before it has listened.
        let (opened, joined) = if serves {
            (Ok(opening.await?), joining.await)
        } else {
            tokio::join!(opening, joining)
        };
        let (dataplane, (group, group_events, joined_at)) = match (opened, joined) {
            (Ok(dataplane), Ok(joined)) => (dataplane, joined),
            (Ok(dataplane), Err(error)) => {
                if !dataplane.is_adopted() {
                    undo(&addresses, &mut sysctls, Some(dataplane)).await;
                }
                return Err(error);
            }
            (Err(error), joined) => {
                if let Ok((group, ..)) = joined {
                    group.stop().await;
                }
                undo(&addresses, &mut sysctls, None).await;
                return Err(error);
            }
        };
        let adopted = adopted(&dataplane, held, &options);
        let watch_object = objects::built(objects::WATCH);
        let (listeners, rows) = Listeners::start(watch_object)?;
        let (connections, ends) = Connections::start(watch_object)?;
        let (next_hops, hops) = NextHops::start(&netlink)?;
        let (changes, outcomes) = Changes::new()?;
        let instance = since_epoch_ms();
        let stack = StackOptions {
            first_revision: instance,
            contested: asked,
            ..stack_options(config, &options, &network)
        };
        let carriers = carriers::watch(&netlink, network.ifindexes());
        let daemon = Self {
            began: listens_since(joined_at),
            placements: adopted.placements.clone(),
            is_misplaced: false,
            announcer: Announcer::new(owned(&adopted.placements)),
            stack: Stack::new(stack, adopted, Duration::ZERO),
            dataplane,
            group,
            kernel: Kernel {
                addresses,
                sysctls,
                listeners,
                connections,
                next_hops,
                _admin: admin_server,
            },
            network,
            activated: BTreeMap::new(),
            instance,
            changes,
            walks: Arc::default(),
            life: Life::new(options.grace),
            probes,
            contested: Contested::default(),
            load: LoadMeter::open(options.load_cgroup.as_deref(), options.capacity),
            options,
        };
        let sources = Sources {
            group: group_events,
            admin,
            listeners: rows,
            ends,
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
        grace: options.grace,
        first_revision: 0,
        contested: BTreeSet::new(),
    }
}

fn group_options(
    config: &Config,
    options: &DaemonOptions,
    xcf: DynamicXcf,
    keys: KeyRing,
) -> GroupOptions {
    let down_after = options.beat * options.missed_beats;
    GroupOptions {
        seeds: seeds(config, &options.seeds),
        port: options.port,
        beat: options.beat,
        down_after,
        gone_after: group::GONE_AFTER.max(down_after),
        ..GroupOptions::new(&options.name, xcf.address, keys, Vec::new())
    }
}

/// Has the packet path answer probes, and fence itself when the daemon falls silent.
fn prepare_life(
    dataplane: &Dataplane,
    options: &DaemonOptions,
    xcf: DynamicXcf,
    accepted: &[ProbeKey],
) {
    dataplane.set_probe_keys(xcf.address, options.port + probe::PORT_OFFSET, accepted);
    dataplane.set_grace(options.grace);
    // A start takes its time, and the others wait only for a daemon that lives. One that comes too
    // late for them waits in turn, until it knows who owns what its predecessor owned.
    if dataplane
        .last_beat_age()
        .is_some_and(|age| age < options.grace)
    {
        dataplane.beat();
    }
}

/// From when the listening counts: from when this stack has joined, but what has come since then must
/// still be taken.
fn listens_since(joined_at: Instant) -> Instant {
    let latest = Instant::now().checked_sub(LISTEN.saturating_sub(CATCH_UP));
    latest.map_or(joined_at, |latest| latest.max(joined_at))
}

/// Puts back what a start that failed has changed.
async fn undo(addresses: &Addresses, sysctls: &mut Sysctls, dataplane: Option<Dataplane>) {
    if let Err(left) = put_back(addresses, sysctls, dataplane).await {
        warn!("{left:#}");
    }
}

/// Lists where group members may be: the targets of the profile and what the operator named.
pub(super) fn seeds(config: &Config, named: &[IpAddr]) -> Vec<IpAddr> {
    let own = config.dynamic_xcf.map(|xcf| xcf.address);
    let mut seeds: BTreeSet<IpAddr> = named.iter().copied().collect();
    let mut last = None;
    for service in &config.services {
        // The services of a statement share their terms.
        let terms = std::ptr::from_ref(&*service.terms);
        if last.replace(terms) != Some(terms) {
            seeds.extend(service.terms.destinations.addresses());
        }
    }
    seeds.retain(|seed| Some(*seed) != own || named.contains(seed));
    seeds.into_iter().collect()
}

/// Numbers the readiness reports of this start above those of the last one.
fn since_epoch_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
