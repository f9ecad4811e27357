//! The tables of the packet path as maps.

use core::marker::PhantomData;
use core::ptr::with_exposed_provenance_mut;

use aya_ebpf::bindings::{BPF_F_CURRENT_NETNS, bpf_sock_tuple};
use aya_ebpf::cty::c_void;
use aya_ebpf::helpers::generated::{
    bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_sk_release, bpf_skc_lookup_tcp,
};
use distributor_common::abi::{
    Ends, Family, Life, MAX_ROWS, MAX_TARGETS, NameBucket, NameTable, RingEntry, Sender, Service,
    ServiceKey, Syns, Tally, Target, TunnelKey, Vipa,
};
use distributor_common::counter::{COUNTER_SLOTS, Event, Verdict};
use distributor_common::flow::{BUCKET_SLOTS, Bucket, FlowKey, Slot, Stamp};
use distributor_common::hash::{DIGEST_SEEDS, PREFILTER_WORDS};
use distributor_common::stages::flow;
use distributor_common::tables::Tables;
use distributor_common::word::{Word, hidden};

use crate::maps::{self, SETTINGS};

/// State of a listening socket (`enum` in the kernel's `include/net/tcp_states.h`, UAPI as
/// `BPF_TCP_LISTEN`).
const TCP_LISTEN: u32 = 10;

/// The maps.
#[derive(Clone, Copy)]
pub(crate) struct KernelTables<S> {
    context: *mut c_void,
    side: PhantomData<S>,
}

/// What kinds of programs do differently.
pub(crate) trait Side: Copy {
    /// Whether the packets start on this host.
    const STARTS_HERE: bool;

    /// Hands the packet to an interface; `false` if it cannot be sent to.
    fn redirect(ifindex: u32) -> bool;

    /// Calls the program's own [`exceptional`].
    fn exceptional(context: *mut c_void, addresses: u64, rest: u64) -> u32;

    /// Calls the program's own [`unknown`].
    fn unknown(context: *mut c_void, addresses: u64, rest: u64, source: u64) -> u32;
}

impl<S> KernelTables<S> {
    /// The maps, for the program that was called with this context.
    #[inline(always)]
    pub(crate) fn new(context: *mut c_void) -> Self {
        Self {
            context,
            side: PhantomData,
        }
    }

    /// State of the socket that the kernel would give a segment of the flow to; 0 if there is none.
    #[inline(always)]
    fn socket_state(&self, key: &FlowKey) -> u32 {
        let family = u32::from(key.family as u8);
        socket_state(self.context, key.addresses, key.ports, family)
    }
}

/// A function of its own: what it needs of the stack is given back before anything else is done.
#[inline(never)]
fn socket_state(context: *mut c_void, addresses: u64, ports: u32, family: u32) -> u32 {
    let (mut tuple, size) = tuple(addresses, ports, Family::from_bit(family as u8));
    let tuple = (&raw mut tuple).cast::<bpf_sock_tuple>();
    let netns = i64::from(BPF_F_CURRENT_NETNS).cast_unsigned();
    // SAFETY: the context is the program's own, and the tuple has the size that is told.
    let socket = unsafe { bpf_skc_lookup_tcp(context, tuple, size, netns, 0) };
    if socket.is_null() {
        return 0;
    }
    // SAFETY: the socket is held until it is released below.
    let state = unsafe { (&raw const (*socket).state).read_volatile() };
    // SAFETY: the look-up above took a reference, which this gives back.
    unsafe { bpf_sk_release(socket.cast()) };
    state
}

/// A `bpf_sock_tuple` in words: source address, destination address, both ports.
type Tuple = [u32; 9];

const _: () = assert!(size_of::<Tuple>() == size_of::<bpf_sock_tuple>());

/// The addresses and ports of a flow as the kernel wants them, and how many bytes it is to read.
///
/// All words are written, also those that the kernel does not read: what is undefined the compiler may
/// leave in a register, where the kernel's verifier finds it.
#[inline(always)]
fn tuple(addresses: u64, ports: u32, family: Family) -> (Tuple, u32) {
    const WORD: u32 = 4;
    match family {
        Family::Ipv4 => {
            let (client, dvipa) = (addresses as u32, (addresses >> 32) as u32);
            ([client, dvipa, ports, 0, 0, 0, 0, 0, 0], 3 * WORD)
        }
        Family::Ipv6 => {
            let Ends { client, dvipa } = aside();
            let [c, d] = [client, dvipa].map(halves);
            let tuple = [c[0], c[1], c[2], c[3], d[0], d[1], d[2], d[3], ports];
            (tuple, 9 * WORD)
        }
    }
}

