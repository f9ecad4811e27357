//! A target: who it is, and how it is reached.
//!
//! A reader never mixes two paths: it reads the half that is valid, and again if
//! that was changed meanwhile.

use super::Tunnel;
use crate::word::Word;

/// A target by its slot: how it is reached, and who it is.
///
/// The path has two halves. The daemon writes the half that is not in use and
/// then swaps `state`, whose lowest bit names the half that is.
#[derive(Debug)]
#[repr(C)]
pub struct Target {
    /// A [`PathState`].
    pub state: Word,
    /// For each half: destination and source address of the Ethernet header, 12 bytes.
    pub addresses: [[Word; 2]; 2],
    /// The DYNAMICXCF address (an IPv4 address mapped into IPv6), in the order of memory.
    pub identity: [Word; 2],
    /// Not used; 0.
    pub reserved: Word,
    /// For each half: the outer header of a [`Tunnel`]. It is in a cache line of its own, which no other
    /// path reads.
    pub outer: [[Word; 4]; 2],
}

/// How a target is reached, as a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// No path answers.
    #[default]
    Unreachable,
    /// The target is this stack.
    Local,
    /// The next hop is on a link: new MAC addresses, same packet.
    Link {
        /// Interface to send from.
        ifindex: u32,
        /// First 12 bytes of the Ethernet header, and 4 of nothing, in the order of memory.
        addresses: [u64; 2],
    },
    /// The next hop is a router, or may be one: the packet goes inside another, to the target's address.
    Tunnel(Tunnel),
}

impl Path {
    /// A path over a link.
    #[must_use]
    pub fn link(ifindex: u32, source: [u8; 6], next_hop: [u8; 6]) -> Self {
        Self::Link {
            ifindex,
            addresses: Self::addresses(source, next_hop),
        }
    }

    /// The addresses of an Ethernet header, and four bytes of nothing.
    #[must_use]
    pub fn addresses(source: [u8; 6], next_hop: [u8; 6]) -> [u64; 2] {
        let mut bytes = [[0; 8]; 2];
        let header = next_hop.iter().chain(&source);
        for (byte, value) in bytes.as_flattened_mut().iter_mut().zip(header) {
            *byte = *value;
        }
        bytes.map(u64::from_ne_bytes)
    }

    /// The interface that packets leave by, if they leave.
    #[inline(always)]
    #[must_use]
    pub const fn interface(&self) -> Option<u32> {
        match self {
            Self::Unreachable | Self::Local => None,
            Self::Link { ifindex, .. } | Self::Tunnel(Tunnel { ifindex, .. }) => Some(*ifindex),
        }
    }
}

/// Readings of a path before it counts as unreachable; the daemon changes one in microseconds.
const PATH_ATTEMPTS: u32 = 3;

impl Target {
    /// A slot without a target.
    #[cfg(any(test, feature = "host"))]
    #[must_use]
    pub fn empty() -> Self {
        Self {
            state: Word::new(0),
            addresses: core::array::from_fn(|_| core::array::from_fn(|_| Word::new(0))),
            identity: core::array::from_fn(|_| Word::new(0)),
            reserved: Word::new(0),
            outer: core::array::from_fn(|_| core::array::from_fn(|_| Word::new(0))),
        }
    }

    /// Whether this is the target's DYNAMICXCF address, given as that is.
    #[inline(always)]
    #[must_use]
    pub fn is_at(&self, address: [u64; 2]) -> bool {
        let [first, second] = &self.identity;
        (first.load() ^ address[0]) | (second.load() ^ address[1]) == 0
    }

    /// Reads the half that is valid, and again if the path was changed meanwhile.
    #[inline(always)]
    #[must_use]
    pub fn path(&self) -> Path {
        let mut word = self.state.load();
        for _ in 0..PATH_ATTEMPTS {
            let state = PathState::from_word(word);
            let ifindex = state.ifindex;
            let half = &self.addresses[state.half()];
            let path = match state.kind {
                PathKind::Local => return Path::Local,
                PathKind::Unreachable => return Path::Unreachable,
                PathKind::Link => Path::Link {
                    ifindex,
                    addresses: [half[0].load(), half[1].load()],
                },
                PathKind::Tunnel => {
                    let outer = &self.outer[state.half()];
                    Path::Tunnel(Tunnel {
                        ifindex,
                        frame: [half[0].load(), half[1].load()],
                        outer: [outer[0].load(), outer[1].load()],
                    })
                }
            };
            let again = self.state.load();
            if again == word {
                return path;
            }
            word = again;
        }
        Path::Unreachable
    }

