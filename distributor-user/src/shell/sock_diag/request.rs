//! The bytes of questions about TCP sockets (`linux/inet_diag.h`).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader};
use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, IPPROTO_TCP, SOCK_DESTROY, SOCK_DIAG_BY_FAMILY,
};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};

use super::socket_id;
use crate::shell::netlink::aligned;

/// `INET_DIAG_REQ_BYTECODE`: the attribute that carries a filter program.
const ATTRIBUTE_BYTECODE: u16 = 1;
/// Length of an attribute's header.
const ATTRIBUTE_HEADER_LEN: usize = 4;

/// `INET_DIAG_BC_JMP`.
const OP_JUMP: u8 = 1;
/// `INET_DIAG_BC_S_COND`: compares the local address.
const OP_LOCAL: u8 = 7;
/// Length of `struct inet_diag_bc_op`.
const OP_LEN: usize = 4;
/// Length of `struct inet_diag_hostcond` without its address.
const CONDITION_LEN: usize = 8;
/// Bytes of a filter program that the length of its attribute and the jumps in it can express.
const MAX_PROGRAM_LEN: usize = 65_532 - ATTRIBUTE_HEADER_LEN;

/// Which sockets a dump is about.
#[derive(Clone, Copy, Debug)]
pub(in crate::shell) enum Scope<'a> {
    /// All of them.
    Everything,
    /// Those whose local address is one of these; the kernel leaves out the others.
    Local(&'a BTreeSet<IpAddr>),
}

/// One dump of one family.
pub(super) struct Filter<'a> {
    pub(super) family: u8,
    pub(super) states: StateFlags,
    pub(super) scope: Scope<'a>,
}

impl Filter<'_> {
    /// The request for the dump.
    pub(super) fn dump(&self, sequence: u32) -> Vec<u8> {
        let any = if self.family == AF_INET {
            SocketId::new_v4()
        } else {
            SocketId::new_v6()
        };
        let program = match self.scope {
            Scope::Everything => Vec::new(),
            Scope::Local(addresses) => program(addresses),
        };
        message(
            SOCK_DIAG_BY_FAMILY,
            sequence,
            NLM_F_DUMP,
            &inet(self.family, self.states.clone(), any),
            &program,
        )
    }
}

/// The request for the socket of one connection.
pub(super) fn find(sequence: u32, local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    message(SOCK_DIAG_BY_FAMILY, sequence, 0, &one(local, remote), &[])
}

/// The request to end one connection with a RST; it is answered in any case.
pub(super) fn destroy(sequence: u32, local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    message(SOCK_DESTROY, sequence, NLM_F_ACK, &one(local, remote), &[])
}

fn one(local: SocketAddr, remote: SocketAddr) -> InetRequest {
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    inet(family, StateFlags::all(), socket_id(local, remote))
}

fn inet(family: u8, states: StateFlags, socket_id: SocketId) -> InetRequest {
    let extensions = ExtensionFlags::empty();
    InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions,
        states,
        socket_id,
    }
}

fn message(kind: u16, sequence: u32, flags: u16, request: &InetRequest, program: &[u8]) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.message_type = kind;
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    let fixed = header.buffer_len() + request.buffer_len();
    let attribute_len = if program.is_empty() {
        0
    } else {
        ATTRIBUTE_HEADER_LEN + program.len()
    };
    let length = fixed + aligned(attribute_len);
    header.length = u32::try_from(length).expect("a request is a few dozen kilobytes at most");

    let mut bytes = vec![0; length];
    header.emit(&mut bytes[..]);
    request.emit(&mut bytes[header.buffer_len()..fixed]);
    if !program.is_empty() {
        let attribute = &mut bytes[fixed..];
        let stated = u16::try_from(attribute_len).expect("the program is shorter than that");
        attribute[..2].copy_from_slice(&stated.to_ne_bytes());
        attribute[2..4].copy_from_slice(&ATTRIBUTE_BYTECODE.to_ne_bytes());
        attribute[4..attribute_len].copy_from_slice(program);
    }
    bytes
}

/// A filter program that accepts sockets with one of these local addresses.
///
/// For each address a comparison, which goes on to the next one when it fails
/// and else to a jump to the end. Ending exactly behind the program accepts;
/// the last comparison fails to four bytes beyond it, which rejects. An IPv4
/// comparison also holds for the v4-mapped address (`inet_diag_bc_run`). With
/// more addresses than a program can hold there is none: everything comes.
fn program(addresses: &BTreeSet<IpAddr>) -> Vec<u8> {
    let lengths = addresses.iter().map(|address| block_len(*address));
    let total: usize = lengths.sum();
    if total > MAX_PROGRAM_LEN {
        return Vec::new();
    }
    let mut program = Vec::with_capacity(total);
    for address in addresses {
        let comparison_len = block_len(*address) - OP_LEN;
        let jump_at = program.len() + comparison_len;
        let is_last = jump_at + OP_LEN == total;
        let otherwise = if is_last { OP_LEN } else { 0 } + comparison_len + OP_LEN;
        program.extend(operation(OP_LOCAL, comparison_len, otherwise));
        let (family, octets) = match address {
            IpAddr::V4(v4) => (AF_INET, v4.octets().to_vec()),
            IpAddr::V6(v6) => (AF_INET6, v6.octets().to_vec()),
        };
        let prefix_len = u8::try_from(octets.len() * 8).expect("32 or 128");
        program.extend([family, prefix_len, 0, 0]);
        program.extend((-1_i32).to_ne_bytes()); // Any port.
        program.extend(octets);
        program.extend(operation(OP_JUMP, OP_LEN, total - jump_at));
    }
    program
}

/// Length of one comparison and its jump.
const fn block_len(address: IpAddr) -> usize {
    let address_len = if address.is_ipv4() { 4 } else { 16 };
    OP_LEN + CONDITION_LEN + address_len + OP_LEN
}

fn operation(code: u8, then: usize, otherwise: usize) -> [u8; OP_LEN] {
    let then = u8::try_from(then).expect("the length of one operation");
    let otherwise = u16::try_from(otherwise).expect("the length of a program");
    let [low, high] = otherwise.to_ne_bytes();
    [code, then, low, high]
}
