//! Answering whether the daemon lives.
//!
//! A dead daemon's packet path still answers, a dead host's does not: that is
//! how a backup tells the one from the other. Only a member's question is
//! answered, by as many bytes as it has, and sent back whence it came.
//! Everything else is the kernel's, untouched.

use crate::abi::{PROBE_KEYS, ProbeState};
use crate::checksum;
use crate::counter::Verdict;
use crate::hash;
use crate::packet::PacketBuf;
use crate::probe::{self, Kind, Words};
use crate::tables::Tables;
use crate::wire::{Be16, ethernet, ipv4, udp};

pub mod ipv6;

const L3: usize = ethernet::LEN;
const L4: usize = L3 + ipv4::MIN_LEN;
const PAYLOAD: usize = L4 + udp::LEN;
const FRAME: usize = PAYLOAD + probe::LEN;
const IP_LEN: usize = FRAME - L3;

/// Time to live of an answer (RFC 1700, "IP TIME TO LIVE PARAMETER").
const TTL: u8 = 64;
const NS_PER_MS: u64 = 1_000_000;

/// Decides about what is IPv4 and not TCP, and answers it if it is a question.
#[inline(always)]
pub fn answer<P: PacketBuf, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    let state = tables.life().probe();
    let Some(addresses) = packet
        .window::<L4>(0)
        .map(|head| head.word64::<{ L3 + ipv4::ADDRESSES }>())
    else {
        return Verdict::Malformed;
    };
    let bit = hash::prefilter((addresses >> 32) as u32);
    let otherwise = if tables.prefilter(bit.word) & bit.mask == 0 {
        Verdict::NotDistributed
    } else {
        Verdict::NotTcp
    };
    let Some(head) = packet.window::<PAYLOAD>(0) else {
        return otherwise;
    };
    // A question has neither IP options nor pieces.
    if state.port() == 0
        || head.u8::<{ L3 + ipv4::VERSION_IHL }>() != ipv4::VERSION_NO_OPTIONS
        || head.u8::<{ L3 + ipv4::PROTOCOL }>() != udp::PROTOCOL
        || head.be16::<{ L3 + ipv4::FRAGMENT }>().0 & Be16::from_host(ipv4::FRAGMENT_MASK).0 != 0
        || (head.word32::<{ L4 + udp::PORTS }>() >> 16) as u16 != state.port().to_be()
    {
        return otherwise;
    }
    let lengths = [IP_LEN, IP_LEN - ipv4::MIN_LEN];
    let found = [
        head.be16::<{ L3 + ipv4::TOTAL_LEN }>().host(),
        head.be16::<{ L4 + udp::TOTAL_LEN }>().host(),
    ];
    let Some(mut frame) = packet.window::<FRAME>(0) else {
        return Verdict::ProbeRefused;
    };
    if lengths != [usize::from(found[0]), usize::from(found[1])] {
        return Verdict::ProbeRefused;
    }
    let question = [
        frame.word64::<{ PAYLOAD }>(),
        frame.word64::<{ PAYLOAD + 8 }>(),
        frame.word64::<{ PAYLOAD + 16 }>(),
        frame.word64::<{ PAYLOAD + 24 }>(),
        frame.word64::<{ PAYLOAD + 32 }>(),
    ];
    let Some(words) = reply(&question, state, tables) else {
        return Verdict::ProbeRefused;
    };
    frame.set_word64::<{ PAYLOAD }>(words[0]);
    frame.set_word64::<{ PAYLOAD + 8 }>(words[1]);
    frame.set_word64::<{ PAYLOAD + 16 }>(words[2]);
    frame.set_word64::<{ PAYLOAD + 24 }>(words[3]);
    frame.set_word64::<{ PAYLOAD + 32 }>(words[4]);
    // The sum over the header does not see that two of its words have changed places.
    frame.set_word64::<{ L3 + ipv4::ADDRESSES }>(addresses.rotate_left(32));
    let ports = frame.word32::<{ L4 + udp::PORTS }>();
    frame.set_word32::<{ L4 + udp::PORTS }>(ports.rotate_left(16));
    frame.set_be16::<{ L4 + udp::CHECKSUM }>(Be16(0));
    let [ttl, protocol, sum_0, sum_1] = frame.word32::<{ L3 + ipv4::TTL }>().to_ne_bytes();
    let sum = checksum::replace(
        u16::from_ne_bytes([sum_0, sum_1]),
        u16::from_ne_bytes([ttl, protocol]),
        u16::from_ne_bytes([TTL, protocol]),
    );
    let [sum_0, sum_1] = sum.to_ne_bytes();
    frame.set_word32::<{ L3 + ipv4::TTL }>(u32::from_ne_bytes([TTL, protocol, sum_0, sum_1]));
    let destination = frame.word64::<{ ethernet::ADDRESSES }>();
    let source = frame.word32::<{ ethernet::ADDRESSES + 8 }>();
    let turned = swapped(destination, source);
    frame.set_word64::<{ ethernet::ADDRESSES }>(turned.0);
    frame.set_word32::<{ ethernet::ADDRESSES + 8 }>(turned.1);
    Verdict::ProbeAnswered
}

/// The answer to a question; `None` when it is none, or not a member's to this stack.
#[inline(always)]
fn reply<T: Tables>(question: &Words, state: ProbeState, tables: &T) -> Option<Words> {
    let stack = tables.life().identity(state);
    for index in 0..PROBE_KEYS {
        if let Some(key) = tables.life().probe_key(state, index)
            && let Some((nonce, _)) = probe::read(Kind::Question, question, stack, key)
        {
            let age_ms = tables.life().silence_ns(tables.now_ns()) / NS_PER_MS;
            return Some(probe::message(Kind::Answer, nonce, age_ms, stack, key));
        }
    }
    None
}

/// The first 12 bytes of a frame with both addresses in each other's place.
#[inline(always)]
const fn swapped(first: u64, second: u32) -> (u64, u32) {
    let destination = first & 0xffff_ffff_ffff;
    let source = first >> 48 | (second as u64) << 16;
    (source | destination << 48, (destination >> 16) as u32)
}
