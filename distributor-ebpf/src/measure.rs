//! What the packet path is measured with and against.
//!
//! A test run repeats a program on the packet as the program left it. So what
//! is measured is not the program but `restore`, which makes the packet new,
//! takes the next flow and calls the program; and what is compared with is
//! called by `restore` too.

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_TX};
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, LruHashMap, ProgramArray};
use aya_ebpf::programs::XdpContext;
use distributor_common::packet::{PacketBuf, Window};
use distributor_common::wire::{Be16, ethernet, ipv4, ipv6, tcp};

use crate::packet::XdpBuf;

/// Length of the longest packet.
const FRAME_LEN: usize = 88;
/// Length of a packet of IPv4.
const IPV4_LEN: usize = 64;
/// Takes the flows in no simple order, and each once in a round: the number is odd.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
/// Flows by source port; further ones differ in the source address.
const PORTS: u64 = 1 << 14;
const FIRST_PORT: u64 = 1024;
/// The first source address, 10.64.0.0.
const FIRST_SOURCE: u64 = 0x0a40_0000;

/// What `restore` and `restore_ipv6` do; written by whoever measures.
#[repr(C)]
struct Script {
    /// The packet, but for its source.
    frame: [u8; FRAME_LEN],
    /// Number of flows less one; the number is a power of two.
    flow_mask: u64,
    /// Packets so far.
    packets: u64,
}

#[map]
static SCRIPT: Array<Script> = Array::with_max_entries(1, 0);

/// The program to call.
#[map]
static MEASURED: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// The kernel's own table of what was used last, as a flow table of IPv4. Whoever measures says how
/// large it is: a test network has this object too.
#[map]
static LRU: LruHashMap<[u64; 2], u32> = LruHashMap::with_max_entries(1, 0);

/// The same for IPv6.
#[map]
static LRU_IPV6: LruHashMap<[u64; 5], u32> = LruHashMap::with_max_entries(1, 0);

/// The next flow: what is added to the first source address, and the source port.
#[inline(always)]
fn next(script: &mut Script) -> (u64, Be16) {
    let flow = script.packets.wrapping_mul(STRIDE) & script.flow_mask;
    script.packets += 1;
    let port = Be16::from_host((FIRST_PORT + flow % PORTS) as u16);
    (flow / PORTS, port)
}

/// Gives the packet the length that it had before a program put it into another one.
///
/// No program is to pay for that. The kernel does the same whatever the difference is (`bpf_xdp_adjust_head`),
/// so the call is made for every packet, and what it costs is subtracted with the rest of the wrapper.
#[inline(always)]
fn cut(packet: &mut XdpBuf, len: usize) -> bool {
    packet.shorten(packet.first_len().wrapping_sub(len))
}

/// Makes the headers new, as those of the next flow, and calls the program.
///
/// It writes the fields that programs read, not whatever words would be quickest. A network card
/// leaves a packet in memory; here it is in this CPU's store buffer, from which a word that was not
/// written as such is read with a stall.
#[xdp(frags)]
fn restore(context: XdpContext) -> u32 {
    const L3: usize = ethernet::LEN;
    const L4: usize = L3 + ipv4::MIN_LEN;
    let Some(script) = SCRIPT.get_ptr_mut(0) else {
        return XDP_ABORTED;
    };
    // SAFETY: the pointer was just looked up, and whoever writes the script does not run it.
    let script = unsafe { &mut *script };
    let (client, port) = next(script);
    let source = (FIRST_SOURCE + client) as u32;

    let mut packet = XdpBuf::new(&context);
    if !cut(&mut packet, IPV4_LEN) {
        return XDP_ABORTED;
    }
    let Some(mut head) = packet.window::<IPV4_LEN>(0) else {
        return XDP_ABORTED;
    };
    let frame = Window::new(&mut script.frame);
    macro_rules! copy {
        ($set:ident, $word:ident, $at:expr) => {
            head.$set::<{ $at }>(frame.$word::<{ $at }>())
        };
    }
    copy!(set_word64, word64, ethernet::ADDRESSES);
    copy!(set_word32, word32, ethernet::ADDRESSES + 8);
    copy!(set_be16, be16, ethernet::TYPE);
    copy!(set_word64, word64, L3 + ipv4::VERSION_IHL);
    copy!(set_word32, word32, L3 + ipv4::TTL);
    let destination = frame.word32::<{ L3 + ipv4::ADDRESSES + 4 }>();
    let addresses = u64::from(destination) << 32 | u64::from(source.to_be());
    head.set_word64::<{ L3 + ipv4::ADDRESSES }>(addresses);
    let ports = frame.word32::<{ L4 + tcp::PORTS }>() & !0xffff | u32::from(port.0);
    head.set_word32::<{ L4 + tcp::PORTS }>(ports);
    copy!(set_word64, word64, L4 + tcp::PORTS + 4);
    copy!(set_word64, word64, L4 + tcp::DATA_OFFSET);
    // SAFETY: the array holds programs of this one's kind; the kernel checks that.
    unsafe { MEASURED.tail_call(&context, 0) };
    XDP_ABORTED
}

