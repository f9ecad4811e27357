//! Packets inside others: how they leave for a target, and what a target opens.

use super::*;
use crate::abi::{Encapsulation, Tunnel};
use crate::host::frame::{self, HOST};

const ENCAPSULATIONS: [Encapsulation; 2] = [Encapsulation::Gre, Encapsulation::Ipip];
/// From this stack to the target, as the owner sends.
const ENDS: [[u8; 4]; 2] = [[10, 1, 1, 1], [10, 9, 1, 2]];
/// From members to this stack, as a target receives.
const FROM: [[[u8; 4]; 2]; 2] = [
    [[10, 9, 1, 1], [10, 9, 1, 2]],
    [[10, 9, 1, 3], [10, 9, 1, 2]],
];
const MTU: u16 = 1500;

pub(super) fn tunnel(encapsulation: Encapsulation, ifindex: u32) -> Path {
    let addresses = Path::addresses([2, 0, 0, 0, 1, 0], [2, 0, 0, 0, 0, 9]);
    Path::Tunnel(Tunnel::ipv4(encapsulation, ENDS, MTU, ifindex, addresses))
}

/// Slot 1 is behind a router.
fn owner(encapsulation: Encapsulation) -> Bench {
    let bench = Bench::new(&[1]);
    bench.tables.set_path(1, tunnel(encapsulation, INGRESS));
    bench
}

/// A stack that is the second of three targets of a DVIPA: slot 3, between 2 and 4. Its owner, slot 1, and
/// the last target may send packets inside others.
fn target() -> Bench {
    let mut bench = held::bench(held::settled());
    bench.tables.add_tunnel(FROM[0], 1);
    bench.tables.add_tunnel(FROM[1], 4);
    bench
}

const STORED: [Event; 2] = [Event::FlowStored, Event::Encapsulated];
const OPENED: [Event; 1] = [Event::Decapsulated];

#[test]
fn a_gre_packet_is_that_of_rfc_2784() {
    let frame = Frame {
        payload: 2,
        ..Frame::new(40_000, SYN)
    };
    let left = owner(Encapsulation::Gre).pass(&frame.bytes(), Verdict::Transmitted, &STORED);
    let expected = [
        // Ethernet: the router's address, our own, IPv4.
        &[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 1, 0, 8, 0][..],
        // IPv4: the class of what is inside, 66 bytes, don't fragment, TTL 64, protocol 47, the checksum, the ends.
        &[0x45, 1, 0, 66, 0, 0, 0x40, 0, 64, 47, 0x24, 0x80],
        &[10, 1, 1, 1, 10, 9, 1, 2],
        // GRE: no flags, version 0, carrying IPv4.
        &[0, 0, 8, 0],
        // IPv4: 42 bytes, TTL 63 instead of 64.
        &[0x45, 1, 0, 42],
    ];
    let expected = expected.concat();
    assert_eq!(left[..expected.len()], expected);
    assert_eq!(left.len(), 14 + 66);
    assert_eq!(checksum(&left[14..34]), 0);
    assert_eq!((left[38 + 8], checksum(&left[38..58])), (63, 0));
    assert_eq!(left[58..], frame.bytes()[34..]);
}

#[test]
fn an_ipip_packet_is_that_of_rfc_2003() {
    let frame = Frame::new(40_000, SYN);
    let left = owner(Encapsulation::Ipip).pass(&frame.bytes(), Verdict::Transmitted, &STORED);
    let expected = [
        &[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 1, 0, 8, 0][..],
        &[0x45, 1, 0, 60, 0, 0, 0x40, 0, 64, 4, 0x24, 0xb1],
        &[10, 1, 1, 1, 10, 9, 1, 2],
        &[0x45, 1, 0, 40],
    ];
    let expected = expected.concat();
    assert_eq!(left[..expected.len()], expected);
    assert_eq!(checksum(&left[14..34]), 0);
    assert_eq!((left[34 + 8], checksum(&left[34..54])), (63, 0));
    assert_eq!(left[54..], frame.bytes()[34..]);
}

#[test]
fn a_packet_leaves_by_the_interface_to_the_router() {
    for encapsulation in ENCAPSULATIONS {
        for (ifindex, verdict) in [
            (INGRESS, Verdict::Transmitted),
            (XCF, Verdict::Redirected),
            (99, Verdict::NoInterface),
        ] {
            let mut bench = owner(encapsulation);
            bench.tables.set_path(1, tunnel(encapsulation, ifindex));
            let frame = Frame::new(40_000, SYN);
            bench.pass(&frame.bytes(), verdict, &STORED);
            // The same router may have brought it.
            let frame = Frame {
                source: [2, 0, 0, 0, 0, 9],
                ..Frame::new(40_000, ACK)
            };
            bench.pass(&frame.bytes(), verdict, &STORED[1..]);
            assert_eq!(bench.tables.syn_counts(1), [1, 0]);
        }
    }
}

