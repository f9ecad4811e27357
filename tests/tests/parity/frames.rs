//! Frames, such as clients and members send, and such as nobody does.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::{Context, Result};
use distributor_common::host::frame::ipv6::Frame6;
use distributor_common::host::frame::{self, Frame};
use distributor_common::probe::{self, Kind};
use distributor_common::wire::ipv6::extension;
use distributor_common::wire::tcp::{ACK, FIN, RST, SYN};
use distributor_common::wire::{ethernet, ipv4};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::{
    ENCAPSULATIONS, PROBE_KEYS, PROBE_PORT, SERVICES, STACKS, VIPAS, far_end, own_slot, target,
};

/// The client of IPv6.
pub(crate) const CLIENT6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 1, 1, 0, 0, 0, 0x100);

const EXTENSIONS: [u8; 4] = [
    extension::HOP_BY_HOP,
    extension::ROUTING,
    extension::OPTIONS,
    extension::FRAGMENT,
];

/// Any frame, from an Ethernet address.
pub(crate) fn any(random: &mut StdRng, source: [u8; 6]) -> Result<Vec<u8>> {
    let whole = if random.random_bool(0.3) {
        let frame = plausible_ipv6(random, source);
        match random.random_range(0..20) {
            0 => about_life_ipv6(random, &frame),
            1..3 => about_flow_ipv6(random, &frame)?,
            _ => frame.bytes(),
        }
    } else if random.random_bool(0.05) {
        about_life(random)
    } else {
        let frame = plausible(random, source);
        if random.random_bool(0.1) {
            about_flow(random, &frame)?
        } else {
            frame.bytes()
        }
    };
    let is_ipv4 = whole[ethernet::TYPE..][..2] == ethernet::IPV4.0.to_ne_bytes();
    let whole = if is_ipv4 && random.random_bool(0.2) {
        carried(random, &whole)
    } else {
        whole
    };
    Ok(damaged(random, whole))
}

/// The bytes of an IPv4 address.
fn octets(address: IpAddr) -> [u8; 4] {
    match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => [0; 4],
    }
}

/// The same as an IPv6 address.
fn ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// TCP's control bits.
fn flags(random: &mut StdRng) -> u8 {
    *[
        SYN,
        SYN,
        ACK,
        ACK,
        ACK | 8,
        FIN | ACK,
        RST,
        RST | ACK,
        SYN | ACK,
        random.random(),
    ]
    .choose(random)
    .unwrap_or(&SYN)
}

/// A service of one family, or now and then the DVIPA that has none.
fn service(random: &mut StdRng, is_ipv6: bool) -> (IpAddr, u16) {
    let of_family = SERVICES
        .iter()
        .filter(|(dvipa, _)| dvipa.is_ipv6() == is_ipv6);
    let services: Vec<_> = of_family.copied().collect();
    let (dvipa, port) = if random.random_bool(0.25) {
        (VIPAS[if is_ipv6 { 4 } else { 2 }], 8443)
    } else {
        *services.choose(random).unwrap_or(&SERVICES[0])
    };
    if random.random_bool(0.02) {
        (dvipa, random.random())
    } else {
        (dvipa, port)
    }
}

/// Most often 0.
fn rarely(random: &mut StdRng, most: u16) -> u16 {
    if random.random_bool(0.1) {
        random.random_range(0..=most)
    } else {
        0
    }
}

/// Bytes of payload; now and then more than fits into the first piece of a packet.
fn payload(random: &mut StdRng) -> u16 {
    if random.random_bool(0.002) {
        5000
    } else {
        rarely(random, 1400)
    }
}

/// A time to live.
fn ttl(random: &mut StdRng) -> u8 {
    if random.random_bool(0.05) {
        random.random_range(0..4)
    } else {
        random.random()
    }
}

/// A frame that a client could have sent.
fn plausible(random: &mut StdRng, source: [u8; 6]) -> Frame {
    let flags = flags(random);
    let mut frame = Frame::new(random.random_range(40_000..40_200), flags);
    if random.random_bool(0.1) {
        let own = [172, 1, 1, random.random_range(1..=STACKS)];
        frame.client = *[own, own, octets(VIPAS[0]), [127, 0, 0, 1]]
            .choose(random)
            .unwrap_or(&own);
    }
    let (dvipa, port) = service(random, false);
    let small = |value: u16| u8::try_from(value).unwrap_or(u8::MAX);
    Frame {
        source,
        dvipa: octets(dvipa),
        port,
        ttl: ttl(random),
        ip_options: small(rarely(random, 10)),
        tcp_options: small(rarely(random, 10)),
        fragment: if random.random_bool(0.02) {
            random.random()
        } else {
            0x4000
        },
        payload: payload(random),
        ..frame
    }
}

