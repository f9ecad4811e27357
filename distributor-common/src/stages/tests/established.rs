//! The short way comes to what the long one comes to, or to nothing.

use super::super::established::Way;
use super::super::{Aside, Concern, aside, concerned, established, ipv6, prefilter};
use super::*;
use crate::abi::Encapsulation;

/// What the stages make of a frame that is not sent the short way.
fn the_long_way(bytes: &mut [u8], tables: &HostTables) -> Verdict {
    let mut packet = SlicePacket::new(bytes, INGRESS);
    match prefilter(&mut packet, &tables) {
        Ok(Concern::Vipa) => concerned(&mut packet, None, tables),
        Ok(Concern::Aside { is_arp }) => match aside(&mut packet, is_arp, tables) {
            Aside::Ended(verdict) => verdict,
            Aside::Opened(carrier) => concerned(&mut packet, Some(carrier), tables),
        },
        Ok(Concern::Ipv6) => {
            ipv6::packet(&mut packet, tables).unwrap_or_else(|| ipv6::aside(&mut packet, tables))
        }
        Err(verdict) => verdict,
    }
}

/// Sends a frame the short way only.
fn the_short_way(bytes: &mut [u8], tables: &HostTables) -> Option<Way> {
    let mut packet = SlicePacket::new(bytes, INGRESS);
    assert_eq!(prefilter(&mut packet, &tables), Ok(Concern::Vipa));
    established::forward(&mut packet, &tables)
}

/// A client port whose flow is alone in its bucket, and so at home.
const PORT: u16 = 40_000;

#[test]
fn a_segment_in_the_middle_of_a_connection_goes_the_short_way() {
    let mut bench = Bench::new(&[1]);
    establish(&mut bench, PORT);
    for flags in [ACK, ACK | 8, 0] {
        let mut bytes = Frame::new(PORT, flags).bytes();
        let verdict = the_short_way(&mut bytes, &bench.tables);
        assert_eq!(verdict, Some(Way::Ended(Verdict::Transmitted)));
        assert_eq!(bytes[..6], [2, 0, 0, 0, 0, 1]);
        assert_eq!((checksum(&bytes[14..34]), bytes[22]), (0, 63));
    }
    bench.tables.set_path(1, link(1, XCF));
    let verdict = the_short_way(&mut Frame::new(PORT, ACK).bytes(), &bench.tables);
    assert_eq!(verdict, Some(Way::Ended(Verdict::Redirected)));
    bench.tables.interfaces.clear();
    let verdict = the_short_way(&mut Frame::new(PORT, ACK).bytes(), &bench.tables);
    assert_eq!(verdict, Some(Way::Ended(Verdict::NoInterface)));
    // It is seen.
    bench.tables.set_now(5);
    the_short_way(&mut Frame::new(PORT, ACK).bytes(), &bench.tables);
    let slots = bench
        .tables
        .buckets()
        .iter()
        .flat_map(|bucket| &bucket.slots);
    let stamps: Vec<_> = slots
        .filter_map(Slot::read)
        .map(|(_, tag)| tag.stamp().units())
        .collect();
    assert_eq!(stamps, [5]);
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

#[test]
fn a_target_that_is_not_on_a_link_is_known_all_the_same() {
    let behind_routers = tunnels::tunnel(Encapsulation::Gre, INGRESS);
    for path in [Path::Unreachable, Path::Local, behind_routers] {
        let [mut short, mut long] = [(); 2].map(|()| {
            let mut bench = Bench::new(&[1]);
            establish(&mut bench, PORT);
            bench.tables.set_path(1, path);
            bench.tables.set_now(5);
            bench
        });
        let before = Frame::new(PORT, ACK).bytes();
        let (mut bytes, counters) = (before.clone(), short.tables.counters());
        let way = the_short_way(&mut bytes, &short.tables);
        assert_eq!(way, Some(Way::Known(1)));
        assert_eq!((&bytes, short.tables.counters()), (&before, counters));
        let mut slots = short.tables.buckets().iter().flat_map(|one| &one.slots);
        let (_, tag) = slots.find_map(Slot::read).expect("a flow");
        assert_eq!(tag.stamp().units(), 5, "it is seen");

        let outcome = |bench: &mut Bench, way: fn(&mut SlicePacket<'_>, &HostTables) -> Verdict| {
            let mut memory = [&[0; ROOM], &before[..]].concat();
            let mut packet = SlicePacket::behind(ROOM, &mut memory, INGRESS);
            let verdict = way(&mut packet, &bench.tables);
            (verdict, packet.bytes().to_vec(), contents(&bench.tables))
        };
        assert_eq!(
            outcome(&mut short, |packet, tables| established::to_target(
                packet, 1, &tables
            )),
            outcome(&mut long, |packet, tables| concerned(packet, None, tables)),
        );
    }
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
                0..3_u16,
                prop_oneof![4 => Just(ACK), 2 => Just(SYN), 1 => Just(FIN | ACK), 1 => Just(RST)],
                (0..3_u8, 0..2_u8, 0..2_u8),
                prop::option::weighted(0.2, (14..54_usize, any::<u8>())),
                0..3_u16,
            ),
            1..60,
        ),
    ) {
        let [short, long] = [(); 2].map(|()| Bench::new(&[1, 2, 3, 4]));
        for bench in [&short, &long] {
            bench.tables.set_path(2, link(2, XCF));
            bench.tables.set_path(3, Path::Local);
            bench.tables.set_path(4, Path::Unreachable);
        }
        for (port, flags, (ttl, ip_options, tcp_options), change, now) in frames {
            let frame = Frame { ttl, ip_options, tcp_options, ..Frame::new(PORT + port, flags) };
            let mut bytes = frame.bytes();
            if let Some((at, value)) = change {
                bytes[at] = value;
            }
            let mut same = bytes.clone();
            short.tables.set_now(now);
            long.tables.set_now(now);
            let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &short.tables);
            prop_assert_eq!(verdict, the_long_way(&mut same, &long.tables));
            prop_assert_eq!(&bytes, &same);
            prop_assert_eq!(contents(&short.tables), contents(&long.tables));
        }
    }
}
