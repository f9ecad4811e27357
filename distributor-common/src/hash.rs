//! The hashes of the packet path.
//!
//! The seeds come in as arguments: whoever does not know them cannot choose
//! flows that meet in one bucket.

use crate::abi::Ends;
use crate::siphash;
use crate::wire::tcp;

/// Number of 64-bit words in the prefilter's bitmap.
pub const PREFILTER_WORDS: usize = 64;

/// Mixes the key of a flow; the seeds are odd.
///
/// The upper bits choose the bucket, the lower 32 the place in a ring, so that
/// flows of one bucket do not all go to one target.
///
/// A sum of products alone loses up to 84 % of the flows of structured client
/// addresses to overfull buckets, with one pair of seeds in twelve more than 3 %.
/// Folded and multiplied once more, none of 1,000 pairs lost more of any structure
/// than random flows lose.
#[inline(always)]
#[must_use]
pub const fn flow(addresses: u64, ports: u32, protocol: u8, seeds: [u64; 2]) -> u64 {
    // TCP's number is the one that is 0 then.
    let rest = ports as u64 | ((protocol ^ tcp::PROTOCOL) as u64) << 32;
    let sum = addresses
        .wrapping_mul(seeds[0])
        .wrapping_add(rest.wrapping_mul(seeds[1]));
    (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Mixes the key of a flow that is offered to targets in turn: on every stack the same, and no secret.
///
/// Who knows it can choose the target that is asked first, and nothing else. It never changes: stacks
/// of two releases must agree. (A sum of products, and Stafford's variant 13 of the `MurmurHash3`
/// finaliser.)
#[inline(always)]
#[must_use]
pub const fn offer(addresses: u64, ports: u32, protocol: u8) -> u64 {
    const SEEDS: [u64; 2] = [0x9216_d5d9_8979_fb1b, 0xd131_0ba6_98df_b5ad];
    let mut hash = addresses
        .wrapping_mul(SEEDS[0])
        .wrapping_add((ports as u64 | (protocol as u64) << 32).wrapping_mul(SEEDS[1]));
    hash ^= hash >> 30;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^= hash >> 27;
    hash = hash.wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

/// Mixes the key of a flow so that nobody without the group's key can choose where it leads.
///
/// It is dearer than [`flow`], and for new flows only.
#[inline(always)]
#[must_use]
pub const fn choice(addresses: u64, ports: u32, protocol: u8, key: [u64; 2]) -> u64 {
    siphash::hash(key, &[addresses, ports as u64 | (protocol as u64) << 32])
}

/// The same for IPv6, from the addresses themselves: digests and names differ from stack to stack.
#[inline(always)]
#[must_use]
pub const fn choice_ipv6(ends: Ends, ports: u32, protocol: u8, key: [u64; 2]) -> u64 {
    let Ends { client, dvipa } = ends;
    let rest = ports as u64 | (protocol as u64) << 32;
    siphash::hash(key, &[client[0], client[1], dvipa[0], dvipa[1], rest])
}

/// Mixes the key of an IPv6 flow as [`offer`] does.
#[inline(always)]
#[must_use]
pub const fn offer_ipv6(ends: Ends, ports: u32, protocol: u8) -> u64 {
    let addresses = address(ends.client).rotate_left(32) ^ address(ends.dvipa);
    offer(addresses, ports, protocol)
}

/// The bit of the prefilter that stands for a destination address, in the order of memory.
#[inline(always)]
#[must_use]
pub const fn prefilter(address: u32) -> PrefilterBit {
    PrefilterBit::new(address.wrapping_mul(0x9e37_79b1) >> 20)
}

/// The bit that stands for an IPv6 address, by its [hash](address).
#[inline(always)]
#[must_use]
pub const fn prefilter_ipv6(hash: u64) -> PrefilterBit {
    PrefilterBit::new((hash >> 52) as u32)
}

/// Mixes an IPv6 address, given in two words in the order of memory; the upper bits depend on all of it.
///
/// It is the same everywhere and no secret.
#[inline(always)]
#[must_use]
pub const fn address(words: [u64; 2]) -> u64 {
    words[0]
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(words[1].wrapping_mul(0xd6e8_feb8_6659_fd93))
}

/// Number of seeds of a [`digest`].
pub const DIGEST_SEEDS: usize = 5;

/// The digest of a client's IPv6 address, given in two words in the order of memory.
///
/// Two addresses have the same under one seed in 2^32 (Lemire, Kaser: "Strongly universal string
/// hashing is fast", 2014, Multilinear-HM); who does not know the seeds cannot choose them so.
#[inline(always)]
#[must_use]
pub const fn digest(client: [u64; 2], seeds: [u64; DIGEST_SEEDS]) -> u32 {
    let [first, second] = client;
    let low = (first & 0xffff_ffff).wrapping_add(seeds[0]);
    let low = low.wrapping_mul((first >> 32).wrapping_add(seeds[1]));
    let high = (second & 0xffff_ffff).wrapping_add(seeds[2]);
    let high = high.wrapping_mul((second >> 32).wrapping_add(seeds[3]));
    (low.wrapping_add(high).wrapping_add(seeds[4]) >> 32) as u32
}

/// The seeds of the digest that belong to the seeds of the flow hash.
#[must_use]
pub const fn digest_seeds(seeds: [u64; 2]) -> [u64; DIGEST_SEEDS] {
    let mut expanded = [0; DIGEST_SEEDS];
    let mut index = 0;
    while index < DIGEST_SEEDS {
        expanded[index] = siphash::hash(seeds, &[index as u64]);
        index += 1;
    }
    expanded
}

/// A place in the prefilter's bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefilterBit {
    /// Index of the word, below [`PREFILTER_WORDS`].
    pub word: usize,
    /// The bit inside the word.
    pub mask: u64,
}

impl PrefilterBit {
    #[inline(always)]
    const fn new(bit: u32) -> Self {
        Self {
            word: (bit / 64) as usize % PREFILTER_WORDS,
            mask: 1 << (bit % 64),
        }
    }
}

/// Maps the lower half of a flow's hash to one of `len` places without a division.
#[inline(always)]
#[must_use]
pub const fn place(hash: u64, len: u32) -> u32 {
    (((hash & 0xffff_ffff) * len as u64) >> 32) as u32
}

#[cfg(test)]
mod tests;
