//! A group of engines on two networks under one clock.
//!
//! Everything is decided by one seed: the same seed gives the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::key::{GroupKey, KeyRing};
use super::super::*;
use crate::engine::fact::Fact;

pub(super) const PORT: u16 = 4911;
pub(super) const MULTICAST: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(239, 255, 49, 11)), PORT);

/// The two networks, by the first octet of their addresses.
pub(super) const XCF: u8 = 172;
pub(super) const LAN: u8 = 10;

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn address(network: u8, stack: u8) -> IpAddr {
    IpAddr::from([network, 1, 1, stack])
}

/// The same of IPv6.
pub(super) fn address6(network: u8, stack: u8) -> IpAddr {
    IpAddr::from([0xfd00, network.into(), 0, 0, 0, 0, 0, stack.into()])
}

/// The number in an address of a stack.
pub(super) fn number(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(v6) => v6.octets()[15],
    }
}

pub(super) fn ring(keys: &[u8]) -> KeyRing {
    let keys = keys
        .iter()
        .map(|byte| GroupKey::from_secret(&[*byte; 32]))
        .collect();
    KeyRing::new(keys).expect("different keys")
}

/// Settings of stack number `stack`, on both networks, with nobody to look for but by multicast.
pub(super) fn settings(stack: u8) -> GroupSettings {
    let local = |network, ifindex| LocalAddress {
        ifname: format!("eth{ifindex}"),
        ifindex,
        address: address(network, stack),
        prefix_len: 24,
        is_xcf: network == XCF,
    };
    GroupSettings {
        name: format!("TCPIP{stack}"),
        xcf: address(XCF, stack).into(),
        port: PORT,
        locals: vec![local(XCF, 1), local(LAN, 2)],
        seeds: Vec::new(),
        multicast: vec![MULTICAST],
        beat: ms(200),
        down_after: ms(1_000),
        gone_after: ms(1_000),
    }
}

/// How the networks treat a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Lost, of 1.
    pub(super) loss: f64,
    /// Delivered once more, of 1.
    pub(super) repeat: f64,
    /// The longest that it takes, so datagrams overtake each other.
    pub(super) delay_max: Duration,
}

pub(super) const CALM: Weather = Weather {
    loss: 0.0,
    repeat: 0.0,
    delay_max: Duration::from_millis(1),
};
pub(super) const STORM: Weather = Weather {
    loss: 0.2,
    repeat: 0.1,
    delay_max: Duration::from_millis(60),
};

#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

pub(super) struct Stack {
    pub(super) engine: GroupEngine,
    /// What this stack's clock shows at the start of the simulation.
    clock: Duration,
    pub(super) events: Vec<GroupEvent>,
    /// Members and their addresses to which paths lag.
    pub(super) lagging: BTreeSet<(String, IpAddr)>,
    pub(super) notices: Vec<Notice>,
    pub(super) gossip: Vec<(IpAddr, Vec<u8>)>,
}

pub(super) struct Simulation {
    pub(super) now: Duration,
    pub(super) random: StdRng,
    pub(super) weather: Weather,
    /// The stacks by number; the addresses tell the number.
    pub(super) stacks: BTreeMap<u8, Stack>,
    /// Network and stack that are cut off from each other.
    pub(super) cuts: BTreeSet<(u8, u8)>,
    /// Everything that was sent, as an attacker on both networks would have it.
    pub(super) recorded: Vec<Packet>,
    /// Whether multicast is passed on.
    pub(super) has_multicast: bool,
    in_flight: BTreeMap<(Duration, u64), Packet>,
    count: u64,
}

impl Simulation {
    pub(super) fn new(seed: u64, weather: Weather) -> Self {
        Self {
            now: Duration::ZERO,
            random: StdRng::seed_from_u64(seed),
            weather,
            stacks: BTreeMap::new(),
            cuts: BTreeSet::new(),
            recorded: Vec::new(),
            has_multicast: true,
            in_flight: BTreeMap::new(),
            count: 0,
        }
    }

    /// Starts stacks 1 to `count` with the usual settings.
    pub(super) fn group(seed: u64, weather: Weather, count: u8) -> Self {
        let mut simulation = Self::new(seed, weather);
        for stack in 1..=count {
            simulation.start(stack, settings(stack), ring(&[1]));
        }
        simulation
    }

