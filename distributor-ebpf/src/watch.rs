#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the `sock_ops` macro generates items without documentation"
)]
//! Reports the listening sockets of one stack as they come and go.
//!
//! The program sees every TCP socket below the cgroup that it is attached to,
//! of whatever network namespace. It never changes what a socket does, keeps
//! the callback flags that others have set, and is silent about every socket
//! that is not of its own stack's namespace or does not listen.

use aya_ebpf::{
    EbpfContext,
    bindings::{
        BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_LISTEN_CB,
        BPF_TCP_LISTEN,
    },
    helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie},
    macros::{map, sock_ops},
    maps::RingBuf,
    programs::SockOpsContext,
};
use distributor_common::watch::{AF_INET, CLOSES, LISTENS, ListenerReport};

/// Reports for the daemon; one that finds no room is lost, which its next dump makes good.
#[map]
static LISTENER_REPORT: RingBuf = RingBuf::with_byte_size(64 << 10, 0);

/// Cookie of the network namespace that the stack is in; set by the daemon before loading.
#[unsafe(no_mangle)]
static NETNS_COOKIE: u64 = 0;

/// Every callback of a program like this one ends with this: let things go on.
const GO_ON: u32 = 1;

/// Reports that a socket listens, and asks to be called when it no longer does.
///
/// Connections that a listener accepts inherit the request; their state
/// changes are recognised by the state that they come from, and end here.
#[sock_ops]
fn watch(ctx: SockOpsContext) -> u32 {
    match ctx.op() {
        BPF_SOCK_OPS_TCP_LISTEN_CB if is_own(&ctx) => {
            let flags = ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG;
            // A socket that takes no flags is found to be gone by the dump instead.
            let _ = ctx.set_cb_flags(flags.cast_signed());
            report(&ctx, LISTENS);
        }
        // The other argument is the new state: a listener can only close.
        BPF_SOCK_OPS_STATE_CB if ctx.arg(0) == BPF_TCP_LISTEN && is_own(&ctx) => {
            report(&ctx, CLOSES);
        }
        _ => {}
    }
    GO_ON
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

#[inline(always)]
fn report(ctx: &SockOpsContext, what: u16) {
    let family = ctx.family();
    let mut address = [0; 4];
    if family == AF_INET {
        address[0] = ctx.local_ip4();
    } else {
        // SAFETY: the context is valid, and the kernel allows reads of one word each only.
        address = [0, 1, 2, 3]
            .map(|word| unsafe { core::ptr::read_volatile(&raw const (*ctx.ops).local_ip6[word]) });
    }
    let Some(mut entry) = LISTENER_REPORT.reserve::<ListenerReport>(0) else {
        return;
    };
    // SAFETY: the context is the one that the kernel called this program with.
    let cookie = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
    entry.write(ListenerReport {
        cookie,
        // SAFETY: both are sixteen bytes without any invalid value.
        address: unsafe { core::mem::transmute::<[u32; 4], [u8; 16]>(address) },
        family,
        port: ctx.local_port() as u16,
        what,
    });
    entry.submit(0);
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
