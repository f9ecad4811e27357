use std::vec::Vec;

use proptest::prelude::*;

use super::{lower_ttl, of_datagram, replace};

/// The checksum of RFC 1071, the long way.
fn sum(words: &[u16]) -> u16 {
    let mut sum: u32 = words.iter().map(|word| u32::from(*word)).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn follows_rfc_1624() {
    // The example of RFC 1624 §4, which the formula of RFC 1141 gets wrong.
    assert_eq!(replace(0xdd2f, 0x5555, 0x3285), 0x0000);
}

#[test]
fn a_time_to_live_is_lowered_as_rfc_1624_says() {
    for protocol in [0, 6, 17, 255] {
        for ttl in 0..=255_u8 {
            for sum in 0..=u16::MAX {
                let [high, low] = sum.to_be_bytes();
                let word = u32::from_ne_bytes([ttl, protocol, high, low]);
                let expected = (ttl > 1).then(|| {
                    let old = u16::from_be_bytes([ttl, protocol]);
                    let new = u16::from_be_bytes([ttl - 1, protocol]);
                    let [high, low] = replace(sum, old, new).to_be_bytes();
                    u32::from_ne_bytes([ttl - 1, protocol, high, low])
                });
                assert_eq!(lower_ttl(word), expected, "{word:#x}");
            }
        }
    }
}

proptest! {
    #[test]
    fn is_as_good_as_summing_again(mut words: [u16; 9], place in 0_usize..9, new: u16) {
        let before = sum(&words);
        let old = std::mem::replace(&mut words[place], new);
        let expected = sum(&words);
        let updated = replace(before, old, new);
        // One's complement has two zeros; a receiver takes either for the other.
        prop_assert!(updated == expected || [updated, expected] == [0xffff, 0]
            || [updated, expected] == [0, 0xffff]);
    }

    #[test]
    fn words_of_memory_add_up_as_those_of_the_network(words: [u64; 6]) {
        let bytes = words.map(u64::to_ne_bytes);
        let in_network_order: Vec<u16> = bytes.as_flattened().chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
        let expected = sum(&in_network_order);
        let found = u16::from_be(of_datagram(super::sum(&words)));
        prop_assert_eq!(found, if expected == 0 { u16::MAX } else { expected });
    }

    #[test]
    fn does_not_depend_on_byte_order(checksum: u16, old: u16, new: u16) {
        let swapped = replace(checksum.swap_bytes(), old.swap_bytes(), new.swap_bytes());
        prop_assert_eq!(replace(checksum, old, new), swapped.swap_bytes());
    }
}