#[test]
fn the_outer_header_shows_the_class_and_the_congestion() {
    for tos in 0..=255 {
        for encapsulation in ENCAPSULATIONS {
            let mut bytes = Frame::new(40_000, SYN).bytes();
            set_tos(&mut bytes[14..34], tos);
            let left = owner(encapsulation).pass(&bytes, Verdict::Transmitted, &STORED);
            assert_eq!(left[15], tos);
            assert_eq!(checksum(&left[14..34]), 0);
        }
    }
}

fn set_tos(header: &mut [u8], tos: u8) {
    header[1] = tos;
    header[10..12].fill(0);
    let sum = checksum(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn what_does_not_fit_is_not_sent() {
    for (encapsulation, fits) in [(Encapsulation::Gre, 1476), (Encapsulation::Ipip, 1480)] {
        let mut bench = owner(encapsulation);
        bench.pass(
            &Frame::new(40_000, SYN).bytes(),
            Verdict::Transmitted,
            &STORED,
        );
        let of = |len: u16| Frame {
            payload: len - 40,
            ..Frame::new(40_000, ACK)
        };
        let left = bench.pass(&of(fits).bytes(), Verdict::Transmitted, &STORED[1..]);
        assert_eq!(left.len(), 14 + usize::from(MTU));
        bench.pass(&of(fits + 1).bytes(), Verdict::TooBig, &[]);
        // The padding of a short frame is no part of the packet.
        let mut padded = of(40).bytes();
        padded.resize(1600, 0);
        bench.pass(&padded, Verdict::Transmitted, &STORED[1..]);
    }
}

#[test]
fn without_room_or_time_nothing_leaves() {
    for encapsulation in ENCAPSULATIONS {
        let mut bench = owner(encapsulation);
        let mut bytes = Frame::new(40_000, SYN).bytes();
        let given = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &bench.tables);
        assert_eq!(given, Verdict::NoRoom);
        assert_eq!(bench.totals().verdict(Verdict::NoRoom), 1);
        assert_eq!(bench.totals().event(Event::Encapsulated), 0);
        // Nothing of it was sent, so nothing of it can have been lost.
        assert_eq!(bench.tables.syn_counts(1), [0, 0]);
        bench = owner(encapsulation);
        let dying = Frame {
            ttl: 1,
            ..Frame::new(40_000, SYN)
        };
        bench.pass(&dying.bytes(), Verdict::TtlExpired, &[Event::FlowStored]);
    }
}

#[test]
fn what_starts_here_leaves_the_same_way() {
    for encapsulation in ENCAPSULATIONS {
        let mut bench = owner(encapsulation);
        bench.tables.starts_here = true;
        bench.tables.interfaces.insert(INGRESS);
        let frame = Frame::new(40_000, SYN);
        let left = bench.pass(&frame.bytes(), Verdict::Redirected, &STORED);
        assert_eq!(left[..6], [2, 0, 0, 0, 0, 9]);
        assert_eq!(checksum(&left[14..34]), 0);
    }
}

#[test]
fn a_target_takes_out_what_the_owner_has_put_in() {
    for encapsulation in ENCAPSULATIONS {
        let mut bench = target();
        let frame = Frame {
            source: [2, 0, 0, 0, 0, 9],
            ..Frame::new(40_000, SYN)
        };
        let carried = frame::carried(encapsulation, FROM[0], &frame.bytes());
        let left = bench.pass(&carried, Verdict::Accepted, &OPENED);
        assert_eq!(left, frame.bytes());
        assert_eq!(bench.tables.syn_counts(1), [0, 1]);
        let key = FlowKey::tcp(frame.client, 40_001, VIPA, 8443);
        bench.tables.sockets.push(key);
        for flags in [ACK, FIN, RST] {
            let frame = Frame::new(40_001, flags).bytes();
            let carried = frame::carried(encapsulation, FROM[0], &frame);
            let left = bench.pass(&carried, Verdict::LocalSocket, &OPENED);
            assert_eq!(left, frame);
        }
    }
}

#[test]
fn what_a_member_carries_counts_as_its_own() {
    let carried =
        |frame: &Frame, from: usize| frame::carried(Encapsulation::Gre, FROM[from], &frame.bytes());
    // The place is that of the target that the round begins with.
    let of_round = |first: u32, flags: u8| Frame::new(port_of_round(first, 3), flags);
    let mut bench = target();
    // Only the owner hands out new connections.
    bench.pass(&carried(&of_round(0, SYN), 1), Verdict::Fenced, &OPENED);
    let handed_on = [Event::Decapsulated, Event::FlowHandedOn];
    // By a link, the next target gets what was inside; from the owner, the round may begin here.
    for (first, next) in [(1, 4), (0, 2)] {
        let frame = of_round(first, ACK);
        let left = bench.pass(&carried(&frame, 0), Verdict::Transmitted, &handed_on);
        assert_eq!(left[..6], [2, 0, 0, 0, 0, next]);
        assert_eq!(left.len(), frame.bytes().len());
    }
    // Nothing goes back to the member that it came from.
    let frame = of_round(0, ACK);
    bench.pass(&carried(&frame, 1), Verdict::Returning, &handed_on);
    // The last of the round answers.
    let frame = of_round(2, ACK);
    bench.pass(&carried(&frame, 1), Verdict::Disowned, &OPENED);
    // Behind another router, the next target gets it inside another packet.
    bench
        .tables
        .set_path(4, tunnel(Encapsulation::Ipip, INGRESS));
    let events = [handed_on[0], handed_on[1], Event::Encapsulated];
    let frame = carried(&of_round(1, ACK), 0);
    let left = bench.pass(&frame, Verdict::Transmitted, &events);
    assert_eq!((left[23], left[14 + 20 + 8]), (4, 63));
}

#[test]
fn errors_about_a_flow_are_carried_too() {
    for encapsulation in ENCAPSULATIONS {
        let frame = Frame::new(40_000, ACK);
        let error = frame::icmp_error(3, 4, &frame, 8);
        // On the owner's side.
        let mut bench = owner(encapsulation);
        bench.pass(
            &Frame::new(40_000, SYN).bytes(),
            Verdict::Transmitted,
            &STORED,
        );
        let events = [Event::ErrorSentOn, Event::Encapsulated];
        let left = bench.pass(&error, Verdict::Transmitted, &events);
        assert_eq!(left[23], encapsulation.protocol());
        // On the target's.
        let mut bench = target();
        let key = FlowKey::tcp(frame.client, 40_000, VIPA, 8443);
        bench.tables.sockets.push(key);
        let carried = frame::carried(encapsulation, FROM[0], &error);
        let left = bench.pass(&carried, Verdict::LocalSocket, &OPENED);
        assert_eq!(left, error);
    }
}

#[test]
fn only_what_a_member_sends_here_is_opened() {
    let inner = Frame::new(40_000, SYN).bytes();
    for encapsulation in ENCAPSULATIONS {
        for (ends, verdict) in [
            (FROM[0], Verdict::Accepted),
            // From elsewhere, to elsewhere, the wrong way round.
            ([[10, 9, 1, 9], FROM[0][1]], Verdict::TunnelStranger),
            ([FROM[0][0], [10, 9, 1, 9]], Verdict::TunnelStranger),
            ([FROM[0][1], FROM[0][0]], Verdict::TunnelStranger),
            ([FROM[0][0], VIPA], Verdict::TunnelStranger),
        ] {
            let carried = frame::carried(encapsulation, ends, &inner);
            let events: &[Event] = if verdict == Verdict::Accepted {
                &OPENED
            } else {
                &[]
            };
            let left = target().pass(&carried, verdict, events);
            assert_eq!(left != carried, verdict == Verdict::Accepted);
        }
    }
}

#[test]
fn what_no_member_would_send_is_left_alone() {
    let inner = Frame::new(40_000, SYN);
    let foreign = Frame {
        dvipa: [10, 1, 3, 99],
        ..inner
    };
    let own = |bytes: &[u8]| frame::carried(Encapsulation::Gre, FROM[0], bytes);
    let edited = |at: usize, value: u8| {
        let mut bytes = own(&inner.bytes());
        bytes[at] = value;
        bytes
    };
    let mut longer = own(&inner.bytes());
    longer[14 + 20 + 4 + 3] += 1;
    let mut cut = own(&inner.bytes());
    cut.truncate(14 + 20 + 4 + 19);
    let mut cut_short = own(&inner.bytes());
    cut_short.truncate(14 + 20 + 3);
    for (what, bytes, verdict) in [
        (
            "for no DVIPA",
            own(&foreign.bytes()),
            Verdict::TunnelForeign,
        ),
        ("nested", own(&own(&inner.bytes())), Verdict::TunnelOdd),
        (
            "another kind nested",
            own(&frame::carried(
                Encapsulation::Ipip,
                [FROM[0][0], VIPA],
                &inner.bytes(),
            )),
            Verdict::TunnelOdd,
        ),
        ("options", edited(14, 0x46), Verdict::TunnelOdd),
        ("a first fragment", edited(20, 0x20), Verdict::TunnelOdd),
        ("a later fragment", edited(21, 1), Verdict::TunnelOdd),
        ("a checksum", edited(34, 0x80), Verdict::TunnelOdd),
        ("a key", edited(34, 0x20), Verdict::TunnelOdd),
        ("version 1", edited(35, 1), Verdict::TunnelOdd),
        ("no IPv4 inside", edited(36, 0x86), Verdict::TunnelOdd),
        (
            "another version inside",
            edited(38, 0x65),
            Verdict::TunnelOdd,
        ),
        ("longer inside", longer, Verdict::TunnelOdd),
        ("cut inside", cut, Verdict::TunnelOdd),
        ("cut in between", cut_short, Verdict::TunnelOdd),
    ] {
        let left = target().pass(&bytes, verdict, &[]);
        assert_eq!(left, bytes, "{what}");
    }
}

#[test]
fn what_is_inside_is_checked_like_any_other_packet() {
    let carried = |bytes: &[u8]| frame::carried(Encapsulation::Ipip, FROM[0], bytes);
    let whole = Frame {
        payload: 10,
        ..Frame::new(40_000, SYN)
    };
    let mut no_port = whole.bytes();
    no_port[34..36].fill(0);
    let mut cut = carried(&whole.bytes());
    cut.pop();
    for bytes in [carried(&no_port), cut] {
        target().pass(&bytes, Verdict::Malformed, &OPENED);
    }
    let mut datagram = whole.bytes();
    datagram[23] = 17;
    target().pass(&carried(&datagram), Verdict::NotTcp, &OPENED);
}

#[test]
fn congestion_on_the_way_is_told_inside() {
    // Figure 4 of RFC 6040: by what the sender said, what the router made of each outer mark.
    const FIGURE: [[Option<u8>; 4]; 4] = [
        // Outer: not capable, ECT(1), ECT(0), congested.
        [Some(0), Some(0), Some(0), None],
        [Some(1), Some(1), Some(1), Some(3)],
        [Some(2), Some(1), Some(2), Some(3)],
        [Some(3), Some(3), Some(3), Some(3)],
    ];
    for (inner, outcomes) in (0..).zip(FIGURE) {
        for (outer, outcome) in (0..).zip(outcomes) {
            for encapsulation in ENCAPSULATIONS {
                let mut frame = Frame::new(40_000, SYN).bytes();
                // A class of service on either side; the inner one stays.
                set_tos(&mut frame[14..34], 0xb8 | inner);
                let mut carried = frame::carried(encapsulation, FROM[0], &frame);
                set_tos(&mut carried[14..34], 0x28 | outer);
                let mut bench = target();
                let Some(mark) = outcome else {
                    bench.pass(&carried, Verdict::Congested, &[]);
                    continue;
                };
                let left = bench.pass(&carried, Verdict::Accepted, &OPENED);
                assert_eq!(left[15], 0xb8 | mark, "{inner} {outer}");
                assert_eq!(checksum(&left[14..34]), 0);
                assert_eq!(left[..12], [HOST, frame::CLIENT].concat());
            }
        }
    }
}

#[test]
fn what_was_put_in_comes_out_as_it_was() {
    for encapsulation in ENCAPSULATIONS {
        for payload in [0, 1, 17, 1400] {
            let frame = Frame {
                payload,
                ip_options: u8::try_from(payload % 10).expect("small"),
                ..Frame::new(40_000, SYN)
            };
            let left = owner(encapsulation).pass(&frame.bytes(), Verdict::Transmitted, &STORED);
            let mut bench = target();
            bench.tables.add_tunnel(ENDS, 1);
            let left = bench.pass(&left, Verdict::Accepted, &OPENED);
            let lowered = Frame { ttl: 63, ..frame };
            assert_eq!(left[14..], lowered.bytes()[14..]);
        }
    }
}
