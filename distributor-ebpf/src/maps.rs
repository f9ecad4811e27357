//! The maps of the packet path. `distributor_common::abi` says what lies in them.
//!
//! Arrays are made so that the daemon can map them into its memory. That also
//! aligns their values to pages, without which a bucket of flows would
//! straddle cache lines.

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray};
use distributor_common::abi::{
    Client, Counters, Ends, MAX_RING_ENTRIES, MAX_ROWS, MAX_SENDERS, MAX_SERVICES, MAX_TARGETS,
    MAX_TUNNELS, MAX_VIPAS, NAME_BUCKETS, NameBucket, Service, ServiceKey, Settings, Syns, Tally,
    TunnelKey, Vipa,
};
use distributor_common::flow::Bucket;
use distributor_common::word::Word;

#[map]
pub(crate) static SETTINGS: Array<Settings> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The loader sets how many buckets there are.
#[map]
pub(crate) static FLOWS: Array<Bucket> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The loader sets how many slots there are.
#[map]
pub(crate) static CLIENTS: Array<Client> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map]
pub(crate) static NAMES: Array<NameBucket> =
    Array::with_max_entries(2 * NAME_BUCKETS, BPF_F_MMAPABLE);

/// The addresses of the packet that a CPU is at work on, if they were put aside.
#[map]
pub(crate) static ENDS: PerCpuArray<Ends> = PerCpuArray::with_max_entries(1, 0);

#[map]
pub(crate) static SERVICE_INDEX: HashMap<ServiceKey, u32> =
    HashMap::with_max_entries(2 * MAX_SERVICES, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static SERVICES: Array<Service> = Array::with_max_entries(MAX_SERVICES, BPF_F_MMAPABLE);

#[map]
pub(crate) static RINGS: Array<Word> = Array::with_max_entries(MAX_RING_ENTRIES, BPF_F_MMAPABLE);

#[map]
pub(crate) static VIPAS: Array<Vipa> = Array::with_max_entries(MAX_VIPAS, BPF_F_MMAPABLE);

#[map]
pub(crate) static SENDERS: HashMap<u64, u32> =
    HashMap::with_max_entries(MAX_SENDERS, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static TUNNELS: HashMap<TunnelKey, u32> =
    HashMap::with_max_entries(MAX_TUNNELS, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static CONNECTIONS: Array<Tally> =
    Array::with_max_entries(MAX_SERVICES * MAX_ROWS, BPF_F_MMAPABLE);

#[map]
pub(crate) static SYNS: Array<Syns> = Array::with_max_entries(MAX_TARGETS, BPF_F_MMAPABLE);

#[map]
pub(crate) static KEPT: HashMap<ServiceKey, u32> =
    HashMap::with_max_entries(MAX_SERVICES, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// What each CPU has spent of its offers.
#[map]
pub(crate) static BUDGET: PerCpuArray<Word> = PerCpuArray::with_max_entries(1, 0);
