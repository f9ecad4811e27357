//! What the kernel's half and the daemon's half of the distributor share.
//!
//! Two things live here: the types that lie in the maps ([`abi`], [`flow`]),
//! and every decision about a packet ([`stages`]). The stages see bytes only
//! through [`packet::PacketBuf`] and maps only through [`tables::Tables`], so
//! the very same functions run in the kernel and under plain `#[test]`.
//!
//! Nothing in here allocates, performs I/O, reads a clock or names a kernel
//! helper: time, hash seeds and sockets come in through `Tables`.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![allow(
    clippy::inline_always,
    reason = "a call in the packet path costs more than most stages, and only inlined code keeps \
              the bounds that the kernel's verifier has seen"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "fields are taken out of packed words by leaving the rest of the word behind"
)]

#[cfg(any(test, feature = "host"))]
extern crate std;

pub mod abi;
pub mod checksum;
pub mod counter;
pub mod flow;
pub mod hash;
#[cfg(any(test, feature = "host"))]
pub mod host;
pub mod packet;
pub mod ports;
pub mod probe;
pub mod siphash;
pub mod stages;
pub mod tables;
pub mod watch;
pub mod wire;
pub mod word;

pub use counter::{Action, Event, Verdict};
pub use stages::distribute;
