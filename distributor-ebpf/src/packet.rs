//! A packet in the kernel.
//!
//! Nothing in here looks into a packet; it only proves to the verifier, by the
//! comparison it looks for, that a window lies inside.

use core::arch::asm;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::bpf_xdp_get_buff_len;
use aya_ebpf::programs::XdpContext;
use distributor_common::packet::{PacketBuf, Window};

/// The packet of an XDP context.
pub(crate) struct XdpBuf {
    context: *mut xdp_md,
    data: usize,
    end: usize,
}

impl XdpBuf {
    /// Reads where the packet begins and ends.
    ///
    /// Both are read by an instruction of assembly: as fields they have 32 bits, and code that
    /// widens them afterwards makes the verifier forget that they are pointers.
    #[inline(always)]
    pub(crate) fn new(context: &XdpContext) -> Self {
        let pointer = context.as_ptr().cast::<xdp_md>();
        let data: usize;
        let end: usize;
        // SAFETY: `data` and `data_end` are the first two 32-bit fields of `xdp_md` (UAPI).
        unsafe {
            asm!(
                "{data} = *(u32 *)({context} + 0)",
                "{end} = *(u32 *)({context} + 4)",
                context = in(reg) pointer,
                data = out(reg) data,
                end = lateout(reg) end,
                options(nostack, readonly),
            );
        }
        Self {
            context: pointer,
            data,
            end,
        }
    }
}

impl PacketBuf for XdpBuf {
    #[inline(always)]
    fn total_len(&self) -> usize {
        // SAFETY: the helper takes the context that the program was called with.
        let len = unsafe { bpf_xdp_get_buff_len(self.context) };
        len as usize
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        // SAFETY: the context outlives the program's run; volatile, so that it is read where it is
        // needed and not before.
        unsafe { (&raw const (*self.context).ingress_ifindex).read_volatile() }
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

    /// Asks for the length of all pieces only when the first one is too short.
    #[inline(always)]
    fn holds(&self, offset: usize, len: usize) -> bool {
        self.data + offset + len <= self.end || offset + len <= self.total_len()
    }
}
