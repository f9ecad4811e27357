//! The programs for connections that start on a stack.
//!
//! Nothing is decided here, as in the packet path, whose maps these programs
//! share. They see packets that this host sends to itself, and sockets that
//! connect, and leave all that concerns no DVIPA of their own stack alone.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]
#![allow(
    clippy::inline_always,
    reason = "only inlined code keeps the bounds that the kernel's verifier has seen"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "the macros pass the context by value"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "the machine that runs this has 64-bit words"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the address of a field behind a raw pointer and the access to it are one thing"
)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

mod maps;
mod panic;
mod skb;
mod tables;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{
    __sk_buff, TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC, bpf_sock, bpf_sock_addr, sockaddr,
};
use aya_ebpf::cty::c_void;
use aya_ebpf::helpers::generated::{bpf_bind, bpf_get_netns_cookie, bpf_redirect};
use aya_ebpf::macros::{cgroup_sock_addr, classifier};
use aya_ebpf::programs::{SockAddrContext, TcContext};
use distributor_common::stages::origin;
use distributor_common::watch::{AF_INET, AF_INET6};
use distributor_common::wire::{Be16, Be32, tcp};
use distributor_common::{Action, Verdict};

use crate::maps::SETTINGS;
use crate::skb::SkbBuf;
use crate::tables::{KernelTables, Side};

/// A packet on the way out of this host into it: `lo`.
#[derive(Clone, Copy)]
struct Outgoing;

impl Side for Outgoing {
    const STARTS_HERE: bool = true;

    /// A device that is gone by then drops the packet and counts it itself.
    #[inline(always)]
    fn redirect(ifindex: u32) -> bool {
        // SAFETY: the helper notes two numbers.
        unsafe { bpf_redirect(ifindex, 0) == i64::from(TC_ACT_REDIRECT) }
    }

    #[inline(always)]
    fn exceptional(context: *mut c_void, addresses: u64, rest: u64) -> u32 {
        exceptional(context.cast(), addresses, rest)
    }

    #[inline(always)]
    fn unknown(context: *mut c_void, addresses: u64, rest: u64, source: u64) -> u32 {
        unknown(context.cast(), addresses, rest, source)
    }
}

/// Sends what starts here for a DVIPA to its target or its owner.
///
/// The kernel sends the packet like any other of its own: it divides a large one and computes the
/// checksum that was left to the device.
#[classifier]
fn send_own(context: TcContext) -> i32 {
    let tables = KernelTables::<Outgoing>::new(context.as_ptr());
    let verdict = origin::send(&mut SkbBuf::new(context.skb.skb), tables);
    match verdict.map(Verdict::action) {
        // Whoever looks at the packet next on this interface still does.
        None | Some(Action::Pass) => TC_ACT_UNSPEC,
        Some(Action::Drop) => TC_ACT_SHOT,
        Some(Action::Transmit | Action::Redirect) => TC_ACT_REDIRECT,
    }
}

/// A new connection, and all of a known one but a segment in its middle; a symbol of the object, so that the
/// kernel verifies it once and by itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn exceptional(context: *mut __sk_buff, addresses: u64, rest: u64) -> u32 {
    tables::exceptional::<Outgoing>(context.cast(), addresses, rest)
}

/// What is of no known connection and opens none; likewise.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn unknown(context: *mut __sk_buff, addresses: u64, rest: u64, source: u64) -> u32 {
    tables::unknown::<Outgoing>(context.cast(), addresses, rest, source)
}

/// Every program like these ends with this: let things go on.
const GO_ON: i32 = 1;

/// An address to bind to (`struct sockaddr_in` of `netinet/in.h`), with no port of its own.
#[repr(C)]
struct Ipv4End {
    family: u16,
    port: Be16,
    address: Be32,
    zero: [u32; 2],
}

/// An address to bind to (`struct sockaddr_in6`), with no port of its own.
#[repr(C)]
struct Ipv6End {
    family: u16,
    port: Be16,
    flow: u32,
    address: [u32; 4],
    scope: u32,
}

/// Chooses the address that an IPv4 socket connects from.
#[cgroup_sock_addr(connect4)]
fn choose_source4(context: SockAddrContext) -> i32 {
    // SAFETY: the context outlives the program's run.
    let destination = unsafe { (&raw const (*context.sock_addr).user_ip4).read_volatile() };
    if let Some(source) = source(&context, Be32(destination)) {
        let end = Ipv4End {
            family: AF_INET as u16,
            port: Be16(0),
            address: source,
            zero: [0; 2],
        };
        bind(&context, end);
    }
    GO_ON
}

