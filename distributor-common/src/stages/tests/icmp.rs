//! Where an ICMP error goes, and what it must not do.

use super::*;
use crate::abi::Path;
use crate::host::frame::icmp_error;
use crate::wire::icmp::{PARAMETER_PROBLEM, TIME_EXCEEDED, UNREACHABLE};

const FRAGMENTATION_NEEDED: u8 = 4;

/// The flow of a client's connection: half-open, established, or ending.
fn connected(bench: &mut Bench, client_port: u16, further: &[u8]) -> u16 {
    let slot = bench.target(Frame::new(client_port, SYN), &[Event::FlowStored]);
    for flags in further {
        assert_eq!(bench.target(Frame::new(client_port, *flags), &[]), slot);
    }
    slot
}

/// Sends an error, which must go to a target, and returns its slot.
fn error_target(bench: &mut Bench, error: Vec<u8>, events: &[Event]) -> u16 {
    let events = [events, &[Event::ErrorSentOn]].concat();
    u16::from(bench.send(error, Verdict::Transmitted, &events)[5])
}

#[test]
fn an_error_goes_to_the_target_of_its_connection() {
    let mut bench = Bench::new(&[1, 2, 3]);
    for (port, further) in [
        (40_000, &[][..]),
        (40_001, &[ACK]),
        (40_002, &[ACK, FIN | ACK]),
    ] {
        let slot = connected(&mut bench, port, further);
        let flow = bench.flow(port);
        for kind in [UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM] {
            for (ip_options, quoted) in [(0, 8), (0, 20), (10, 8)] {
                let frame = Frame {
                    ip_options,
                    ..Frame::new(port, ACK)
                };
                let error = icmp_error(kind, FRAGMENTATION_NEEDED, &frame, quoted);
                assert_eq!(error_target(&mut bench, error, &[]), slot);
            }
        }
        assert_eq!(bench.flow(port), flow, "an error proves nothing");
    }
}

#[test]
fn an_error_about_a_connection_without_a_place_goes_where_its_segments_go() {
    let mut bench = Bench::new(&[1, 2, 3]);
    bench.tables.set_choice(0, Choice::Hash);
    let frame = Frame::new(40_000, ACK);
    let slot = bench.target(frame, &[Event::FlowGuessed]);
    let error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, &frame, 8);
    assert_eq!(error_target(&mut bench, error, &[Event::FlowGuessed]), slot);
    assert_eq!(bench.flows().count(), 0);
}

#[test]
fn an_error_about_a_connection_that_ends_here_stays() {
    let mut bench = Bench::new(&[1]);
    bench.tables.set_path(1, Path::Local);
    let send = |bench: &mut Bench, frame: &Frame, verdict| {
        let error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, frame, 8);
        bench.send(error, verdict, &[]);
    };
    let own = Frame::new(40_000, SYN);
    bench.send(own.bytes(), Verdict::LocalTarget, &[Event::FlowStored]);
    let error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, &own, 8);
    bench.send(error, Verdict::LocalTarget, &[Event::ErrorSentOn]);
    let held = Frame::new(40_001, ACK);
    let key = FlowKey::tcp(held.client, held.client_port, VIPA, 8443);
    bench.tables.sockets.push(key);
    send(&mut bench, &held, Verdict::LocalSocket);
    // The owner's own server, on a port that is not distributed.
    let other = Frame {
        port: 22,
        ..Frame::new(40_002, ACK)
    };
    send(&mut bench, &other, Verdict::NoService);
}

#[test]
fn a_former_owner_relays_an_error_and_a_target_keeps_it() {
    let mut bench = Bench::new(&[]);
    let owner = [2, 0, 0, 9, 0, 2];
    bench.tables.add_sender(owner, 2);
    let roles = Roles {
        owner: Some(2),
        former: Some(0),
        ..Roles::default()
    };
    bench.tables.set_vipa(VIPA, roles, &[]);
    let mut frame = Frame {
        port: 9443,
        ..Frame::new(40_000, ACK)
    };
    let error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, &frame, 8);
    let relayed = error_target(&mut bench, error, &[Event::Relayed]);
    assert_eq!(relayed, 2, "the owner");
    frame.source = owner;
    let key = FlowKey::tcp(frame.client, frame.client_port, VIPA, 9443);
    bench.tables.sockets.push(key);
    let error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, &frame, 8);
    bench.send(error, Verdict::LocalSocket, &[]);
}

#[test]
fn what_is_no_error_about_a_connection_is_the_kernels() {
    const INNER: usize = 14 + 20 + 8;
    let mut bench = Bench::new(&[1, 2]);
    connected(&mut bench, 40_000, &[ACK]);
    let frame = Frame::new(40_000, ACK);
    let error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, &frame, 8);
    let with = |at: usize, value: u8| {
        let mut bytes = error.clone();
        bytes[at] = value;
        bytes
    };
    let cut = |len: usize| {
        let mut bytes = error.clone();
        bytes.truncate(len);
        bytes
    };
    let cases = [
        ("an echo request", with(34, 8)),
        ("a redirect", with(34, 5)),
        ("source quench", with(34, 4)),
        ("seven bytes of TCP", cut(INNER + 27)),
        ("half a quoted header", cut(INNER + 19)),
        ("no quoted packet", cut(INNER)),
        ("half an ICMP header", cut(INNER - 1)),
        ("a fragment", with(20, 0x20)),
        ("a total length of 55", with(17, 55)),
        ("an IP header of 16 bytes", with(14, 0x44)),
        ("options beyond the packet", with(14, 0x4f)),
        ("a quoted packet of version 6", with(INNER, 0x65)),
        ("a quoted header of 16 bytes", with(INNER, 0x44)),
        ("quoted options beyond the packet", with(INNER, 0x4f)),
        ("a later fragment quoted", with(INNER + 7, 1)),
        ("UDP quoted", with(INNER + 9, 17)),
        ("quoted from another address", with(INNER + 15, 11)),
    ];
    for (what, bytes) in cases {
        std::eprintln!("{what}");
        bench.send(bytes, Verdict::NotTcp, &[]);
    }
    let elsewhere = Frame {
        dvipa: [10, 9, 9, 9],
        ..frame
    };
    let error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, &elsewhere, 8);
    bench.send(error, Verdict::NotDistributed, &[]);
    let portless = Frame { port: 0, ..frame };
    let error = icmp_error(UNREACHABLE, FRAGMENTATION_NEEDED, &portless, 8);
    bench.send(error, Verdict::NotTcp, &[]);
    // The first fragment has the ports.
    let first = with(INNER + 6, 0x20);
    error_target(&mut bench, first, &[]);
}