/// The same for IPv6.
#[xdp(frags)]
fn restore_ipv6(context: XdpContext) -> u32 {
    const L3: usize = ethernet::LEN;
    const L4: usize = L3 + ipv6::LEN;
    let Some(script) = SCRIPT.get_ptr_mut(0) else {
        return XDP_ABORTED;
    };
    // SAFETY: the pointer was just looked up, and whoever writes the script does not run it.
    let script = unsafe { &mut *script };
    let (client, port) = next(script);

    let mut packet = XdpBuf::new(&context);
    let Some(mut head) = packet.window::<FRAME_LEN>(0) else {
        return XDP_ABORTED;
    };
    let frame = Window::new(&mut script.frame);
    macro_rules! copy {
        ($set:ident, $word:ident, $at:expr) => {
            head.$set::<{ $at }>(frame.$word::<{ $at }>())
        };
    }
    copy!(set_word64, word64, ethernet::ADDRESSES);
    copy!(set_word32, word32, ethernet::ADDRESSES + 8);
    copy!(set_be16, be16, ethernet::TYPE);
    copy!(set_word64, word64, L3 + ipv6::VERSION);
    copy!(set_word64, word64, L3 + ipv6::SOURCE);
    head.set_word64::<{ L3 + ipv6::SOURCE + 8 }>(client.to_be());
    copy!(set_word64, word64, L3 + ipv6::DESTINATION);
    copy!(set_word64, word64, L3 + ipv6::DESTINATION + 8);
    let ports = frame.word32::<{ L4 + tcp::PORTS }>() & !0xffff | u32::from(port.0);
    head.set_word32::<{ L4 + tcp::PORTS }>(ports);
    copy!(set_word64, word64, L4 + tcp::PORTS + 4);
    copy!(set_word64, word64, L4 + tcp::DATA_OFFSET);
    // SAFETY: the array holds programs of this one's kind; the kernel checks that.
    unsafe { MEASURED.tail_call(&context, 0) };
    XDP_ABORTED
}

/// Does nothing: the least that a program can cost.
#[xdp(frags)]
fn empty(_: XdpContext) -> u32 {
    XDP_TX
}

/// Finds the packet's flow in the kernel's table, and does nothing else.
#[xdp(frags)]
fn find(context: XdpContext) -> u32 {
    // SAFETY: the value is not kept, and nobody cares what it is.
    match flow(&context).and_then(|key| unsafe { LRU.get(key) }) {
        Some(_) => XDP_TX,
        None => XDP_DROP,
    }
}

/// Stores the packet's flow in the kernel's table, and does nothing else.
#[xdp(frags)]
fn store(context: XdpContext) -> u32 {
    match flow(&context).map(|key| LRU.insert(key, 1, 0)) {
        Some(Ok(())) => XDP_TX,
        Some(Err(_)) | None => XDP_DROP,
    }
}

/// The addresses, the ports and the protocol of a packet.
#[inline(always)]
fn flow(context: &XdpContext) -> Option<[u64; 2]> {
    const L3: usize = ethernet::LEN;
    const L4: usize = L3 + ipv4::MIN_LEN;
    let mut packet = XdpBuf::new(context);
    let head = packet.window::<{ L4 + tcp::MIN_LEN }>(0)?;
    let protocol = u64::from(head.u8::<{ L3 + ipv4::PROTOCOL }>());
    Some([
        head.word64::<{ L3 + ipv4::ADDRESSES }>(),
        u64::from(head.word32::<{ L4 + tcp::PORTS }>()) | protocol << 32,
    ])
}

/// Finds the packet's flow in the kernel's table for IPv6, and does nothing else.
#[xdp(frags)]
fn find_ipv6(context: XdpContext) -> u32 {
    // SAFETY: the value is not kept, and nobody cares what it is.
    match flow_ipv6(&context).and_then(|key| unsafe { LRU_IPV6.get(key) }) {
        Some(_) => XDP_TX,
        None => XDP_DROP,
    }
}

/// Stores the packet's flow in it, and does nothing else.
#[xdp(frags)]
fn store_ipv6(context: XdpContext) -> u32 {
    match flow_ipv6(&context).map(|key| LRU_IPV6.insert(key, 1, 0)) {
        Some(Ok(())) => XDP_TX,
        Some(Err(_)) | None => XDP_DROP,
    }
}

#[inline(always)]
fn flow_ipv6(context: &XdpContext) -> Option<[u64; 5]> {
    const L3: usize = ethernet::LEN;
    const L4: usize = L3 + ipv6::LEN;
    let mut packet = XdpBuf::new(context);
    let head = packet.window::<{ L4 + tcp::MIN_LEN }>(0)?;
    let protocol = u64::from(head.u8::<{ L3 + ipv6::NEXT_HEADER }>());
    Some([
        head.word64::<{ L3 + ipv6::SOURCE }>(),
        head.word64::<{ L3 + ipv6::SOURCE + 8 }>(),
        head.word64::<{ L3 + ipv6::DESTINATION }>(),
        head.word64::<{ L3 + ipv6::DESTINATION + 8 }>(),
        u64::from(head.word32::<{ L4 + tcp::PORTS }>()) | protocol << 32,
    ])
}
