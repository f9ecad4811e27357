use core::hash::Hasher as _;
use std::vec::Vec;

use proptest::prelude::*;
use siphasher::sip::SipHasher24;

use super::hash;

#[test]
fn the_reference_vector() {
    // The authors' vectors_sip64: key 00…0f, message 00…07 and 00…1f less its last byte's block.
    let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
    let expected = u64::from_le_bytes([0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93]);
    assert_eq!(hash(key, &[0x0706_0504_0302_0100]), expected);
}

proptest! {
    #[test]
    fn agrees_with_another_implementation(key: [u64; 2], words: [u64; 6]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut other = SipHasher24::new_with_keys(key[0], key[1]);
        other.write(&bytes);
        prop_assert_eq!(hash(key, &words), other.finish());
    }
}
