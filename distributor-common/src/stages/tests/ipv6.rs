//! IPv6: what is distributed as IPv4 is, and what is not.

use core::net::{IpAddr, Ipv6Addr};

use super::*;
use crate::host::frame::ipv6::Frame6;
use crate::probe::{Kind, identity, message, read};
use crate::wire::ipv6::{extension, icmp};
use crate::wire::{tcp, udp};

const VIPA6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 1, 3, 0, 0, 0, 0x10);
const PORT: u16 = 4912;
const KEY: [u64; 2] = [1, 2];

/// The bench with a service of the IPv6 DVIPA beside the IPv4 one.
pub(super) fn bench(ring: &[u16]) -> Bench {
    let mut bench = Bench::new(ring);
    bench.tables.add_service(VIPA6, 8443, ring);
    bench
}

/// Roles of a DVIPA that this stack owns.
fn owned() -> Roles {
    Roles {
        owner: Some(0),
        is_owned: true,
        is_distributed: true,
        ..Roles::default()
    }
}

/// Sends a segment that must go to a target, and returns its slot.
fn target(bench: &mut Bench, frame: &Frame6, events: &[Event]) -> u16 {
    let bytes = bench.send(frame.bytes(), Verdict::Transmitted, events);
    assert_eq!(bytes[..5], [2, 0, 0, 0, 0]);
    assert_eq!(bytes[6..12], [2, 0, 0, 0, 1, 0]);
    u16::from(bytes[5])
}

#[test]
fn connections_take_turns_and_stay() {
    let mut bench = bench(&[1, 2, 3]);
    let mut given = Vec::new();
    for port in 40_000..40_009 {
        given.push(target(
            &mut bench,
            &Frame6::new(port, SYN),
            &[Event::FlowStored],
        ));
    }
    assert_eq!(given, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    for (port, slot) in (40_000..).zip(&given) {
        for flags in [SYN, ACK, ACK | 8, FIN | ACK, ACK] {
            assert_eq!(target(&mut bench, &Frame6::new(port, flags), &[]), *slot);
        }
    }
    // What is behind options of the way goes where everything of the connection goes.
    let behind = Frame6 {
        extensions: std::vec![
            extension::HOP_BY_HOP,
            extension::OPTIONS,
            extension::ROUTING
        ],
        payload: 9,
        ..Frame6::new(40_001, ACK)
    };
    assert_eq!(target(&mut bench, &behind, &[]), given[1]);
    // The other family has the same numbers and another table row.
    bench.target(Frame::new(40_000, SYN), &[Event::FlowStored]);
}

#[test]
fn clients_are_told_apart_by_their_whole_address() {
    let mut bench = bench(&[1, 2, 3]);
    for host in 1..4 {
        for network in [1, 0xffff] {
            let client = Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, host);
            let frame = Frame6 {
                client,
                ..Frame6::new(40_000, SYN)
            };
            target(&mut bench, &frame, &[Event::FlowStored]);
            let words = identity(client.into());
            let places = (0..bench.tables.buckets().len())
                .flat_map(|bucket| (0..8).map(move |slot| (bucket, slot)));
            let noted =
                places.filter(|(bucket, slot)| bench.tables.client(*bucket, *slot) == words);
            assert_eq!(noted.count(), 1, "{client}");
        }
    }
    assert_eq!(bench.flows().count(), 6);
}

