//! The bytes of a packet, behind a trait.
//!
//! A stage never holds a pointer into a packet and never computes an address.
//! It asks for a [`Window`] of constant size; whether the packet is long enough
//! is checked then and there, and every access inside the window is checked
//! when the program is compiled.

use crate::abi::Encapsulation;
use crate::wire::Be16;

/// A packet, from its Ethernet header on.
pub trait PacketBuf {
    /// Length of the whole packet, pieces beyond the first page included.
    fn total_len(&self) -> usize;

    /// Index of the interface that the packet came in on.
    fn ingress(&self) -> u32;

    /// Opens `N` bytes from `offset` on; `None` if the packet's first piece ends before.
    fn window<const N: usize>(&mut self, offset: usize) -> Option<Window<'_, N>>;

    /// Whether there are `len` bytes from `offset` on, in whatever piece.
    #[inline(always)]
    fn holds(&self, offset: usize, len: usize) -> bool {
        offset + len <= self.total_len()
    }

    /// Whether they are all in the packet's first piece, as far as that can be told without a call.
    #[inline(always)]
    fn holds_plainly(&self, offset: usize, len: usize) -> bool {
        self.holds(offset, len)
    }

    /// Makes the packet `len` bytes longer, for an outer header; `false` if there is no room for that.
    ///
    /// What is in the Ethernet header and in the `len` bytes behind it is undefined until it is written.
    fn lengthen(&mut self, len: usize, outer: Encapsulation) -> bool;

    /// Takes away the first `len` bytes, so that the packet begins behind them; `false` if it cannot.
    fn shorten(&mut self, len: usize) -> bool;
}

/// `N` consecutive bytes of a packet; reads and writes name their offset as a constant.
#[derive(Debug)]
pub struct Window<'a, const N: usize> {
    bytes: &'a mut [u8; N],
}

impl<'a, const N: usize> Window<'a, N> {
    /// Wraps bytes that are known to exist.
    #[inline(always)]
    pub fn new(bytes: &'a mut [u8; N]) -> Self {
        Self { bytes }
    }

    /// The byte at `AT`.
    #[inline(always)]
    #[must_use]
    pub fn u8<const AT: usize>(&self) -> u8 {
        const { assert!(AT < N) };
        self.bytes[AT]
    }

    /// The two bytes at `AT`.
    #[inline(always)]
    #[must_use]
    pub fn be16<const AT: usize>(&self) -> Be16 {
        const { assert!(AT + 2 <= N) };
        Be16(access::load_u16::<N, AT>(self.bytes))
    }

    /// The four bytes at `AT`, in the order of memory.
    #[inline(always)]
    #[must_use]
    pub fn word32<const AT: usize>(&self) -> u32 {
        const { assert!(AT + 4 <= N) };
        access::load_u32::<N, AT>(self.bytes)
    }

    /// The eight bytes at `AT`, in the order of memory.
    #[inline(always)]
    #[must_use]
    pub fn word64<const AT: usize>(&self) -> u64 {
        const { assert!(AT + 8 <= N) };
        access::load_u64::<N, AT>(self.bytes)
    }

    /// Replaces the byte at `AT`.
    #[inline(always)]
    pub fn set_u8<const AT: usize>(&mut self, value: u8) {
        const { assert!(AT < N) };
        self.bytes[AT] = value;
    }

    /// Replaces the two bytes at `AT`.
    #[inline(always)]
    pub fn set_be16<const AT: usize>(&mut self, value: Be16) {
        const { assert!(AT + 2 <= N) };
        access::store_u16::<N, AT>(self.bytes, value.0);
    }

    /// Replaces the four bytes at `AT`.
    #[inline(always)]
    pub fn set_word32<const AT: usize>(&mut self, value: u32) {
        const { assert!(AT + 4 <= N) };
        access::store_u32::<N, AT>(self.bytes, value);
    }

    /// Replaces the eight bytes at `AT`.
    #[inline(always)]
    pub fn set_word64<const AT: usize>(&mut self, value: u64) {
        const { assert!(AT + 8 <= N) };
        access::store_u64::<N, AT>(self.bytes, value);
    }
}

