//! What goes on without a daemon, and what does not.

use super::*;
use crate::host::frame::arp_request;

const BEAT_NS: u64 = 7_000_000_000;
const GRACE_NS: u64 = 2_000_000_000;

fn owned(has_successor: bool) -> Roles {
    Roles {
        owner: Some(0),
        is_owned: true,
        is_distributed: true,
        has_successor,
        ..Roles::default()
    }
}

/// One DVIPA with a successor (…10), one without (…11), one of another stack (…12).
fn bench() -> Bench {
    let mut bench = Bench::new(&[1, 2]);
    bench.tables.set_vipa(VIPA, owned(true), &[]);
    bench.tables.set_vipa([10, 1, 3, 11], owned(false), &[]);
    bench.tables.add_service([10, 1, 3, 11], 8443, &[1]);
    let held = Roles {
        owner: Some(1),
        has_successor: true,
        ..Roles::default()
    };
    bench.tables.set_vipa([10, 1, 3, 12], held, &[]);
    bench.tables.life().beat_ns.store(BEAT_NS);
    bench.tables.life().grace_ns.store(GRACE_NS);
    bench
}

#[test]
fn a_silent_daemon_hands_out_nothing_that_another_could() {
    let syn = Frame::new(40_000, SYN);
    let to = |last: u8| Frame {
        dvipa: [10, 1, 3, last],
        ..syn
    };
    let mut bench = bench();
    establish(&mut bench, 39_000);
    bench.tables.set_now_ns(BEAT_NS + GRACE_NS);
    bench.target(
        Frame {
            client_port: 39_001,
            ..syn
        },
        &[Event::FlowStored],
    );

    bench.tables.set_now_ns(BEAT_NS + GRACE_NS + 1);
    bench.send(syn.bytes(), Verdict::Silent, &[]);
    // On every port: whoever takes over has them all.
    bench.send(Frame { port: 22, ..syn }.bytes(), Verdict::Silent, &[]);
    bench.target(to(11), &[Event::FlowStored]);
    bench.target(to(12), &[Event::Relayed]);
    // Known flows go on, half-open ones too.
    bench.target(Frame::new(39_000, ACK), &[]);
    bench.target(Frame::new(39_001, SYN), &[]);
    bench.target(Frame::new(39_001, ACK), &[]);
    bench.target(Frame::new(39_000, FIN | ACK), &[]);
    bench.send(Frame::new(39_000, SYN).bytes(), Verdict::Silent, &[]);

    bench.tables.life().beat_ns.store(BEAT_NS + GRACE_NS);
    bench.target(syn, &[Event::FlowStored]);
}

#[test]
fn without_a_grace_silence_means_nothing() {
    let mut bench = bench();
    bench.tables.life().grace_ns.store(0);
    bench.tables.set_now_ns(u64::MAX);
    bench.target(Frame::new(40_000, SYN), &[Event::FlowStored]);
    bench.send(arp_request(VIPA), Verdict::NotIp, &[]);
}

#[test]
fn a_clock_behind_the_beat_is_no_silence() {
    let mut bench = bench();
    bench.tables.set_now_ns(BEAT_NS - 4_000_000);
    bench.target(Frame::new(40_000, SYN), &[Event::FlowStored]);
}

#[test]
fn nobody_learns_where_a_silent_daemons_address_is() {
    let reply = |mut bytes: Vec<u8>| {
        bytes[21] = 2;
        bytes
    };
    let not_ethernet = |mut bytes: Vec<u8>| {
        bytes[15] = 6;
        bytes
    };
    let cut = |mut bytes: Vec<u8>| {
        bytes.truncate(41);
        bytes
    };
    for (now_ns, silent) in [
        (BEAT_NS, Verdict::NotIp),
        (BEAT_NS + GRACE_NS + 1, Verdict::SilentArp),
    ] {
        let mut bench = bench();
        bench.tables.set_now_ns(now_ns);
        bench.send(arp_request(VIPA), silent, &[]);
        let mut padded = arp_request(VIPA);
        padded.resize(60, 0);
        bench.send(padded, silent, &[]);
        for bytes in [
            arp_request([10, 1, 3, 11]),
            arp_request([10, 1, 3, 12]),
            arp_request([10, 1, 1, 1]),
            reply(arp_request(VIPA)),
            not_ethernet(arp_request(VIPA)),
            cut(arp_request(VIPA)),
        ] {
            bench.send(bytes, Verdict::NotIp, &[]);
        }
    }
}
