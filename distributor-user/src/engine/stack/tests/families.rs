//! DVIPAs of both families, and stacks that have DYNAMICXCF addresses of one of them or both.

use std::net::Ipv6Addr;

use super::*;
use crate::engine::config::{IpSettings, Ipv6Xcf};
use crate::engine::xcf::XcfAddresses;

fn vipa6() -> IpAddr {
    ip("fd00:10:0:3::10")
}

fn key6() -> ServiceKey {
    ServiceKey {
        dvipa: vipa6(),
        port: 8443,
    }
}

fn xcf6(host: u8) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0x172, 0, 0, 0, 0, 0, host.into()).into()
}

/// The addresses of a stack that has both.
fn both_of(host: u8) -> XcfAddresses {
    XcfAddresses::of([xcf(host), xcf6(host)]).expect("two")
}

/// A target that has both.
fn both(host: u8) -> Config {
    let IpAddr::V6(address) = xcf6(host) else {
        panic!("an IPv6 address")
    };
    let ip6 = IpSettings {
        ipv6_xcf: Some(Ipv6Xcf {
            address,
            prefix_len: None,
            interface_id: None,
        }),
        ..IpSettings::default()
    };
    Config {
        ip6: Some(ip6),
        ..target(host)
    }
}

/// A front end that distributes one DVIPA of each family.
fn front_end_of_both(destinations: impl Fn(fn(u8) -> IpAddr) -> Destinations) -> Config {
    let service =
        |dvipa, destinations| Service::new(dvipa, 8443, DistMethod::RoundRobin, destinations);
    let role = DvipaRole::Define {
        moveable: Moveable::Immediate,
    };
    Config {
        dvipas: vec![
            Dvipa::new(vipa(), Some(24), role),
            Dvipa::new(vipa6(), None, role),
        ],
        services: vec![
            service(vipa(), destinations(xcf)),
            service(vipa6(), destinations(xcf6)),
        ],
        ..both(1)
    }
}

fn all() -> Config {
    front_end_of_both(|_| Destinations::All)
}

fn list() -> Config {
    front_end_of_both(|address| Destinations::list([address(2), address(3)]))
}

/// Lets a member of both families join, with servers on both DVIPAs.
fn join_both(stack: &mut Stack, name: &str, host: u8) {
    join_as(stack, name, host, both_of(host));
}

fn join_as(stack: &mut Stack, name: &str, host: u8, xcf: XcfAddresses) {
    let joined = Event::Joined {
        name: name.to_owned(),
        xcf,
    };
    stack.handle(joined, ZERO);
    let by = path(XCF, xcf.first());
    let up = Event::Path {
        name: name.to_owned(),
        path: by,
        is_up: true,
    };
    stack.handle(up, ZERO);
    let hop = Some(hop(host));
    stack.handle(Event::NextHop { path: by, hop }, ZERO);
    let row = |dvipa| ReadyRow {
        dvipa,
        port: 8443,
        listeners: 1,
        is_quiesced: false,
        responsiveness: Responsiveness::default(),
        weight: None,
    };
    let mut ready = vec![row(vipa()), row(vipa6())];
    ready.sort_unstable();
    let fact = Fact::Readiness { revision: 1, ready };
    let from = name.to_owned();
    stack.handle(Event::Fact { from, fact }, ZERO);
}

fn ring_of(stack: &Stack, key: ServiceKey) -> Vec<IpAddr> {
    let service = &stack.applied().forwarding.services[&key];
    let ring = service.ring.iter();
    ring.map(|&row| service.rows[usize::from(row)]).collect()
}

#[test]
fn a_target_is_named_by_its_address_of_the_family() {
    for config in [all(), list()] {
        let mut stack = stack("TCPIP", config, Adopted::default());
        start(&mut stack);
        join_both(&mut stack, "TCPIP2", 2);
        join_both(&mut stack, "TCPIP3", 3);
        assert_eq!(ring_of(&stack, key()), [xcf(2), xcf(3)]);
        assert_eq!(ring_of(&stack, key6()), [xcf6(2), xcf6(3)]);
        let forwarding = &stack.applied().forwarding;
        for (dvipa, own, others) in [
            (vipa(), xcf(1), [xcf(2), xcf(3)]),
            (vipa6(), xcf6(1), [xcf6(2), xcf6(3)]),
        ] {
            let dvipa = &forwarding.dvipas[&dvipa];
            assert_eq!(dvipa.owner, Some(own));
            assert_eq!(*dvipa.offers, others);
            assert_eq!(forwarding.targets[&own], Path::Local);
        }
        // One way leads to a stack, whichever of its addresses is meant.
        for host in [2, 3] {
            let way = forwarding.targets[&xcf(host)];
            assert_eq!(forwarding.targets[&xcf6(host)], way);
            assert!(matches!(way, Path::Link { ifindex: XCF, .. }), "{way:?}");
            let mac = [2, 0, 0, 0, 0, host];
            assert_eq!(forwarding.senders[&mac], both_of(host));
        }
    }
}

