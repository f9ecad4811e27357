//! The Internet checksum (RFC 1071), anew or changed by the difference of what it covers (RFC 1624).

/// Returns the checksum after the 16-bit word `old` under it has become `new`.
///
/// All three are taken in the same byte order, whichever it is: the sum in
/// one's complement does not depend on it (RFC 1071 §2 (B)).
#[inline(always)]
#[must_use]
pub const fn replace(checksum: u16, old: u16, new: u16) -> u16 {
    // RFC 1624 equation 3: HC' = ~(~HC + ~m + m').
    let sum = (!checksum) as u32 + (!old) as u32 + new as u32;
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

/// Lowers an IPv4 header's time to live by one, given and returned with the protocol and the checksum
/// behind it as they lie in the packet; `None` when it has run out (RFC 1812 §5.3.1).
///
/// The word that has the time to live in its upper half becomes less by `0x0100`; so its sum's
/// complement becomes more by that, or, in the other order of bytes, by 1: a carry goes to the other end.
#[inline(always)]
#[must_use]
pub const fn lower_ttl(word: u32) -> Option<u32> {
    let word = u32::from_le(word) as u64;
    if word & 0xff <= 1 {
        return None;
    }
    // Of the two zeros of one's complement, the one that RFC 1624 comes to.
    let carry = (word + 0x2_0000) >> 32;
    let lowered = word - 1 + 0x1_0000 + (carry << 16);
    Some((lowered as u32).to_le())
}

/// Adds words up, as they lie in memory, for [`of_datagram`]; sums can be added up in turn.
#[inline(always)]
#[must_use]
pub const fn sum<const N: usize>(words: &[u64; N]) -> u64 {
    let mut sum = 0;
    let mut index = 0;
    while index < N {
        sum += (words[index] & 0xffff_ffff) + (words[index] >> 32);
        index += 1;
    }
    sum
}

/// The checksum of a UDP datagram whose words add up to this, as it lies in the packet; never 0, which
/// would say that there is none (RFC 768, RFC 8200 §8.1).
#[inline(always)]
#[must_use]
pub const fn of_datagram(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    match !(sum as u16) {
        0 => u16::MAX,
        sum => sum,
    }
}

#[cfg(test)]
mod tests;