    /// Starts a stack, in place of one that crashes if there is one.
    pub(super) fn start(&mut self, stack: u8, settings: GroupSettings, keys: KeyRing) {
        let engine = GroupEngine::new(settings, keys, self.random.random()).expect("settings");
        let clock = Duration::from_micros(self.random.random_range(0..1 << 40));
        let started = Stack {
            engine,
            clock,
            events: Vec::new(),
            lagging: BTreeSet::new(),
            notices: Vec::new(),
            gossip: Vec::new(),
        };
        self.stacks.insert(stack, started);
        self.put(stack, Input::Timer);
    }

    /// Ends a stack without a word.
    pub(super) fn crash(&mut self, stack: u8) {
        self.stacks.remove(&stack);
    }

    pub(super) fn put(&mut self, stack: u8, input: Input<'_>) {
        let Some(running) = self.stacks.get_mut(&stack) else {
            return;
        };
        let outputs = running.engine.handle(input, running.clock + self.now);
        let mut packets = Vec::new();
        for output in outputs {
            match output {
                Output::Transmit { paths, datagram } => {
                    assert!(datagram.len() <= DATAGRAM_MAX);
                    for path in paths {
                        let from = SocketAddr::new(path.local, PORT);
                        packets.push(Packet {
                            from,
                            to: path.peer,
                            bytes: datagram.clone(),
                        });
                    }
                }
                // Paths lag in any weather, and nothing else follows from it.
                Output::Event(GroupEvent::PathLags {
                    name,
                    peer_address,
                    lags,
                    ..
                }) => {
                    let path = (name, peer_address);
                    if lags {
                        running.lagging.insert(path);
                    } else {
                        running.lagging.remove(&path);
                    }
                }
                Output::Event(event) => running.events.push(event),
                Output::Gossip { from, bytes } => running.gossip.push((from, bytes)),
                Output::Notice(notice) => running.notices.push(notice),
            }
        }
        for packet in packets {
            self.recorded.push(packet.clone());
            self.send(&packet);
        }
    }

    /// Puts a packet on its network.
    pub(super) fn send(&mut self, packet: &Packet) {
        let copies = 1 + usize::from(self.random.random_bool(self.weather.repeat));
        for _ in 0..copies {
            if self.random.random_bool(self.weather.loss) {
                continue;
            }
            let delay = self
                .random
                .random_range(Duration::ZERO..=self.weather.delay_max);
            self.count += 1;
            self.in_flight
                .insert((self.now + delay, self.count), packet.clone());
        }
    }

    /// Gives a packet to the stacks that it is for: `n` and `100 + n` are addresses of stack `n`.
    fn deliver(&mut self, packet: &Packet) {
        let network = |address: IpAddr| match address {
            group if group.is_multicast() => (XCF, None),
            IpAddr::V4(v4) => (v4.octets()[0], Some(number(address) % 100)),
            IpAddr::V6(v6) => (v6.octets()[3], Some(number(address))),
        };
        let (from_network, from_stack) = network(packet.from.ip());
        let (to_network, to_stack) = network(packet.to.ip());
        let all: Vec<u8> = self.stacks.keys().copied().collect();
        for stack in all {
            let is_for = match to_stack {
                Some(to) => to == stack,
                None => self.has_multicast,
            };
            let is_cut = self.cuts.contains(&(to_network, stack))
                || from_stack.is_some_and(|from| self.cuts.contains(&(to_network, from)));
            let own = match packet.to {
                SocketAddr::V4(_) => address(to_network, stack),
                SocketAddr::V6(_) => address6(to_network, stack),
            };
            let local = to_stack.map_or(own, |_| packet.to.ip());
            let mut locals = self.stacks[&stack].engine.settings.locals.iter();
            let hears = to_stack.is_some() || locals.any(|own| own.address == local);
            if is_for && hears && !is_cut && from_network == to_network {
                self.put(
                    stack,
                    Input::Datagram {
                        local,
                        from: packet.from,
                        bytes: &packet.bytes,
                    },
                );
            }
        }
    }

