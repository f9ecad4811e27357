//! Stacks with addresses of one family or both, in one group.

use super::simulation::*;
use super::*;
use crate::engine::xcf::XcfAddresses;

const MULTICAST6: SocketAddr = SocketAddr::new(
    IpAddr::V6(std::net::Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x4911)),
    PORT,
);

fn ipv6_locals(stack: u8) -> impl Iterator<Item = LocalAddress> {
    let local = move |(network, ifindex)| LocalAddress {
        ifname: format!("eth{ifindex}"),
        ifindex,
        address: address6(network, stack),
        prefix_len: 64,
        is_xcf: network == XCF,
    };
    [(XCF, 1), (LAN, 2)].into_iter().map(local)
}

/// A stack that has IPv6 alone.
fn ipv6(stack: u8) -> GroupSettings {
    GroupSettings {
        xcf: address6(XCF, stack).into(),
        locals: ipv6_locals(stack).collect(),
        multicast: vec![MULTICAST6],
        ..settings(stack)
    }
}

/// A stack that has both.
fn both(stack: u8) -> GroupSettings {
    let mut both = settings(stack);
    both.xcf = XcfAddresses::of([address(XCF, stack), address6(XCF, stack)]).expect("two");
    both.locals.extend(ipv6_locals(stack));
    both.multicast.push(MULTICAST6);
    both
}

fn paths(simulation: &Simulation, stack: u8, other: u8) -> Vec<(u32, IpAddr)> {
    let mut members = simulation.stacks[&stack].engine.members();
    let member = members.find(|member| member.name == format!("TCPIP{other}"));
    member.expect("a member").paths
}

#[test]
fn who_has_both_is_in_one_group_with_each() {
    let mut simulation = Simulation::new(1, CALM);
    simulation.start(1, both(1), ring(&[1]));
    simulation.start(2, ipv6(2), ring(&[1]));
    simulation.start(3, settings(3), ring(&[1]));
    simulation.run_until_true(ms(2_000), "it has found both", |simulation| {
        simulation.members(1) == [2, 3]
    });
    simulation.run_for(ms(1_000));
    assert_eq!(
        paths(&simulation, 1, 2),
        [(1, address6(XCF, 2)), (2, address6(LAN, 2))]
    );
    assert_eq!(
        paths(&simulation, 1, 3),
        [(1, address(XCF, 3)), (2, address(LAN, 3))]
    );
    // Those have no network in common, and neither learns of the other.
    assert_eq!(
        (simulation.members(2), simulation.members(3)),
        (vec![1], vec![1])
    );
    simulation.say(1, 2, 7);
    simulation.say(1, 3, 8);
    simulation.run_for(ms(100));
    assert_eq!(simulation.heard(2, 1), [7]);
    assert_eq!(simulation.heard(3, 1), [8]);
}

#[test]
fn stacks_with_both_have_a_path_of_each() {
    let mut simulation = Simulation::new(2, CALM);
    for stack in [1, 2] {
        simulation.start(stack, both(stack), ring(&[1]));
    }
    simulation.run_for(ms(1_000));
    let member = simulation.stacks[&1].engine.members().next();
    assert_eq!(member.expect("a member").xcf, both(2).xcf);
    assert_eq!(
        paths(&simulation, 1, 2),
        [
            (1, address(XCF, 2)),
            (1, address6(XCF, 2)),
            (2, address(LAN, 2)),
            (2, address6(LAN, 2)),
        ]
    );
    // Gossip finds a member by either of its addresses.
    for to in both(2).xcf.iter() {
        let bytes = &b"rumour"[..];
        simulation.put(1, Input::Gossip { to, bytes });
    }
    simulation.run_for(ms(100));
    let rumour = (address(XCF, 1), b"rumour".to_vec());
    let gossip = &simulation.stacks[&2].gossip;
    assert_eq!(*gossip, [rumour.clone(), rumour]);
}

#[test]
fn an_address_of_either_family_that_is_taken_is_refused() {
    for taken in [address(XCF, 1), address6(XCF, 1)] {
        let mut simulation = Simulation::new(3, CALM);
        simulation.start(1, both(1), ring(&[1]));
        let other = match taken {
            IpAddr::V4(_) => address6(XCF, 2),
            IpAddr::V6(_) => address(XCF, 2),
        };
        let twin = GroupSettings {
            xcf: XcfAddresses::of([taken, other]).expect("two"),
            ..both(2)
        };
        simulation.start(2, twin, ring(&[1]));
        simulation.run_for(ms(3_000));
        let events = brief(&simulation.take_events(1));
        assert_eq!(events, ["conflict TCPIP2 DynamicXcf"], "{taken}");
    }
}
