//! Who is told whether the daemon lives.

use super::*;
use crate::host::frame;
use crate::probe::{Kind, Words, identity, message, read};

const PORT: u16 = 4912;
const OWN: [u8; 4] = [10, 1, 1, 1];
const STACK: [u8; 4] = [172, 1, 1, 1];
const KEYS: [[u64; 2]; 2] = [[1, 2], [3, 4]];
const NONCE: [u64; 2] = [0x1111, 0x2222];
const NOW_NS: u64 = 9_000_000_000;

fn bench() -> Bench {
    let bench = Bench::new(&[1]);
    bench
        .tables
        .life()
        .set_probe(identity(STACK.into()), [0, 0], PORT, &KEYS);
    bench.tables.set_now_ns(NOW_NS);
    bench.tables.life().beat_ns.store(NOW_NS - 1_234_999_999);
    bench
}

fn stack(last: u8) -> [u64; 2] {
    identity([172, 1, 1, last].into())
}

fn question(key: [u64; 2]) -> Words {
    message(Kind::Question, NONCE, 0, stack(1), key)
}

/// Sends a frame, and counts it as the bench does.
fn send(bench: &mut Bench, bytes: &mut [u8], verdict: Verdict) {
    let given = distribute(&mut SlicePacket::new(bytes, INGRESS), &bench.tables);
    assert_eq!(given, verdict);
    *bench.expected.entry(verdict.index()).or_default() += 1;
}

#[test]
fn a_question_is_answered_with_the_age_of_the_last_beat() {
    for key in KEYS {
        let mut bench = bench();
        let asked_frame = frame::probe(OWN, PORT, &question(key));
        let mut bytes = asked_frame.clone();
        bytes[22] = 3;
        bytes[24..26].fill(0);
        let sum = checksum(&bytes[14..34]);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        send(&mut bench, &mut bytes, Verdict::ProbeAnswered);
        assert_eq!(bytes.len(), asked_frame.len());
        assert_eq!(bytes[..6], asked_frame[6..12]);
        assert_eq!(bytes[6..12], asked_frame[..6]);
        assert_eq!(bytes[26..30], asked_frame[30..34]);
        assert_eq!(bytes[30..34], asked_frame[26..30]);
        assert_eq!(bytes[34..36], asked_frame[36..38]);
        assert_eq!(bytes[36..38], asked_frame[34..36]);
        assert_eq!((bytes[22], checksum(&bytes[14..34])), (64, 0));
        assert_eq!(bytes[40..42], [0, 0], "no checksum");
        let mut words = [0; 5];
        for (word, bytes) in words.iter_mut().zip(bytes[42..].chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().expect("eight"));
        }
        let answer = read(Kind::Answer, &words, stack(1), key);
        assert_eq!(answer, Some((NONCE, 1234)));
    }
}

#[test]
fn what_is_no_question_is_the_kernels() {
    let right = frame::probe(OWN, PORT, &question(KEYS[0]));
    let with = |at: usize, value: u8| {
        let mut bytes = right.clone();
        bytes[at] ^= value;
        bytes
    };
    let for_other = message(Kind::Question, NONCE, 0, stack(2), KEYS[0]);
    let cut = |len: usize| right[..len].to_vec();
    let cases = [
        (
            "another key",
            frame::probe(OWN, PORT, &question([5, 6])),
            Verdict::ProbeRefused,
        ),
        (
            "an answer",
            frame::probe(
                OWN,
                PORT,
                &message(Kind::Answer, NONCE, 0, stack(1), KEYS[0]),
            ),
            Verdict::ProbeRefused,
        ),
        ("another magic", with(42, 1), Verdict::ProbeRefused),
        ("another version", with(46, 3), Verdict::ProbeRefused),
        ("another nonce", with(50, 1), Verdict::ProbeRefused),
        ("another hash", with(81, 1), Verdict::ProbeRefused),
        ("another UDP length", with(39, 1), Verdict::ProbeRefused),
        ("another IP length", with(17, 1), Verdict::ProbeRefused),
        ("cut short", cut(81), Verdict::ProbeRefused),
        (
            "for another stack",
            frame::probe(OWN, PORT, &for_other),
            Verdict::ProbeRefused,
        ),
        (
            "another port",
            frame::probe(OWN, PORT + 1, &question(KEYS[0])),
            Verdict::NotDistributed,
        ),
        ("a fragment", with(20, 0x20), Verdict::NotDistributed),
        ("with options", with(14, 3), Verdict::NotDistributed),
        ("half a UDP header", cut(40), Verdict::NotDistributed),
        (
            "for another stack, at the DVIPA",
            frame::probe(VIPA, PORT, &for_other),
            Verdict::ProbeRefused,
        ),
        (
            "elsewhere at the DVIPA",
            frame::probe(VIPA, 53, &question(KEYS[0])),
            Verdict::NotTcp,
        ),
    ];
    let mut bench = bench();
    for (what, bytes, verdict) in cases {
        std::eprintln!("{what}");
        bench.send(bytes, verdict, &[]);
    }
}

#[test]
fn without_keys_or_port_nobody_is_answered() {
    let mut bench = bench();
    let right = frame::probe(OWN, PORT, &question(KEYS[0]));
    bench.tables.life().set_probe(stack(1), [0, 0], PORT, &[]);
    bench.send(right.clone(), Verdict::ProbeRefused, &[]);
    bench
        .tables
        .life()
        .set_probe(stack(1), [0, 0], PORT, &KEYS[1..]);
    bench.send(right.clone(), Verdict::ProbeRefused, &[]);
    bench.tables.life().set_probe(stack(1), [0, 0], 0, &KEYS);
    bench.send(right, Verdict::NotDistributed, &[]);
    let mut no_port = frame::probe(OWN, 0, &question(KEYS[0]));
    send(&mut bench, &mut no_port, Verdict::NotDistributed);
}

#[test]
fn an_own_address_may_share_its_bit_with_a_dvipa() {
    let bit = |address: [u8; 4]| hash::prefilter(u32::from_ne_bytes(address));
    let twin = (0..=u16::MAX)
        .map(|n| [10, 2, n.to_be_bytes()[0], n.to_be_bytes()[1]])
        .find(|address| bit(*address) == bit(VIPA))
        .expect("4,096 bits for 65,536 addresses");
    let mut bench = bench();
    let words = question(KEYS[0]);
    send(
        &mut bench,
        &mut frame::probe(twin, PORT, &words),
        Verdict::ProbeAnswered,
    );
}