#[test]
fn what_cannot_be_told_is_no_segment_of_ours() {
    let mut bench = bench(&[1]);
    let whole = Frame6::new(40_000, ACK);
    let bytes = whole.bytes();
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        bytes
    };
    let behind = |extensions: &[u8]| Frame6 {
        extensions: extensions.to_vec(),
        ..whole.clone()
    };
    let others = |frame: Frame6| Frame6 {
        dvipa: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9),
        ..frame
    };
    let visiting = {
        let mut bytes = behind(&[extension::ROUTING]).bytes();
        bytes[14 + 40 + extension::SEGMENTS_LEFT] = 1;
        bytes
    };
    let options = [extension::OPTIONS; 5];
    for (bytes, verdict) in [
        (bytes[..53].to_vec(), Verdict::Malformed),
        (bytes[..73].to_vec(), Verdict::Malformed),
        // Version 4; longer than the frame; a TCP header of 16 bytes, and of 24; ports of 0.
        (with(14, 0x45), Verdict::Malformed),
        (with(14 + 5, 21), Verdict::Malformed),
        (with(14 + 40 + tcp::DATA_OFFSET, 0x40), Verdict::Malformed),
        (with(14 + 40 + tcp::DATA_OFFSET, 0x60), Verdict::Malformed),
        (Frame6::new(0, ACK).bytes(), Verdict::Malformed),
        (behind(&[extension::FRAGMENT]).bytes(), Verdict::Fragment),
        (
            behind(&[extension::OPTIONS, extension::FRAGMENT]).bytes(),
            Verdict::Fragment,
        ),
        (
            behind(&[extension::FRAGMENT]).carrying(udp::PROTOCOL, &[0; 20]),
            Verdict::NotTcp,
        ),
        (visiting, Verdict::HeaderChain),
        (behind(&options).bytes(), Verdict::HeaderChain),
        // An extension header that the frame ends before.
        (
            behind(&[extension::OPTIONS]).bytes()[..60].to_vec(),
            Verdict::Malformed,
        ),
        (whole.carrying(132, &[0; 20]), Verdict::NotTcp),
        (whole.carrying(udp::PROTOCOL, &[0; 20]), Verdict::NotTcp),
        (others(whole.clone()).bytes(), Verdict::NotDistributed),
        (
            others(behind(&[extension::FRAGMENT])).bytes(),
            Verdict::NotDistributed,
        ),
        (whole.solicitation(), Verdict::NotIp),
    ] {
        bench.send(bytes, verdict, &[]);
    }
    assert_eq!(bench.flows().count(), 0);
}

#[test]
fn the_hop_limit_runs_out() {
    let mut bench = bench(&[1]);
    target(&mut bench, &Frame6::new(40_000, SYN), &[Event::FlowStored]);
    for (hop_limit, verdict) in [(2, Verdict::Transmitted), (1, Verdict::TtlExpired)] {
        let frame = Frame6 {
            hop_limit,
            ..Frame6::new(40_000, ACK)
        };
        bench.send(frame.bytes(), verdict, &[]);
    }
}

#[test]
fn a_tunnel_takes_no_ipv6() {
    let mut bench = bench(&[1]);
    let tunnel = crate::abi::Tunnel::ipv4(
        crate::abi::Encapsulation::Gre,
        [[10, 1, 1, 1], [10, 9, 9, 1]],
        1500,
        INGRESS,
        [0, 0],
    );
    bench.tables.set_path(1, Path::Tunnel(tunnel));
    let events = [Event::FlowStored];
    bench.send(
        Frame6::new(40_000, SYN).bytes(),
        Verdict::Unreachable,
        &events,
    );
}

#[test]
fn unknown_connections_are_offered_in_the_same_order_on_every_stack() {
    let mut first = Vec::new();
    for seeds in [SEEDS, [7, 11]] {
        let mut tables = HostTables::new(256, seeds);
        tables.add_service(VIPA6, 8443, &[]);
        tables.set_vipa(VIPA6, owned(), &[1, 2, 3]);
        for slot in 1..4 {
            tables.set_path(slot, link(slot, INGRESS));
        }
        let offered: Vec<u8> = (40_000..40_030)
            .map(|port| {
                let mut bytes = Frame6::new(port, ACK).bytes();
                let mut packet = SlicePacket::new(&mut bytes, INGRESS);
                assert_eq!(distribute(&mut packet, &tables), Verdict::Transmitted);
                bytes[5]
            })
            .collect();
        assert_eq!(tables.counters()[Event::FlowOffered.index()], 30);
        assert!((1..4).all(|slot| offered.contains(&slot)));
        first.push(offered);
    }
    assert_eq!(first[0], first[1]);
}

