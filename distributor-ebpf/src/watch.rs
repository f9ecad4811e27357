#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the `sock_ops` macro generates items without documentation"
)]
#![allow(
    clippy::inline_always,
    reason = "the context of a program is not passed on to functions of their own"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "the `sock_ops` macro passes the context by value"
)]
//! Reports the listeners of one stack as they come and go, and connections as they close; counts
//! handshakes.
//!
//! The programs see every TCP socket below the cgroup that they are attached
//! to, of whatever network namespace. They never change what a socket does,
//! keep the callback flags that others have set, and are silent about every
//! socket that is not in the namespace of their own stack.

mod panic;

use aya_ebpf::{
    EbpfContext,
    bindings::{
        BPF_F_NO_PREALLOC, BPF_NOEXIST, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_STATE_CB,
        BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_LISTEN_CB, BPF_SOCK_OPS_TIMEOUT_INIT,
        BPF_TCP_CLOSE, BPF_TCP_CLOSE_WAIT, BPF_TCP_ESTABLISHED, BPF_TCP_FIN_WAIT1,
        BPF_TCP_FIN_WAIT2, BPF_TCP_LISTEN, BPF_TCP_NEW_SYN_RECV,
    },
    helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie},
    macros::{map, sock_ops},
    maps::{HashMap, RingBuf},
    programs::SockOpsContext,
};
use distributor_common::watch::{
    AF_INET, CLOSES, CloseReport, HandshakeKey, Handshakes, LISTENS, ListenerReport,
    MAX_HANDSHAKE_KEYS,
};

/// Reports for the daemon; one that finds no room is lost, which its next dump makes good.
#[map]
static LISTENER_REPORT: RingBuf = RingBuf::with_byte_size(64 << 10, 0);

/// Reports for the daemon; one that finds no room is lost, which the owner's audit makes good.
#[map]
static CLOSE_REPORT: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Handshakes of each local end that was ever connected to; where there is no room, nothing is counted.
#[map]
static HANDSHAKES: HashMap<HandshakeKey, Handshakes> =
    HashMap::with_max_entries(MAX_HANDSHAKE_KEYS, BPF_F_NO_PREALLOC);

/// Cookie of the network namespace that the stack is in; set by the daemon before loading.
#[unsafe(no_mangle)]
static NETNS_COOKIE: u64 = 0;

/// Every callback of a program like these ends with this: let things go on.
const GO_ON: u32 = 1;

/// Reports that a socket listens, and asks to be called when it no longer does.
#[sock_ops]
fn watch_listeners(ctx: SockOpsContext) -> u32 {
    match ctx.op() {
        BPF_SOCK_OPS_TCP_LISTEN_CB if is_own(&ctx) => {
            ask_for_states(&ctx);
            report_listener(&ctx, LISTENS);
        }
        // The other argument is the new state: a listener can only close.
        BPF_SOCK_OPS_STATE_CB if ctx.arg(0) == BPF_TCP_LISTEN && is_own(&ctx) => {
            report_listener(&ctx, CLOSES);
        }
        _ => {}
    }
    GO_ON
}

/// Reports that an accepted connection closes while its program could still use it.
///
/// The kernel tells the end of every other connection by itself. Of one that
/// is closed with `SO_LINGER` and no time it tells only that something has
/// ended: by then it has forgotten the peer.
#[sock_ops]
fn watch_closes(ctx: SockOpsContext) -> u32 {
    match ctx.op() {
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB if is_own(&ctx) => ask_for_states(&ctx),
        BPF_SOCK_OPS_STATE_CB
            if ctx.arg(1) == BPF_TCP_CLOSE
                && matches!(
                    ctx.arg(0),
                    BPF_TCP_ESTABLISHED
                        | BPF_TCP_CLOSE_WAIT
                        | BPF_TCP_FIN_WAIT1
                        | BPF_TCP_FIN_WAIT2
                )
                && is_own(&ctx) =>
        {
            report_close(&ctx);
        }
        _ => {}
    }
    GO_ON
}

/// Counts the connections that are asked for, and those whose handshake is completed.
///
/// A repeated SYN is not counted again, and one that is answered with a SYN cookie not at all: the
/// kernel then keeps nothing of it.
#[sock_ops]
fn count_handshakes(ctx: SockOpsContext) -> u32 {
    match ctx.op() {
        BPF_SOCK_OPS_TIMEOUT_INIT if state(&ctx) == BPF_TCP_NEW_SYN_RECV && is_own(&ctx) => {
            if let Some(counts) = handshakes(&ctx) {
                counts.requests.fetch_add(1);
            }
        }
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB if is_own(&ctx) => {
            if let Some(counts) = handshakes(&ctx) {
                counts.established.fetch_add(1);
            }
        }
        _ => {}
    }
    GO_ON
}

