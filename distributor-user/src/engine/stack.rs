//! The engine of one stack: what happened goes in, what to do comes out.
//!
//! ```text
//!   Event ──▶ state ──▶ Desired (a pure function of the state) ──diff──▶ Effects
//! ```
//!
//! Nothing here touches the kernel or the network, and no event is answered by
//! patching an earlier answer: after each event the desired state is derived
//! anew and only its difference to the last one is emitted. The clock is an
//! argument.

mod affinity;
mod audit;
mod beginning;
mod connectivity;
mod desired;
mod event;
mod flows;
mod forwarding;
mod isolation;
mod kept;
mod liveness;
mod load;
mod member;
mod options;
mod orders;
mod owning;
mod passed;
mod readiness;
mod rebuild;
mod reconfigure;
mod routes;
mod standby;
mod standing;
mod state;
mod timing;
mod vary;
mod view;
mod warming;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use desired::{Desired, Hop, NextHopKey, Placement};
pub use event::{Adopted, Effect, Event};
pub use load::Loads;
pub use member::Member;
pub use options::StackOptions;
pub use orders::{Orders, Scope};
pub use routes::{OpenRoute, Route};
pub use vary::{Refused, Served, Vary};

use super::config::Config;
use super::definitions::{Definitions, Distributions, Readiness};
use super::fact::{Fact, ReadyRow};
use super::forwarding::{Ends, ServiceKey, ServiceTargets};
use super::load::{Load, Server};
use super::message::Message;
use super::ownership::{Input, Liveness, Ownership};
use super::responsiveness::Responsiveness;
use super::xcf::XcfAddresses;
use audit::Audits;
use connectivity::Ways;
use desired::Hops;
use isolation::Isolation;
use owning::Owning;
use passed::Passed;
use rebuild::Rebuilds;
use standing::Standing;
use warming::Warming;

/// How long an adopted data plane is left as it was while the targets report again.
const SETTLE: Duration = Duration::from_secs(3);

/// Where the stack is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// A predecessor's data plane was adopted and is left alone until its targets have reported.
    Settling {
        until: Duration,
        awaited: BTreeSet<IpAddr>,
    },
    /// The desired state is applied as it changes.
    Running,
    /// No new connection is taken; what lives goes on.
    Stopping,
    /// Everything is put back.
    Stopped,
}

/// The engine of one stack.
#[derive(Debug)]
pub struct Stack {
    name: String,
    config: Config,
    own: Definitions,
    /// This stack's own VIPADISTRIBUTE statements by DVIPA.
    distributions: Distributions,
    xcf_ifindex: u32,
    phase: Phase,
    members: BTreeMap<String, Member>,
    standing: Standing,
    /// How each DVIPA's definer distributes it, as far as it was ever heard.
    heritage: Distributions,
    /// The edition of our definitions that is published.
    edition: u64,
    hops: Hops,
    /// How the kernel would reach the addresses of VIPAROUTE.
    routes: BTreeMap<IpAddr, Route>,
    /// This stack's own addresses, as the other members know them.
    addresses: BTreeSet<IpAddr>,
    readiness: Readiness,
    /// What this stack could still do, as of when that last mattered.
    load: Option<Load>,
    /// What servers of this stack could still do, likewise.
    servers: BTreeMap<ServiceKey, Vec<Server>>,
    /// Whether anything is distributed by what stacks could still do.
    weighs: bool,
    warming: Warming,
    /// When the rings were last compiled.
    compiled_at: Duration,
    /// When the next share of a target that has come back grows.
    warmed_at: Option<Duration>,
    /// What listens here.
    listeners: Vec<ReadyRow>,
    /// Where servers do not take connections as they should.
    faults: BTreeMap<(IpAddr, u16), Responsiveness>,
    /// Which member has which revision of our readiness.
    informed: BTreeMap<String, u64>,
    /// Rows of each service in the order in which its targets became known.
    rows: BTreeMap<ServiceKey, Arc<[IpAddr]>>,
    audits: Audits,
    ways: Ways,
    ownership: Ownership,
    owning: Owning,
    rebuilds: Rebuilds,
    isolation: Isolation,
    /// DVIPAs that an earlier daemon shared with members that have not been heard since.
    inherited: BTreeSet<IpAddr>,
    grace: Duration,
    client_ifindexes: BTreeSet<u32>,
    /// Interfaces of this stack that have no carrier.
    dead_links: BTreeSet<u32>,
    contested: BTreeSet<IpAddr>,
    /// Which member sent from which Ethernet address, as an earlier daemon knew.
    adopted_senders: BTreeMap<[u8; 6], XcfAddresses>,
    /// Which member sent packets inside others between which addresses, likewise.
    adopted_tunnels: BTreeMap<Ends, XcfAddresses>,
    /// Since when this engine runs.
    began: Duration,
    /// Whether members may still be about to be heard.
    is_beginning: bool,
    /// What the operator has asked for.
    orders: Orders,
    /// What was asked of members for an operator.
    passed: Passed,
    /// Whether anything has changed that the desired state depends on.
    is_dirty: bool,
    /// DVIPAs whose last connection here has ended and that nobody wants here.
    released: BTreeSet<IpAddr>,
    applied: Desired,
}

