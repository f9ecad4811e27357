//! IPv6 DVIPAs in the maps of a real kernel.

use std::net::Ipv6Addr;

use super::*;
use crate::engine::xcf::XcfAddresses;

const DVIPA: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 10));

fn target6(number: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number).into()
}

/// The same as [`forwarding`], for an IPv6 DVIPA beside the IPv4 one and stacks with addresses of both
/// families.
fn both() -> Forwarding {
    let mut both = forwarding();
    for number in 1..=3 {
        let path = both.targets[&target(number)];
        both.targets.insert(target6(number.into()), path);
    }
    let key = ServiceKey {
        dvipa: DVIPA,
        port: 8443,
    };
    let service = ServiceTargets {
        rows: [2, 3].map(target6).into(),
        ..both.services[&ServiceKey { dvipa: VIPA, ..key }].clone()
    };
    both.services.insert(key, service);
    let dvipa = DvipaForwarding {
        owner: Some(target6(1)),
        offers: [2, 3].map(target6).into(),
        ..both.dvipas[&VIPA].clone()
    };
    both.dvipas.insert(DVIPA, dvipa);
    both.kept.insert(key);
    let member = XcfAddresses::of([target(2), target6(2)]);
    for sender in both.senders.values_mut() {
        *sender = member.expect("two addresses");
    }
    both
}

fn ipv6_key(client_port: u16) -> FlowKey {
    FlowKey {
        client: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 100).into(),
        ..key(client_port, DVIPA)
    }
}

#[test]
fn a_successor_finds_ipv6_dvipas_and_their_flows() {
    in_sandbox(|pin_dir| {
        let mut first = Dataplane::open(&options(pin_dir)).expect("opens");
        first.apply(&both()).expect("applies");
        assert_eq!(first.forwarding(), both());
        let reported = [40_000, 40_002].map(ipv6_key);
        let inserted = first.insert_flows(target6(3), &reported).expect("inserts");
        assert_eq!((inserted.new, inserted.full), (2, 0));
        let flows = |dataplane: &Dataplane| {
            let mut keys: Vec<_> = dataplane.flows().map(|flow| flow.key).collect();
            keys.sort_unstable();
            keys
        };
        assert_eq!(flows(&first), reported);
        drop(first);

        let mut second = Dataplane::open(&options(pin_dir)).expect("opens again");
        assert!(second.is_adopted());
        assert_eq!(second.forwarding(), both());
        assert_eq!(flows(&second), reported);
        let traffic = second.traffic().expect("the counts are mapped");
        let service = ServiceKey {
            dvipa: DVIPA,
            port: 8443,
        };
        let active = traffic.active_connections();
        assert_eq!(active, [((service, target6(3)), 2)].into());
        assert_eq!(second.living_flows(DVIPA), 2);

        // The DVIPA goes; its name stays as long as it has flows.
        second.apply(&forwarding()).expect("applies");
        for _ in 0..4 {
            second.sweep().expect("sweeps");
        }
        assert_eq!(flows(&second), reported);
        assert_eq!(second.forget_dvipa(DVIPA), 2);
        for _ in 0..4 {
            second.sweep().expect("sweeps");
        }
        assert_eq!(second.names.known().called(DVIPA), None);
        assert_eq!(second.forwarding(), forwarding());
        second.close_and_remove().expect("removes");
    });
}
