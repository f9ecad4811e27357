use proptest::prelude::*;

use super::*;

const KEY: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];
const NONCE: [u64; 2] = [7, 8];

fn stack(last: u8) -> [u64; 2] {
    identity([172, 1, 1, last].into())
}

#[test]
fn only_what_was_made_for_it_is_read() {
    let question = message(Kind::Question, NONCE, 0, stack(1), KEY);
    assert_eq!(
        read(Kind::Question, &question, stack(1), KEY),
        Some((NONCE, 0))
    );
    assert_eq!(read(Kind::Answer, &question, stack(1), KEY), None);
    assert_eq!(read(Kind::Question, &question, stack(2), KEY), None);
    assert_eq!(
        read(Kind::Question, &question, stack(1), [KEY[0], KEY[1] ^ 1]),
        None
    );
    let answer = message(Kind::Answer, NONCE, 1234, stack(1), KEY);
    assert_eq!(
        read(Kind::Answer, &answer, stack(1), KEY),
        Some((NONCE, 1234))
    );
    assert_eq!(read(Kind::Question, &answer, stack(1), KEY), None);
}

#[test]
fn a_message_lies_as_its_picture_says() {
    let answer = message(Kind::Answer, NONCE, 0x0102, stack(1), KEY).map(u64::to_ne_bytes);
    let bytes = answer.as_flattened();
    assert_eq!(&bytes[..8], b"SDLP\x01\x02\0\0");
    assert_eq!(bytes[24..32], [0, 0, 0, 0, 0, 0, 1, 2]);
    let asked = stack(1).map(u64::to_ne_bytes);
    assert_eq!(
        asked.as_flattened(),
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 172, 1, 1, 1]
    );
}

proptest! {
    #[test]
    fn any_changed_bit_is_noticed(word in 0..LEN / 8, bit in 0..64_u32, age: u64) {
        let mut answer = message(Kind::Answer, NONCE, age, stack(1), KEY);
        answer[word] ^= 1 << bit;
        prop_assert_eq!(read(Kind::Answer, &answer, stack(1), KEY), None);
    }
}
