//! The same for IPv6, where a datagram has to have a checksum.

use super::{TTL, reply, swapped};
use crate::checksum;
use crate::counter::Verdict;
use crate::packet::PacketBuf;
use crate::probe;
use crate::stages::ipv6::ends_of;
use crate::tables::Tables;
use crate::wire::{Be16, ethernet, ipv6, udp};

const L3: usize = ethernet::LEN;
const L4: usize = L3 + ipv6::LEN;
const PAYLOAD: usize = L4 + udp::LEN;
const FRAME: usize = PAYLOAD + probe::LEN;
const UDP_LEN: usize = udp::LEN + probe::LEN;

/// Decides about what is UDP over IPv6 without extension headers, and answers it if it is a question.
#[inline(always)]
pub fn answer<P: PacketBuf, T: Tables>(packet: &mut P, otherwise: Verdict, tables: &T) -> Verdict {
    let state = tables.life().probe();
    let Some(head) = packet.window::<PAYLOAD>(0) else {
        return otherwise;
    };
    if state.port() == 0
        || head.u8::<{ L3 + ipv6::NEXT_HEADER }>() != udp::PROTOCOL
        || (head.word32::<{ L4 + udp::PORTS }>() >> 16) as u16 != state.port().to_be()
    {
        return otherwise;
    }
    let lengths = [
        head.be16::<{ L3 + ipv6::PAYLOAD_LEN }>().host(),
        head.be16::<{ L4 + udp::TOTAL_LEN }>().host(),
    ];
    let Some(mut frame) = packet.window::<FRAME>(0) else {
        return Verdict::ProbeRefused;
    };
    if lengths.map(usize::from) != [UDP_LEN; 2] {
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
    let ends = ends_of(&frame);
    frame.set_word64::<{ L3 + ipv6::SOURCE }>(ends.dvipa[0]);
    frame.set_word64::<{ L3 + ipv6::SOURCE + 8 }>(ends.dvipa[1]);
    frame.set_word64::<{ L3 + ipv6::DESTINATION }>(ends.client[0]);
    frame.set_word64::<{ L3 + ipv6::DESTINATION + 8 }>(ends.client[1]);
    let ports = frame.word32::<{ L4 + udp::PORTS }>().rotate_left(16);
    frame.set_word32::<{ L4 + udp::PORTS }>(ports);
    // Length and protocol are in the sum as well (RFC 8200 §8.1), the length once more in the header.
    let length = Be16::from_host(UDP_LEN as u16).0;
    let rest = u64::from(ports)
        + 2 * u64::from(length)
        + u64::from(Be16::from_host(udp::PROTOCOL.into()).0);
    let sum = checksum::sum(&words)
        + checksum::sum(&[ends.client[0], ends.client[1], ends.dvipa[0], ends.dvipa[1]])
        + rest;
    frame.set_be16::<{ L4 + udp::CHECKSUM }>(Be16(checksum::of_datagram(sum)));
    frame.set_u8::<{ L3 + ipv6::HOP_LIMIT }>(TTL);
    let destination = frame.word64::<{ ethernet::ADDRESSES }>();
    let source = frame.word32::<{ ethernet::ADDRESSES + 8 }>();
    let turned = swapped(destination, source);
    frame.set_word64::<{ ethernet::ADDRESSES }>(turned.0);
    frame.set_word32::<{ ethernet::ADDRESSES + 8 }>(turned.1);
    Verdict::ProbeAnswered
}
