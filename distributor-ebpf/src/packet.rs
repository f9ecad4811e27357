//! A packet in the kernel.
//!
//! Nothing in here looks into a packet; it only proves to the verifier, by the
//! comparison it looks for, that a window lies inside.

use core::arch::asm;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::{bpf_xdp_adjust_head, bpf_xdp_get_buff_len};
use aya_ebpf::programs::XdpContext;
use distributor_common::abi::Encapsulation;
use distributor_common::packet::{PacketBuf, Window};

/// The packet of an XDP context.
pub(crate) struct XdpBuf {
    context: *mut xdp_md,
    data: usize,
    end: usize,
}

impl XdpBuf {
    /// Reads where the packet begins and ends.
    #[inline(always)]
    pub(crate) fn new(context: &XdpContext) -> Self {
        let context = context.as_ptr().cast::<xdp_md>();
        let (data, end) = bounds(context);
        Self { context, data, end }
    }

    /// Length of the packet's first piece.
    #[inline(always)]
    #[allow(dead_code, reason = "only measurements ask")]
    pub(crate) fn first_len(&self) -> usize {
        self.end - self.data
    }

    /// Moves the beginning of the packet; `false` if there is no room for that.
    #[inline(always)]
    fn move_start(&mut self, by: i32) -> bool {
        // SAFETY: the helper takes the context that the program was called with.
        let result = unsafe { bpf_xdp_adjust_head(self.context, by) };
        // The verifier forgets what it knew of the packet.
        (self.data, self.end) = bounds(self.context);
        result == 0
    }
}

/// Where the first piece of a packet begins and ends.
///
/// Both are read by an instruction of assembly: as fields they have 32 bits, and code that widens them
/// afterwards makes the verifier forget that they are pointers.
#[inline(always)]
fn bounds(context: *mut xdp_md) -> (usize, usize) {
    let data: usize;
    let end: usize;
    // SAFETY: `data` and `data_end` are the first two 32-bit fields of `xdp_md` (UAPI).
    unsafe {
        asm!(
            "{data} = *(u32 *)({context} + 0)",
            "{end} = *(u32 *)({context} + 4)",
            context = in(reg) context,
            data = out(reg) data,
            end = lateout(reg) end,
            options(nostack, readonly),
        );
    }
    (data, end)
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
        self.holds_plainly(offset, len) || offset + len <= self.total_len()
    }

    #[inline(always)]
    fn holds_plainly(&self, offset: usize, len: usize) -> bool {
        self.data + offset + len <= self.end
    }

    #[inline(always)]
    fn lengthen(&mut self, len: usize, _: Encapsulation) -> bool {
        self.move_start(-(len as u32).cast_signed())
    }

    #[inline(always)]
    fn shorten(&mut self, len: usize) -> bool {
        self.move_start((len as u32).cast_signed())
    }
}
