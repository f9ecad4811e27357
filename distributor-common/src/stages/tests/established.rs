//! The short way comes to what the long one comes to, or to nothing.

use super::super::{Aside, Concern, aside, concerned, established, ipv6, prefilter};
use super::*;
use crate::abi::Encapsulation;
use crate::host::frame::ipv6::Frame6;
use crate::wire::ipv6::extension;

/// What the stages make of a packet that is not sent the short way.
fn the_long_way(packet: &mut SlicePacket<'_>, tables: &HostTables) -> Verdict {
    match prefilter(packet, &tables) {
        Ok(Concern::Vipa) => concerned(packet, None, tables),
        Ok(Concern::Aside { is_arp }) => match aside(packet, is_arp, tables) {
            Aside::Ended(verdict) => verdict,
            Aside::Opened(carrier) => concerned(packet, Some(carrier), tables),
        },
        Ok(Concern::Ipv6) => {
            ipv6::packet(packet, tables).unwrap_or_else(|| ipv6::aside(packet, tables))
        }
        Ok(Concern::AsideIpv6) => ipv6::aside(packet, tables),
        Err(verdict) => verdict,
    }
}

/// Sends a packet the short way only.
fn short_way(packet: &mut SlicePacket<'_>, tables: &HostTables) -> Option<Verdict> {
    match prefilter(packet, &tables) {
        Ok(Concern::Vipa) => established::forward(packet, &tables),
        Ok(Concern::Ipv6) => established::forward_ipv6(packet, &tables),
        other => panic!("{other:?}"),
    }
}

/// The same with a frame.
fn the_short_way(bytes: &mut [u8], tables: &HostTables) -> Option<Verdict> {
    short_way(&mut SlicePacket::new(bytes, INGRESS), tables)
}

/// A connection of either family that is established.
fn established_bench() -> Bench {
    let mut bench = super::ipv6::bench(&[1]);
    establish(&mut bench, PORT);
    for flags in [SYN, ACK] {
        let frame = Frame6::new(PORT, flags);
        distribute(
            &mut SlicePacket::new(&mut frame.bytes(), INGRESS),
            &bench.tables,
        );
    }
    bench
}

/// A client port whose flow is alone in its bucket, and so at home.
const PORT: u16 = 40_000;

#[test]
fn a_segment_in_the_middle_of_a_connection_goes_the_short_way() {
    let mut bench = established_bench();
    for flags in [ACK, ACK | 8, 0] {
        let mut bytes = Frame::new(PORT, flags).bytes();
        let verdict = the_short_way(&mut bytes, &bench.tables);
        assert_eq!(verdict, Some(Verdict::Transmitted));
        assert_eq!(bytes[..6], [2, 0, 0, 0, 0, 1]);
        assert_eq!((checksum(&bytes[14..34]), bytes[22]), (0, 63));

        let before = Frame6::new(PORT, flags).bytes();
        let mut bytes = before.clone();
        let verdict = the_short_way(&mut bytes, &bench.tables);
        assert_eq!(verdict, Some(Verdict::Transmitted));
        assert_eq!(bytes[..12], [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0]);
        assert_eq!((&bytes[12..21], bytes[21]), (&before[12..21], 63));
        assert_eq!(bytes[22..], before[22..]);
    }
    let mut frames = [
        Frame::new(PORT, ACK).bytes(),
        Frame6::new(PORT, ACK).bytes(),
    ];
    let mut verdicts = |bench: &Bench| {
        frames
            .each_mut()
            .map(|bytes| the_short_way(&mut bytes.clone(), &bench.tables))
    };
    bench.tables.set_path(1, link(1, XCF));
    assert_eq!(verdicts(&bench), [Some(Verdict::Redirected); 2]);
    bench.tables.interfaces.clear();
    assert_eq!(verdicts(&bench), [Some(Verdict::NoInterface); 2]);
    // It is seen.
    bench.tables.set_now(5);
    verdicts(&bench);
    assert_eq!(stamps(&bench), [5, 5]);
}

/// When each flow was seen last.
fn stamps(bench: &Bench) -> Vec<u16> {
    let slots = bench.tables.buckets().iter().flat_map(|one| &one.slots);
    let flows = slots.filter_map(Slot::read);
    flows.map(|(_, tag)| tag.stamp().units()).collect()
}

