//! What is not a segment of ours, by its headers.

use super::*;

#[test]
fn what_is_not_ours_is_passed_untouched() {
    let syn = Frame::new(40_000, SYN);
    let ethertype = |high, low| {
        let mut bytes = syn.bytes();
        bytes[12..14].copy_from_slice(&[high, low]);
        bytes
    };
    let with = |at: usize, value: u8| {
        let mut bytes = syn.bytes();
        bytes[at] = value;
        bytes
    };
    let cut = |len: usize| {
        let mut bytes = syn.bytes();
        bytes.truncate(len);
        bytes
    };
    let cases: Vec<(&str, Vec<u8>, Verdict)> = std::vec![
        ("ARP", ethertype(0x08, 0x06), Verdict::NotIp),
        ("IPv6", ethertype(0x86, 0xdd), Verdict::NotDistributed),
        ("VLAN", ethertype(0x81, 0x00), Verdict::NotIp),
        (
            "short ARP",
            ethertype(0x08, 0x06)[..28].to_vec(),
            Verdict::NotIp
        ),
        ("nothing", cut(0), Verdict::Malformed),
        ("half an Ethernet header", cut(13), Verdict::Malformed),
        ("Ethernet only", cut(14), Verdict::Malformed),
        ("half an IPv4 header", cut(33), Verdict::Malformed),
        ("IPv4 only", cut(34), Verdict::Malformed),
        ("half a TCP header", cut(53), Verdict::Malformed),
        (
            "another address",
            Frame {
                dvipa: [10, 1, 3, 11],
                ..syn
            }
            .bytes(),
            Verdict::NotDistributed
        ),
        (
            "another port",
            Frame { port: 8444, ..syn }.bytes(),
            Verdict::NoService
        ),
        ("UDP", with(23, 17), Verdict::NotTcp),
        ("ICMP", with(23, 1), Verdict::NotTcp),
        ("version 6", with(14, 0x65), Verdict::Malformed),
        ("a header of 16 bytes", with(14, 0x44), Verdict::Malformed),
        (
            "options beyond the packet",
            with(14, 0x4f),
            Verdict::Malformed
        ),
        ("a length of 39", with(17, 39), Verdict::Malformed),
        ("a length of 0", with(17, 0), Verdict::Malformed),
        (
            "a length beyond the frame",
            with(17, 41),
            Verdict::Malformed
        ),
        (
            "a TCP header of 16 bytes",
            with(46, 0x40),
            Verdict::Malformed
        ),
        (
            "TCP options beyond the packet",
            with(46, 0x60),
            Verdict::Malformed
        ),
        (
            "source port 0",
            Frame {
                client_port: 0,
                ..syn
            }
            .bytes(),
            Verdict::Malformed
        ),
        (
            "destination port 0",
            Frame { port: 0, ..syn }.bytes(),
            Verdict::Malformed
        ),
    ];
    let mut bench = Bench::new(&[1]);
    for (what, bytes, verdict) in cases {
        std::eprintln!("{what}");
        bench.send(bytes, verdict, &[]);
    }
    assert_eq!(bench.flows().count(), 0);
}

#[test]
fn fragments_of_a_distributed_address_are_dropped_and_of_another_passed() {
    let mut bench = Bench::new(&[1]);
    // Shares its bit of the prefilter with 10.1.3.10.
    let twin = (0..=u16::MAX)
        .map(|n| [10, 2, n.to_be_bytes()[0], n.to_be_bytes()[1]])
        .find(|address| {
            let bit = |address: [u8; 4]| crate::hash::prefilter(u32::from_ne_bytes(address));
            bit(*address) == bit(VIPA)
        })
        .expect("4,096 bits for 65,536 addresses");
    for (fragment, verdict) in [
        (0x2000, Verdict::Fragment),
        (0x00b9, Verdict::Fragment),
        (0x20b9, Verdict::Fragment),
    ] {
        let frame = Frame {
            fragment,
            payload: 16,
            ..Frame::new(40_000, ACK)
        };
        bench.send(frame.bytes(), verdict, &[]);
        bench.send(
            Frame {
                dvipa: twin,
                ..frame
            }
            .bytes(),
            Verdict::NotDistributed,
            &[],
        );
    }
    // "Don't fragment" is no fragment.
    let whole = Frame {
        fragment: 0x4000,
        ..Frame::new(40_000, SYN)
    };
    bench.target(whole, &[Event::FlowStored]);
}

#[test]
fn options_and_padding_are_no_obstacle() {
    let mut bench = Bench::new(&[1]);
    for ip_options in 0..=10 {
        for (tcp_options, payload) in [(0, 0), (5, 0), (10, 100)] {
            let port = 40_000 + u16::from(ip_options) * 16 + u16::from(tcp_options);
            let frame = Frame {
                ip_options,
                tcp_options,
                payload,
                ..Frame::new(port, SYN)
            };
            bench.target(frame, &[Event::FlowStored]);
            // Ethernet pads short packets; the padding belongs to nobody.
            let mut padded = Frame {
                flags: ACK,
                ..frame
            }
            .bytes();
            padded.resize(padded.len() + 6, 0);
            bench.send(padded, Verdict::Transmitted, &[]);
            assert_eq!(bench.flow(port), Some((State::Established, 1)));
        }
    }
}