#[test]
fn a_target_takes_what_the_owner_hands_it_and_relays_the_rest() {
    let mut bench = Bench::new(&[1]);
    let held = Roles {
        owner: Some(1),
        place: Some(0),
        ..Roles::default()
    };
    bench.tables.set_vipa(VIPA6, held, &[2, 3]);
    for slot in 1..4 {
        bench.tables.add_member(member(slot), None, Some(slot));
    }
    let from = |slot, flags| Frame6 {
        source: member(slot),
        ..Frame6::new(40_000, flags)
    };
    bench.send(from(1, SYN).bytes(), Verdict::Accepted, &[]);
    bench.send(from(3, SYN).bytes(), Verdict::Fenced, &[]);
    assert_eq!(
        target(&mut bench, &Frame6::new(40_001, SYN), &[Event::Relayed]),
        1
    );
    let key = bench
        .tables
        .flow_key(Frame6::new(40_000, 0).client, 40_000, VIPA6, 8443);
    bench.tables.sockets.push(key.expect("a name"));
    bench.send(from(1, ACK).bytes(), Verdict::LocalSocket, &[]);
}

#[test]
fn errors_go_where_the_connection_goes() {
    let mut bench = bench(&[1, 2]);
    let frame = Frame6::new(40_000, SYN);
    target(&mut bench, &frame, &[Event::FlowStored]);
    let other = Frame6::new(40_001, SYN);
    assert_eq!(target(&mut bench, &other, &[Event::FlowStored]), 2);
    for kind in [1, icmp::TOO_BIG, 3, 4] {
        let events = [Event::ErrorSentOn];
        let bytes = bench.send(other.error(kind, 8), Verdict::Transmitted, &events);
        assert_eq!(bytes[5], 2);
    }
    // An echo, an error that quotes too little, one about what the DVIPA did not send.
    let mut foreign = other.error(1, 8);
    foreign[14 + 40 + icmp::LEN + 8 + 15] ^= 1;
    for bytes in [other.error(128, 8), other.error(1, 7), foreign] {
        bench.send(bytes, Verdict::NotTcp, &[]);
    }
}

#[test]
fn nobody_learns_where_a_silent_daemons_address_is() {
    for (now_ns, is_silent) in [(5, false), (16, true)] {
        let mut bench = bench(&[1]);
        let roles = Roles {
            has_successor: true,
            ..owned()
        };
        bench.tables.set_vipa(VIPA6, roles, &[1]);
        bench.tables.life().grace_ns.store(10);
        bench.tables.life().beat_ns.store(5);
        bench.tables.set_now_ns(now_ns);
        let frame = Frame6::new(40_000, SYN);
        let open = |verdict| {
            if is_silent {
                Verdict::SilentNd
            } else {
                verdict
            }
        };
        bench.send(frame.solicitation(), open(Verdict::NotIp), &[]);
        // Who asks again asks the address itself.
        let mut again = frame.solicitation();
        again[14 + 24..][..16].copy_from_slice(&VIPA6.octets());
        bench.send(again, open(Verdict::NotTcp), &[]);
        let other = Frame6 {
            dvipa: Ipv6Addr::LOCALHOST,
            ..frame.clone()
        };
        bench.send(other.solicitation(), Verdict::NotIp, &[]);
        if is_silent {
            bench.send(frame.bytes(), Verdict::Silent, &[]);
        } else {
            target(&mut bench, &frame, &[Event::FlowStored]);
        }
    }
}

/// The sum over a datagram and what goes before it (RFC 8200 §8.1): 0 if its checksum is right.
fn datagram_sum(bytes: &[u8]) -> u16 {
    let len = u16::try_from(bytes.len() - 54).expect("short");
    let pseudo = [&bytes[22..54], &len.to_be_bytes(), &[0, udp::PROTOCOL]].concat();
    checksum(&[&pseudo, &bytes[54..]].concat())
}

