//! `SipHash`-2-4 (Aumasson, Bernstein: "`SipHash`: a fast short-input PRF", 2012).
//!
//! Messages are whole words: nothing in here looks at single bytes, which the
//! kernel's program would pay for, and nothing in here is needed for tables.

/// Hashes words, each taken as the 8 bytes that it is in little-endian order.
#[inline(always)]
#[must_use]
pub const fn hash<const N: usize>(key: [u64; 2], words: &[u64; N]) -> u64 {
    let mut state = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let mut index = 0;
    while index < N {
        state = compress(state, words[index]);
        index += 1;
    }
    // The last block has the length in its last byte, and no other byte of the message.
    state = compress(state, (N as u64 * 8) << 56);
    state[2] ^= 0xff;
    state = round(round(round(round(state))));
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

#[inline(always)]
const fn compress(mut state: [u64; 4], word: u64) -> [u64; 4] {
    state[3] ^= word;
    state = round(round(state));
    state[0] ^= word;
    state
}

#[inline(always)]
const fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests;
