//! The programs of test networks and benchmarks; no part of a stack.
#![no_std]
#![no_main]
<<<<<<< HEAD
#![allow(
    missing_docs,
    reason = "the `xdp` macro generates items without documentation"
)]
//! The programs of test networks.
//!
//! A virtual Ethernet link delivers what an XDP program sends into it only if
//! the other end runs an XDP program too. `pass` is that program. It never
//! changes, redirects or drops a frame; it counts what it sees, so that a test
//! can compare the wire with what a stack claims to have sent.

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::PerCpuArray,
    programs::XdpContext,
};

/// Frames seen, by the index of the interface that they came in on.
#[map]
static PACKETS: PerCpuArray<u64> = PerCpuArray::with_max_entries(256, 0);

/// Counts the frame and passes it on.
#[xdp(frags)]
fn pass(ctx: XdpContext) -> u32 {
    if let Some(packets) = u32::try_from(ctx.ingress_ifindex())
        .ok()
        .and_then(|interface| PACKETS.get_ptr_mut(interface))
    {
        // SAFETY: the pointer is to this CPU's own value, and nothing preempts an XDP program
        // with another one on the same CPU.
        unsafe { *packets += 1 };
    }
    xdp_action::XDP_PASS
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
=======

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::XdpContext;

mod panic;

/// Packets that `pass` has seen.
#[map]
static PASSED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Lets every packet go on, and counts it. The switch side of a stack's link needs a program, or a
/// veth does not deliver what the other side sends by `XDP_TX` or `XDP_REDIRECT`.
#[xdp(frags)]
fn pass(_: XdpContext) -> u32 {
    if let Some(passed) = PASSED.get_ptr_mut(0) {
        // SAFETY: the value is this CPU's own.
        unsafe { *passed += 1 };
    }
    XDP_PASS
>>>>>>> 15f05b4 (common, ebpf: decide about packets once for kernel and host)
}
