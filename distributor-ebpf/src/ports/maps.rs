//! The maps. `distributor_common::ports` says what lies in them.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, RingBuf, SockHash};
use distributor_common::ports::{
    ClientKey, KeptListener, ListenerKey, MAX_CLIENTS, MAX_KEEPING, MAX_LISTENERS, MAX_RULES,
    MAX_SHARES, Order, PORT_BLOCKS, PortBlock, PortEntry, RECENT_TURNS, Rule, Share, ShareKey,
    place,
};
use distributor_common::word::Word;

/// No program reads it: it tells one daemon what another has left.
#[map]
static EDITION: Array<[u64; 4]> = Array::with_max_entries(1, 0);

#[map]
static PORTS: Array<PortBlock> = Array::with_max_entries(PORT_BLOCKS, 0);

/// Two halves: the one in force, and the one that is being written.
#[map]
static RULES: Array<Rule> = Array::with_max_entries(2 * MAX_RULES, 0);

#[map]
pub(crate) static SHARES: HashMap<ShareKey, Share> =
    HashMap::with_max_entries(MAX_SHARES, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static ORDERS: HashMap<ShareKey, Order> =
    HashMap::with_max_entries(MAX_SHARES, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static LISTENERS: SockHash<ListenerKey> = SockHash::with_max_entries(MAX_LISTENERS, 0);

#[map]
static TURNS: Array<Word> = Array::with_max_entries(RECENT_TURNS, 0);

#[map]
pub(crate) static KEEPING: HashMap<ShareKey, u32> =
    HashMap::with_max_entries(MAX_KEEPING, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static CLIENTS: LruHashMap<ClientKey, KeptListener> =
    LruHashMap::with_max_entries(MAX_CLIENTS, 0);

/// Reports for the daemon; one that finds no room is lost, and with it only a line of a log.
#[map]
pub(crate) static PORT_REPORT: RingBuf = RingBuf::with_byte_size(64 << 10, 0);

/// What is said of a port.
#[inline(always)]
pub(crate) fn entry(is_udp: bool, port: u16) -> PortEntry {
    let (block, at) = place(is_udp, port);
    let Some(block) = PORTS.get_ptr(block) else {
        return PortEntry::default();
    };
    // SAFETY: `at` is below the number of ports in a block, and the kernel's maps live on.
    unsafe { block.cast::<PortEntry>().wrapping_add(at).read_volatile() }
}

#[inline(always)]
pub(crate) fn rule(index: u32) -> Option<&'static Rule> {
    RULES.get(index)
}

/// Where the turn of the connection with this hash is remembered.
#[inline(always)]
pub(crate) fn turn(hash: u64) -> Option<&'static Word> {
    TURNS.get(hash as u32 % RECENT_TURNS)
}