    /// Reads the path once; `None` when it is not over a link, and when it is changed at this moment.
    #[inline(always)]
    #[must_use]
    pub fn link(&self) -> Option<(u32, [u64; 2])> {
        let word = self.state.load();
        let state = PathState::from_word(word);
        let half = &self.addresses[state.half()];
        let addresses = [half[0].load(), half[1].load()];
        let is_sure = state.kind == PathKind::Link && self.state.load() == word;
        is_sure.then_some((state.ifindex, addresses))
    }

    /// Whether the target is this stack at this moment.
    #[inline(always)]
    #[must_use]
    pub fn is_local(&self) -> bool {
        PathState::from_word(self.state.load()).kind == PathKind::Local
    }

    /// Reads the path once; `None` when it is not a tunnel, and when it is changed at this moment.
    #[inline(always)]
    #[must_use]
    pub fn tunnel(&self) -> Option<Tunnel> {
        let word = self.state.load();
        let state = PathState::from_word(word);
        let (half, outer) = (&self.addresses[state.half()], &self.outer[state.half()]);
        let tunnel = Tunnel {
            ifindex: state.ifindex,
            frame: [half[0].load(), half[1].load()],
            outer: [outer[0].load(), outer[1].load()],
        };
        let is_sure = state.kind == PathKind::Tunnel && self.state.load() == word;
        is_sure.then_some(tunnel)
    }

    /// Changes the path in one step, as packets see it. One writer at a time.
    pub fn set_path(&self, path: Path) {
        let edition = PathState::from_word(self.state.load())
            .edition
            .wrapping_add(1);
        let half = (edition & 1) as usize;
        let set_addresses = |addresses: [u64; 2]| {
            self.addresses[half][0].store(addresses[0]);
            self.addresses[half][1].store(addresses[1]);
        };
        let (kind, ifindex) = match path {
            Path::Unreachable => (PathKind::Unreachable, 0),
            Path::Local => (PathKind::Local, 0),
            Path::Link { ifindex, addresses } => {
                set_addresses(addresses);
                (PathKind::Link, ifindex)
            }
            Path::Tunnel(tunnel) => {
                set_addresses(tunnel.frame);
                for (word, value) in self.outer[half].iter().zip(tunnel.outer) {
                    word.store(value);
                }
                (PathKind::Tunnel, tunnel.ifindex)
            }
        };
        self.state.store(
            PathState {
                ifindex,
                kind,
                edition,
            }
            .word(),
        );
    }
}

/// SYNs on the way between this stack and another; by its slot as a target, and apart from what packets
/// of known connections read. Repeated ones count, because they are sent and may be lost like others.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Syns {
    /// Sent to it as one of this stack's targets.
    pub sent: Word,
    /// Taken from it as a DVIPA's owner, or the one that is about to be.
    pub taken: Word,
}

/// The state word of a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathState {
    /// Interface to send from; meaningful for [`PathKind::Link`] and [`PathKind::Tunnel`].
    pub ifindex: u32,
    /// How the target is reached.
    pub kind: PathKind,
    /// Grows by one with every change; its lowest bit names the valid half. 24 bits.
    pub edition: u32,
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum PathKind {
    /// No path answers.
    #[default]
    Unreachable = 0,
    /// The target is this stack.
    Local = 1,
    /// The next hop is on a link: new MAC addresses, same packet.
    Link = 2,
    /// The packet goes inside another.
    Tunnel = 3,
}

impl PathState {
    /// Packs the three into the word that is swapped.
    #[must_use]
    pub const fn word(self) -> u64 {
        (self.edition as u64 & 0xff_ffff) | (self.kind as u64) << 24 | (self.ifindex as u64) << 32
    }

    /// Unpacks a word; an unknown kind is no path.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        let kind = match (word >> 24) as u8 {
            1 => PathKind::Local,
            2 => PathKind::Link,
            3 => PathKind::Tunnel,
            _ => PathKind::Unreachable,
        };
        Self {
            ifindex: (word >> 32) as u32,
            kind,
            edition: (word & 0xff_ffff) as u32,
        }
    }

    /// Index of the half that is valid.
    #[inline(always)]
    #[must_use]
    pub const fn half(self) -> usize {
        (self.edition & 1) as usize
    }
}