#[test]
fn a_question_over_ipv6_is_answered() {
    let stack = identity(IpAddr::from([172, 1, 1, 1]));
    let right = message(Kind::Question, [3, 4], 0, stack, KEY);
    let wrong = message(Kind::Question, [3, 4], 0, stack, [5, 6]);
    let mut bench = Bench::new(&[1]);
    bench.tables.life().set_probe(stack, [0, 0], PORT, &[KEY]);
    bench.tables.set_now_ns(7_000_000);
    let frame = Frame6::new(40_000, 0);
    let asked = frame.probe(PORT, &right);
    let answer = bench.pass(&asked, Verdict::ProbeAnswered, &[]);
    assert_eq!(answer.len(), asked.len());
    assert_eq!((&answer[..6], &answer[6..12]), (&asked[6..12], &asked[..6]));
    assert_eq!(
        (&answer[22..38], &answer[38..54]),
        (&asked[38..54], &asked[22..38])
    );
    assert_eq!(
        (&answer[54..56], &answer[56..58]),
        (&asked[56..58], &asked[54..56])
    );
    assert_eq!((answer[21], datagram_sum(&answer)), (64, 0));
    let mut words = [0; 5];
    for (word, bytes) in words.iter_mut().zip(answer[62..].chunks_exact(8)) {
        *word = u64::from_ne_bytes(bytes.try_into().expect("eight"));
    }
    assert_eq!(read(Kind::Answer, &words, stack, KEY), Some(([3, 4], 7)));

    let mut long = asked.clone();
    long[14 + 5] += 1;
    for (bytes, verdict) in [
        (frame.probe(PORT, &wrong), Verdict::ProbeRefused),
        (asked[..asked.len() - 1].to_vec(), Verdict::ProbeRefused),
        (long, Verdict::ProbeRefused),
        (frame.probe(PORT + 1, &right), Verdict::NotDistributed),
    ] {
        bench.send(bytes, verdict, &[]);
    }
}

#[test]
fn what_starts_here_goes_to_targets_too() {
    let mut bench = bench(&[1, 2]);
    bench.tables.starts_here = true;
    bench.tables.interfaces.insert(INGRESS);
    let send = |bench: &mut Bench, frame: &Frame6, verdict, events: &[Event]| {
        bench.send(frame.bytes(), verdict, events)
    };
    let frame = Frame6::new(40_000, SYN);
    let bytes = send(
        &mut bench,
        &frame,
        Verdict::Redirected,
        &[Event::FlowStored],
    );
    assert_eq!(bytes[5], 1);
    for client in [VIPA6, Ipv6Addr::LOCALHOST] {
        let frame = Frame6 {
            client,
            ..frame.clone()
        };
        send(&mut bench, &frame, Verdict::Unanswerable, &[]);
    }
    let others = [
        frame.solicitation(),
        frame.carrying(udp::PROTOCOL, &[0; 20]),
        Frame6 {
            dvipa: Ipv6Addr::LOCALHOST,
            ..frame
        }
        .bytes(),
    ];
    for mut bytes in others {
        assert_eq!(origin_of(&mut bytes, &bench.tables), None);
    }
}

#[test]
fn the_address_to_start_from_is_of_the_family() {
    let bench = bench(&[1]);
    let own = identity(Ipv6Addr::new(0xfd00, 0x172, 1, 1, 0, 0, 0, 1).into());
    bench.tables.life().set_probe([0, 0], own, 0, &[]);
    let port = crate::wire::Be16::from_host;
    let source = |address: Ipv6Addr, number| {
        let words = identity(address.into());
        super::super::origin::source_ipv6(words, port(number), &&bench.tables)
    };
    assert_eq!(source(VIPA6, 8443), Some(own));
    // The kernel's own service, and an address that is none of ours.
    assert_eq!(source(VIPA6, 22), None);
    assert_eq!(source(Ipv6Addr::LOCALHOST, 8443), None);
}

proptest! {
    #[test]
    fn any_change_to_ipv6_is_survived_and_counted(
        flags: u8,
        port in 40_000..40_100_u16,
        extensions in prop::collection::vec(prop_oneof![
            Just(extension::HOP_BY_HOP), Just(extension::ROUTING), Just(extension::FRAGMENT),
            Just(extension::OPTIONS)
        ], 0..6),
        changes in prop::collection::vec((0..94_usize, any::<u8>()), 0..4),
        len in 0..140_usize,
    ) {
        let mut bench = everything();
        bench.tables.add_service(VIPA6, 8443, &[1, 2]);
        let mut bytes = Frame6 { extensions, ..Frame6::new(port, flags) }.bytes();
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.resize(len, 0);
        let before = bytes.clone();
        let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &bench.tables);
        prop_assert_eq!(bench.totals().received(), 1);
        prop_assert_eq!(bench.totals().verdict(verdict), 1);
        if matches!(verdict.action(), Action::Pass | Action::Drop) {
            prop_assert_eq!(bytes, before);
        }
    }
}