/// The addresses of the packet that this CPU is at work on, if they were put aside.
#[inline(always)]
fn aside() -> Ends {
    maps::ENDS.get_ptr(0).map_or(Ends::default(), |place| {
        // SAFETY: the value is this CPU's own, and nothing that could run in between writes it.
        unsafe { place.read_volatile() }
    })
}

/// The words of an address in words of half the length.
#[inline(always)]
const fn halves([first, second]: [u64; 2]) -> [u32; 4] {
    [
        first as u32,
        (first >> 32) as u32,
        second as u32,
        (second >> 32) as u32,
    ]
}

impl<S: Side> Tables for KernelTables<S> {
    #[inline(always)]
    fn prefilter(&self, index: usize) -> u64 {
        SETTINGS.prefilter[index % PREFILTER_WORDS].load()
    }

    #[inline(always)]
    fn seeds(&self) -> [u64; 2] {
        [SETTINGS.seeds[0].load(), SETTINGS.seeds[1].load()]
    }

    #[inline(always)]
    fn choice_key(&self) -> [u64; 2] {
        let [low, high] = &SETTINGS.choice_key;
        [low.load(), high.load()]
    }

    #[inline(always)]
    fn digest_seeds(&self) -> [u64; DIGEST_SEEDS] {
        SETTINGS.ipv6.digest_seeds.each_ref().map(Word::load)
    }

    #[inline(always)]
    fn name_table(&self) -> NameTable {
        NameTable::from_word(SETTINGS.ipv6.names.load())
    }

    #[inline(always)]
    fn name_bucket(&self, index: u32) -> Option<&NameBucket> {
        maps::NAMES.get(index)
    }

    #[inline(always)]
    fn put_aside(&self, ends: impl FnOnce() -> Ends) {
        if let Some(place) = maps::ENDS.get_ptr_mut(0) {
            // Word by word, or all of them would be on the stack in between.
            let Ends { client, dvipa } = ends();
            let words = [client[0], client[1], dvipa[0], dvipa[1]];
            for (index, word) in words.into_iter().enumerate() {
                let place = place.cast::<u64>().wrapping_add(index);
                // SAFETY: the value is this CPU's own, and only the packet that it is at work on is put
                // aside there; it has as many words.
                unsafe { place.write_volatile(word) };
            }
        }
    }

    #[inline(always)]
    fn ends(&self) -> Ends {
        aside()
    }

    #[inline(always)]
    fn note_client(&self, hash: u64, slot: usize) {
        let first = maps::slot_number(hash) / BUCKET_SLOTS * BUCKET_SLOTS;
        let client = maps::CLIENTS.get((first + slot) as u32);
        if let Some(client) = client {
            let [first, second] = self.ends().client;
            client.address[0].store(first);
            client.address[1].store(second);
        }
    }

    #[inline(always)]
    fn now(&self) -> Stamp {
        // SAFETY: the helper has no arguments.
        let jiffies = unsafe { bpf_jiffies64() };
        Stamp::from_jiffies(jiffies, SETTINGS.stamp_shift.load())
    }

