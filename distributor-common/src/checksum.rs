//! The Internet checksum, changed by the difference of what it covers (RFC 1624).

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

#[cfg(test)]
mod tests;
