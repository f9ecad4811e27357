use proptest::prelude::*;

use super::replace;

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
    fn does_not_depend_on_byte_order(checksum: u16, old: u16, new: u16) {
        let swapped = replace(checksum.swap_bytes(), old.swap_bytes(), new.swap_bytes());
        prop_assert_eq!(replace(checksum, old, new), swapped.swap_bytes());
    }
}