    /// Lets the time pass until `until`.
    pub(super) fn run_until(&mut self, until: Duration) {
        loop {
            let timers = self.stacks.iter().filter_map(|(stack, running)| {
                let at = running.engine.next_timer()?.saturating_sub(running.clock);
                Some((at.max(self.now), *stack))
            });
            let timer = timers.min();
            let packet = self.in_flight.keys().next().copied();
            let next = [timer.map(|(at, _)| at), packet.map(|(at, _)| at)];
            let Some(next) = next
                .into_iter()
                .flatten()
                .min()
                .filter(|next| *next <= until)
            else {
                self.now = until;
                return;
            };
            assert!(next >= self.now, "the time goes back");
            self.now = next;
            match (packet, timer) {
                (Some(key), _) if key.0 == next => {
                    let packet = self.in_flight.remove(&key).expect("it was just there");
                    self.deliver(&packet);
                }
                (_, Some((_, stack))) => {
                    self.put(stack, Input::Timer);
                    let running = &self.stacks[&stack];
                    let again = running.engine.next_timer();
                    assert!(
                        again.is_none_or(|again| again > running.clock + self.now),
                        "stack {stack}: the timer does not move on"
                    );
                }
                _ => {}
            }
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets the time pass until `condition` holds.
    pub(super) fn run_until_true(
        &mut self,
        at_most: Duration,
        what: &str,
        condition: impl Fn(&Self) -> bool,
    ) -> Duration {
        let start = self.now;
        while !condition(self) {
            assert!(self.now < start + at_most, "not within {at_most:?}: {what}");
            self.run_for(ms(1));
        }
        self.now.saturating_sub(start)
    }

    /// The members that `stack` has, by number.
    pub(super) fn members(&self, stack: u8) -> Vec<u8> {
        let members = self.stacks[&stack].engine.members();
        let mut numbers: Vec<u8> = members.map(|member| number(member.xcf.first())).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Whether everybody has everybody as a member, on both networks.
    pub(super) fn is_complete(&self) -> bool {
        self.stacks.iter().all(|(stack, running)| {
            let others = self.stacks.keys().filter(|other| *other != stack);
            self.members(*stack) == others.copied().collect::<Vec<_>>()
                && running
                    .engine
                    .members()
                    .all(|member| member.paths.len() == 2)
        })
    }

    pub(super) fn run_until_complete(&mut self, at_most: Duration) -> Duration {
        self.run_until_true(
            at_most,
            "everybody has everybody as a member",
            Self::is_complete,
        )
    }

    /// The events of a stack since they were last taken.
    pub(super) fn take_events(&mut self, stack: u8) -> Vec<GroupEvent> {
        self.stacks
            .get_mut(&stack)
            .map(|running| std::mem::take(&mut running.events))
            .unwrap_or_default()
    }

    /// Forgets all events so far.
    pub(super) fn clear_events(&mut self) {
        self.stacks
            .values_mut()
            .for_each(|running| running.events.clear());
    }

    /// Sends the fact number `number` from one stack to another.
    pub(super) fn say(&mut self, from: u8, to: u8, number: u64) {
        let fact = EncodedFact::new(&numbered(number)).expect("a short fact");
        self.put(
            from,
            Input::Fact {
                to: &format!("TCPIP{to}"),
                fact,
            },
        );
    }

    /// The numbers of the facts that a stack has got from another.
    pub(super) fn heard(&self, stack: u8, from: u8) -> Vec<u64> {
        let name = format!("TCPIP{from}");
        let mut numbers = Vec::new();
        for event in &self.stacks[&stack].events {
            if let GroupEvent::Fact { from, fact } = event
                && *from == name
            {
                numbers.push(number_of(fact));
            }
        }
        numbers
    }
}

pub(super) fn numbered(number: u64) -> Fact {
    Fact::FlowsRequest {
        request: number,
        dvipas: vec![address(LAN, 200)],
    }
}

pub(super) fn number_of(fact: &Fact) -> u64 {
    let Fact::FlowsRequest { request, .. } = fact else {
        panic!("another fact: {fact:?}")
    };
    *request
}

/// The events that concern membership and paths, in short.
pub(super) fn brief(events: &[GroupEvent]) -> Vec<String> {
    let network = |address: &IpAddr| match address {
        IpAddr::V4(v4) if v4.octets()[0] == XCF => "xcf",
        IpAddr::V4(_) | IpAddr::V6(_) => "lan",
    };
    events
        .iter()
        .map(|event| match event {
            GroupEvent::Joined { name, .. } => format!("joined {name}"),
            GroupEvent::Addresses { name, .. } => format!("addresses {name}"),
            GroupEvent::State { name, .. } => format!("state {name}"),
            GroupEvent::Left { name, reason } => format!("left {name} {reason:?}"),
            GroupEvent::Fact { from, fact } => format!("fact {from} {}", number_of(fact)),
            GroupEvent::PathUp {
                name, peer_address, ..
            } => {
                format!("up {name} {}", network(peer_address))
            }
            GroupEvent::PathDown {
                name, peer_address, ..
            } => {
                format!("down {name} {}", network(peer_address))
            }
            GroupEvent::PathLags { name, lags, .. } => format!("lags {name} {lags}"),
            GroupEvent::Conflict { what, name, .. } => format!("conflict {name} {what:?}"),
            GroupEvent::Refused { what, by } => format!("refused {by} {what:?}"),
        })
        .collect()
}
