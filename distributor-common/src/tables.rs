//! The tables that the packet path reads, behind a trait.
//!
//! The kernel's program implements it by map look-ups, the host's tests by
//! plain memory. It returns copies, or references to shared [`Word`]s that
//! every access goes through whole; never a reference to a plain value in a
//! map. Time, seeds and sockets come in here too, because the stages have no
//! other door.
//!
//! [`Word`]: crate::word::Word

use crate::abi::{
    Ends, Life, NameBucket, NameTable, RingEntry, Sender, Service, ServiceKey, Syns, Tally, Target,
    TunnelKey, Vipa,
};
use crate::counter::{Event, Verdict};
use crate::flow::{BUCKET_SLOTS, Bucket, FlowKey, Slot, Stamp};
use crate::hash::DIGEST_SEEDS;
use crate::word::Word;

/// Everything that a stage may ask or tell apart from the packet itself.
///
/// What implements it is a handle of at most two words, so that a function of its own can be given
/// it in registers.
pub trait Tables: Copy {
    /// Word `index` of the prefilter, below [`crate::hash::PREFILTER_WORDS`].
    fn prefilter(&self, index: usize) -> u64;

    /// Seeds of the flow hash.
    fn seeds(&self) -> [u64; 2];

    /// Key of the hash by which connections are handed out where all stacks must choose alike.
    fn choice_key(&self) -> [u64; 2];

    /// Seeds of the digest of clients' IPv6 addresses.
    fn digest_seeds(&self) -> [u64; DIGEST_SEEDS];

    /// Where the names of IPv6 DVIPAs are at present.
    fn name_table(&self) -> NameTable;

    /// A bucket of names.
    fn name_bucket(&self, index: u32) -> Option<&NameBucket>;

    /// Puts the addresses of the IPv6 packet aside that is being decided about: what comes later knows
    /// them only by digest and name. They are asked for when it is clear where they go.
    fn put_aside(&self, ends: impl FnOnce() -> Ends);

    /// The addresses that were put aside last.
    fn ends(&self) -> Ends;

    /// Notes that the client that was put aside has the flow in a slot of the bucket of flows with
    /// this hash.
    fn note_client(&self, hash: u64, slot: usize);

    /// The present.
    fn now(&self) -> Stamp;

    /// The bucket of flows with this hash.
    fn bucket(&self, hash: u64) -> &Bucket;

    /// The number of the slot of that bucket which a flow with this hash gets first.
    fn home(&self, hash: u64) -> usize;

    /// The slot of that bucket which a flow with this hash gets after `others`, below
    /// [`BUCKET_SLOTS`], that are taken.
    #[inline(always)]
    fn slot(&self, hash: u64, others: usize) -> &Slot {
        &self.bucket(hash).slots[(self.home(hash) ^ others) % BUCKET_SLOTS]
    }

    /// Index of a service; with port 0, of a DVIPA.
    fn service_index(&self, key: &ServiceKey) -> Option<u32>;

    /// The service at an index.
    fn service(&self, index: u32) -> Option<&Service>;

    /// One place of a ring.
    fn ring_entry(&self, index: u32) -> Option<RingEntry>;

    /// What was handed to a service's row.
    fn tally(&self, service: u32, row: u16) -> Option<&Tally>;

    /// The SYNs to and from the stack in a slot.
    fn syns(&self, slot: u16) -> Option<&Syns>;

    /// The target in a slot.
    fn target(&self, slot: u16) -> Option<&Target>;

    /// The DVIPA at an index.
    fn vipa(&self, index: u32) -> Option<&Vipa>;

    /// The member that sends from an Ethernet address, given as 48 bits in the order of memory.
    fn sender(&self, source: u64) -> Option<Sender>;

    /// The member that sends packets inside others between two addresses.
    fn tunnel(&self, key: &TunnelKey) -> Option<Sender>;

    /// This CPU's budget of [`offers`](crate::stages::offer).
    fn budget(&self) -> Option<&Word>;

    /// Whether the daemon lives.
    fn life(&self) -> &Life;

    /// `CLOCK_MONOTONIC` in nanoseconds, as coarse as a jiffy.
    fn now_ns(&self) -> u64;

    /// Whether this host has a socket for the flow that is not a listener.
    fn has_connection(&self, key: &FlowKey) -> bool;

    /// Whether this host has a socket that listens for the flow's connection, and none of that connection
    /// itself.
    fn has_listener(&self, key: &FlowKey) -> bool;

    /// Whether the packets start on this host, rather than come to it.
    fn starts_here(&self) -> bool;

    /// This stack itself as a target of the service that a flow asks for, if connections that start
    /// here are to stay here while a server listens.
    fn kept(&self, key: &FlowKey) -> Option<RingEntry>;

    /// Calls [`flow::exceptional`](crate::stages::flow::exceptional).
    ///
    /// In the kernel this is a function that is verified once, whatever its callers know: what a packet
    /// is has many forms, and each of them would be followed through everything that comes after.
    fn exceptional(&self, addresses: u64, rest: u64) -> u32;

    /// Calls [`flow::unknown`](crate::stages::flow::unknown), likewise.
    fn unknown(&self, addresses: u64, rest: u64, source: u64) -> u32;

    /// Hands the packet to an interface; `false` if it cannot be sent to.
    fn redirect(&self, ifindex: u32) -> bool;

    /// Counts the end of a packet.
    fn count_verdict(&self, verdict: Verdict);

    /// Counts something beside it.
    fn count_event(&self, event: Event);
}