/// What is done to the tables and to the frame of a segment that goes the short way otherwise.
type Case = (&'static str, fn(&mut Bench), fn(&mut Vec<u8>));

#[test]
fn everything_else_is_left_for_the_long_way() {
    let nothing: fn(&mut Bench) = |_| {};
    let cases: &[Case] = &[
        ("a new connection", nothing, |bytes| bytes[47] = SYN),
        ("its end", nothing, |bytes| bytes[47] = FIN | ACK),
        ("its sudden end", nothing, |bytes| bytes[47] = RST),
        ("another connection", nothing, |bytes| bytes[35] ^= 1),
        ("another client", nothing, |bytes| bytes[29] ^= 1),
        ("IP options", nothing, |bytes| bytes[14] = 0x46),
        ("another version", nothing, |bytes| bytes[14] = 0x65),
        ("a first fragment", nothing, |bytes| bytes[20] = 0x20),
        ("a later fragment", nothing, |bytes| bytes[21] = 1),
        ("a TCP header that is too short", nothing, |bytes| {
            bytes[46] = 0x40;
        }),
        ("a TCP header behind the packet's end", nothing, |bytes| {
            bytes[46] = 0x60;
        }),
        ("a packet behind the frame's end", nothing, |bytes| {
            bytes[17] += 1;
        }),
        ("a frame that is too short", nothing, |bytes| {
            bytes.truncate(53);
        }),
        ("time to live of 1", nothing, |bytes| bytes[22] = 1),
        ("time to live of 0", nothing, |bytes| bytes[22] = 0),
        ("a sender that is the next hop", nothing, |bytes| {
            bytes[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        }),
        (
            "a slot that is claimed",
            |bench| {
                let slots = bench
                    .tables
                    .buckets()
                    .iter()
                    .flat_map(|bucket| &bucket.slots);
                let slot = slots
                    .clone()
                    .find(|slot| slot.read().is_some())
                    .expect("one");
                let (_, tag) = slot.read().expect("a flow");
                assert!(slot.replace(tag, tag.freed()));
            },
            |_| {},
        ),
        (
            "a client that keeps its target",
            |bench| bench.tables.set_affinity(0, 5, &[1]),
            |bytes| bytes[34..36].fill(0),
        ),
    ];
    for (why, change, damage) in cases {
        let mut bench = Bench::new(&[1]);
        if why.contains("keeps") {
            change(&mut bench);
        }
        establish(&mut bench, PORT);
        change(&mut bench);
        let mut bytes = Frame::new(PORT, ACK).bytes();
        damage(&mut bytes);
        let (before, counters) = (bytes.clone(), bench.tables.counters());
        assert_eq!(the_short_way(&mut bytes, &bench.tables), None, "{why}");
        assert_eq!(bytes, before, "{why}");
        assert_eq!(bench.tables.counters(), counters, "{why}");
    }
    // And what the client has not confirmed.
    let mut bench = Bench::new(&[1]);
    bench.target(Frame::new(PORT, SYN), &[Event::FlowStored]);
    assert_eq!(
        the_short_way(&mut Frame::new(PORT, ACK).bytes(), &bench.tables),
        None
    );
}

/// What is done to the frame of an IPv6 segment that goes the short way otherwise.
type Damage = (&'static str, fn(&mut Vec<u8>));

#[test]
fn so_is_everything_else_of_ipv6() {
    let cases: &[Damage] = &[
        ("a new connection", |bytes| bytes[67] = SYN),
        ("its end", |bytes| bytes[67] = FIN | ACK),
        ("its sudden end", |bytes| bytes[67] = RST),
        ("another connection", |bytes| bytes[55] ^= 1),
        ("another client", |bytes| bytes[23] ^= 1),
        ("a client that keeps its target", |bytes| {
            bytes[54..56].fill(0);
        }),
        ("another version", |bytes| bytes[14] = 0x40),
        ("an extension header", |bytes| {
            bytes[20] = extension::OPTIONS;
        }),
        ("a TCP header that is too short", |bytes| bytes[66] = 0x40),
        ("a TCP header behind the packet's end", |bytes| {
            bytes[66] = 0x60;
        }),
        ("a packet behind the frame's end", |bytes| bytes[19] += 1),
        ("a frame that is too short", |bytes| bytes.truncate(73)),
        ("a hop limit of 1", |bytes| bytes[21] = 1),
        ("a hop limit of 0", |bytes| bytes[21] = 0),
        ("a sender that is the next hop", |bytes| {
            bytes[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        }),
    ];
    for (why, damage) in cases {
        let bench = established_bench();
        let mut bytes = Frame6::new(PORT, ACK).bytes();
        damage(&mut bytes);
        let (before, counters) = (bytes.clone(), bench.tables.counters());
        assert_eq!(the_short_way(&mut bytes, &bench.tables), None, "{why}");
        assert_eq!(bytes, before, "{why}");
        assert_eq!(bench.tables.counters(), counters, "{why}");
    }
}

#[test]
fn a_target_that_is_not_on_a_link_is_reached_the_short_way_too() {
    let [gre, ipip] = [Encapsulation::Gre, Encapsulation::Ipip]
        .map(|encapsulation| move |ifindex| tunnels::tunnel(encapsulation, ifindex));
    let paths = [Path::Local, gre(INGRESS), ipip(INGRESS), ipip(XCF), gre(99)];
    let frames = [
        Frame::new(PORT, ACK),
        Frame {
            ttl: 1,
            ..Frame::new(PORT, ACK)
        },
        Frame {
            payload: 1500,
            ..Frame::new(PORT, ACK)
        },
    ];
    for (path, frame, room) in paths
        .iter()
        .flat_map(|path| frames.iter().map(move |frame| (path, frame)))
        .flat_map(|(path, frame)| [0, ROOM].map(|room| (path, frame, room)))
    {
        let outcome = |way: fn(&mut SlicePacket<'_>, &HostTables) -> Option<Verdict>| {
            let bench = established_bench();
            bench.tables.set_path(1, *path);
            bench.tables.set_now(5);
            let mut memory = [&[0; ROOM][..room], &frame.bytes()].concat();
            let mut packet = SlicePacket::behind(room, &mut memory, INGRESS);
            let verdict = way(&mut packet, &bench.tables).expect("a verdict");
            let bytes = packet.bytes().to_vec();
            (verdict, bytes, contents(&bench.tables))
        };
        let long = outcome(|packet, tables| Some(concerned(packet, None, tables)));
        assert_eq!(outcome(short_way), long, "{path:?}");
    }
    let bench = established_bench();
    bench.tables.set_path(1, Path::Unreachable);
    let mut bytes = Frame::new(PORT, ACK).bytes();
    assert_eq!(the_short_way(&mut bytes, &bench.tables), None);
    bench.tables.set_path(1, Path::Local);
    let mut bytes = Frame6::new(PORT, ACK).bytes();
    let verdict = the_short_way(&mut bytes, &bench.tables);
    assert_eq!(verdict, Some(Verdict::LocalTarget));
}

/// A slot's number and its words.
type Used = (usize, [u64; 2]);

/// What is in use in the tables, and every counter.
fn contents(tables: &HostTables) -> (Vec<Used>, Vec<u64>, [u64; 2]) {
    let slots = tables.buckets().iter().flat_map(|bucket| &bucket.slots);
    let words = slots.map(|slot| [slot.addresses.load(), slot.tag.load()]);
    let used = words.enumerate().filter(|(_, words)| words[1] != 0);
    let counters = tables.counters().to_vec();
    (used.collect(), counters, tables.syn_counts(1))
}

proptest! {
    #[test]
    fn both_ways_agree(
        frames in prop::collection::vec(
            (
                (0..4_u16, any::<bool>()),
                prop_oneof![4 => Just(ACK), 2 => Just(SYN), 1 => Just(FIN | ACK), 1 => Just(RST)],
                (0..3_u8, 0..2_u8, 0..2_u8),
                prop::option::weighted(0.2, (14..74_usize, any::<u8>())),
                0..3_u16,
            ),
            1..60,
        ),
    ) {
        let [short, long] = [(); 2].map(|()| super::ipv6::bench(&[1, 2, 3, 4, 5]));
        for bench in [&short, &long] {
            bench.tables.set_path(2, link(2, XCF));
            bench.tables.set_path(3, Path::Local);
            bench.tables.set_path(4, Path::Unreachable);
            bench.tables.set_path(5, tunnels::tunnel(Encapsulation::Gre, INGRESS));
        }
        for ((port, is_ipv6), flags, (ttl, ip_options, tcp_options), change, now) in frames {
            let frame = if is_ipv6 {
                let extensions = std::vec![extension::OPTIONS; ip_options.into()];
                let frame = Frame6::new(PORT + port, flags);
                Frame6 { hop_limit: ttl, extensions, ..frame }.bytes()
            } else {
                Frame { ttl, ip_options, tcp_options, ..Frame::new(PORT + port, flags) }.bytes()
            };
            let mut memory = [&[0; ROOM], &frame[..]].concat();
            if let Some((at, value)) = change
                && at < frame.len()
            {
                memory[ROOM + at] = value;
            }
            let mut same = memory.clone();
            short.tables.set_now(now);
            long.tables.set_now(now);
            let mut packet = SlicePacket::behind(ROOM, &mut memory, INGRESS);
            let mut other = SlicePacket::behind(ROOM, &mut same, INGRESS);
            let verdict = distribute(&mut packet, &short.tables);
            prop_assert_eq!(verdict, the_long_way(&mut other, &long.tables));
            prop_assert_eq!(packet.bytes(), other.bytes());
            prop_assert_eq!(contents(&short.tables), contents(&long.tables));
        }
    }
}
