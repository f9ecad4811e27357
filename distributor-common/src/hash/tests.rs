use std::vec;
use std::vec::Vec;

use super::*;
use crate::flow::{self, FlowKey};

const SEEDS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345];

/// Flows as networks make them: neighbouring addresses, ports counted up in steps.
fn structured(addresses: u8, ports: u16, step: u16) -> impl Iterator<Item = FlowKey> {
    (0..addresses).flat_map(move |host| {
        (0..ports)
            .map(move |n| FlowKey::tcp([10, 1, 1, host], 1024 + n * step, [10, 1, 3, 10], 8443))
    })
}

#[test]
fn structured_flows_fill_buckets_like_random_ones() {
    // 16,384 flows over 8,192 buckets of eight: at this load random flows lose about 0.03 %.
    for (addresses, ports, step) in [(1, 16_384, 2), (4, 4_096, 1), (64, 256, 2), (128, 128, 64)] {
        let mut load = vec![0_u32; 8192];
        for key in structured(addresses, ports, step) {
            load[flow::place(key.hash(SEEDS), 8192).0] += 1;
        }
        let lost: u32 = load.iter().map(|count| count.saturating_sub(8)).sum();
        assert!(
            lost < 16,
            "{addresses} × {ports} in steps of {step}: {lost} lost"
        );
    }
}

#[test]
fn flows_of_one_bucket_go_to_every_place() {
    let mut places = [0_u32; 3];
    let buckets = 64;
    let in_bucket =
        structured(255, 200, 2).filter(|key| flow::place(key.hash(SEEDS), buckets).0 == 5);
    for key in in_bucket {
        places[place(key.hash(SEEDS), 3) as usize] += 1;
    }
    let total: u32 = places.iter().sum();
    assert!(total > 600, "{places:?}");
    let expected = total / 3;
    for count in places {
        assert!(count.abs_diff(expected) < expected / 4, "{places:?}");
    }
}

#[test]
fn every_bit_of_a_key_counts() {
    let key = FlowKey::tcp([10, 1, 1, 100], 40_000, [10, 1, 3, 10], 8443);
    let flip_addresses = (0..64).map(|bit| FlowKey {
        addresses: key.addresses ^ 1 << bit,
        ..key
    });
    let flip_ports = (0..32).map(|bit| FlowKey {
        ports: key.ports ^ 1 << bit,
        ..key
    });
    let udp = FlowKey {
        protocol: 17,
        ..key
    };
    let keys = flip_addresses.chain(flip_ports).chain([key, udp]);
    let mut hashes: Vec<_> = keys.map(|key| key.hash(SEEDS)).collect();
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[test]
fn seeds_decide_who_meets_whom() {
    // Flows that share a bucket under one pair of seeds are strangers under another.
    let bucket = |key: FlowKey, seeds| flow::place(key.hash(seeds), 256).0;
    let together: Vec<_> = structured(255, 100, 2)
        .filter(|key| bucket(*key, SEEDS) == 5)
        .collect();
    assert!(together.len() > 50);
    for seeds in [[1, SEEDS[1]], [SEEDS[0], 1], [SEEDS[0] ^ 2, SEEDS[1] ^ 2]] {
        let first = bucket(together[0], seeds);
        let still = together.iter().filter(|key| bucket(**key, seeds) == first);
        assert!(still.count() < together.len() / 10, "{seeds:?}");
    }
}

#[test]
fn prefilter_bits_are_in_bounds_and_spread() {
    let mut words = [0_u64; PREFILTER_WORDS];
    for host in 0..=255 {
        let bit = prefilter(u32::from_ne_bytes([10, 1, 3, host]));
        words[bit.word] |= bit.mask;
    }
    let bits: u32 = words.iter().map(|word| word.count_ones()).sum();
    assert!(bits > 240, "256 neighbours share bits: {bits}");
}

/// An address of `2001:db8::/32` in words.
fn ipv6(subnet: u16, host: u64) -> [u64; 2] {
    [
        (0x2001_0db8_u64 << 32 | u64::from(subnet)).to_be(),
        host.to_be(),
    ]
}

#[test]
fn prefilter_bits_of_ipv6_spread_too() {
    for step in [0, 16, 48] {
        let mut words = [0_u64; PREFILTER_WORDS];
        for host in 0..256 {
            let bit = prefilter_ipv6(address(ipv6(1, host << step)));
            words[bit.word] |= bit.mask;
        }
        let bits: u32 = words.iter().map(|word| word.count_ones()).sum();
        assert!(
            bits > 200,
            "256 neighbours in steps of 2^{step} share bits: {bits}"
        );
    }
    let subnets = (0..256).map(|subnet| prefilter_ipv6(address(ipv6(subnet, 1))));
    let mut bits: Vec<_> = subnets.map(|bit| (bit.word, bit.mask)).collect();
    bits.sort_unstable();
    bits.dedup();
    assert!(bits.len() > 200, "256 networks share bits: {}", bits.len());
}

#[test]
fn digests_of_structured_clients_differ() {
    let seeds = digest_seeds(SEEDS);
    let networks = (0..64).flat_map(|subnet| (0..256).map(move |host| ipv6(subnet, host)));
    let hosts = (0..16_384).map(|host| ipv6(99, host << 20));
    let mut digests: Vec<_> = networks
        .chain(hosts)
        .map(|client| digest(client, seeds))
        .collect();
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    // Of 32,768 random numbers of 32 bits, one pair in eight such tests is the same.
    assert!(digests.len() + 2 >= count, "{}", count - digests.len());
}

#[test]
fn every_bit_of_a_client_counts_under_every_seed() {
    for seeds in [[0, 0], [u64::MAX, 1], SEEDS] {
        let seeds = digest_seeds(seeds);
        let client = ipv6(1, 100);
        let flipped = (0..128).map(|bit| {
            let mut other = client;
            other[bit / 64] ^= 1 << (bit % 64);
            other
        });
        let mut digests: Vec<_> = flipped
            .chain([client])
            .map(|one| digest(one, seeds))
            .collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 129);
    }
}

