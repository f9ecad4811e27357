//! Tells clients that the stack which terminated their connections is gone.
//!
//! Nobody else knows the sequence numbers that a RST needs. But a SYN in the
//! middle of a connection is answered with an ACK that has them (RFC 5961 §4.2),
//! whatever its own number, and that ACK goes the way of every segment of an
//! unknown flow: to a kernel that answers it with the right RST. A client that
//! is only waiting for data learns it, too.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::engine::forwarding::FlowKey;

#[cfg(test)]
mod tests;

/// Length of a TCP header without options.
const HEADER_LEN: usize = 20;
/// Its length in words of 32 bits, where the header has it.
const DATA_OFFSET: u8 = 5 << 4;
const SYN: u8 = 2;

/// TCP's number in both versions of the pseudo-header.
const PROTOCOL: u8 = 6;

/// Sends a SYN from the DVIPA's side of each connection, and returns how many were sent. The caller's
/// stack has the DVIPAs. Blocks while the kernel has no room.
///
/// # Errors
///
/// The process may not send raw packets, or does not have a DVIPA.
pub fn challenge(flows: &[FlowKey]) -> io::Result<usize> {
    let mut by_dvipa: BTreeMap<IpAddr, Vec<&FlowKey>> = BTreeMap::new();
    for flow in flows {
        let dvipa = flow.dvipa.to_canonical();
        by_dvipa.entry(dvipa).or_default().push(flow);
    }
    let mut sent = 0;
    for (dvipa, flows) in by_dvipa {
        let from = SocketAddr::new(dvipa, 0);
        let socket = Socket::new(Domain::for_address(from), Type::RAW, Some(Protocol::TCP))?;
        socket.bind(&SockAddr::from(from))?;
        for flow in flows {
            let client = flow.client.to_canonical();
            let segment = segment(dvipa, flow.port, client, flow.client_port);
            let to = SockAddr::from(SocketAddr::new(client, 0));
            // One client that cannot be reached says nothing about the others.
            sent += usize::from(socket.send_to(&segment, &to).is_ok());
        }
    }
    Ok(sent)
}

/// A SYN that nobody has asked for; its number is of no importance.
fn segment(from: IpAddr, port: u16, to: IpAddr, client_port: u16) -> [u8; HEADER_LEN] {
    let mut segment = [0; HEADER_LEN];
    segment[0..2].copy_from_slice(&port.to_be_bytes());
    segment[2..4].copy_from_slice(&client_port.to_be_bytes());
    segment[12] = DATA_OFFSET;
    segment[13] = SYN;
    let sum = checksum(from, to, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// The checksum over a segment and its pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1); the zeros by which
/// the two pseudo-headers differ add nothing.
fn checksum(from: IpAddr, to: IpAddr, segment: &[u8; HEADER_LEN]) -> u16 {
    const LEN: u8 = 20;
    const { assert!(LEN as usize == HEADER_LEN) };
    let mut bytes = Vec::new();
    for address in [from, to] {
        match address {
            IpAddr::V4(address) => bytes.extend(address.octets()),
            IpAddr::V6(address) => bytes.extend(address.octets()),
        }
    }
    bytes.extend([0, PROTOCOL, 0, LEN]);
    bytes.extend(segment);
    let sum: u32 = bytes
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let [high, low] = [sum >> 16, sum & 0xffff];
    let folded = high + low;
    let folded = (folded >> 16) + (folded & 0xffff);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}