impl Stack {
    /// Creates the engine; `adopted` is what an earlier daemon of this stack left behind.
    #[must_use]
    pub fn new(options: StackOptions, adopted: Adopted, now: Duration) -> Self {
        let own = options.config.xcf();
        let awaited: BTreeSet<IpAddr> = adopted
            .forwarding
            .services
            .values()
            .flat_map(ServiceTargets::active)
            .filter(|target| !own.is_some_and(|own| own.contain(*target)))
            .collect();
        let phase = if adopted.forwarding.services.is_empty() {
            Phase::Running
        } else {
            Phase::Settling {
                until: now + SETTLE,
                awaited,
            }
        };
        let rows = adopted
            .forwarding
            .services
            .iter()
            .map(|(key, service)| (*key, Arc::clone(&service.rows)))
            .collect();
        let ownership = Ownership::new(&options.name, &adopted.epochs(options.grace), now)
            .having_listened(options.listened, now);
        let own = Definitions::of(&options.config);
        let inherited = adopted.shared();
        Self {
            distributions: own.by_dvipa(),
            own,
            config: options.config,
            xcf_ifindex: options.xcf_ifindex,
            phase,
            members: BTreeMap::new(),
            standing: Standing::default(),
            heritage: BTreeMap::new(),
            edition: options.first_revision,
            hops: Hops::new(),
            routes: BTreeMap::new(),
            addresses: options.addresses,
            readiness: Readiness {
                revision: options.first_revision,
                ready: Vec::new(),
            },
            load: None,
            servers: BTreeMap::new(),
            weighs: false,
            warming: Warming::over(options.slow_start),
            compiled_at: now,
            warmed_at: None,
            listeners: Vec::new(),
            faults: BTreeMap::new(),
            informed: BTreeMap::new(),
            rows,
            audits: Audits::default(),
            ways: Ways::default(),
            owning: Owning::of(&ownership),
            ownership,
            rebuilds: Rebuilds::default(),
            isolation: Isolation::with(&inherited),
            inherited,
            grace: options.grace,
            client_ifindexes: options.client_ifindexes,
            dead_links: BTreeSet::new(),
            contested: options.contested,
            adopted_senders: adopted.forwarding.senders.clone(),
            adopted_tunnels: adopted.forwarding.tunnels.clone(),
            began: now,
            is_beginning: true,
            orders: adopted.orders,
            passed: Passed::new(),
            is_dirty: true,
            released: BTreeSet::new(),
            name: options.name,
            applied: Desired {
                placements: adopted.placements,
                forwarding: adopted.forwarding,
                ..Desired::default()
            },
        }
    }

    /// Returns what to do first: publish what this stack defines, and act on it.
    pub fn start(&mut self, now: Duration) -> Vec<Effect> {
        let mut effects = self.publish_definitions();
        effects.push(self.publish_readiness());
        effects.push(Self::offer_to_obey());
        effects.push(self.set_aside());
        let held: BTreeSet<IpAddr> = self.applied.placements.keys().copied().collect();
        if !held.is_empty() {
            effects.push(Effect::Watch(held));
        }
        // What was heard while this stack was made is taken before it claims anything, and what somebody
        // answers for it does not want.
        self.ownership.listen_on(now);
        self.declare_willingness(now, &mut effects);
        self.decide(Input::Stakes(self.stakes()), now, &mut effects);
        for dvipa in self.owning.owned() {
            self.rebuild(dvipa, false);
        }
        self.settle(now, &mut effects);
        effects
    }