/// The same of IPv6.
fn plausible_ipv6(random: &mut StdRng, source: [u8; 6]) -> Frame6 {
    let flags = flags(random);
    let frame = Frame6::new(random.random_range(40_000..40_200), flags);
    let (dvipa, port) = service(random, true);
    let client = if random.random_bool(0.1) {
        let own = own_slot(dvipa)..own_slot(dvipa) + u16::from(STACKS);
        let own = ipv6(target(random.random_range(own)));
        *[own, own, ipv6(VIPAS[3]), Ipv6Addr::LOCALHOST]
            .choose(random)
            .unwrap_or(&own)
    } else {
        CLIENT6
    };
    let extensions = (0..rarely(random, 5))
        .map(|_| *EXTENSIONS.choose(random).unwrap_or(&extension::OPTIONS))
        .collect();
    Frame6 {
        source,
        client,
        dvipa: ipv6(dvipa),
        port,
        hop_limit: ttl(random),
        extensions,
        payload: payload(random),
        ..frame
    }
}

/// A question or an ARP request, for whomever.
fn about_life(random: &mut StdRng) -> Vec<u8> {
    if random.random_bool(0.5) {
        return frame::arp_request(octets(*VIPAS[..3].choose(random).unwrap_or(&VIPAS[0])));
    }
    let asked = if random.random_bool(0.5) {
        [10, 1, 1, 1]
    } else {
        octets(VIPAS[0])
    };
    let (port, words) = question(random, false);
    frame::probe(asked, port, &words)
}

/// A Neighbour Solicitation, or the same question.
fn about_life_ipv6(random: &mut StdRng, frame: &Frame6) -> Vec<u8> {
    if random.random_bool(0.5) {
        return frame.solicitation();
    }
    let (port, words) = question(random, true);
    frame.probe(port, &words)
}

/// A question of a member whether the daemon lives, to which port it goes, and what is in it.
fn question(random: &mut StdRng, is_ipv6: bool) -> (u16, probe::Words) {
    let key = *[PROBE_KEYS[0], PROBE_KEYS[1], [5, 6]]
        .choose(random)
        .unwrap_or(&PROBE_KEYS[0]);
    let own = if is_ipv6 { STACKS.into() } else { 0 };
    let stack = probe::identity(target(own + u16::from(random.random_bool(0.2))));
    let words = probe::message(Kind::Question, random.random(), 0, stack, key);
    let port = if random.random_bool(0.1) {
        53
    } else {
        PROBE_PORT
    };
    (port, words)
}

/// An ICMP message, most often an error, about what answers a frame.
fn about_flow(random: &mut StdRng, frame: &Frame) -> Result<Vec<u8>> {
    let kinds = [3, 3, 3, 11, 12, 4, 5, 8];
    let kind = *kinds.choose(random).context("some")?;
    let quoted = *[8, 8, 20, 7].choose(random).context("some")?;
    Ok(frame::icmp_error(kind, 4, frame, quoted))
}

/// The same of IPv6.
fn about_flow_ipv6(random: &mut StdRng, frame: &Frame6) -> Result<Vec<u8>> {
    let kinds = [1, 2, 2, 3, 4, 5, 128];
    let kind = *kinds.choose(random).context("some")?;
    let quoted = *[8, 8, 20, 7].choose(random).context("some")?;
    Ok(frame.error(kind, quoted))
}

/// What is in a frame, inside another packet: most often as some member sends it.
fn carried(random: &mut StdRng, frame: &[u8]) -> Vec<u8> {
    let stack = random.random_range(1..=STACKS);
    let mut ends = [far_end(stack), far_end(0)];
    if random.random_bool(0.05) {
        ends.reverse();
    }
    let (_, encapsulation) = *ENCAPSULATIONS.choose(random).unwrap_or(&ENCAPSULATIONS[0]);
    let mut bytes = frame::carried(encapsulation, ends, frame);
    if random.random_bool(0.1) {
        // What routers have said of congestion, whatever the sender understands.
        bytes[ethernet::LEN + ipv4::TOS] = random.random_range(0..4);
    }
    bytes
}

/// The frame, damaged more often than not.
fn damaged(random: &mut StdRng, mut bytes: Vec<u8>) -> Vec<u8> {
    if random.random_bool(0.4) {
        return bytes;
    }
    for _ in 0..random.random_range(0..4) {
        // Mostly in the headers, where it matters.
        let most = bytes.len().min(if random.random_bool(0.9) {
            110
        } else {
            bytes.len()
        });
        let at = random.random_range(0..most);
        if random.random_bool(0.5) {
            bytes[at] ^= 1 << random.random_range(0..8);
        } else {
            bytes[at] = random.random();
        }
    }
    if random.random_bool(0.2) {
        // The kernel takes no test packet that is shorter than an Ethernet header.
        bytes.truncate(random.random_range(14..=bytes.len()));
    } else if random.random_bool(0.1) {
        bytes.resize(bytes.len() + random.random_range(1..20), 0);
    }
    bytes
}