    #[inline(always)]
    fn bucket(&self, hash: u64) -> &Bucket {
        maps::bucket(hash)
    }

    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        maps::slot_number(hash) % BUCKET_SLOTS
    }

    #[inline(always)]
    fn slot(&self, hash: u64, others: usize) -> &Slot {
        maps::slot(hash, others)
    }

    #[inline(always)]
    fn service_index(&self, key: &ServiceKey) -> Option<u32> {
        let value = maps::SERVICE_INDEX.get_ptr(key)?;
        // SAFETY: the value is never changed; a deleted entry's memory is not reused before the
        // program has ended.
        Some(unsafe { value.read_volatile() })
    }

    #[inline(always)]
    fn service(&self, index: u32) -> Option<&Service> {
        maps::SERVICES.get(index)
    }

    #[inline(always)]
    fn ring_entry(&self, index: u32) -> Option<RingEntry> {
        RingEntry::from_word(maps::RINGS.get(index)?.load())
    }

    #[inline(always)]
    fn tally(&self, service: u32, row: u16) -> Option<&Tally> {
        maps::CONNECTIONS.get(service * MAX_ROWS + u32::from(row))
    }

    #[inline(always)]
    fn syns(&self, slot: u16) -> Option<&Syns> {
        maps::SYNS.get(u32::from(slot))
    }

    #[inline(always)]
    fn target(&self, slot: u16) -> Option<&Target> {
        Some(&SETTINGS.targets[usize::from(slot) % MAX_TARGETS as usize])
    }

    #[inline(always)]
    fn vipa(&self, index: u32) -> Option<&Vipa> {
        maps::VIPAS.get(index)
    }

    #[inline(always)]
    fn sender(&self, source: u64) -> Option<Sender> {
        let value = maps::SENDERS.get_ptr(source)?;
        // SAFETY: a value is a word that is changed as a whole; a deleted entry's memory is not
        // reused before the program has ended.
        Sender::from_word(unsafe { value.read_volatile() })
    }

    #[inline(always)]
    fn tunnel(&self, key: &TunnelKey) -> Option<Sender> {
        let value = maps::TUNNELS.get_ptr(key)?;
        // SAFETY: as above.
        Sender::from_word(unsafe { value.read_volatile() })
    }

    #[inline(always)]
    fn budget(&self) -> Option<&Word> {
        maps::BUDGET.get(0)
    }

    #[inline(always)]
    fn life(&self) -> &Life {
        &SETTINGS.life
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        // SAFETY: the helper has no arguments.
        unsafe { bpf_ktime_get_coarse_ns() }
    }

    #[inline(always)]
    fn has_connection(&self, key: &FlowKey) -> bool {
        !matches!(self.socket_state(key), 0 | TCP_LISTEN)
    }

    #[inline(always)]
    fn has_listener(&self, key: &FlowKey) -> bool {
        self.socket_state(key) == TCP_LISTEN
    }

    #[inline(always)]
    fn starts_here(&self) -> bool {
        S::STARTS_HERE
    }

    #[inline(always)]
    fn kept(&self, key: &FlowKey) -> Option<RingEntry> {
        let service = ServiceKey::new(key.dvipa(), key.port(), key.protocol);
        let value = maps::KEPT.get_ptr(service)?;
        // SAFETY: a value is a word that is changed as a whole; a deleted entry's memory is not
        // reused before the program has ended.
        RingEntry::from_word(u64::from(unsafe { value.read_volatile() }))
    }

    #[inline(always)]
    fn exceptional(&self, addresses: u64, rest: u64) -> u32 {
        S::exceptional(self.context, addresses, rest)
    }

    #[inline(always)]
    fn unknown(&self, addresses: u64, rest: u64, source: u64) -> u32 {
        S::unknown(self.context, addresses, rest, source)
    }

    #[inline(always)]
    fn redirect(&self, ifindex: u32) -> bool {
        S::redirect(ifindex)
    }

    #[inline(always)]
    fn count_verdict(&self, verdict: Verdict) {
        count(verdict.index());
    }

    #[inline(always)]
    fn count_event(&self, event: Event) {
        count(event.index());
    }
}

/// A new connection, and all of a known one but a segment in its middle: what a program's function of this
/// name does, which the verifier looks at apart from who calls it.
#[inline(always)]
pub(crate) fn exceptional<S: Side>(context: *mut c_void, addresses: u64, rest: u64) -> u32 {
    // Of packets that come in nothing needs it, and the compiler would pass anything in its place; but the
    // verifier wants a context where one is declared.
    let context = hidden(context.expose_provenance() as u64) as usize;
    let tables = KernelTables::<S>::new(with_exposed_provenance_mut(context));
    flow::exceptional(addresses, rest, tables)
}

/// What is of no known connection and opens none: likewise.
#[inline(always)]
pub(crate) fn unknown<S: Side>(
    context: *mut c_void,
    addresses: u64,
    rest: u64,
    source: u64,
) -> u32 {
    flow::unknown(addresses, rest, source, KernelTables::<S>::new(context))
}

#[inline(always)]
fn count(index: usize) {
    // The compiler knows which verdicts there are, and would leave out what bounds them. The verifier does
    // not know what a function returns that it looks at by itself.
    let index = hidden(index as u64) as usize % COUNTER_SLOTS;
    // The counters are this CPU's own: nothing that could run in between counts on the same CPU.
    let counter = &maps::counters().0[index];
    counter.store(counter.load() + 1);
}
