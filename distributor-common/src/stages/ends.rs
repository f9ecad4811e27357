//! Who the two ends of a connection are, where its key says it by digest and name.
//!
//! Most stages need no more than the key. What is compared with other stacks, or
//! must come out the same on all of them, needs the addresses themselves: those of
//! an IPv6 packet are put aside before the first such stage, and never by a packet
//! of a known flow.

use crate::abi::{Ends, Family, Name};
use crate::flow::FlowKey;
use crate::tables::Tables;
use crate::{hash, wire};

/// The client's address, in two words in the order of memory; one of IPv4 is mapped into IPv6.
#[inline(always)]
pub fn client<T: Tables>(key: &FlowKey, tables: &T) -> [u64; 2] {
    match key.family {
        Family::Ipv4 => wire::map(key.client()),
        Family::Ipv6 => tables.ends().client,
    }
}

/// The hash by which the flow is offered to targets that may know it; the same on every stack.
#[inline(always)]
pub fn offer<T: Tables>(key: &FlowKey, tables: &T) -> u64 {
    match key.family {
        Family::Ipv4 => key.offer_hash(),
        Family::Ipv6 => hash::offer_ipv6(tables.ends(), key.ports, key.protocol),
    }
}

/// The same under a key that makes it unforeseeable.
#[inline(always)]
pub fn choice<T: Tables>(key: &FlowKey, secret: [u64; 2], tables: &T) -> u64 {
    let FlowKey {
        addresses,
        ports,
        protocol,
        family,
    } = *key;
    match family {
        Family::Ipv4 => hash::choice(addresses, ports, protocol, secret),
        Family::Ipv6 => hash::choice_ipv6(tables.ends(), ports, protocol, secret),
    }
}

/// Notes the client of a flow that is about to be stored, if its key does not say it.
#[inline(always)]
pub fn note<T: Tables>(key: &FlowKey, hash: u64, slot: usize, tables: &T) {
    if key.family == Family::Ipv6 {
        tables.note_client(hash, slot);
    }
}

/// The name of an IPv6 DVIPA.
#[inline(always)]
pub fn name<T: Tables>(dvipa: [u64; 2], tables: &T) -> Option<Name> {
    let bucket = tables.name_table().bucket(hash::address(dvipa));
    tables.name_bucket(bucket)?.find(dvipa)
}

/// The key of a flow by the addresses of its packets; `None` where the destination has no name.
///
/// `ports` are those of a [`FlowKey`].
#[inline(always)]
pub fn key<T: Tables>(ends: Ends, ports: u32, protocol: u8, tables: &T) -> Option<FlowKey> {
    let name = name(ends.dvipa, tables)?;
    let digest = hash::digest(ends.client, tables.digest_seeds());
    Some(FlowKey {
        addresses: u64::from(digest) | u64::from(name.word()) << 32,
        ports,
        protocol,
        family: Family::Ipv6,
    })
}