    /// Takes one event and returns what to do about it, in order.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take(event, now, &mut effects);
        self.settle(now, &mut effects);
        effects
    }

    /// Brings what is applied to what is desired.
    fn settle(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.is_dirty {
            self.declare_willingness(now, effects);
        }
        self.resume_preparations(now);
        self.ask_for_flows(effects);
        if let Phase::Settling { until, awaited } = &self.phase {
            let reported = |target: &IpAddr| {
                self.members
                    .values()
                    .any(|member| member.xcf.contain(*target) && self.is_ready_to_serve(member))
            };
            let has_settled = now >= *until || awaited.iter().all(reported);
            // What another has come to own meanwhile is not held on to.
            if (has_settled && !self.ownership.is_listening()) || self.owning.has_lost() {
                self.phase = Phase::Running;
                self.is_dirty = true;
            }
        }
        if self.is_dirty || !self.released.is_empty() {
            self.note_hearing(now, effects);
            self.is_dirty = false;
            let (xcf, dead) = (self.xcf_ifindex, &self.dead_links);
            for member in self.members.values_mut() {
                member.choose_path(xcf, &self.hops, dead);
            }
            self.take_stock();
            let desired = self.desired(now);
            let is_settling = matches!(self.phase, Phase::Settling { .. });
            if !is_settling {
                self.tell_switches(&desired.forwarding, effects);
            }
            desired::plan(&mut self.applied, desired, is_settling, effects);
            self.released.clear();
            self.inform_owners(effects);
        }
        self.owning.flush(effects);
    }

    fn take(&mut self, event: Event, now: Duration, effects: &mut Vec<Effect>) {
        match event {
            Event::Joined { name, xcf } => {
                self.is_dirty = true;
                self.informed.remove(&name);
                self.forget_answers(&name, effects);
                effects.push(Effect::Tell(Message::Joined {
                    name: name.clone(),
                    xcf,
                }));
                self.members
                    .entry(name.clone())
                    .and_modify(|member| member.rejoin(xcf))
                    .or_insert_with(|| Member::new(xcf));
                self.ask_again(&name, effects);
                self.decide(Input::Member(name, Liveness::Alive), now, effects);
            }
            Event::State { name, values } => {
                self.is_dirty = true;
                self.take_state(&name, &values, effects);
            }
            Event::Left { name, is_goodbye } => {
                self.is_dirty = true;
                self.informed.remove(&name);
                self.forget_answers(&name, effects);
                self.take_leave(&name, is_goodbye, now, effects);
            }
            Event::Path { name, path, is_up } => self.take_path(&name, path, is_up, now, effects),
            Event::PathLags { name, path, lags } => self.take_lag(&name, path, lags),
            Event::Probed { name, age } => self.take_probe(&name, age, now, effects),
            Event::Arrivals(arrived) => self.take_arrivals(arrived, now, effects),
            Event::Link { ifindex, is_up } => self.take_link(ifindex, is_up),
            Event::NextHop { path, hop } => self.take_hop(path, hop),
            Event::Route { destination, route } => self.take_route(destination, route, effects),
            Event::Addresses { name, addresses } => self.take_addresses(&name, addresses),
            Event::Fact { from, fact } => self.take_fact(&from, fact, now, effects),
            Event::Listeners(ready) => {
                self.is_dirty = true;
                self.take_listeners(ready, effects);
            }
            Event::Load(load) => self.take_own_load(load, effects),
            Event::Servers(servers) => self.take_own_servers(servers, effects),
            Event::SynsSent(sent) => self.take_syns_sent(&sent, now, effects),
            Event::SynsTaken {
                asked: (to, request),
                taken,
            } => {
                let fact = Fact::SynsTaken { request, taken };
                effects.push(Effect::Send { to, fact });
            }
            Event::Responsiveness(faults) => {
                self.faults = faults;
                self.update_readiness(effects);
            }
            Event::FlowsEnding(flows) => {
                let fact = |flows| Fact::FlowsEnding { flows };
                self.report_flows(flows, flows::mark_ending, fact, effects);
            }
            Event::FlowsGone(flows) => {
                let fact = |flows| Fact::FlowsGone { flows };
                self.report_flows(flows, flows::remove_ended, fact, effects);
            }
            Event::Connections {
                dvipas,
                asked,
                flows,
            } => {
                self.take_connections(&dvipas, asked, flows, now, effects);
            }
            Event::ConnectionCount { dvipa, count } => {
                self.decide(Input::Connections(dvipa, count), now, effects);
            }
            Event::FlowSnapshot(flows) => self.take_snapshot(flows, now, effects),
            Event::Reconfigured(config) => {
                self.is_dirty = true;
                self.reconfigure(*config, now, effects);
            }
            Event::Contested(contested) => self.take_contested(contested),
            Event::Vary(vary) => self.obey_order(&vary, now, effects),
            Event::Ask { to, request, ask } => self.pass_on(&to, request, ask, now, effects),
            Event::Remaining {
                to,
                request,
                outcome,
            } => Self::answer_ask(&to, request, outcome, effects),
            Event::Overslept => self.decide(Input::Overslept, now, effects),
            Event::Timer => self.do_what_is_due(now, effects),
            Event::Resync => self.audits.hurry(),
            Event::Tick => self.tick(now, effects),
            Event::Stop => {
                self.is_dirty = true;
                self.phase = Phase::Stopping;
                self.take_listeners(Vec::new(), effects);
            }
            Event::Quiet => {
                self.is_dirty = true;
                self.phase = Phase::Stopped;
            }
        }
    }
}

#[cfg(test)]
mod tests;
