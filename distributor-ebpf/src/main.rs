//! The programs of a stack.
//!
//! Nothing is decided here: `distribute` lends the stages of
//! `distributor_common` a packet and the maps, and turns their verdict into
//! the kernel's action code.
#![no_std]
#![no_main]
#![allow(
    clippy::inline_always,
    reason = "a call in the packet path costs more than most stages, and only inlined code keeps \
              the bounds that the kernel's verifier has seen"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "the `xdp` macro passes the context by value"
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

mod clock;
mod maps;
mod packet;
mod panic;
mod tables;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX};
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::cty::c_void;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::DevMapHash;
use aya_ebpf::programs::XdpContext;
use distributor_common::abi::MAX_INTERFACES;
use distributor_common::stages::decapsulate::Carrier;
use distributor_common::stages::{self, Aside, Concern, established, ipv6};
use distributor_common::{Action, Verdict};

use crate::packet::XdpBuf;
use crate::tables::{KernelTables, Side};

#[map]
static TRANSMIT: DevMapHash = DevMapHash::with_max_entries(MAX_INTERFACES, 0);

/// A packet on its way into this host.
#[derive(Clone, Copy)]
struct Incoming;

impl Side for Incoming {
    const STARTS_HERE: bool = false;

    #[inline(always)]
    fn redirect(ifindex: u32) -> bool {
        TRANSMIT.redirect(ifindex, u64::from(XDP_DROP)).is_ok()
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

/// The packet path of every interface on which packets for DVIPAs arrive.
///
/// What concerns no DVIPA ends here, in few registers and little stack: of a packet that is only let
/// through, saving them is a good part of the cost.
#[xdp(frags)]
fn distribute(context: XdpContext) -> u32 {
    let tables = KernelTables::<Incoming>::new(context.as_ptr());
    let mut packet = XdpBuf::new(&context);
    let pointer = context.as_ptr().cast();
    let carrier = match stages::prefilter(&mut packet, &tables) {
        Ok(Concern::Vipa) => match established::forward(&mut packet, &tables) {
            Some(verdict) => return action_code(verdict),
            None => NOBODY,
        },
        Ok(Concern::Aside { is_arp }) => {
            let outcome = look_aside(pointer, u32::from(is_arp));
            if Carrier::from_source(outcome).is_none() {
                return outcome as u32;
            }
            outcome
        }
        Ok(Concern::Ipv6) => {
            if let Some(verdict) = established::forward_ipv6(&mut packet, &tables) {
                return action_code(verdict);
            }
            let outcome = distribute_ipv6(pointer);
            if outcome == ASIDE {
                return look_aside_ipv6(pointer);
            }
            return outcome;
        }
        Ok(Concern::AsideIpv6) => return look_aside_ipv6(pointer),
        Err(verdict) => return action_code(verdict),
    };
    distribute_concerned(pointer, carrier)
}

/// In the place of a [`Carrier`] when no member has carried the packet here.
const NOBODY: u64 = 0;

/// The rest of the way, for a packet that the prefilter has not let through and that is not simply
/// forwarded, or that a member has carried here; a symbol as [`exceptional`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn distribute_concerned(context: *mut xdp_md, carrier: u64) -> u32 {
    let context = XdpContext::new(context);
    let tables = KernelTables::<Incoming>::new(context.as_ptr());
    let carrier = Carrier::from_source(carrier);
    action_code(stages::concerned(
        &mut XdpBuf::new(&context),
        carrier,
        tables,
    ))
}

/// In the place of an action code when a packet of IPv6 is to be looked at aside.
const ASIDE: u32 = u32::MAX;

/// IPv6 that may be for a DVIPA, but for what is to be looked at aside; a symbol as [`exceptional`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn distribute_ipv6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let tables = KernelTables::<Incoming>::new(context.as_ptr());
    ipv6::packet(&mut XdpBuf::new(&context), tables).map_or(ASIDE, action_code)
}

/// The rest of IPv6: a symbol as [`exceptional`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_aside_ipv6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let tables = KernelTables::<Incoming>::new(context.as_ptr());
    action_code(ipv6::aside(&mut XdpBuf::new(&context), tables))
}

/// What is not TCP, and perhaps about a flow or the daemon. Returns an action code, or the carrier of
/// what was inside; a symbol as [`exceptional`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_aside(context: *mut xdp_md, is_arp: u32) -> u64 {
    let is_arp = is_arp != 0;
    let context = XdpContext::new(context);
    let tables = KernelTables::<Incoming>::new(context.as_ptr());
    match stages::aside(&mut XdpBuf::new(&context), is_arp, tables) {
        Aside::Ended(verdict) => u64::from(action_code(verdict)),
        Aside::Opened(carrier) => carrier.source(),
    }
}

/// A new connection, and all of a known one but a segment in its middle; a symbol of the object, so that the
/// kernel verifies it once and by itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn exceptional(context: *mut xdp_md, addresses: u64, rest: u64) -> u32 {
    tables::exceptional::<Incoming>(context.cast(), addresses, rest)
}

/// What is of no known connection and opens none; likewise.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn unknown(context: *mut xdp_md, addresses: u64, rest: u64, source: u64) -> u32 {
    tables::unknown::<Incoming>(context.cast(), addresses, rest, source)
}

#[inline(always)]
fn action_code(verdict: Verdict) -> u32 {
    match verdict.action() {
        Action::Pass => XDP_PASS,
        Action::Drop => XDP_DROP,
        Action::Transmit => XDP_TX,
        Action::Redirect => XDP_REDIRECT,
    }
}
