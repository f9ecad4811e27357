//! What the stages ask of tables in plain memory.

use core::sync::atomic::Ordering::Relaxed;

use super::{HostTables, names};
use crate::abi::{
    Ends, Life, MAX_ROWS, NameBucket, NameTable, RingEntry, Sender, Service, ServiceKey, Syns,
    Tally, Target, TunnelKey, Vipa,
};
use crate::counter::{Event, Verdict};
use crate::flow::{self, BUCKET_SLOTS, Bucket, FlowKey, Stamp};
use crate::hash::{self, DIGEST_SEEDS};
use crate::stages;
use crate::tables::Tables;
use crate::word::Word;

impl Tables for &HostTables {
    fn prefilter(&self, index: usize) -> u64 {
        self.prefilter[index].load()
    }

    fn seeds(&self) -> [u64; 2] {
        self.seeds
    }

    fn choice_key(&self) -> [u64; 2] {
        self.choice_key
    }

    fn digest_seeds(&self) -> [u64; DIGEST_SEEDS] {
        hash::digest_seeds(self.seeds)
    }

    fn name_table(&self) -> NameTable {
        names::TABLE
    }

    fn name_bucket(&self, index: u32) -> Option<&NameBucket> {
        self.names.bucket(index)
    }

    fn put_aside(&self, ends: impl FnOnce() -> Ends) {
        self.names.put_aside(ends());
    }

    fn ends(&self) -> Ends {
        self.names.ends()
    }

    fn note_client(&self, hash: u64, slot: usize) {
        let (bucket, _) = flow::place(hash, self.buckets.len());
        let client = &self.clients[bucket * BUCKET_SLOTS + slot];
        for (place, word) in client.address.iter().zip(self.ends().client) {
            place.store(word);
        }
    }

    fn now(&self) -> Stamp {
        Stamp::from_jiffies(u64::from(self.now.load(Relaxed)), 0)
    }

    fn bucket(&self, hash: u64) -> &Bucket {
        &self.buckets[flow::place(hash, self.buckets.len()).0]
    }

    fn home(&self, hash: u64) -> usize {
        flow::place(hash, self.buckets.len()).1
    }

    fn service_index(&self, key: &ServiceKey) -> Option<u32> {
        self.index.get(key).copied()
    }

    fn service(&self, index: u32) -> Option<&Service> {
        self.services.get(index as usize)
    }

    fn ring_entry(&self, index: u32) -> Option<RingEntry> {
        RingEntry::from_word(self.rings.get(index as usize)?.load())
    }

    fn tally(&self, service: u32, row: u16) -> Option<&Tally> {
        self.tallies
            .get((service * MAX_ROWS) as usize + usize::from(row))
    }

    fn syns(&self, slot: u16) -> Option<&Syns> {
        self.syns.get(usize::from(slot))
    }

    fn target(&self, slot: u16) -> Option<&Target> {
        self.targets.get(usize::from(slot))
    }

    fn vipa(&self, index: u32) -> Option<&Vipa> {
        self.vipas.get(index as usize)
    }

    fn sender(&self, source: u64) -> Option<Sender> {
        let [mac @ .., _, _] = source.to_ne_bytes();
        self.senders.get(&mac).copied()
    }

    fn tunnel(&self, key: &TunnelKey) -> Option<Sender> {
        self.tunnels.get(key).copied()
    }

    fn budget(&self) -> Option<&Word> {
        Some(&self.budget)
    }

    fn life(&self) -> &Life {
        &self.life
    }

    fn now_ns(&self) -> u64 {
        self.now_ns.load(Relaxed)
    }

    fn has_connection(&self, key: &FlowKey) -> bool {
        self.sockets.contains(key)
    }

    fn has_listener(&self, key: &FlowKey) -> bool {
        let (service, is_known) = (self.service_of(key), self.has_connection(key));
        !is_known && self.listeners.contains(&service)
    }

    fn starts_here(&self) -> bool {
        self.starts_here
    }

    fn kept(&self, key: &FlowKey) -> Option<RingEntry> {
        let (slot, row) = self.kept.get(&self.service_of(key))?;
        Some(RingEntry::new(*slot, *row))
    }

    fn exceptional(&self, addresses: u64, rest: u64) -> u32 {
        stages::flow::exceptional(addresses, rest, *self)
    }

    fn unknown(&self, addresses: u64, rest: u64, source: u64) -> u32 {
        stages::flow::unknown(addresses, rest, source, *self)
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
