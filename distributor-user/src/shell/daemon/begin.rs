//! The first things that a start changes: the packet path, the settings and the membership.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task;
use tracing::warn;

use super::DaemonOptions;
use super::network::Network;
use super::stop::put_back;
use crate::engine::group::key::{ChoiceKey, ProbeKey};
use crate::engine::stack::Placement;
use crate::engine::xcf::XcfAddresses;
use crate::shell::addresses::Addresses;
use crate::shell::dataplane::{Dataplane, DataplaneOptions, EarlyLife};
use crate::shell::group::{Group, GroupEvent, GroupOptions};
use crate::shell::netlink::Netlink;
use crate::shell::sysctls::Sysctls;
use crate::shell::{links, probe};

/// How long a start is believed to come to an end: many times what it needs.
const START: Duration = Duration::from_secs(10);

/// What a start begins with.
pub(super) struct Beginning<'a> {
    pub(super) options: &'a DaemonOptions,
    pub(super) xcf: XcfAddresses,
    /// The keys of those whose probes are answered.
    pub(super) accepted: Vec<ProbeKey>,
    /// The key of choices that all stacks make alike.
    pub(super) choice: ChoiceKey,
    /// The DVIPAs that are on this host already.
    pub(super) held: &'a BTreeMap<IpAddr, Placement>,
    pub(super) netlink: &'a Netlink,
    pub(super) addresses: &'a Addresses,
}

/// What has begun.
pub(super) struct Begun {
    pub(super) dataplane: Dataplane,
    pub(super) group: Group,
    pub(super) group_events: mpsc::Receiver<GroupEvent>,
    /// From when the group was listened to.
    pub(super) joined_at: Instant,
    /// Signs of life until the daemon gives them itself; absent where no packet path has served.
    pub(super) life: Option<EarlyLife>,
}

impl Beginning<'_> {
    /// Opens the packet path and joins the group; what fails is put back, unless it served before.
    pub(super) async fn begin(
        &self,
        group: GroupOptions,
        network: &mut Network,
        sysctls: &mut Sysctls,
    ) -> anyhow::Result<Begun> {
        let opening = self.open(DataplaneOptions {
            pin_dir: self.options.pin_dir.join(&self.options.name),
            interfaces: network.interfaces(),
            flow_capacity: self.options.flow_capacity,
            seeds: None,
        });
        let joining = self.join(group, network, sysctls);
        // The members wait for what the owner that they see again says next: a packet path that serves
        // is taken over before they see it. A new one has nothing to say before it has listened.
        let mut life = None;
        let (opened, joined) = if self.serves()? {
            let pin_dir = self.options.pin_dir.join(&self.options.name);
            life = Some(EarlyLife::begin(&pin_dir, START)?);
            (Ok(opening.await?), joining.await)
        } else {
            tokio::join!(opening, joining)
        };
        match (opened, joined) {
            (Ok(dataplane), Ok((group, group_events, joined_at))) => Ok(Begun {
                dataplane,
                group,
                group_events,
                joined_at,
                life,
            }),
            (Ok(dataplane), Err(error)) => {
                if !dataplane.is_adopted() {
                    self.undo(sysctls, Some(dataplane)).await;
                }
                Err(error)
            }
            (Err(error), joined) => {
                if let Ok((group, ..)) = joined {
                    group.stop().await;
                }
                self.undo(sysctls, None).await;
                Err(error)
            }
        }
    }

    /// Whether an earlier daemon has left a packet path that serves.
    fn serves(&self) -> anyhow::Result<bool> {
        let pin_dir = self.options.pin_dir.join(&self.options.name);
        Ok(Dataplane::is_adoptable(&pin_dir)?)
    }

    async fn open(&self, path: DataplaneOptions) -> anyhow::Result<Dataplane> {
        // Beside the loop: the kernel takes a fifth of a second to verify the program.
        let opened = task::spawn_blocking(move || Dataplane::open(&path)).await;
        let dataplane = opened.context("the packet path was not opened to its end")??;
        dataplane.set_choice_key(self.choice);
        prepare_life(&dataplane, self.options, self.xcf, &self.accepted);
        Ok(dataplane)
    }

    async fn join(
        &self,
        group: GroupOptions,
        network: &mut Network,
        sysctls: &mut Sysctls,
    ) -> anyhow::Result<(Group, mpsc::Receiver<GroupEvent>, Instant)> {
        sysctls.apply(&network.uses())?;
        let addresses = network.addresses(self.held);
        self.addresses.apply(addresses).await?;
        let local = network.locals(&links::list(self.netlink).await?);
        network.own_addresses.clone_from(&local);
        let (group, events) = Group::start(GroupOptions { local, ..group }).await?;
        Ok((group, events, Instant::now()))
    }

    /// Puts back what a start that failed has changed.
    async fn undo(&self, sysctls: &mut Sysctls, dataplane: Option<Dataplane>) {
        if let Err(left) = put_back(self.addresses, sysctls, dataplane).await {
            warn!("{left:#}");
        }
    }
}

/// Has the packet path answer probes, and fence itself when the daemon falls silent.
fn prepare_life(
    dataplane: &Dataplane,
    options: &DaemonOptions,
    xcf: XcfAddresses,
    accepted: &[ProbeKey],
) {
    dataplane.set_probe_keys(xcf, options.port + probe::PORT_OFFSET, accepted);
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
