//! What the profile's PORT and PORTRANGE say, as the kernel's programs read it, and what they report.
//!
//! A port leads to its rules, which stand one behind the other: the first that
//! admits a program decides what its bind becomes. A port that several servers
//! share leads besides to its listeners, who get connections in turn, or keep
//! their clients. Nothing in here knows which program binds, or which sockets
//! still live.

mod kept;
mod name;
mod turn;

pub use kept::{ClientKey, KeptListener, give_kept};
pub use name::{Job, Name};
pub use turn::{Listeners, MAX_PLACES, Order, OrderWords, RecentTurn, Share, share, take_turn};

/// Version of everything in this module; pinned maps of another one are not taken over.
pub const ABI_VERSION: u64 = 2;

/// Ports of one element of the map `PORTS`.
pub const PORTS_PER_BLOCK: usize = 64;
/// Elements of the map `PORTS`: those of TCP, then those of UDP.
pub const PORT_BLOCKS: u32 = 2 * 65_536 / 64;
/// Rules that are in force at most; as many more are being written.
pub const MAX_RULES: u32 = 8_000;
/// Rules of one port at most.
pub const MAX_RULES_OF_PORT: u32 = 32;
/// Pairs of address and port that are shared at most.
pub const MAX_SHARES: u32 = 1_024;
/// Listeners of all shared ports at most.
pub const MAX_LISTENERS: u32 = 8_192;
/// Listeners that share one address and port at most.
pub const MAX_SLOTS: u64 = 64;
/// Pairs of DVIPA and port whose clients keep their listeners at most.
pub const MAX_KEEPING: u32 = 1 << 16;
/// Clients that keep a listener at most; one more, and another that has not come for long is forgotten.
pub const MAX_CLIENTS: u32 = 1 << 16;
/// Connections whose turn is remembered; a power of two.
pub const RECENT_TURNS: u32 = 16_384;

/// Names of the programs and the maps.
pub mod object {
    /// Decides about a bind of an IPv4 socket.
    pub const GOVERN_BIND4: &str = "govern_bind4";
    /// Decides about a bind of an IPv6 socket.
    pub const GOVERN_BIND6: &str = "govern_bind6";
    /// Takes note of listeners on shared ports.
    pub const NOTE_LISTENER: &str = "note_listener";
    /// Gives a new connection to the listener whose turn it is.
    pub const HAND_OUT: &str = "hand_out";

    /// One element: `[ABI_VERSION, cookie of the network namespace, settings that were changed]`, the
    /// last two words a setting each.
    pub const EDITION: &str = "EDITION";
    /// [`PortEntry`](super::PortEntry) by protocol and port.
    pub const PORTS: &str = "PORTS";
    /// [`Rule`](super::Rule)s.
    pub const RULES: &str = "RULES";
    /// [`Share`](super::Share) by [`ShareKey`](super::ShareKey).
    pub const SHARES: &str = "SHARES";
    /// [`Order`](super::Order) by [`ShareKey`](super::ShareKey), of those whose listeners weigh differently.
    pub const ORDERS: &str = "ORDERS";
    /// Sockets by [`ListenerKey`](super::ListenerKey).
    pub const LISTENERS: &str = "LISTENERS";
    /// [`RecentTurn`](super::RecentTurn)s.
    pub const TURNS: &str = "TURNS";
    /// Seconds for which clients keep their listeners, by [`ShareKey`](super::ShareKey).
    pub const KEEPING: &str = "KEEPING";
    /// [`KeptListener`](super::KeptListener) by [`ClientKey`](super::ClientKey).
    pub const CLIENTS: &str = "CLIENTS";
    /// [`PortReport`](super::PortReport)s.
    pub const PORT_REPORT: &str = "PORT_REPORT";

    /// The variable with the cookie of the stack's network namespace.
    pub const NETNS_COOKIE: &str = "NETNS_COOKIE";
    /// The variable with the [`Layout`](super::Layout).
    pub const LAYOUT: &str = "LAYOUT";
}

/// Where the running kernel keeps what its helpers do not tell; found in its type information.
///
/// Offsets in bytes, by the constants of [`layout`]; all zero when they are not known.
pub type Layout = [u32; layout::FIELDS];

