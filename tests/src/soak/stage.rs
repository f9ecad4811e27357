//! The lab, what can be done to it, and how it is put back.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use crate::host::Host;
use crate::lab::{Fault, Lab, Layout, Network, PORT, VIPA};
use crate::stack::Stack;
use crate::tcp::Server;
use crate::{profile, wait};

/// What clients connect to.
pub(super) const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(VIPA), PORT);
/// What servers listen on.
const EVERYWHERE: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);

const OWNER: &str = "TCPIP";
const BACKUP: &str = "TCPIP2";
/// Serves without a break.
const STEADY: &str = "TCPIP3";
/// Its server, its daemon and its readiness come and go.
const UNSTEADY: &str = "TCPIP4";
const TARGETS: [&str; 3] = [BACKUP, STEADY, UNSTEADY];

const METHODS: [&str; 4] = ["ROUNDROBIN", "BASEWLM", "WEIGHTEDACTIVE", "MAGLEV"];

/// How many lines of each daemon are shown if something has gone wrong.
const LINES: usize = 60;

/// How long the lab may take to be as it was.
const RESTED: Duration = Duration::from_secs(30);
/// How long a connection may be in the table that no kernel knows any more, and a while.
const EMPTY: Duration = Duration::from_mins(1);

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Another method, other targets.
    Reload,
    /// The daemon of the owner dies, and is started again at once.
    RestartOwner,
    /// The daemon of a target dies, and is started again at once.
    RestartTarget,
    /// Another program takes the place of a daemon.
    Upgrade,
    /// The owner's daemon ends.
    Stop,
    Start,
    Deactivate,
    Reactivate,
    /// The owner is cut off from both networks.
    Cut,
    Heal,
    /// A target gets no new connections.
    Quiesce,
    Resume,
    /// A server listens no more.
    CloseListener,
    OpenListener,
}

impl Deed {
    pub(super) const ALL: [Self; 14] = [
        Self::Reload,
        Self::RestartOwner,
        Self::RestartTarget,
        Self::Upgrade,
        Self::Stop,
        Self::Start,
        Self::Deactivate,
        Self::Reactivate,
        Self::Cut,
        Self::Heal,
        Self::Quiesce,
        Self::Resume,
        Self::CloseListener,
        Self::OpenListener,
    ];
}

/// Who of the owner's ways out of service it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Serving,
    Stopped,
    Deactivated,
    CutOff,
}

/// A lab that serves.
#[derive(Debug)]
pub(super) struct Stage {
    // Before the lab, which they run on. Those that listen no more still serve.
    servers: Vec<Server>,
    lab: Lab,
    owner: Owner,
    is_quiesced: bool,
    is_listening: bool,
}

impl Stage {
    pub(super) fn set() -> Result<Self> {
        let lab = Lab::build(&Layout {
            name: None,
            stacks: 4,
            clients: 2,
        })?;
        for stack in lab.stacks() {
            stack.write_profile(&profile_of(&lab, stack, METHODS[0], &TARGETS.into()))?;
            // So that a daemon has one of its own that can be replaced.
            stack.install(&[])?;
        }
        for stack in lab.stacks() {
            stack.restart()?;
        }
        for name in TARGETS {
            lab.stack(name).wait_for_dvipa(VIPA.into())?;
        }
        let servers = TARGETS.map(|name| Server::start(lab.stack(name), name, EVERYWHERE));
        let stage = Self {
            servers: servers.into_iter().collect::<Result<_>>()?,
            lab,
            owner: Owner::Serving,
            is_quiesced: false,
            is_listening: true,
        };
        stage.wait_until_serving()?;
        Ok(stage)
    }

    pub(super) fn lab(&self) -> &Lab {
        &self.lab
    }

    pub(super) fn client(&self) -> &Host {
        &self.lab.clients()[0]
    }

    pub(super) fn other_client(&self) -> &Host {
        &self.lab.clients()[1]
    }

    /// Whether something can be done as things are.
    pub(super) fn can(&self, deed: Deed) -> bool {
        let is = |owner| self.owner == owner;
        match deed {
            Deed::Reload | Deed::RestartOwner | Deed::Stop | Deed::Deactivate | Deed::Cut => {
                is(Owner::Serving)
            }
            Deed::Start => is(Owner::Stopped),
            Deed::Reactivate => is(Owner::Deactivated),
            Deed::Heal => is(Owner::CutOff),
            Deed::RestartTarget | Deed::Upgrade => true,
            Deed::Quiesce => !self.is_quiesced,
            Deed::Resume => self.is_quiesced,
            Deed::CloseListener => self.is_listening,
            Deed::OpenListener => !self.is_listening,
        }
    }