#[test]
fn who_has_no_address_of_the_family_is_no_target() {
    let mut stack = stack("TCPIP", all(), Adopted::default());
    start(&mut stack);
    join_as(&mut stack, "TCPIP2", 2, xcf(2).into());
    join_as(&mut stack, "TCPIP3", 3, xcf6(3).into());
    assert_eq!(ring_of(&stack, key()), [xcf(2)]);
    assert_eq!(ring_of(&stack, key6()), [xcf6(3)]);
    let rows = |key| stack.applied().forwarding.services[&key].rows.to_vec();
    assert_eq!(rows(key()), [xcf(1), xcf(2)]);
    assert_eq!(rows(key6()), [xcf6(1), xcf6(3)]);
}

#[test]
fn the_ends_of_flows_are_those_of_the_target_of_their_family() {
    let mut stack = stack("TCPIP", all(), Adopted::default());
    start(&mut stack);
    join_both(&mut stack, "TCPIP2", 2);
    let flow = |dvipa: IpAddr, client: &str| FlowKey {
        client: ip(client),
        client_port: 40_000,
        dvipa,
        port: 8443,
    };
    let (ipv4, ipv6) = (flow(vipa(), "10.1.1.99"), flow(vipa6(), "fd00:10::99"));
    let gone = Event::Fact {
        from: "TCPIP2".to_owned(),
        fact: Fact::FlowsGone {
            flows: vec![ipv6, ipv4],
        },
    };
    let ended = |target, flow| Effect::RemoveEnded {
        target,
        flows: vec![flow],
    };
    assert_eq!(
        stack.handle(gone, ZERO),
        [ended(xcf(2), ipv4), ended(xcf6(2), ipv6)]
    );
    // Its own too.
    assert_eq!(
        stack.handle(Event::FlowsGone(vec![ipv6, ipv4]), ZERO),
        [ended(xcf(1), ipv4), ended(xcf6(1), ipv6)]
    );
}

#[test]
fn a_member_that_is_lost_takes_both_its_targets_with_it() {
    let mut stack = stack("TCPIP", all(), Adopted::default());
    start(&mut stack);
    join_both(&mut stack, "TCPIP2", 2);
    stack.handle(left("TCPIP2"), ZERO);
    let effects = stack.handle(Event::Tick, FORGET_MEMBER);
    for target in [xcf(2), xcf6(2)] {
        let forget = Effect::ForgetTarget(target);
        assert!(effects.contains(&forget), "{effects:?}");
    }
}

#[test]
fn syns_of_both_families_are_counted_together() {
    let mut stack = stack("TCPIP", all(), Adopted::default());
    start(&mut stack);
    join_both(&mut stack, "TCPIP2", 2);
    let send = |stack: &mut Stack, ipv4, ipv6, at_s| {
        let sent = BTreeMap::from([(xcf(2), ipv4), (xcf6(2), ipv6)]);
        stack.handle(Event::SynsSent(sent), Duration::from_secs(at_s))
    };
    let answer = |stack: &mut Stack, request, taken, at_s| {
        let from = "TCPIP2".to_owned();
        let fact = Fact::SynsTaken { request, taken };
        stack.handle(Event::Fact { from, fact }, Duration::from_secs(at_s));
    };
    let asked = |effects: &[Effect]| {
        let mut requests = Vec::new();
        for effect in effects {
            if let Effect::Send { fact, .. } = effect
                && let Fact::SynsRequest { request } = fact
            {
                requests.push(*request);
            }
        }
        requests
    };
    assert_eq!(asked(&send(&mut stack, 1, 1, 1)), [1], "one question");
    answer(&mut stack, 1, 2, 1);
    for (request, at_s) in (2..).zip(2..6) {
        let effects = send(&mut stack, at_s * 20, at_s * 20, at_s);
        assert_eq!(asked(&effects), [request]);
        answer(&mut stack, request, at_s * 40, at_s);
    }
    let known = stack.connectivity();
    assert_eq!(known[&xcf(2)], 100);
    assert_eq!(known[&xcf6(2)], 100);
    assert_eq!(known[&xcf6(1)], 100, "this stack itself");
}

/// It may have the DVIPA, though it can be no target of it.
#[test]
fn an_owner_without_an_address_of_the_family_is_known_by_its_other() {
    let mut stack = stack("TCPIP2", both(2), Adopted::default());
    start(&mut stack);
    join_as(&mut stack, "TCPIP", 1, xcf(1).into());
    let role = DvipaRole::Define {
        moveable: Moveable::Immediate,
    };
    let definitions = Definitions {
        dvipas: vec![Dvipa::new(vipa6(), None, role)],
        services: vec![Service::new(
            vipa6(),
            8443,
            DistMethod::RoundRobin,
            Destinations::All,
        )],
        ..Definitions::default()
    };
    let values = definitions.to_parts(1).into_iter().collect();
    let name = "TCPIP".to_owned();
    stack.handle(Event::State { name, values }, ZERO);
    let epoch = Epoch {
        counter: 1,
        stack: "TCPIP".to_owned(),
    };
    let word = Word::Own {
        epoch,
        rank: DEFINER,
        is_vacating: false,
    };
    let said = Event::Fact {
        from: "TCPIP".to_owned(),
        fact: Fact::Ownership {
            words: vec![(vipa6(), word)],
        },
    };
    stack.handle(said, ZERO);
    assert_eq!(
        stack.applied().placements.get(&vipa6()),
        Some(&Placement::Hidden)
    );
    let forwarding = &stack.applied().forwarding.dvipas[&vipa6()];
    assert_eq!(forwarding.owner, Some(xcf(1)));
    assert_eq!(*forwarding.offers, [xcf6(2)]);
}
