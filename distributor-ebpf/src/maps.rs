//! The maps of the packet path. `distributor_common::abi` says what lies in them.
//!
//! Arrays are made so that the daemon can map them into its memory. That also
//! aligns their values to pages, without which a bucket of flows would
//! straddle cache lines. What every packet needs is in sections of the object
//! instead: the kernel puts the address of such a map's only value into the
//! program, and nothing is looked up. The loader makes these maps too, and as
//! large as they are to be.

use core::hint::assert_unchecked;
use core::mem::zeroed;

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray};
use distributor_common::abi::{
    Client, Counters, Ends, MAX_RING_ENTRIES, MAX_ROWS, MAX_SENDERS, MAX_SERVICES, MAX_TARGETS,
    MAX_TUNNELS, MAX_VIPAS, NAME_BUCKETS, NameBucket, Service, ServiceKey, Settings, Syns, Tally,
    TunnelKey, Vipa,
};
use distributor_common::flow::{BUCKET_SLOTS, Bucket, Slot, slot_shift};
use distributor_common::word::Word;

#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.settings")]
// SAFETY: words of 0, all of it.
pub(crate) static SETTINGS: Settings = unsafe { zeroed() };

/// One bucket at first; the loader makes a map of as many as there are to be.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.flows")]
// SAFETY: words of 0, all of it.
static FLOWS: [Bucket; 1] = unsafe { zeroed() };

/// [`slot_shift`] of the number of buckets; the loader sets it.
#[unsafe(no_mangle)]
static SLOT_SHIFT: u64 = slot_shift(1);

/// One for each CPU; the loader makes them.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.counters")]
// SAFETY: words of 0, all of it.
static COUNTERS: [Counters; 1] = unsafe { zeroed() };

/// Number of CPUs less one, rounded up to one less than a power of two; the loader sets it.
#[unsafe(no_mangle)]
static CPU_MASK: u64 = 0;

/// The bucket of flows with this hash.
#[inline(always)]
pub(crate) fn bucket(hash: u64) -> &'static Bucket {
    let number = slot_number(hash) / BUCKET_SLOTS;
    // SAFETY: the loader has made a map of just as many slots as there are numbers; the kernel's
    // verifier knows both.
    unsafe { &*flows().wrapping_add(number) }
}

/// The slot that a flow with this hash gets when `others`, below [`BUCKET_SLOTS`], are taken.
#[inline(always)]
pub(crate) fn slot(hash: u64, others: usize) -> &'static Slot {
    let number = slot_number(hash) ^ others;
    // SAFETY: as above.
    unsafe { &*flows().cast::<Slot>().wrapping_add(number) }
}

/// Its number, counted over all buckets.
#[inline(always)]
pub(crate) fn slot_number(hash: u64) -> usize {
    // SAFETY: the variable is valid; it is read as volatile because the loader has replaced the value
    // that the compiler knows.
    let shift = unsafe { (&raw const SLOT_SHIFT).read_volatile() };
    // SAFETY: as above.
    unsafe { assert_unchecked(shift < u64::BITS.into()) };
    (hash >> shift) as usize
}

/// The counters of this CPU.
#[inline(always)]
pub(crate) fn counters() -> &'static Counters {
    // SAFETY: as above.
    let mask = unsafe { (&raw const CPU_MASK).read_volatile() };
    // SAFETY: the helper has no arguments.
    let cpu = u64::from(unsafe { bpf_get_smp_processor_id() }) & mask;
    let first = all_counters();
    // SAFETY: as above.
    unsafe { &*first.wrapping_add(cpu as usize) }
}

/// Where a map's value begins, as a pointer of which the compiler does not know how little is behind it.
#[cfg(target_arch = "bpf")]
macro_rules! beginning {
    ($name:ident, $map:ident, $value:ty) => {
        #[inline(always)]
        fn $name() -> *const $value {
            let address: *const $value;
            // SAFETY: the instruction loads an address.
            unsafe {
                core::arch::asm!(
                    "{} = {} ll",
                    out(reg) address,
                    sym $map,
                    options(pure, nomem, nostack),
                );
            }
            address
        }
    };
}

/// Where a map's value begins.
#[cfg(not(target_arch = "bpf"))]
macro_rules! beginning {
    ($name:ident, $map:ident, $value:ty) => {
        fn $name() -> *const $value {
            (&raw const $map).cast()
        }
    };
}

beginning!(flows, FLOWS, Bucket);
beginning!(all_counters, COUNTERS, Counters);

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

/// What each CPU has spent of its offers.
#[map]
pub(crate) static BUDGET: PerCpuArray<Word> = PerCpuArray::with_max_entries(1, 0);
