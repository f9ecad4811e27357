//! What happens to a stack, and what it does about it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::desired::{Hop, NextHopKey, Placement};
use super::{Orders, Route, Served, Vary};
use crate::engine::config::Config;
use crate::engine::fact::{Ask, Fact, Outcome, ReadyRow};
use crate::engine::forwarding::{Flow, FlowKey, Forwarding, ServiceKey};
use crate::engine::load::{self, Load};
use crate::engine::message::Message;
use crate::engine::ownership::AdoptedEpoch;
use crate::engine::responsiveness::Responsiveness;
use crate::engine::servers::Server;
use crate::engine::xcf::XcfAddresses;

/// What an earlier daemon of this stack left in the kernel.
#[derive(Clone, Debug, Default)]
pub struct Adopted {
    /// What the pinned maps say.
    pub forwarding: Forwarding,
    /// The addresses that were found in their places.
    pub placements: BTreeMap<IpAddr, Placement>,
    /// How long the packet path had been without a daemon; absent if there was none.
    pub silent_for: Option<Duration>,
    /// What the operator has ordered it.
    pub orders: Orders,
}

impl Adopted {
    /// What the packet path knows of the owners, if others wait `grace` for a silent one.
    pub(super) fn epochs(&self, grace: Duration) -> BTreeMap<IpAddr, AdoptedEpoch> {
        let is_late = self.silent_for.is_some_and(|silent| silent >= grace);
        let dvipas = self.forwarding.dvipas.iter();
        dvipas
            .map(|(dvipa, forwarding)| {
                let is_owned = self.placements.get(dvipa) == Some(&Placement::Owned);
                let epoch = AdoptedEpoch {
                    counter: forwarding.epoch,
                    is_own: is_owned && !is_late && forwarding.epoch > 0,
                };
                (*dvipa, epoch)
            })
            .collect()
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A stack joined the group, or joined it again after a restart.
    Joined {
        /// Its name.
        name: String,
        /// Its DYNAMICXCF addresses.
        xcf: XcfAddresses,
    },
    /// A member's slow state changed.
    State {
        /// Its name.
        name: String,
        /// All of its values by key.
        values: BTreeMap<String, String>,
    },
    /// A member said goodbye or is not heard on any path.
    Left {
        /// Its name.
        name: String,
        /// Whether it said so.
        is_goodbye: bool,
    },
    /// Answer to [`Effect::Probe`].
    Probed {
        /// The member's name.
        name: String,
        /// How long its daemon has been silent, as its packet path says; absent if none answers.
        age: Option<Duration>,
    },
    /// How many packets of other hosts have arrived since the packet path began; see
    /// [`Stack::looks_for_packets`](super::Stack::looks_for_packets).
    Arrivals(u64),
    /// An interface of this stack has got a carrier, or lost it.
    Link {
        /// The interface.
        ifindex: u32,
        /// Whether it has one.
        is_up: bool,
    },
    /// A path to a member was heard, or went silent.
    Path {
        /// The member's name.
        name: String,
        /// Our interface, and the member's address on that network.
        path: NextHopKey,
        /// Whether beats arrive on it.
        is_up: bool,
    },
    /// A path to a member lags behind another one, or no longer.
    PathLags {
        /// Its name.
        name: String,
        /// The path.
        path: NextHopKey,
        /// Whether it does.
        lags: bool,
    },
    /// The kernel's neighbour for a path changed.
    NextHop {
        /// The path.
        path: NextHopKey,
        /// Its MAC addresses; absent while unresolved.
        hop: Option<Hop>,
    },
    /// The kernel's way to an address of a VIPAROUTE changed.
    Route {
        /// The address.
        destination: IpAddr,
        /// How the kernel would reach it.
        route: Route,
    },
    /// The addresses of a member, on every network that it has.
    Addresses {
        /// Its name.
        name: String,
        /// The addresses.
        addresses: Vec<IpAddr>,
    },
    /// A member told a fact.
    Fact {
        /// Its name.
        from: String,
        /// What it told.
        fact: Fact,
    },
    /// The complete list of our own listeners on held DVIPAs.
    Listeners(Vec<ReadyRow>),
    /// The DVIPA × ports where servers of ours do not take connections as they should, all of them.
    Responsiveness(BTreeMap<(IpAddr, u16), Responsiveness>),
    /// What this stack could still do; absent from when it can no longer be measured.
    Load(Option<Load>),
    /// What servers of ours could still do, of the services that [`Stack::weighed`](super::Stack::weighed)
    /// names and as far as they could be measured.
    Servers(BTreeMap<ServiceKey, Vec<load::Server>>),
    /// How many SYNs the packet path has sent to each target, by its DYNAMICXCF address.
    SynsSent(BTreeMap<IpAddr, u64>),
    /// Answer to [`Effect::CountSyns`].
    SynsTaken {
        /// From the effect.
        asked: (String, u64),
        /// How many there are.
        taken: u64,
    },
    /// Sockets of ours were closed.
    FlowsEnding(Vec<FlowKey>),
    /// Connections of ours are no longer in the socket dump.
    FlowsGone(Vec<FlowKey>),
    /// Reports of ends were lost: what the targets have must be compared with the table.
    Resync,
    /// Answer to [`Effect::ListConnections`].
    Connections {
        /// The DVIPAs.
        dvipas: Vec<IpAddr>,
        /// From the effect.
        asked: Option<(String, u64)>,
        /// What this stack terminates there.
        flows: Vec<FlowKey>,
    },
    /// Answer to [`Effect::CountConnections`].
    ConnectionCount {
        /// The DVIPA.
        dvipa: IpAddr,
        /// How many there are.
        count: u64,
    },
    /// Answer to [`Effect::SnapshotFlows`]: the whole flow table.
    FlowSnapshot(Vec<Flow>),
    /// The profile says something else now; its DYNAMICXCF address is the same.
    Reconfigured(Box<Config>),
    /// Who answers for what has been asked: somebody for these DVIPAs, nobody for the others.
    Contested(BTreeSet<IpAddr>),
    /// The operator orders something.
    Vary(Vary),
    /// The operator asks another member for something; answered by [`Effect::Answer`].
    Ask {
        /// The member's name.
        to: String,
        /// Returned in the answer; unlike that of any other question of this stack.
        request: u64,
        /// For what.
        ask: Ask,
    },
    /// Answer to [`Effect::CountRemaining`].
    Remaining {
        /// From the effect.
        to: String,
        /// From the effect.
        request: u64,
        /// How many there are, or why that is not known.
        outcome: Outcome,
    },
    /// The daemon has done nothing for about as long as the others wait for it.
    Overslept,
    /// The time that [`next_timer`](super::Stack::next_timer) named has come.
    Timer,
    /// A second has passed.
    Tick,
    /// The operator asked for a clean stop.
    Stop,
    /// Nothing lives any more, or the stop's deadline has passed.
    Quiet,
}

/// Something to do. Effects are executed in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Put the DVIPA there, or take it away.
    Place {
        /// The DVIPA.
        dvipa: IpAddr,
        /// Where; absent means nowhere.
        placement: Option<Placement>,
    },
    /// Make the packet path do exactly this.
    Forward(Forwarding),
    /// Let clients of exactly these services keep their listeners here, until so many seconds after
    /// their last connection.
    KeepListeners(BTreeMap<ServiceKey, u16>),
    /// Report listeners and ends of connections on exactly these DVIPAs.
    Watch(BTreeSet<IpAddr>),
    /// Resolve and keep current the next hops of exactly these paths.
    Resolve(BTreeSet<NextHopKey>),
    /// Find out and keep current how the kernel would reach exactly these addresses.
    Route(BTreeSet<IpAddr>),
    /// Send a fact to a member.
    Send {
        /// Its name.
        to: String,
        /// The fact.
        fact: Fact,
    },
    /// Publish slow state.
    Publish {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Mark flows as ending.
    MarkEnding(Vec<FlowKey>),
    /// Remove flows of this target that are marked as ending.
    RemoveEnded {
        /// DYNAMICXCF address of the target.
        target: IpAddr,
        /// The flows.
        flows: Vec<FlowKey>,
    },
    /// Remove every flow of a target that is not coming back.
    ForgetTarget(IpAddr),
    /// Remove every flow of a target that is lost with its host, and let the clients know.
    ResetTarget(IpAddr),
    /// List what this stack terminates on the DVIPAs, and report it.
    ListConnections {
        /// The DVIPAs.
        dvipas: Vec<IpAddr>,
        /// Who asked and its request number; absent when the engine itself wants to know.
        asked: Option<(String, u64)>,
    },
    /// Count the connections to a DVIPA that have not ended, here and at the targets; and report it.
    CountConnections(IpAddr),
    /// End these connections, which this stack terminates, with a RST.
    ResetConnections(Served),
    /// Count these connections, which this stack terminates, and report it.
    CountRemaining {
        /// The member that asked.
        to: String,
        /// Its request's number.
        request: u64,
        /// Which.
        served: Served,
    },
    /// Tell the operator what came of a question to a member.
    Answer {
        /// From the question.
        request: u64,
        /// What came of it.
        outcome: Outcome,
    },
    /// Count no listeners of exactly these servers, and hand none of them a new connection.
    SetAside(BTreeSet<Server>),
    /// Keep the orders that are in force for a daemon that goes on where this one was.
    KeepOrders,
    /// Count the SYNs that were taken from the stack with these DYNAMICXCF addresses, and report it.
    CountSyns {
        /// Whose.
        from: XcfAddresses,
        /// Who asked and its request number.
        asked: (String, u64),
    },
    /// Read the flow table, and report it.
    SnapshotFlows,
    /// Put connections that a target has into the flow table.
    InsertFlows {
        /// DYNAMICXCF address of the target.
        target: IpAddr,
        /// The flows.
        flows: Vec<FlowKey>,
    },
    /// Remove every flow of a DVIPA that this stack no longer owns.
    ForgetFlows(IpAddr),
    /// Fence the packet path, although the daemon lives; or no longer.
    Fence(bool),
    /// Ask a member's packet path whether it lives, and report it.
    Probe {
        /// The member's name.
        name: String,
        /// The first of its DYNAMICXCF addresses: no other stack answers.
        target: IpAddr,
        /// The paths to ask on; all of them.
        paths: Vec<NextHopKey>,
    },
    /// Tell the operator.
    Tell(Message),
}
