//! The same for IPv6, where a router tells the source of every packet that is too big.

use super::{L3, onward};
use crate::abi::Ends;
use crate::counter::Verdict;
use crate::packet::PacketBuf;
use crate::stages::ends;
use crate::stages::ipv6::{Payload, is_version};
use crate::tables::Tables;
use crate::wire::ipv6::{self, icmp};
use crate::wire::{icmp::QUOTED, tcp};

/// Decides about ICMP over IPv6; `None` when it is no error about a connection of a distributed address.
#[inline(always)]
pub fn error<P: PacketBuf, T: Tables>(
    packet: &mut P,
    payload: Payload,
    dvipa: [u64; 2],
    tables: &T,
) -> Option<Verdict> {
    let head = packet.window::<{ icmp::LEN }>(L3 + payload.at)?;
    if !icmp::is_error(head.u8::<{ icmp::KIND }>()) {
        return None;
    }
    let quoted = payload.at + icmp::LEN;
    let head = packet.window::<{ ipv6::LEN }>(L3 + quoted)?;
    let source = [
        head.word64::<{ ipv6::SOURCE }>(),
        head.word64::<{ ipv6::SOURCE + 8 }>(),
    ];
    let client = [
        head.word64::<{ ipv6::DESTINATION }>(),
        head.word64::<{ ipv6::DESTINATION + 8 }>(),
    ];
    // What was quoted went the other way: its source is the DVIPA.
    if !is_version(head.u8::<{ ipv6::VERSION }>())
        || head.u8::<{ ipv6::NEXT_HEADER }>() != tcp::PROTOCOL
        || source != dvipa
    {
        return None;
    }
    let transport = quoted + ipv6::LEN;
    if transport + QUOTED > payload.end || !packet.holds(L3, payload.end) {
        return None;
    }
    let head = packet.window::<QUOTED>(L3 + transport)?;
    let ports = head.word32::<{ tcp::PORTS }>().rotate_left(16);
    if ports as u16 == 0 || ports >> 16 == 0 {
        return None;
    }
    let ends = Ends { client, dvipa };
    let key = ends::key(ends, ports, tcp::PROTOCOL, tables)?;
    tables.put_aside(|| ends);
    Some(onward(packet, &key, None, tables))
}
