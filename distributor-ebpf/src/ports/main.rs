#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the macros of the programs generate items without documentation"
)]
#![allow(
    clippy::inline_always,
    reason = "the context of a program is not passed on to functions of their own"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "the macros pass the contexts by value"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "the kernel hands ports and users out in wider words, and a hash is cut to an index"
)]
//! Does what the profile's PORT and PORTRANGE say, in one stack.
//!
//! A bind is refused, or moved to another address, before the kernel sees it;
//! listeners of a shared port are noted; and a new connection to such a port is
//! given to the listener whose turn it is. The programs never look at a socket
//! that is not in the namespace of their own stack, nor at a port of which
//! nothing is said, and nothing of theirs runs for an established connection.

mod bind;
mod caller;
mod maps;
#[path = "../panic.rs"]
mod panic;
mod share;

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_SOCK_OPS_TCP_LISTEN_CB,
    helpers::generated::bpf_get_netns_cookie,
    macros::{cgroup_sock_addr, sk_lookup, sock_ops},
    programs::{SkLookupContext, SockAddrContext, SockOpsContext},
};

use crate::bind::Family;

/// Cookie of the network namespace that the stack is in; set by the daemon before loading.
#[unsafe(no_mangle)]
static NETNS_COOKIE: u64 = 0;

/// Every callback of a socket's operations ends with this: let things go on.
const GO_ON: u32 = 1;

#[cgroup_sock_addr(bind4)]
fn govern_bind4(ctx: SockAddrContext) -> i32 {
    bind::govern(&ctx, Family::Inet)
}

#[cgroup_sock_addr(bind6)]
fn govern_bind6(ctx: SockAddrContext) -> i32 {
    bind::govern(&ctx, Family::Inet6)
}

/// Takes note of a socket that begins to listen on a shared port.
#[sock_ops]
fn note_listener(ctx: SockOpsContext) -> u32 {
    if ctx.op() == BPF_SOCK_OPS_TCP_LISTEN_CB && is_own(&ctx) {
        share::note(&ctx);
    }
    GO_ON
}

/// Gives a new connection to the listener whose turn it is; attached to the stack's namespace only.
#[sk_lookup]
fn hand_out(ctx: SkLookupContext) -> u32 {
    share::hand_out(&ctx)
}

/// Whether the socket is in the network namespace of this program's stack.
#[inline(always)]
fn is_own(ctx: &impl EbpfContext) -> bool {
    // SAFETY: the context is the one that the kernel called this program with.
    let cookie = unsafe { bpf_get_netns_cookie(ctx.as_ptr()) };
    // SAFETY: the variable is valid; it is read as volatile because the daemon has replaced the
    // value that the compiler knows.
    cookie == unsafe { core::ptr::read_volatile(&raw const NETNS_COOKIE) }
}
