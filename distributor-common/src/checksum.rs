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

#[cfg(test)]
mod tests;