/// A packet in a slice; what the host tests with.
#[derive(Debug)]
pub struct SlicePacket<'a> {
    memory: &'a mut [u8],
    /// Where in the memory the packet begins.
    start: usize,
    ingress: u32,
}

impl<'a> SlicePacket<'a> {
    /// A packet that came in on the interface `ingress`, and has no room in front.
    pub fn new(bytes: &'a mut [u8], ingress: u32) -> Self {
        Self::behind(0, bytes, ingress)
    }

    /// A packet that has `room` bytes of this memory in front of it.
    pub fn behind(room: usize, memory: &'a mut [u8], ingress: u32) -> Self {
        Self {
            memory,
            start: room,
            ingress,
        }
    }

    /// The packet as it is now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}

impl PacketBuf for SlicePacket<'_> {
    fn total_len(&self) -> usize {
        self.bytes().len()
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn window<const N: usize>(&mut self, offset: usize) -> Option<Window<'_, N>> {
        let start = self.start.checked_add(offset)?;
        let end = start.checked_add(N)?;
        let bytes = self.memory.get_mut(start..end)?;
        bytes.try_into().ok().map(Window::new)
    }

    fn lengthen(&mut self, len: usize, _: Encapsulation) -> bool {
        let start = self.start.checked_sub(len);
        self.start = start.unwrap_or(self.start);
        start.is_some()
    }

    fn shorten(&mut self, len: usize) -> bool {
        let is_longer = len < self.total_len();
        if is_longer {
            self.start += len;
        }
        is_longer
    }
}

/// Loads and stores whose address need not be aligned.
#[cfg(not(target_arch = "bpf"))]
mod access {
    macro_rules! access {
        ($load:ident, $store:ident, $type:ty) => {
            pub(super) fn $load<const N: usize, const AT: usize>(bytes: &[u8; N]) -> $type {
                let mut value = [0; size_of::<$type>()];
                value.copy_from_slice(&bytes[AT..AT + size_of::<$type>()]);
                <$type>::from_ne_bytes(value)
            }

            pub(super) fn $store<const N: usize, const AT: usize>(
                bytes: &mut [u8; N],
                value: $type,
            ) {
                bytes[AT..AT + size_of::<$type>()].copy_from_slice(&value.to_ne_bytes());
            }
        };
    }

    access!(load_u16, store_u16, u16);
    access!(load_u32, store_u32, u32);
    access!(load_u64, store_u64, u64);
}

/// Loads and stores whose address need not be aligned.
///
/// The compiler would make byte loads of an unaligned read; the kernel lets a
/// packet be read at any address, so each is one instruction of assembly, the
/// offset in it. The instruction widens what it loads, which the compiler is told,
/// or it would widen it once more.
#[cfg(target_arch = "bpf")]
mod access {
    use core::arch::asm;
    use core::hint::assert_unchecked;

    macro_rules! access {
        ($load:ident, $store:ident, $type:ty, $name:literal) => {
            #[inline(always)]
            pub(super) fn $load<const N: usize, const AT: usize>(bytes: &[u8; N]) -> $type {
                let value: u64;
                // SAFETY: the window's constant assertion keeps the access inside `bytes`.
                unsafe {
                    asm!(
                        concat!("{value} = *(", $name, " *)({base} + {at})"),
                        base = in(reg) bytes.as_ptr(),
                        at = const AT,
                        value = out(reg) value,
                        options(pure, nostack, readonly),
                    );
                }
                // SAFETY: a load of so many bits clears all others.
                unsafe { assert_unchecked(value <= <$type>::MAX as u64) };
                value as $type
            }

            #[inline(always)]
            pub(super) fn $store<const N: usize, const AT: usize>(
                bytes: &mut [u8; N],
                value: $type,
            ) {
                // SAFETY: the window's constant assertion keeps the access inside `bytes`.
                unsafe {
                    asm!(
                        concat!("*(", $name, " *)({base} + {at}) = {value}"),
                        base = in(reg) bytes.as_mut_ptr(),
                        at = const AT,
                        value = in(reg) u64::from(value),
                        options(nostack),
                    );
                }
            }
        };
    }

    access!(load_u16, store_u16, u16, "u16");
    access!(load_u32, store_u32, u32, "u32");
    access!(load_u64, store_u64, u64, "u64");
}

#[cfg(test)]
mod tests;
