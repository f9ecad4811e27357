#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![allow(
    missing_docs,
    reason = "the `xdp` macro generates items without documentation"
)]
//! The programs of test networks, and of measurements.
//!
//! A virtual Ethernet link delivers what an XDP program sends into it only if
//! the other end runs an XDP program too. `pass` is that program. It never
//! changes or redirects a frame, and drops none but the SYNs that a test wants
//! lost; it counts what it sees, so that a test can compare the wire with what a
//! stack claims to have sent.
#![allow(
    clippy::inline_always,
    reason = "a call in the packet path costs more than most stages, and only inlined code keeps \
              the bounds that the kernel's verifier has seen"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "the `xdp` macro passes the context by value"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "the machine that runs this has 64-bit words"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the address of a field behind a raw pointer and the access to it are one thing"
)]

mod measure;
mod packet;
mod panic;

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{HashMap, PerCpuArray},
    programs::XdpContext,
};

/// Frames seen, by the index of the interface that they came in on.
#[map]
static PACKETS: PerCpuArray<u64> = PerCpuArray::with_max_entries(256, 0);

/// Of these: TCP over IPv4.
#[map]
static TCP_PACKETS: PerCpuArray<u64> = PerCpuArray::with_max_entries(256, 0);

/// Ethernet addresses, in the lower 48 bits, to which SYNs are lost.
#[map]
static LOST_SYNS: HashMap<u64, u32> = HashMap::with_max_entries(64, 0);

/// Counts the frame and passes it on.
#[xdp(frags)]
fn pass(ctx: XdpContext) -> u32 {
    let interface = u32::try_from(ctx.ingress_ifindex()).unwrap_or(u32::MAX);
    count(&PACKETS, interface);
    if is_tcp(&ctx) {
        count(&TCP_PACKETS, interface);
        if is_lost(&ctx) {
            return xdp_action::XDP_DROP;
        }
    }
    xdp_action::XDP_PASS
}

#[inline(always)]
fn count(packets: &PerCpuArray<u64>, interface: u32) {
    if let Some(packets) = packets.get_ptr_mut(interface) {
        // SAFETY: the pointer is to this CPU's own value, and nothing preempts an XDP program
        // with another one on the same CPU.
        unsafe { *packets += 1 };
    }
}

#[inline(always)]
fn is_tcp(ctx: &XdpContext) -> bool {
    /// Ethernet's type of IPv4, and IPv4's protocol number of TCP, with their offsets in a frame.
    const TYPE: (usize, [u8; 2]) = (12, [0x08, 0x00]);
    const PROTOCOL: (usize, u8) = (23, 6);
    let frame = ctx.data();
    if frame + PROTOCOL.0 + 1 > ctx.data_end() {
        return false;
    }
    let (ether_type, protocol) = (frame + TYPE.0, frame + PROTOCOL.0);
    // SAFETY: both are within the frame, as was just checked.
    let ether_type = unsafe { *(ether_type as *const [u8; 2]) };
    // SAFETY: as above.
    let protocol = unsafe { *(protocol as *const u8) };
    ether_type == TYPE.1 && protocol == PROTOCOL.1
}

/// Whether a TCP segment is a SYN to an address to which they are lost; IP options are not looked for.
#[inline(always)]
fn is_lost(ctx: &XdpContext) -> bool {
    /// Where TCP's flags are in a frame, and those that tell a client's SYN.
    const FLAGS: usize = 47;
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    let frame = ctx.data();
    if frame + FLAGS + 1 > ctx.data_end() {
        return false;
    }
    let flags = (frame + FLAGS) as *const u8;
    // SAFETY: it is within the frame, as was just checked.
    if unsafe { *flags } & (SYN | ACK) != SYN {
        return false;
    }
    let mut destination = [0; 8];
    // SAFETY: as above.
    destination[..6].copy_from_slice(&unsafe { *(frame as *const [u8; 6]) });
    LOST_SYNS.get_ptr(u64::from_ne_bytes(destination)).is_some()
}