/// Chooses the address that an IPv6 socket connects from, to an address of either family.
#[cgroup_sock_addr(connect6)]
fn choose_source6(context: SockAddrContext) -> i32 {
    // SAFETY: the context is valid; only the place of the field is taken.
    let address = unsafe { &raw const (*context.sock_addr).user_ip6 }.cast::<u32>();
    let [a, b, mapped, destination] = [0, 1, 2, 3].map(|word| {
        // SAFETY: the four words are fields of the context that the kernel called the program with.
        unsafe { address.wrapping_add(word).read_volatile() }
    });
    let source = if a | b == 0 && mapped == MAPPED {
        source(&context, Be32(destination)).map(|source| [0, 0, MAPPED, source.0])
    } else {
        source_ipv6(&context, [a, b, mapped, destination])
    };
    if let Some(address) = source {
        let end = Ipv6End {
            family: AF_INET6 as u16,
            port: Be16(0),
            flow: 0,
            address,
            scope: 0,
        };
        bind(&context, end);
    }
    GO_ON
}

/// The third word of an IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2).
const MAPPED: u32 = 0xffff_u32.to_be();

/// The address to connect from, for a TCP socket of this stack that has none yet.
#[inline(always)]
fn source(context: &SockAddrContext, destination: Be32) -> Option<Be32> {
    let (tables, port) = concerned(context)?;
    let source = origin::source(destination, port, &tables)?;
    let socket = socket(context)?;
    // SAFETY: the kernel calls this program with a socket.
    let bound = unsafe { (&raw const (*socket).src_ip4).read_volatile() };
    (bound == 0).then_some(source)
}

/// The same for a destination of IPv6.
#[inline(always)]
fn source_ipv6(context: &SockAddrContext, destination: [u32; 4]) -> Option<[u32; 4]> {
    let (tables, port) = concerned(context)?;
    let whole = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let [first, second, third, fourth] = destination;
    let destination = [whole(first, second), whole(third, fourth)];
    let [high, low] = origin::source_ipv6(destination, port, &tables)?;
    let socket = socket(context)?;
    // SAFETY: the kernel calls this program with a socket; only the place of the field is taken.
    let bound = unsafe { &raw const (*socket).src_ip6 }.cast::<u32>();
    let bound = [0, 1, 2, 3].map(|word| {
        // SAFETY: the four words are a field of the socket.
        unsafe { bound.wrapping_add(word).read_volatile() }
    });
    let source = [
        high as u32,
        (high >> 32) as u32,
        low as u32,
        (low >> 32) as u32,
    ];
    (bound[0] | bound[1] | bound[2] | bound[3] == 0).then_some(source)
}

/// The maps and the port to connect to, if the socket is TCP and of this stack.
#[inline(always)]
fn concerned(context: &SockAddrContext) -> Option<(KernelTables<Outgoing>, Be16)> {
    let about = context.sock_addr;
    // SAFETY: the context outlives the program's run.
    if unsafe { (&raw const (*about).protocol).read_volatile() } != u32::from(tcp::PROTOCOL) {
        return None;
    }
    let tables = KernelTables::<Outgoing>::new(context.as_ptr());
    // SAFETY: the context is the one that the kernel called this program with.
    let cookie = unsafe { bpf_get_netns_cookie(context.as_ptr()) };
    if cookie != SETTINGS.netns_cookie.load() {
        return None;
    }
    // SAFETY: the context outlives the program's run.
    let port = unsafe { (&raw const (*about).user_port).read_volatile() };
    Some((tables, Be16(port as u16)))
}

/// The socket that connects.
#[inline(always)]
fn socket(context: &SockAddrContext) -> Option<*mut bpf_sock> {
    // SAFETY: the field is a pointer, whichever way the union is read.
    let socket = unsafe { (&raw const (*context.sock_addr).__bindgen_anon_1.sk).read_volatile() };
    (!socket.is_null()).then_some(socket)
}

/// Binds the socket. One that is bound to a port already stays as it is.
#[inline(always)]
fn bind<E>(context: &SockAddrContext, mut end: E) {
    let about: *mut bpf_sock_addr = context.sock_addr;
    // SAFETY: the address is as long as is told, and of the family that it says.
    let _ = unsafe {
        bpf_bind(
            about,
            (&raw mut end).cast::<sockaddr>(),
            const { size_of::<E>().cast_signed() as i32 },
        )
    };
}
