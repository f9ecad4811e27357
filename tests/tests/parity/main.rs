//! The packet path in the kernel against the very same stages on the host.
//!
//! Both are fed the same frames of either family, some as a client would send
//! them, most damaged in some way; after each, action, bytes and counters must be
//! the same. The tables change meanwhile. Some of the frames start on the host
//! itself. `PARITY_SEED` repeats a run.

mod changes;
mod frames;
mod pair;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path as FilePath;

use anyhow::{Context, ensure};
use distributor_common::abi;
use distributor_user::engine::config::RouteEncapsulation;
use distributor_user::engine::xcf::XcfAddresses;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tests::sandbox;

use crate::pair::{OWN, Pair};

const FRAMES: u32 = 150_000;
/// `lo`: where the kernel says test-run packets come from.
const INGRESS: u32 = 1;
/// No such interface.
const NOWHERE: u32 = 99;
/// A client port that has a connection to this host itself, from the client to the first DVIPA of either
/// family.
const CONNECTED: u16 = 40_007;

const fn ipv4(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 1, 3, last))
}

const fn ipv6(last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 1, 3, 0, 0, 0, last))
}

/// The last one of either family has no services.
const VIPAS: [IpAddr; 5] = [ipv4(10), ipv4(11), ipv4(12), ipv6(0x10), ipv6(0x11)];
const SERVICES: [(IpAddr, u16); 5] = [
    (VIPAS[0], 8443),
    (VIPAS[0], 9443),
    (VIPAS[1], 8443),
    (VIPAS[3], 8443),
    (VIPAS[3], 9443),
];
/// The first is this one.
const STACKS: u8 = 6;
/// Slots: one for the IPv4 address of each stack, and then one for the IPv6 address.
const TARGETS: u8 = 2 * STACKS;
const PROBE_KEYS: [[u64; 2]; 2] = [[1, 2], [3, 4]];
const PROBE_PORT: u16 = 4912;
const ENCAPSULATIONS: [(RouteEncapsulation, abi::Encapsulation); 2] = [
    (RouteEncapsulation::Gre, abi::Encapsulation::Gre),
    (RouteEncapsulation::Ipip, abi::Encapsulation::Ipip),
];

/// The address of the target in a slot.
fn target(slot: u16) -> IpAddr {
    let stack = 1 + slot % u16::from(STACKS);
    if slot < u16::from(STACKS) {
        let last = u8::try_from(stack).expect("few stacks");
        Ipv4Addr::new(172, 1, 1, last).into()
    } else {
        Ipv6Addr::new(0xfd00, 0x172, 1, 1, 0, 0, 0, stack).into()
    }
}

/// This stack's slot as a target of a DVIPA; those of the others follow.
fn own_slot(dvipa: IpAddr) -> u16 {
    match dvipa {
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => STACKS.into(),
    }
}

/// The addresses of a stack.
fn addresses(stack: u8) -> XcfAddresses {
    let slots = [stack, STACKS + stack].map(u16::from);
    XcfAddresses::of(slots.map(target)).expect("it has some")
}

/// The Ethernet address that a stack sends from.
fn member(stack: u8) -> [u8; 6] {
    [2, 0, 0, 9, 0, stack]
}

/// The address to which a stack sends packets inside others, or from which.
fn far_end(stack: u8) -> [u8; 4] {
    [10, 9, stack, 1]
}

#[test]
fn kernel_and_host_agree() {
    let seed = std::env::var("PARITY_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    println!("PARITY_SEED={seed}");
    let compare = |pin_dir: &FilePath| {
        // Each CPU has a budget of its own.
        let mut one = CpuSet::new();
        one.set(0)?;
        sched_setaffinity(Pid::from_raw(0), &one)?;
        let mut random = StdRng::seed_from_u64(seed);
        let mut pair = Pair::open(pin_dir)?;
        for number in 0..FRAMES {
            if random.random_bool(0.01) {
                pair.change(&mut random)?;
            }
            if random.random_bool(0.1) {
                pair.age(&mut random)?;
            }
            if random.random_bool(0.01) {
                pair.toggle_lock(&mut random)?;
            }
            if random.random_bool(0.01) {
                let is_silent = random.random_bool(0.3);
                pair.set_silence(is_silent)?;
            }
            let source = pair.source(&mut random);
            let bytes = frames::any(&mut random, source)?;
            let compared = if random.random_bool(0.2) && OWN.contains(&bytes.len()) {
                pair.compare_own(&bytes)
            } else {
                pair.compare(&bytes).map(drop)
            };
            compared.with_context(|| format!("frame {number}, sent {bytes:02x?}"))?;
        }
        // What chance need not bring.
        pair.fill_table()?;
        pair.spend_budget()?;
        let totals = pair.kernel.counters();
        let never: Vec<_> = totals.iter().filter(|(_, count)| *count == 0).collect();
        let [kernel, host] = pair.connections()?;
        ensure!(kernel == host, "connections: {kernel:?} {host:?}");
        Ok(never
            .into_iter()
            .map(|(counter, _)| counter.name)
            .collect::<Vec<_>>())
    };
    let mut never = sandbox::run(compare).unwrap_or_else(|error| panic!("{error:#}"));
    // So rare that some seeds have none; the stages' own tests have each of its cases.
    never.retain(|name| *name != "congested");
    // The kernel leaves room in front of every test packet.
    assert_eq!(never, ["no-room"], "these ways were not tried");
}