    /// Does it, and says what was done.
    pub(super) fn act(&mut self, deed: Deed, random: &mut StdRng) -> Result<String> {
        let owner = self.lab.stack(OWNER);
        let unsteady = self.lab.stack(UNSTEADY);
        let vipa = VIPA.to_string();
        match deed {
            Deed::Reload => return self.reload(random),
            Deed::RestartOwner => {
                owner.kill()?;
                owner.restart()?;
            }
            Deed::RestartTarget => {
                unsteady.kill()?;
                unsteady.restart()?;
            }
            Deed::Upgrade => {
                let mut stacks = vec![BACKUP, UNSTEADY];
                stacks.extend((self.owner != Owner::Stopped).then_some(OWNER));
                let name = *stacks.choose(random).context("some")?;
                let stack = self.lab.stack(name);
                stack.install(&random.random::<[u8; 8]>())?;
                stack.reload()?;
                return Ok(format!("{name} has another program"));
            }
            Deed::Stop => {
                let status = owner.stop()?;
                anyhow::ensure!(status.success(), "the daemon ended with {status}");
                self.owner = Owner::Stopped;
            }
            Deed::Start => {
                owner.restart()?;
                self.owner = Owner::Serving;
            }
            Deed::Deactivate => {
                owner.order(&["vary", "deactivate", &vipa])?;
                self.owner = Owner::Deactivated;
            }
            Deed::Reactivate => {
                owner.order(&["vary", "reactivate", &vipa])?;
                self.owner = Owner::Serving;
            }
            Deed::Cut => {
                self.lab.cut(OWNER, &Network::ALL, Fault::Silent)?;
                self.owner = Owner::CutOff;
            }
            Deed::Heal => {
                self.lab.heal(OWNER, &Network::ALL, Fault::Silent)?;
                self.owner = Owner::Serving;
            }
            Deed::Quiesce => {
                unsteady.order(&["vary", "quiesce", "target"])?;
                self.is_quiesced = true;
            }
            Deed::Resume => {
                unsteady.order(&["vary", "resume", "target"])?;
                self.is_quiesced = false;
            }
            Deed::CloseListener => {
                if let Some(server) = self.servers.last() {
                    server.stop_listening();
                }
                self.is_listening = false;
            }
            Deed::OpenListener => {
                let server = Server::start(unsteady, UNSTEADY, EVERYWHERE)?;
                self.servers.push(server);
                self.is_listening = true;
            }
        }
        Ok(format!("{deed:?}"))
    }

    /// Distributes otherwise: by another method, to other targets of which one is always there.
    fn reload(&self, random: &mut StdRng) -> Result<String> {
        let method = *METHODS.choose(random).context("some")?;
        let mut targets: BTreeSet<&str> = [STEADY].into();
        targets.extend([BACKUP, UNSTEADY].into_iter().filter(|_| random.random()));
        for name in [OWNER, BACKUP] {
            let stack = self.lab.stack(name);
            stack.write_profile(&profile_of(&self.lab, stack, method, &targets))?;
            stack.reload()?;
        }
        Ok(format!("{method} over {targets:?}"))
    }

    /// Prints what every stack has counted, and what its daemon has said last.
    pub(super) fn tell(&self) {
        for stack in self.lab.stacks() {
            let name = stack.name();
            let counters = stack.counters().unwrap_or_default();
            let counted: Vec<_> = counters.iter().filter(|(_, count)| **count > 0).collect();
            eprintln!("{name}: {counted:?}");
            let output = stack.output();
            let lines = output.lines().count().saturating_sub(LINES);
            for line in output.lines().skip(lines) {
                eprintln!("{name}: {line}");
            }
        }
    }

    /// Puts everything back, and waits until it is as it was.
    pub(super) fn rest(&mut self) -> Result<()> {
        let nothing_random = &mut rand::SeedableRng::seed_from_u64(0);
        for deed in [
            Deed::Start,
            Deed::Reactivate,
            Deed::Heal,
            Deed::Resume,
            Deed::OpenListener,
        ] {
            if self.can(deed) {
                self.act(deed, nothing_random)?;
            }
        }
        for name in [OWNER, BACKUP] {
            let stack = self.lab.stack(name);
            let profile = profile_of(&self.lab, stack, METHODS[0], &TARGETS.into());
            stack.write_profile(&profile)?;
            stack.reload()?;
        }
        self.wait_until_serving()
    }

    fn wait_until_serving(&self) -> Result<()> {
        let owner = self.lab.stack(OWNER);
        wait::until("TCPIP to distribute to all targets", RESTED, || {
            let rows = owner.vdpt()?;
            let ready = rows.iter().filter(|row| row.is_active && row.ready > 0);
            Ok(ready.count() == TARGETS.len())
        })
    }

    /// Waits until no connection is in the owner's table any more.
    pub(super) fn wait_until_empty(&self) -> Result<()> {
        let owner = self.lab.stack(OWNER);
        let mut rows = Vec::new();
        wait::until("the flow table to be empty", EMPTY, || {
            rows = owner.vcrt()?;
            Ok(rows.is_empty())
        })
        .with_context(|| {
            format!(
                "{} rows are left, the first is {:?}",
                rows.len(),
                rows.first()
            )
        })
    }
}

/// What a stack's profile says: both front ends distribute alike.
fn profile_of(lab: &Lab, stack: &Stack, method: &str, targets: &BTreeSet<&str>) -> String {
    let mut text = profile::target(stack.xcf_address());
    let statement = match stack.name() {
        OWNER => "VIPADEFINE MOVEABLE IMMEDIATE",
        BACKUP => "VIPABACKUP 100 MOVEABLE IMMEDIATE",
        _ => return text,
    };
    let addresses: Vec<_> = targets
        .iter()
        .map(|name| lab.stack(name).xcf_address().to_string())
        .collect();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "VIPADYNAMIC\n   {statement} 255.255.255.0 {VIPA}\n   VIPADISTRIBUTE DEFINE DISTM {method} \
         {VIPA} PORT {PORT}\n      DESTIP {}\nENDVIPADYNAMIC\n",
        addresses.join(" ")
    );
    text
}
