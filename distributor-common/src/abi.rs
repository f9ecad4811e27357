//! What lies in the maps, and how large it is.
//!
//! A pinned map is reused as it is, even by a daemon that was built with other
//! types; so every layout here is fixed by an assertion, and [`ABI_VERSION`]
//! changes whenever the meaning of a byte does. Values that change while
//! packets flow are [`Word`]s; nothing here is ever edited in place in two
//! steps that a packet could see half done.

use crate::counter::COUNTER_SLOTS;
use crate::hash::{DIGEST_SEEDS, PREFILTER_WORDS};
use crate::word::Word;

pub use self::life::{Life, PROBE_KEYS, ProbeState};
pub use self::name::{
    Called, Client, Ends, Family, NAME_BUCKETS, NAME_ENTRIES, Name, NameBucket, NameTable,
};
pub use self::service::{Affinity, Choice, Ring, RingEntry, Service, ServiceKey, Tally};
pub use self::target::{Path, PathKind, PathState, Syns, Target};
pub use self::tunnel::{Encapsulation, Tunnel, TunnelKey};
pub use self::vipa::{Member, Roles, Sender, Standing, Vipa};

mod life;
mod name;
mod service;
mod target;
mod tunnel;
mod vipa;

/// Version of everything in this module and in [`crate::flow`].
pub const ABI_VERSION: u64 = 9;

/// Number of services that can exist at once.
pub const MAX_SERVICES: u32 = 1 << 16;
/// Number of targets of one service (`VIPADISTRIBUTE` allows 32 `DESTIP` addresses).
pub const MAX_ROWS: u32 = 32;
/// Number of target slots: stacks of the group, and former ones to which flows still lead.
pub const MAX_TARGETS: u32 = 1024;
/// Number of DVIPAs that can be on a stack at once.
pub const MAX_VIPAS: u32 = 1 << 12;
/// Number of Ethernet addresses from which members send.
pub const MAX_SENDERS: u32 = 1 << 12;
/// Number of pairs of addresses between which members send encapsulated packets.
pub const MAX_TUNNELS: u32 = 1 << 14;
/// Number of places in all rings together; services with the same ring share it.
pub const MAX_RING_ENTRIES: u32 = 1 << 20;
/// Number of interfaces that packets can be redirected to.
pub const MAX_INTERFACES: u32 = 256;

/// Names of the maps, as in the object file and under the pin directory.
pub mod map {
    /// [`super::Settings`], one value.
    pub const SETTINGS: &str = "SETTINGS";
    /// [`crate::flow::Bucket`]s, a power of two of them.
    pub const FLOWS: &str = "FLOWS";
    /// [`super::Client`]s of the slots of `FLOWS`, in the same order.
    pub const CLIENTS: &str = "CLIENTS";
    /// [`super::NameBucket`]s, two halves of [`super::NAME_BUCKETS`].
    pub const NAMES: &str = "NAMES";
    /// [`super::ServiceKey`] → index into `SERVICES`; with port 0, into `VIPAS`.
    pub const SERVICE_INDEX: &str = "SERVICE_INDEX";
    /// [`super::Service`]s.
    pub const SERVICES: &str = "SERVICES";
    /// [`super::RingEntry`]s of all services, and of the offers of all DVIPAs.
    pub const RINGS: &str = "RINGS";
    /// [`super::Vipa`]s.
    pub const VIPAS: &str = "VIPAS";
    /// Ethernet address (the lower 48 bits of a word, in the order of memory) → [`super::Sender`].
    pub const SENDERS: &str = "SENDERS";
    /// [`super::TunnelKey`] → [`super::Sender`].
    pub const TUNNELS: &str = "TUNNELS";
    /// [`super::Tally`]s per service × row.
    pub const CONNECTIONS: &str = "CONNECTIONS";
    /// [`super::Syns`] by target slot.
    pub const SYNS: &str = "SYNS";
    /// [`super::ServiceKey`] → [`super::RingEntry`] of this stack itself, of the services of which it
    /// keeps connections that start here; one word each.
    pub const KEPT: &str = "KEPT";
    /// Interfaces to redirect to, by their index.
    pub const TRANSMIT: &str = "TRANSMIT";
    /// [`super::Counters`] by CPU, a power of two of them.
    pub const COUNTERS: &str = "COUNTERS";
    /// What each CPU has spent of its [offers](crate::stages::offer), one word.
    pub const BUDGET: &str = "BUDGET";
}