/// Indices of a [`Layout`].
pub mod layout {
    /// How many there are.
    pub const FIELDS: usize = 7;
    /// `task_struct.cgroups`.
    pub const TASK_CGROUPS: usize = 0;
    /// `css_set.dfl_cgrp`.
    pub const SET_CGROUP: usize = 1;
    /// `cgroup.kn`.
    pub const CGROUP_NODE: usize = 2;
    /// `kernfs_node.name`.
    pub const NODE_NAME: usize = 3;
    /// `kernfs_node.__parent`, which was `parent` before Linux 6.15.
    pub const NODE_PARENT: usize = 4;
    /// The byte of `sock_common` that has `skc_ipv6only`.
    pub const SOCKET_V6ONLY_BYTE: usize = 5;
    /// Its bit in that byte, as a mask.
    pub const SOCKET_V6ONLY_MASK: usize = 6;
}

/// What is said of one port: where its rules begin, and whether it is shared.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortEntry(u16);

const _: () = assert!(2 * MAX_RULES < PortEntry::RULE as u32);

impl PortEntry {
    const RULE: u16 = 0x3fff;
    const IS_SHARED: u16 = 0x8000;
    const IS_IN_TURN: u16 = 0x4000;

    /// An entry whose rules begin at index `rule`, below twice [`MAX_RULES`].
    #[must_use]
    pub const fn at(rule: u16, is_shared: bool) -> Self {
        let shared = if is_shared { Self::IS_SHARED } else { 0 };
        Self((rule + 1) & Self::RULE | shared)
    }

    /// The same with its listeners in turn, or left to the kernel.
    #[must_use]
    pub const fn in_turn(self, is_in_turn: bool) -> Self {
        let in_turn = if is_in_turn { Self::IS_IN_TURN } else { 0 };
        Self(self.0 & !Self::IS_IN_TURN | in_turn)
    }

    /// Index of the first rule; `None` where nothing is said of the port.
    #[inline(always)]
    #[must_use]
    pub const fn rule(self) -> Option<u32> {
        match self.0 & Self::RULE {
            0 => None,
            rule => Some(rule as u32 - 1),
        }
    }

    /// As it lies in the map.
    #[must_use]
    pub const fn word(self) -> u16 {
        self.0
    }

    /// From what lies in the map.
    #[must_use]
    pub const fn of(word: u16) -> Self {
        Self(word)
    }

    /// Whether several servers may listen.
    #[inline(always)]
    #[must_use]
    pub const fn is_shared(self) -> bool {
        self.0 & Self::IS_SHARED != 0
    }

    /// Whether the listeners get connections in turn: all of them are known.
    #[inline(always)]
    #[must_use]
    pub const fn is_in_turn(self) -> bool {
        self.0 & Self::IS_IN_TURN != 0
    }
}

/// The ports of one element of the map `PORTS`.
pub type PortBlock = [PortEntry; PORTS_PER_BLOCK];

/// The element of the map `PORTS` for a port, and the place in it.
#[inline(always)]
#[must_use]
pub const fn place(is_udp: bool, port: u16) -> (u32, usize) {
    let block = port as u32 / PORTS_PER_BLOCK as u32;
    let block = if is_udp {
        block + PORT_BLOCKS / 2
    } else {
        block
    };
    (block, port as usize % PORTS_PER_BLOCK)
}

/// One entry of PORT or PORTRANGE: whom it admits, and what becomes of a bind.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Who may bind.
    pub job: Job,
    /// The address instead of `::`, in network byte order.
    pub bind6: [u32; 4],
    /// The address instead of `0.0.0.0`, in network byte order.
    pub bind4: u32,
    /// Bits, see the constants.
    pub flags: u32,
}

const _: () = assert!(size_of::<Rule>() == 48);

impl Rule {
    /// The rule of the same port that follows in the map is the next.
    pub const HAS_NEXT: u32 = 1;
    /// Nobody may bind.
    pub const NOBODY: u32 = 1 << 1;
    /// Several servers may listen.
    pub const SHARED: u32 = 1 << 2;
    /// `bind4` counts.
    pub const BIND4: u32 = 1 << 3;
    /// `bind6` counts; a v4-mapped address in it serves no socket for IPv6 only.
    pub const BIND6: u32 = 1 << 4;
    /// Programs of whatever name are admitted.
    pub const ANYBODY: u32 = 1 << 5;

