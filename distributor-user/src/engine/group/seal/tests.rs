use super::super::key::GroupKey;
use super::*;

fn ring(byte: u8) -> KeyRing {
    KeyRing::new(vec![GroupKey::from_secret(&[byte; 32])]).expect("one key")
}

const HEADER: Header = Header {
    kind: Kind::Session,
    sender: 7,
    receiver: 9,
    counter: 3,
};

fn unseal(keys: &KeyRing, datagram: &[u8]) -> Result<(Header, Vec<u8>), DropReason> {
    let (header, key) = read_header(datagram)?;
    open(keys, &header, key, datagram).map(|message| (header, message))
}

#[test]
fn opens_what_it_sealed() {
    let keys = ring(1);
    for len in [0, 1, MESSAGE_MAX] {
        let message = vec![5; len];
        let datagram = seal(&keys, HEADER, &message);
        assert!(datagram.len() <= DATAGRAM_MAX);
        assert_eq!(unseal(&keys, &datagram), Ok((HEADER, message)));
    }
}

#[test]
fn takes_nothing_that_was_changed() {
    let keys = ring(1);
    let datagram = seal(&keys, HEADER, b"message");
    for at in 0..datagram.len() {
        for bit in 0..8 {
            let mut changed = datagram.clone();
            changed[at] ^= 1 << bit;
            let reason = unseal(&keys, &changed).expect_err("a changed datagram opened");
            let expected: &[DropReason] = match at {
                0 | 1 => &[DropReason::Malformed],
                2 => &[DropReason::Version],
                3 => &[DropReason::Kind, DropReason::Forged],
                4..8 => &[DropReason::ForeignKey],
                _ => &[DropReason::Forged],
            };
            assert!(
                expected.contains(&reason),
                "byte {at}, bit {bit}: {reason:?}"
            );
        }
    }
    for len in 0..datagram.len() {
        let expected = if len < HEADER_LEN + TAG_LEN {
            DropReason::Malformed
        } else {
            DropReason::Forged
        };
        assert_eq!(
            unseal(&keys, &datagram[..len]),
            Err(expected),
            "{len} bytes"
        );
    }
    let mut longer = datagram;
    longer.resize(DATAGRAM_MAX + 1, 0);
    assert_eq!(unseal(&keys, &longer), Err(DropReason::Malformed));
}

#[test]
fn another_groups_key_is_told_from_a_forgery() {
    let datagram = seal(&ring(1), HEADER, b"message");
    assert_eq!(unseal(&ring(2), &datagram), Err(DropReason::ForeignKey));
}

#[test]
fn every_key_of_the_ring_opens() {
    let [old, new] = [1, 2].map(|byte| GroupKey::from_secret(&[byte; 32]));
    let before = KeyRing::new(vec![old.clone(), new.clone()]).expect("two keys");
    let after = KeyRing::new(vec![new, old]).expect("two keys");
    for (sealer, opener) in [(&before, &after), (&after, &before)] {
        assert_eq!(
            unseal(opener, &seal(sealer, HEADER, b"m")),
            Ok((HEADER, b"m".to_vec()))
        );
    }
}
