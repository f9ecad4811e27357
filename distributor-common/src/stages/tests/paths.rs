//! How a packet leaves.

use super::*;

#[test]
fn a_packet_leaves_by_the_path_of_its_target() {
    for (path, verdict) in [
        (link(1, INGRESS), Verdict::Transmitted),
        (link(1, XCF), Verdict::Redirected),
        (link(1, 99), Verdict::NoInterface),
        (Path::Local, Verdict::LocalTarget),
        (Path::Unreachable, Verdict::Unreachable),
    ] {
        let bench = Bench::new(&[1]);
        bench.tables.set_path(1, path);
        let mut bytes = Frame::new(40_000, SYN).bytes();
        let before = bytes.clone();
        let given = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &bench.tables);
        assert_eq!(given, verdict);
        let is_sent = matches!(path, Path::Link { .. });
        assert_eq!(bytes != before, is_sent, "{verdict:?}");
        if is_sent {
            assert_eq!(bytes[..12], [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0]);
        }
        // Unreachable or not, the flow is there: the client's next attempt goes the same way.
        assert_eq!(bench.flow(40_000), Some((State::HalfOpen, 1)));
        assert_eq!(bench.totals().event(Event::FlowStored), 1);
        assert_eq!(bench.totals().verdict(verdict), 1);
    }
}

#[test]
fn a_flow_follows_its_target_to_another_path() {
    let mut bench = Bench::new(&[1, 2]);
    assert_eq!(establish(&mut bench, 40_000), 1);
    bench.tables.set_path(1, Path::Unreachable);
    bench.send(Frame::new(40_000, ACK).bytes(), Verdict::Unreachable, &[]);
    bench.tables.set_path(1, link(7, XCF));
    let bytes = bench.send(Frame::new(40_000, ACK).bytes(), Verdict::Redirected, &[]);
    assert_eq!(bytes[5], 7);
}

#[test]
fn time_to_live_runs_out() {
    let mut bench = Bench::new(&[1]);
    establish(&mut bench, 40_000);
    for (ttl, verdict) in [
        (0, Verdict::TtlExpired),
        (1, Verdict::TtlExpired),
        (2, Verdict::Transmitted),
        (255, Verdict::Transmitted),
    ] {
        let frame = Frame {
            ttl,
            ..Frame::new(40_000, ACK)
        };
        bench.send(frame.bytes(), verdict, &[]);
    }
}

#[test]
fn every_checksum_stays_valid() {
    let mut bench = Bench::new(&[1]);
    establish(&mut bench, 40_000);
    // `send` checks the sum; a changing address takes it through many values.
    for n in 0..=u16::MAX / 16 {
        let [high, low] = (n * 16).to_be_bytes();
        let client = [10, 1, high, low];
        let frame = Frame {
            client,
            ttl: low | 2,
            ..Frame::new(40_000, SYN)
        };
        let mut bytes = frame.bytes();
        let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &bench.tables);
        assert_eq!(verdict, Verdict::Transmitted);
        assert_eq!(checksum(&bytes[14..34]), 0, "{frame:?}");
    }
}

#[test]
fn every_syn_to_a_target_is_counted_and_nothing_else() {
    let mut bench = Bench::new(&[1, 2]);
    let stored = [Event::FlowStored];
    assert_eq!(bench.target(Frame::new(40_000, SYN), &stored), 1);
    assert_eq!(bench.target(Frame::new(40_001, SYN), &stored), 2);
    // A repeated one is sent again, and may be lost again.
    assert_eq!(bench.target(Frame::new(40_000, SYN), &[]), 1);
    for flags in [ACK, ACK | FIN, RST] {
        bench.target(Frame::new(40_000, flags), &[]);
    }
    assert_eq!(bench.tables.syn_counts(1), [2, 0]);
    assert_eq!(bench.tables.syn_counts(2), [1, 0]);
    // One that whoever sent it lets die here was never sent.
    let mut dying = Frame::new(40_001, SYN).bytes();
    dying[22] = 1;
    bench.send(dying, Verdict::TtlExpired, &[]);
    assert_eq!(bench.tables.syn_counts(2), [1, 0]);
}
