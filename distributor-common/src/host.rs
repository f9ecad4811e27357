//! Packets and tables in plain memory, for tests and measurements on the host.
//!
//! Nothing in here is part of the product: the kernel's program has its maps,
//! and the daemon maps the same memory.

use core::net::IpAddr;
use core::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use crate::abi::{
    Affinity, Called, Choice, Client, Family, Life, MAX_ROWS, MAX_TARGETS, Path, Ring, RingEntry,
    Roles, Sender, Service, ServiceKey, Standing, Syns, Tally, Target, TunnelKey, Vipa,
};
use crate::counter::COUNTER_SLOTS;
use crate::flow::{BUCKET_SLOTS, Bucket, FlowKey};
use crate::hash::{self, PREFILTER_WORDS};
use crate::probe;
use crate::tables::Tables as _;
use crate::wire::{Be16, Be32, tcp};
use crate::word::Word;

use self::names::Names;

pub mod frame;
mod names;
mod tables;

/// Tables in plain memory.
#[derive(Debug)]
pub struct HostTables {
    seeds: [u64; 2],
    /// Key of the hash by which connections are handed out where all stacks must choose alike.
    pub choice_key: [u64; 2],
    now: AtomicU16,
    prefilter: [Word; PREFILTER_WORDS],
    buckets: Box<[Bucket]>,
    clients: Box<[Client]>,
    names: Names,
    index: BTreeMap<ServiceKey, u32>,
    services: Vec<Service>,
    rings: Vec<Word>,
    tallies: Vec<Tally>,
    syns: Vec<Syns>,
    targets: Vec<Target>,
    vipas: Vec<Vipa>,
    senders: BTreeMap<[u8; 6], Sender>,
    tunnels: BTreeMap<TunnelKey, Sender>,
    budget: Word,
    life: Life,
    now_ns: AtomicU64,
    /// Interfaces that can be redirected to.
    pub interfaces: BTreeSet<u32>,
    /// Connections that this host has a socket for.
    pub sockets: Vec<FlowKey>,
    /// Address and port of this host's listeners; they get what belongs to no connection.
    pub listeners: BTreeSet<(IpAddr, u16)>,
    /// Whether packets start on this host.
    pub starts_here: bool,
    /// Services of which this stack, in this slot and row, keeps connections that start here.
    pub kept: BTreeMap<(IpAddr, u16), (u16, u16)>,
    counters: [AtomicU64; COUNTER_SLOTS],
}

