//! How the daemon learns what a jiffy is: the kernel tells no program its `CONFIG_HZ`.

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_PASS};
use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_ns};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use distributor_common::packet::PacketBuf;

use crate::packet::XdpBuf;

/// Writes jiffies and `CLOCK_MONOTONIC` into the first 16 bytes of a test packet.
#[xdp(frags)]
fn read_clocks(context: XdpContext) -> u32 {
    let mut packet = XdpBuf::new(&context);
    let Some(mut window) = packet.window::<16>(0) else {
        return XDP_ABORTED;
    };
    // SAFETY: the helper has no arguments.
    window.set_word64::<0>(unsafe { bpf_jiffies64() });
    // SAFETY: the helper has no arguments.
    window.set_word64::<8>(unsafe { bpf_ktime_get_ns() });
    XDP_PASS
}