#[inline(always)]
fn handshakes(ctx: &SockOpsContext) -> Option<&'static Handshakes> {
    let key = HandshakeKey {
        address: local_address(ctx),
        family: ctx.family(),
        port: ctx.local_port(),
    };
    if HANDSHAKES.get_ptr(key).is_none() {
        // Another CPU may have been first, and there may be no room.
        let _ = HANDSHAKES.insert(key, Handshakes::default(), BPF_NOEXIST.into());
    }
    let counts = HANDSHAKES.get_ptr(key)?;
    // SAFETY: the map gave the address, its values are never deleted, and they are made of words that
    // may be shared.
    Some(unsafe { &*counts })
}

#[inline(always)]
fn state(ctx: &SockOpsContext) -> u32 {
    let ops = ctx.ops;
    // SAFETY: the context is the one that the kernel called this program with.
    unsafe { (*ops).state }
}

/// Whether the socket is in the network namespace of this program's stack.
#[inline(always)]
fn is_own(ctx: &SockOpsContext) -> bool {
    // SAFETY: the context is the one that the kernel called this program with.
    let cookie = unsafe { bpf_get_netns_cookie(ctx.as_ptr()) };
    // SAFETY: the variable is valid; it is read as volatile because the daemon has replaced the
    // value that the compiler knows.
    cookie == unsafe { core::ptr::read_volatile(&raw const NETNS_COOKIE) }
}

/// Asks to be called when the socket changes its state.
///
/// Connections that a listener accepts inherit the request.
#[inline(always)]
fn ask_for_states(ctx: &SockOpsContext) {
    let flags = ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG;
    // The end of a socket that takes no flags is found by the daemon's dumps.
    let _ = ctx.set_cb_flags(flags.cast_signed());
}

#[inline(always)]
fn report_listener(ctx: &SockOpsContext, what: u16) {
    let Some(mut entry) = LISTENER_REPORT.reserve::<ListenerReport>(0) else {
        return;
    };
    entry.write(ListenerReport {
        cookie: socket_cookie(ctx),
        address: local_address(ctx),
        family: ctx.family(),
        port: port(ctx.local_port()),
        what,
    });
    entry.submit(0);
}

#[inline(always)]
fn report_close(ctx: &SockOpsContext) {
    let Some(mut entry) = CLOSE_REPORT.reserve::<CloseReport>(0) else {
        return;
    };
    entry.write(CloseReport {
        cookie: socket_cookie(ctx),
        local: local_address(ctx),
        remote: remote_address(ctx),
        family: ctx.family(),
        local_port: port(ctx.local_port()),
        // Unlike the local one, it comes in network byte order.
        remote_port: port(u32::from_be(ctx.remote_port())),
    });
    entry.submit(0);
}

#[inline(always)]
fn socket_cookie(ctx: &SockOpsContext) -> u64 {
    // SAFETY: the context is the one that the kernel called this program with.
    unsafe { bpf_get_socket_cookie(ctx.as_ptr()) }
}

#[inline(always)]
fn local_address(ctx: &SockOpsContext) -> [u8; 16] {
    if ctx.family() == AF_INET {
        return bytes([ctx.local_ip4(), 0, 0, 0]);
    }
    // SAFETY: the context is valid; only the place of the field is taken.
    words(unsafe { &raw const (*ctx.ops).local_ip6 })
}

#[inline(always)]
fn remote_address(ctx: &SockOpsContext) -> [u8; 16] {
    if ctx.family() == AF_INET {
        return bytes([ctx.remote_ip4(), 0, 0, 0]);
    }
    // SAFETY: the context is valid; only the place of the field is taken.
    words(unsafe { &raw const (*ctx.ops).remote_ip6 })
}

/// Reads an IPv6 address of the context, of which the kernel gives one word at a time.
#[inline(always)]
fn words(address: *const [u32; 4]) -> [u8; 16] {
    let first = address.cast::<u32>();
    bytes([0, 1, 2, 3].map(|word| {
        // SAFETY: the four words are fields of the context that the kernel called the program with.
        unsafe { first.wrapping_add(word).read_volatile() }
    }))
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "a port has sixteen bits")]
fn port(word: u32) -> u16 {
    word as u16
}

#[inline(always)]
fn bytes(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: both are sixteen bytes without any invalid value.
    unsafe { core::mem::transmute::<[u32; 4], [u8; 16]>(words) }
}
