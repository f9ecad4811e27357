//! A packet that the kernel has made, as a program on an interface's way out sees it.
//!
//! Its headers are in the first piece; the payload of a large one is not, and is
//! never looked at.

use core::arch::asm;
use core::mem::offset_of;

use aya_ebpf::bindings::bpf_adj_room_mode::BPF_ADJ_ROOM_MAC;
use aya_ebpf::bindings::{__sk_buff, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_ENCAP_L4_GRE};
use aya_ebpf::helpers::generated::bpf_skb_adjust_room;
use distributor_common::abi::Encapsulation;
use distributor_common::packet::{PacketBuf, Window};

/// The packet of a classifier's context.
pub(crate) struct SkbBuf {
    context: *mut __sk_buff,
    data: usize,
    end: usize,
}

impl SkbBuf {
    /// Reads where the first piece begins and ends.
    #[inline(always)]
    pub(crate) fn new(context: *mut __sk_buff) -> Self {
        let (data, end) = bounds(context);
        Self { context, data, end }
    }
}

/// Where the first piece of a packet begins and ends, by assembly for the reason that
/// [`XdpBuf`](crate::packet) has.
#[inline(always)]
fn bounds(context: *mut __sk_buff) -> (usize, usize) {
    let data: usize;
    let end: usize;
    // SAFETY: both are 32-bit fields of the context that the kernel called the program with.
    unsafe {
        asm!(
            "{data} = *(u32 *)({context} + {at})",
            "{end} = *(u32 *)({context} + {end_at})",
            context = in(reg) context,
            data = out(reg) data,
            end = lateout(reg) end,
            at = const offset_of!(__sk_buff, data),
            end_at = const offset_of!(__sk_buff, data_end),
            options(nostack, readonly),
        );
    }
    (data, end)
}

impl PacketBuf for SkbBuf {
    #[inline(always)]
    fn total_len(&self) -> usize {
        // SAFETY: the context outlives the program's run.
        let len = unsafe { (&raw const (*self.context).len).read_volatile() };
        len as usize
    }

    /// No interface: what starts on this host has come in on none.
    #[inline(always)]
    fn ingress(&self) -> u32 {
        0
    }

    #[inline(always)]
    fn window<const N: usize>(&mut self, offset: usize) -> Option<Window<'_, N>> {
        let start = self.data + offset;
        if start + N > self.end {
            return None;
        }
        // SAFETY: no packet lies at address 0; said because the compiler asks that question otherwise.
        unsafe { core::hint::assert_unchecked(start != 0) };
        // SAFETY: `N` bytes from `start` on lie in the packet, and `&mut self` keeps any other
        // window away.
        let bytes = unsafe { &mut *(start as *mut [u8; N]) };
        Some(Window::new(bytes))
    }

    /// The kernel is told what is put in front, so that it can divide a large packet behind it.
    #[inline(always)]
    fn lengthen(&mut self, len: usize, outer: Encapsulation) -> bool {
        let flags = match outer {
            Encapsulation::Gre => BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_GRE,
            Encapsulation::Ipip => BPF_F_ADJ_ROOM_ENCAP_L3_IPV4,
        };
        // SAFETY: the helper takes the context that the program was called with.
        let result = unsafe {
            bpf_skb_adjust_room(
                self.context,
                (len as u32).cast_signed(),
                BPF_ADJ_ROOM_MAC,
                u64::from(flags),
            )
        };
        // The verifier forgets what it knew of the packet.
        (self.data, self.end) = bounds(self.context);
        result == 0
    }

    /// Never: nothing that starts on this host is opened.
    #[inline(always)]
    fn shorten(&mut self, _: usize) -> bool {
        false
    }
}
