//! Packets and tables in plain memory, for tests and measurements on the host.
//!
//! Nothing in here is part of the product: the kernel's program has its maps,
//! and the daemon maps the same memory.

use core::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use crate::abi::{
    ADDRESS_MARK, MAX_ROWS, MAX_TARGETS, Path, Ring, RingEntry, Service, ServiceKey, Target,
};
use crate::counter::{COUNTER_SLOTS, Event, Verdict};
use crate::flow::{Bucket, FlowKey, Stamp};
use crate::hash::{self, PREFILTER_WORDS};
use crate::tables::Tables;
use crate::wire::{Be16, Be32, tcp};
use crate::word::Word;

pub mod frame;

/// Tables in plain memory.
#[derive(Debug)]
pub struct HostTables {
    seeds: [u64; 2],
    now: AtomicU16,
    prefilter: [Word; PREFILTER_WORDS],
    buckets: Box<[Bucket]>,
    index: BTreeMap<(u32, u16), u32>,
    services: Vec<Service>,
    rings: Vec<Word>,
    connections: Vec<Word>,
    targets: Vec<Target>,
    /// Interfaces that can be redirected to.
    pub interfaces: BTreeSet<u32>,
    /// Connections that this host has a socket for.
    pub sockets: Vec<FlowKey>,
    counters: [AtomicU64; COUNTER_SLOTS],
}

impl HostTables {
    /// Empty tables with `buckets` buckets of flows, a power of two.
    #[must_use]
    pub fn new(buckets: usize, seeds: [u64; 2]) -> Self {
        assert!(buckets.is_power_of_two());
        Self {
            seeds,
            now: AtomicU16::new(0),
            prefilter: core::array::from_fn(|_| Word::new(0)),
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
            index: BTreeMap::new(),
            services: Vec::new(),
            rings: Vec::new(),
            connections: Vec::new(),
            targets: (0..MAX_TARGETS).map(|_| Target::empty()).collect(),
            interfaces: BTreeSet::new(),
            sockets: Vec::new(),
            counters: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Distributes a port of an address over the targets in `ring`, whose row is their place in it.
    pub fn add_service(&mut self, dvipa: [u8; 4], port: u16, ring: &[u16]) -> u32 {
        let address = Be32::from_bytes(dvipa).0;
        let bit = hash::prefilter(address);
        self.prefilter[bit.word].set(bit.mask);
        self.index.insert((address, 0), ADDRESS_MARK);
        let service = u32::try_from(self.services.len()).expect("few services");
        self.index
            .insert((address, Be16::from_host(port).0), service);
        self.services.push(Service::empty());
        self.connections.extend((0..MAX_ROWS).map(|_| Word::new(0)));
        self.set_ring(service, ring);
        service
    }

    /// Changes the ring of a service.
    pub fn set_ring(&mut self, service: u32, ring: &[u16]) {
        let start = u32::try_from(self.rings.len()).expect("short rings");
        let len = u32::try_from(ring.len()).expect("short rings");
        let rows = (0u16..).map(|row| row % 32);
        let entries = ring
            .iter()
            .zip(rows)
            .map(|(&target, row)| Word::new(RingEntry::new(target, row).word()));
        self.rings.extend(entries);
        let word = &self.services[service as usize].ring;
        let edition = Ring::from_word(word.load()).edition.wrapping_add(1);
        word.store(
            Ring {
                start,
                len,
                edition,
            }
            .word(),
        );
    }

    /// Changes how a target is reached.
    pub fn set_path(&self, slot: u16, path: Path) {
        self.targets[usize::from(slot)].set_path(path);
    }

    /// Sets the clock.
    pub fn set_now(&self, units: u16) {
        self.now.store(units, Relaxed);
    }

    /// All buckets.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// New connections of a service by row.
    #[must_use]
    pub fn connection_counts(&self, service: u32) -> [u64; MAX_ROWS as usize] {
        let first = (service * MAX_ROWS) as usize;
        core::array::from_fn(|row| self.connections[first + row].load())
    }

    /// All counters by their index.
    #[must_use]
    pub fn counters(&self) -> [u64; COUNTER_SLOTS] {
        core::array::from_fn(|index| self.counters[index].load(Relaxed))
    }
}

impl Tables for &HostTables {
    fn prefilter(&self, index: usize) -> u64 {
        self.prefilter[index].load()
    }

    fn seeds(&self) -> [u64; 2] {
        self.seeds
    }

    fn now(&self) -> Stamp {
        Stamp::from_jiffies(u64::from(self.now.load(Relaxed)), 0)
    }

    fn bucket(&self, hash: u64) -> Option<&Bucket> {
        self.buckets
            .get((hash >> 32) as usize & (self.buckets.len() - 1))
    }

    fn service_index(&self, key: &ServiceKey) -> Option<u32> {
        if key.protocol != tcp::PROTOCOL {
            return None;
        }
        self.index.get(&(key.address[3], key.port.0)).copied()
    }

    fn service(&self, index: u32) -> Option<&Service> {
        self.services.get(index as usize)
    }

    fn ring_entry(&self, index: u32) -> Option<RingEntry> {
        RingEntry::from_word(self.rings.get(index as usize)?.load())
    }

    fn connections(&self, service: u32, row: u16) -> Option<&Word> {
        self.connections
            .get((service * MAX_ROWS) as usize + usize::from(row))
    }

    fn target(&self, slot: u16) -> Option<&Target> {
        self.targets.get(usize::from(slot))
    }

    fn has_connection(&self, key: &FlowKey) -> bool {
        self.sockets.contains(key)
    }

    fn redirect(&self, ifindex: u32) -> bool {
        self.interfaces.contains(&ifindex)
    }

    fn count_verdict(&self, verdict: Verdict) {
        self.counters[verdict.index()].fetch_add(1, Relaxed);
    }

    fn count_event(&self, event: Event) {
        self.counters[event.index()].fetch_add(1, Relaxed);
    }
}
