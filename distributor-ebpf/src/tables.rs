//! The tables of the packet path as maps.

use core::marker::PhantomData;

use aya_ebpf::bindings::{
    BPF_F_CURRENT_NETNS, bpf_sock_tuple, bpf_sock_tuple__bindgen_ty_1,
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
};
use aya_ebpf::cty::c_void;
use aya_ebpf::helpers::generated::{
    bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_sk_release, bpf_skc_lookup_tcp,
};
use distributor_common::abi::{
    Ends, Family, Life, MAX_ROWS, MAX_TARGETS, NameBucket, NameTable, RingEntry, Sender, Service,
    ServiceKey, Settings, Syns, Tally, Target, TunnelKey, Vipa,
};
use distributor_common::counter::{COUNTER_SLOTS, Event, Verdict};
use distributor_common::flow::{BUCKET_SLOTS, Bucket, FlowKey, Stamp};
use distributor_common::hash::{DIGEST_SEEDS, PREFILTER_WORDS};
use distributor_common::tables::Tables;
use distributor_common::word::Word;

use crate::maps;

/// State of a listening socket (`enum` in the kernel's `include/net/tcp_states.h`, UAPI as
/// `BPF_TCP_LISTEN`).
const TCP_LISTEN: u32 = 10;

/// The maps, with the one value that every packet needs already looked up.
#[derive(Clone, Copy)]
pub(crate) struct KernelTables<S> {
    context: *mut c_void,
    settings: &'static Settings,
    side: PhantomData<S>,
}

/// What kinds of programs do differently.
pub(crate) trait Side: Copy {
    /// Whether the packets start on this host.
    const STARTS_HERE: bool;

    /// Hands the packet to an interface; `false` if it cannot be sent to.
    fn redirect(ifindex: u32) -> bool;
}

impl<S> KernelTables<S> {
    /// Looks up the settings.
    #[inline(always)]
    pub(crate) fn open(context: *mut c_void) -> Option<Self> {
        Some(Self::new(context, maps::SETTINGS.get(0)?))
    }

    /// The same maps with settings that were looked up before.
    #[inline(always)]
    pub(crate) fn new(context: *mut c_void, settings: &'static Settings) -> Self {
        Self {
            context,
            settings,
            side: PhantomData,
        }
    }

    /// What was looked up.
    #[inline(always)]
    pub(crate) fn settings(&self) -> &'static Settings {
        self.settings
    }

    /// State of the socket that the kernel would give a segment of the flow to; 0 if there is none.
    #[inline(always)]
    fn socket_state(&self, key: &FlowKey) -> u32 {
        let (mut tuple, size) = tuple(key);
        let netns = i64::from(BPF_F_CURRENT_NETNS).cast_unsigned();
        // SAFETY: the context is the program's own, and the tuple has the size that is told.
        let socket = unsafe { bpf_skc_lookup_tcp(self.context, &raw mut tuple, size, netns, 0) };
        if socket.is_null() {
            return 0;
        }
        // SAFETY: the socket is held until it is released below.
        let state = unsafe { (&raw const (*socket).state).read_volatile() };
        // SAFETY: the look-up above took a reference, which this gives back.
        unsafe { bpf_sk_release(socket.cast()) };
        state
    }
}

/// The addresses and ports of a flow as the kernel wants them, and how long they are.
#[inline(always)]
fn tuple(key: &FlowKey) -> (bpf_sock_tuple, u32) {
    let (sport, dport) = (key.client_port().0, key.port().0);
    match key.family {
        Family::Ipv4 => {
            let ipv4 = bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 {
                saddr: key.client().0,
                daddr: key.dvipa().word,
                sport,
                dport,
            };
            let __bindgen_anon_1 = bpf_sock_tuple__bindgen_ty_1 { ipv4 };
            (
                bpf_sock_tuple { __bindgen_anon_1 },
                size_of_val(&ipv4) as u32,
            )
        }
        Family::Ipv6 => {
            let Ends { client, dvipa } = aside();
            let ipv6 = bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 {
                saddr: halves(client),
                daddr: halves(dvipa),
                sport,
                dport,
            };
            let __bindgen_anon_1 = bpf_sock_tuple__bindgen_ty_1 { ipv6 };
            (
                bpf_sock_tuple { __bindgen_anon_1 },
                size_of_val(&ipv6) as u32,
            )
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
        self.settings.prefilter[index % PREFILTER_WORDS].load()
    }

    #[inline(always)]
    fn seeds(&self) -> [u64; 2] {
        [self.settings.seeds[0].load(), self.settings.seeds[1].load()]
    }

    #[inline(always)]
    fn choice_key(&self) -> [u64; 2] {
        let [low, high] = &self.settings.choice_key;
        [low.load(), high.load()]
    }

    #[inline(always)]
    fn digest_seeds(&self) -> [u64; DIGEST_SEEDS] {
        self.settings.ipv6.digest_seeds.each_ref().map(Word::load)
    }

    #[inline(always)]
    fn name_table(&self) -> NameTable {
        NameTable::from_word(self.settings.ipv6.names.load())
    }

    #[inline(always)]
    fn name_bucket(&self, index: u32) -> Option<&NameBucket> {
        maps::NAMES.get(index)
    }

    #[inline(always)]
    fn put_aside(&self, ends: Ends) {
        if let Some(place) = maps::ENDS.get_ptr_mut(0) {
            // SAFETY: the value is this CPU's own, and only the packet that it is at work on is put
            // aside there.
            unsafe { place.write_volatile(ends) };
        }
    }

    #[inline(always)]
    fn ends(&self) -> Ends {
        aside()
    }

    #[inline(always)]
    fn note_client(&self, hash: u64, slot: usize) {
        let bucket = (hash >> 32) as u32 & self.settings.bucket_mask.load() as u32;
        let client = maps::CLIENTS.get(bucket * BUCKET_SLOTS as u32 + slot as u32);
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
        Stamp::from_jiffies(jiffies, self.settings.stamp_shift.load())
    }

    #[inline(always)]
    fn bucket(&self, hash: u64) -> Option<&Bucket> {
        maps::FLOWS.get((hash >> 32) as u32 & self.settings.bucket_mask.load() as u32)
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
        Some(&self.settings.targets[usize::from(slot) % MAX_TARGETS as usize])
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
        &self.settings.life
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

#[inline(always)]
fn count(index: usize) {
    // The look-up of an array's only value never fails; the verifier wants the question asked.
    let Some(counters) = maps::COUNTERS.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the index is in bounds, and the counters are this CPU's own: nothing that could run in
    // between counts on the same CPU.
    unsafe {
        let counter = (&raw mut (*counters).0[index % COUNTER_SLOTS]).cast::<u64>();
        *counter += 1;
    }
}
