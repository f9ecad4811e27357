#![no_std]
#![no_main]
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

mod panic;

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