    /// As it lies in the map.
    #[must_use]
    pub fn words(&self) -> [u64; 6] {
        let [job, mask, is_whole] = self.job.words();
        let [a, b, c, d] = self.bind6;
        let pair = |low: u32, high: u32| {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&low.to_ne_bytes());
            bytes[4..].copy_from_slice(&high.to_ne_bytes());
            u64::from_ne_bytes(bytes)
        };
        [
            job,
            mask,
            is_whole,
            pair(a, b),
            pair(c, d),
            pair(self.bind4, self.flags),
        ]
    }

    /// Whether one of these is set.
    #[inline(always)]
    #[must_use]
    pub const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// One address and port that servers share.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareKey {
    /// In network byte order, IPv4 mapped into IPv6; `::` for every address of either.
    pub address: [u32; 4],
    /// Port, host order.
    pub port: u32,
}

impl ShareKey {
    /// From what lies in the map.
    #[must_use]
    pub const fn of([a, b, c, d, port]: [u32; 5]) -> Self {
        let address = [a, b, c, d];
        Self { address, port }
    }

    /// As it lies in the map.
    #[must_use]
    pub const fn words(self) -> [u32; 5] {
        let [a, b, c, d] = self.address;
        [a, b, c, d, self.port]
    }
}

/// One listener of a [`Share`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerKey {
    /// What it shares.
    pub share: ShareKey,
    /// Its slot, below [`MAX_SLOTS`].
    pub slot: u32,
}

const _: () = assert!(size_of::<ListenerKey>() == 24);

impl ListenerKey {
    /// As it lies in the map.
    #[must_use]
    pub const fn words(self) -> [u32; 6] {
        let [a, b, c, d, port] = self.share.words();
        [a, b, c, d, port, self.slot]
    }
}

/// The upper half of a v4-mapped address's last word but one.
pub const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

/// The address of a [`ShareKey`] for an IPv4 address in network byte order.
#[inline(always)]
#[must_use]
pub const fn mapped(address: u32) -> [u32; 4] {
    if address == 0 {
        [0; 4]
    } else {
        [0, 0, MAPPED, address]
    }
}

/// What a program reports to the daemon.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortReport {
    /// The process.
    pub process: u32,
    /// The real user of the process.
    pub user: u32,
    /// What happened; see the constants.
    pub what: u16,
    /// Port, host order.
    pub port: u16,
    /// Not zero for UDP.
    pub is_udp: u32,
    /// The command's name, ending in zeros.
    pub command: [u8; 16],
}

const _: () = assert!(size_of::<PortReport>() == 32);

impl PortReport {
    /// `what`: refused, nobody may have the port.
    pub const REFUSED_RESERVED: u16 = 1;
    /// `what`: refused, others may have the port.
    pub const REFUSED_JOB: u16 = 2;
    /// `what`: refused, the socket takes no IPv4 and the rule says an IPv4 address.
    pub const REFUSED_V6ONLY: u16 = 3;
    /// `what`: bound to the rule's address instead of every address.
    pub const BOUND: u16 = 4;
    /// `what`: bound as one that shares.
    pub const SHARES: u16 = 5;
    /// `what`: listens on a shared port; process, user and command are not told.
    pub const LISTENS: u16 = 6;

    /// Reads a report from the bytes of the ring buffer; `None` when there are too few.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (process, rest) = bytes.split_first_chunk()?;
        let (user, rest) = rest.split_first_chunk()?;
        let (what, rest) = rest.split_first_chunk()?;
        let (port, rest) = rest.split_first_chunk()?;
        let (is_udp, rest) = rest.split_first_chunk()?;
        let (command, _) = rest.split_first_chunk()?;
        Some(Self {
            process: u32::from_ne_bytes(*process),
            user: u32::from_ne_bytes(*user),
            what: u16::from_ne_bytes(*what),
            port: u16::from_ne_bytes(*port),
            is_udp: u32::from_ne_bytes(*is_udp),
            command: *command,
        })
    }
}

#[cfg(test)]
mod tests;