#[test]
fn who_shares_a_digest_is_a_matter_of_the_seeds() {
    let clients: Vec<_> = (0..1 << 17).map(|host| ipv6(7, host)).collect();
    let together = |seeds: [u64; 2]| {
        let seeds = digest_seeds(seeds);
        let mut digests: Vec<_> = clients
            .iter()
            .map(|one| (digest(*one, seeds), *one))
            .collect();
        digests.sort_unstable();
        let pairs = digests.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        pairs.map(|pair| [pair[0].1, pair[1].1]).collect::<Vec<_>>()
    };
    // 2^17 clients are 2^33 pairs, of which 2 share a digest.
    let (some, others) = (together(SEEDS), together([3, 4]));
    assert!(
        some.len() < 12 && others.len() < 12,
        "{} {}",
        some.len(),
        others.len()
    );
    assert!(some.iter().all(|pair| !others.contains(pair)));
}

#[test]
fn hashes_that_stacks_share_depend_on_both_ends() {
    let ends = Ends {
        client: ipv6(1, 1),
        dvipa: ipv6(2, 2),
    };
    let turned = Ends {
        client: ends.dvipa,
        dvipa: ends.client,
    };
    let other = Ends {
        client: ipv6(1, 2),
        ..ends
    };
    let elsewhere = Ends {
        dvipa: ipv6(2, 3),
        ..ends
    };
    let all = [ends, turned, other, elsewhere];
    let mut hashes = all.map(|ends| choice_ipv6(ends, 5, 6, [1, 2])).to_vec();
    hashes.extend(all.map(|ends| offer_ipv6(ends, 5, 6)));
    hashes.extend([
        choice_ipv6(ends, 6, 6, [1, 2]),
        choice_ipv6(ends, 5, 17, [1, 2]),
    ]);
    hashes.extend([choice_ipv6(ends, 5, 6, [1, 3]), offer_ipv6(ends, 6, 6)]);
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[test]
fn places_cover_a_ring_and_nothing_else() {
    for (hash, len, expected) in [
        (0, 3, 0),
        (0x5555_5555, 3, 0),
        (0x5555_5556, 3, 1),
        (0xffff_ffff, 3, 2),
        (u64::MAX, 1, 0),
        (u64::MAX, u32::MAX, u32::MAX - 1),
    ] {
        assert_eq!(place(hash, len), expected, "{hash:#x} of {len}");
    }
}