/// Sections of the objects that are maps of one value, whose address is in the programs; and what the
/// programs have to know of how long these are.
pub mod section {
    /// That of the map [`SETTINGS`](super::map::SETTINGS).
    pub const SETTINGS: &str = ".bss.settings";
    /// That of the map [`FLOWS`](super::map::FLOWS).
    pub const FLOWS: &str = ".bss.flows";
    /// That of the map [`COUNTERS`](super::map::COUNTERS).
    pub const COUNTERS: &str = ".bss.counters";
    /// A constant: [`crate::flow::slot_shift`] of the number of buckets.
    pub const SLOT_SHIFT: &str = "SLOT_SHIFT";
    /// A constant: the number of CPUs' [`super::Counters`] less one.
    pub const CPU_MASK: &str = "CPU_MASK";
}

/// Names of the programs.
pub mod program {
    /// The packet path.
    pub const DISTRIBUTE: &str = "distribute";
    /// Sends what starts on this host for a DVIPA the way of a client's packets.
    pub const SEND_OWN: &str = "send_own";
    /// Chooses the address that a connection to a DVIPA starts from; an IPv4 socket's.
    pub const CHOOSE_SOURCE4: &str = "choose_source4";
    /// The same for an IPv6 socket.
    pub const CHOOSE_SOURCE6: &str = "choose_source6";
    /// Writes `bpf_jiffies64` and `bpf_ktime_get_ns` into the packet; only ever test-run.
    pub const READ_CLOCKS: &str = "read_clocks";
}

/// The one value of `SETTINGS`: what a packet of a known flow reads beside its bucket, found by one
/// look-up. All before [`Life`] but the word for names is written once, before any packet.
#[derive(Debug)]
#[repr(C)]
pub struct Settings {
    /// [`ABI_VERSION`] of the daemon that created the maps; 0 until all else is written.
    pub abi_version: Word,
    /// `SO_NETNS_COOKIE` of the namespace that the maps serve.
    pub netns_cookie: Word,
    /// Seeds of the flow hash, both odd.
    pub seeds: [Word; 2],
    /// Not used; 0.
    pub reserved: Word,
    /// Jiffies are shifted right by this to make the stamp of a flow.
    pub stamp_shift: Word,
    /// Key of the hash by which a [`Choice::Hash`] is made: the group's, on every stack the same.
    pub choice_key: [Word; 2],
    /// What packets of IPv6 read besides.
    pub ipv6: Ipv6Settings,
    /// Whether the daemon lives.
    pub life: Life,
    /// Bit `hash::prefilter(address)`, or for IPv6 that of `hash::prefilter_ipv6`, is set for every
    /// DVIPA and every address with flows.
    pub prefilter: [Word; PREFILTER_WORDS],
    /// Targets by their slot.
    pub targets: [Target; MAX_TARGETS as usize],
}

/// What packets of IPv6 need of the settings.
#[derive(Debug)]
#[repr(C)]
pub struct Ipv6Settings {
    /// Seeds of the [digest](crate::hash::digest) of clients' addresses.
    pub digest_seeds: [Word; DIGEST_SEEDS],
    /// A [`NameTable`].
    pub names: Word,
    /// Not used; 0.
    pub reserved: [Word; 2],
}

/// One CPU's counters; [`crate::counter`] says which is which.
#[derive(Debug)]
#[repr(C)]
pub struct Counters(pub [Word; COUNTER_SLOTS]);

const _: () = {
    assert!(size_of::<Settings>() == 320 + 8 * PREFILTER_WORDS + 128 * MAX_TARGETS as usize);
    assert!(size_of::<ServiceKey>() == 8);
    assert!(size_of::<Client>() == 16);
    assert!(size_of::<Ipv6Settings>() == 64);
    assert!(size_of::<Service>() == 128);
    assert!(size_of::<Tally>() == 16);
    assert!(size_of::<Target>() == 128);
    assert!(size_of::<Syns>() == 16);
    assert!(size_of::<TunnelKey>() == 32);
    assert!(size_of::<Vipa>() == 64);
    assert!(size_of::<Life>() == 192);
    assert!(size_of::<Counters>() == 1024);
};

#[cfg(test)]
mod tests;