impl HostTables {
    /// Empty tables with `buckets` buckets of flows, a power of two; the seeds are made odd.
    #[must_use]
    pub fn new(buckets: usize, seeds: [u64; 2]) -> Self {
        Self {
            seeds: seeds.map(|seed| seed | 1),
            choice_key: [0; 2],
            now: AtomicU16::new(0),
            prefilter: core::array::from_fn(|_| Word::new(0)),
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
            clients: (0..buckets * BUCKET_SLOTS)
                .map(|_| Client::default())
                .collect(),
            names: Names::new(),
            index: BTreeMap::new(),
            services: Vec::new(),
            rings: Vec::new(),
            tallies: Vec::new(),
            syns: (0..MAX_TARGETS).map(|_| Syns::default()).collect(),
            targets: (0..MAX_TARGETS).map(|_| Target::empty()).collect(),
            vipas: Vec::new(),
            senders: BTreeMap::new(),
            tunnels: BTreeMap::new(),
            budget: Word::new(0),
            life: Life::empty(),
            now_ns: AtomicU64::new(0),
            interfaces: BTreeSet::new(),
            sockets: Vec::new(),
            listeners: BTreeSet::new(),
            starts_here: false,
            kept: BTreeMap::new(),
            counters: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Adds a DVIPA or changes it: its roles, and the targets that unknown flows are offered to.
    pub fn set_vipa(&mut self, dvipa: impl Into<IpAddr>, roles: Roles, offers: &[u16]) {
        let dvipa = dvipa.into();
        let bit = match dvipa {
            IpAddr::V4(address) => hash::prefilter(u32::from_ne_bytes(address.octets())),
            IpAddr::V6(_) => hash::prefilter_ipv6(hash::address(probe::identity(dvipa))),
        };
        self.prefilter[bit.word].set(bit.mask);
        let key = ServiceKey::of_vipa(self.names.call(dvipa));
        let index = *self.index.entry(key).or_insert_with(|| {
            self.vipas.push(Vipa::empty());
            u32::try_from(self.vipas.len() - 1).expect("few addresses")
        });
        let start = self.add_ring(offers);
        let standing = Standing::new(&Roles {
            offers: (start, u16::try_from(offers.len()).expect("few targets")),
            targets: offers
                .iter()
                .fold(0, |bits, slot| bits | Standing::target_bit(*slot)),
            ..roles
        });
        self.vipas[index as usize].set_standing(standing);
    }

    /// Says which member, by the slot of its IPv4 address, sends from an Ethernet address.
    pub fn add_sender(&mut self, mac: [u8; 6], slot: u16) {
        self.senders.insert(mac, Sender::new(Some(slot), None));
    }

    /// The same of a member by its slots for either family.
    pub fn add_member(&mut self, mac: [u8; 6], ipv4: Option<u16>, ipv6: Option<u16>) {
        self.senders.insert(mac, Sender::new(ipv4, ipv6));
    }

    /// Says which member sends packets inside others from one address to another.
    pub fn add_tunnel(&mut self, [source, destination]: [[u8; 4]; 2], slot: u16) {
        let [source, destination] = [source, destination].map(|end| Be32::from_bytes(end).0);
        let addresses = u64::from(source) | u64::from(destination) << 32;
        self.tunnels
            .insert(TunnelKey::ipv4(addresses), Sender::new(Some(slot), None));
    }

    /// Distributes a port of an address over the targets in `ring`, whose row is their slot. If the address is none of the DVIPAs yet, it becomes one that this stack owns.
    pub fn add_service(&mut self, dvipa: impl Into<IpAddr>, port: u16, ring: &[u16]) -> u32 {
        let dvipa = dvipa.into();
        let called = self.names.call(dvipa);
        if !self.index.contains_key(&ServiceKey::of_vipa(called)) {
            let roles = Roles {
                is_owned: true,
                is_distributed: true,
                ..Roles::default()
            };
            self.set_vipa(dvipa, roles, &[]);
        }
        let service = u32::try_from(self.services.len()).expect("few services");
        let key = ServiceKey::new(called, Be16::from_host(port), tcp::PROTOCOL);
        self.index.insert(key, service);
        self.services.push(Service::empty());
        self.tallies.extend((0..MAX_ROWS).map(|_| Tally::default()));
        self.set_ring(service, ring);
        service
    }

    /// Changes the ring of a service, and nothing of how a place of it is chosen.
    pub fn set_ring(&mut self, service: u32, ring: &[u16]) {
        let start = self.add_ring(ring);
        let len = u32::try_from(ring.len()).expect("short rings");
        let word = &self.services[service as usize].ring;
        let before = Ring::from_word(word.load());
        let ring = Ring {
            start,
            len,
            ..before
        };
        word.store(ring.following(before).word());
    }

    /// Changes how a place in the ring of a service is chosen.
    pub fn set_choice(&mut self, service: u32, choice: Choice) {
        let word = &self.services[service as usize].ring;
        let before = Ring::from_word(word.load());
        word.store(Ring { choice, ..before }.word());
    }

    /// Lets clients of a service keep their targets for so many seconds, of those in these slots.
    pub fn set_affinity(&mut self, service: u32, seconds: u16, ready: &[u16]) {
        let service = &self.services[service as usize];
        let mut rows = 0;
        for slot in ready {
            let row = slot % 32;
            rows |= 1 << row;
            service.rows[usize::from(row / 4)].set(u64::from(slot + 1) << (16 * (row % 4)));
        }
        let ready = rows;
        service.affinity.store(Affinity { seconds, ready }.word());
    }

    /// Gives the targets of a service weights, in the order of its ring.
    pub fn set_weights(&mut self, service: u32, weights: &[u8]) {
        let ring = Ring::from_word(self.services[service as usize].ring.load());
        let places = &self.rings[ring.start as usize..][..ring.len as usize];
        for (place, weight) in places.iter().zip(weights) {
            let entry = RingEntry::from_word(place.load()).expect("a place of a ring");
            let entry = RingEntry::new(entry.target(), entry.row());
            place.store(entry.weighted(*weight).word());
        }
    }

    fn add_ring(&mut self, targets: &[u16]) -> u32 {
        let start = u32::try_from(self.rings.len()).expect("short rings");
        let entries = targets
            .iter()
            .map(|&target| Word::new(RingEntry::new(target, target % 32).word()));
        self.rings.extend(entries);
        start
    }

    /// Changes how a target is reached.
    pub fn set_path(&self, slot: u16, path: Path) {
        self.targets[usize::from(slot)].set_path(path);
    }

    /// Says which DYNAMICXCF address a target has.
    pub fn set_identity(&self, slot: u16, address: impl Into<IpAddr>) {
        let words = probe::identity(address.into());
        for (place, word) in self.targets[usize::from(slot)].identity.iter().zip(words) {
            place.store(word);
        }
    }

    /// The key of a TCP flow; `None` when the DVIPA is IPv6 and has no name.
    pub fn flow_key(
        &self,
        client: impl Into<IpAddr>,
        client_port: u16,
        dvipa: impl Into<IpAddr>,
        port: u16,
    ) -> Option<FlowKey> {
        let (client, dvipa) = (client.into(), dvipa.into());
        let called = self.names.called(dvipa)?;
        let client = match client {
            IpAddr::V4(client) => u32::from_ne_bytes(client.octets()),
            IpAddr::V6(_) => hash::digest(probe::identity(client), self.digest_seeds()),
        };
        Some(FlowKey {
            addresses: u64::from(client) | u64::from(called.word) << 32,
            family: called.family,
            ..FlowKey::tcp([0; 4], client_port, [0; 4], port)
        })
    }

    /// The client of the flow in a slot, which is one of IPv6.
    #[must_use]
    pub fn client(&self, bucket: usize, slot: usize) -> [u64; 2] {
        let client = &self.clients[bucket * BUCKET_SLOTS + slot];
        client.address.each_ref().map(Word::load)
    }

    /// Sets the clock.
    pub fn set_now(&self, units: u16) {
        self.now.store(units, Relaxed);
    }

    /// Sets the clock that the daemon's silence is measured by.
    pub fn set_now_ns(&self, now_ns: u64) {
        self.now_ns.store(now_ns, Relaxed);
    }

    /// Whether the daemon lives.
    #[must_use]
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// All buckets.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// What was handed to a row of a service.
    #[must_use]
    pub fn tally(&self, service: u32, row: u16) -> &Tally {
        &self.tallies[(service * MAX_ROWS) as usize + usize::from(row)]
    }

    /// The SYNs that were sent to the stack in a slot, and those that were taken from it.
    #[must_use]
    pub fn syn_counts(&self, slot: u16) -> [u64; 2] {
        let syns = &self.syns[usize::from(slot)];
        [syns.sent.load(), syns.taken.load()]
    }

    /// New connections of a service by row.
    #[must_use]
    pub fn connection_counts(&self, service: u32) -> [u64; MAX_ROWS as usize] {
        let first = (service * MAX_ROWS) as usize;
        core::array::from_fn(|row| self.tallies[first + row].handed.load())
    }

    /// Address and port of the service that a flow asks for.
    fn service_of(&self, key: &FlowKey) -> (IpAddr, u16) {
        let Called { word, family } = key.dvipa();
        let dvipa = match family {
            Family::Ipv4 => IpAddr::from(word.to_ne_bytes()),
            Family::Ipv6 => self.names.address(word).expect("a name of ours").into(),
        };
        (dvipa, key.port().host())
    }

    /// All counters by their index.
    #[must_use]
    pub fn counters(&self) -> [u64; COUNTER_SLOTS] {
        core::array::from_fn(|index| self.counters[index].load(Relaxed))
    }
}
