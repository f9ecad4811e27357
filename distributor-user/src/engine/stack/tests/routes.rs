//! Targets with a VIPAROUTE, and who may send here by one.

use super::*;
use crate::engine::config::{RouteEncapsulation, VipaRoute};
use crate::engine::forwarding::{Ends, Tunnel};

const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 1, 254));

fn viparoute(host: u8, encapsulation: RouteEncapsulation) -> VipaRoute {
    VipaRoute {
        dynamic_xcf: xcf(host),
        target: far(host),
        encapsulation,
    }
}

/// A stack's address behind a router.
fn far(host: u8) -> IpAddr {
    IpAddr::from([10, 9, host, 1])
}

/// The owner, whose first target has a VIPAROUTE.
fn routed_owner() -> Stack {
    let mut config = front_end(Destinations::list([xcf(2), xcf(3)]));
    config.routes = vec![viparoute(2, RouteEncapsulation::Gre)];
    let options = StackOptions {
        addresses: BTreeSet::from([ip("10.1.1.1"), xcf(1)]),
        ..options("TCPIP", config)
    };
    Stack::new(options, Adopted::default(), ZERO)
}

fn open(source: &str) -> Route {
    Route::Open(OpenRoute {
        ifindex: LAN,
        hop: Hop {
            is_direct: false,
            ..hop(254)
        },
        gateway: Some(ROUTER),
        source: ip(source),
        mtu: 1500,
    })
}

fn routed(route: Route) -> Event {
    Event::Route {
        destination: far(2),
        route,
    }
}

fn path_of(stack: &Stack, host: u8) -> Path {
    stack.applied().forwarding.targets[&xcf(host)]
}

fn tunnel(source: &str) -> Path {
    Path::Tunnel {
        ifindex: LAN,
        source_mac: hop(254).source_mac,
        next_hop_mac: hop(254).next_hop_mac,
        tunnel: Tunnel {
            encapsulation: RouteEncapsulation::Gre,
            ends: Ends {
                source: ip(source),
                destination: far(2),
            },
            mtu: 1500,
        },
    }
}

fn told(effects: &[Effect]) -> Vec<&Message> {
    let mut told = Vec::new();
    for effect in effects {
        if let Effect::Tell(message @ (Message::NoRoute { .. } | Message::Routed { .. })) = effect {
            told.push(message);
        }
    }
    told
}

#[test]
fn a_target_is_reached_by_its_route_when_there_is_one() {
    let mut stack = routed_owner();
    let effects = start(&mut stack);
    assert!(effects.contains(&Effect::Route([far(2)].into())));
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    join(&mut stack, "TCPIP3", 3, &Definitions::default());
    for (name, host) in [("TCPIP2", 2), ("TCPIP3", 3)] {
        ready(&mut stack, name, 1, 1);
        assert!(matches!(
            path_of(&stack, host),
            Path::Link { ifindex: XCF, .. }
        ));
    }
    let by_network = path_of(&stack, 2);
    let (target, destination) = (xcf(2), far(2));
    let no_route = Message::NoRoute {
        target,
        destination,
    };
    let again = Message::Routed {
        target,
        destination,
    };
    for (route, path, message) in [
        (Route::None, by_network, Some(&no_route)),
        (Route::None, by_network, None),
        (Route::Unanswered, by_network, Some(&again)),
        (open("10.1.1.1"), tunnel("10.1.1.1"), None),
        // Nobody knows this address of ours; the one that every member is known by will do.
        (open("192.0.2.9"), tunnel("172.1.1.1"), None),
        (Route::Unanswered, by_network, None),
        (open("10.1.1.1"), tunnel("10.1.1.1"), None),
        (Route::None, by_network, Some(&no_route)),
        (open("10.1.1.1"), tunnel("10.1.1.1"), Some(&again)),
    ] {
        let effects = stack.handle(routed(route), ZERO);
        assert_eq!(told(&effects), message.into_iter().collect::<Vec<_>>());
        assert_eq!(path_of(&stack, 2), path, "{route:?}");
        assert!(matches!(path_of(&stack, 3), Path::Link { .. }));
        assert_eq!(ring(&stack), [xcf(2), xcf(3)]);
    }

    // Without the statement nothing of it is left.
    let config = front_end(Destinations::list([xcf(2), xcf(3)]));
    let effects = stack.handle(Event::Reconfigured(Box::new(config)), ZERO);
    assert!(effects.contains(&Effect::Route(BTreeSet::new())));
    assert_eq!(path_of(&stack, 2), by_network);
    assert_eq!(stack.route(far(2)), None);
}

#[test]
fn a_target_behind_a_router_is_reached_by_nothing_but_its_route() {
    let mut stack = routed_owner();
    start(&mut stack);
    for (name, host) in [("TCPIP2", 2), ("TCPIP3", 3)] {
        let path = path(LAN, far(host));
        let name = || name.to_owned();
        let joined = Event::Joined {
            name: name(),
            xcf: xcf(host).into(),
        };
        let up = Event::Path {
            name: name(),
            path,
            is_up: true,
        };
        let by_router = Hop {
            is_direct: false,
            ..hop(254)
        };
        let hop = Some(by_router);
        for event in [joined, up, Event::NextHop { path, hop }] {
            stack.handle(event, ZERO);
        }
        ready(&mut stack, &name(), 1, 1);
    }
    assert!(ring(&stack).is_empty());
    assert_eq!(path_of(&stack, 2), Path::Unreachable);
    stack.handle(routed(open("10.1.1.1")), ZERO);
    assert_eq!(ring(&stack), [xcf(2)]);
    assert_eq!(path_of(&stack, 2), tunnel("10.1.1.1"));
    // What the router sends is no member's.
    assert_eq!(stack.applied().forwarding.senders, BTreeMap::new());
    // A route that is lost takes no connection with it: the packets wait for its return.
    stack.handle(routed(Route::Unanswered), ZERO);
    assert!(ring(&stack).is_empty());
    assert_eq!(path_of(&stack, 2), tunnel("10.1.1.1"));
}

#[test]
fn only_what_members_say_that_they_send_here_is_opened() {
    let mut stack = stack("TCPIP3", target(3), Adopted::default());
    start(&mut stack);
    let to = |host| viparoute(host, RouteEncapsulation::Ipip);
    let definitions = |routes| Definitions {
        routes,
        ..Definitions::default()
    };
    join(&mut stack, "TCPIP", 1, &definitions(vec![to(2), to(3)]));
    join(&mut stack, "TCPIP2", 2, &definitions(vec![to(1)]));
    let ends = |source: IpAddr| Ends {
        source,
        destination: far(3),
    };
    let tunnels = |stack: &Stack| stack.applied().forwarding.tunnels.clone();
    assert_eq!(tunnels(&stack), [(ends(xcf(1)), xcf(1).into())].into());
    let addresses = Event::Addresses {
        name: "TCPIP".to_owned(),
        addresses: vec![xcf(1), ip("10.1.1.1"), ip("2001:db8::1")],
    };
    stack.handle(addresses, ZERO);
    let both = [xcf(1), ip("10.1.1.1")];
    assert_eq!(
        tunnels(&stack),
        both.map(|source| (ends(source), xcf(1).into())).into()
    );
    // A stack that is gone may be back, and its packet path may go on.
    stack.handle(left("TCPIP"), ZERO);
    assert_eq!(tunnels(&stack).len(), 2);
}

#[test]
fn what_an_earlier_daemon_knew_holds_until_it_is_known_anew() {
    let ends = Ends {
        source: ip("10.1.1.1"),
        destination: far(3),
    };
    let left_behind = Adopted {
        forwarding: Forwarding {
            tunnels: [(ends, xcf(1).into())].into(),
            ..Forwarding::default()
        },
        ..Adopted::default()
    };
    let mut stack = stack("TCPIP3", target(3), left_behind);
    start(&mut stack);
    for (seconds, known) in [(9, 1), (10, 0)] {
        stack.handle(Event::Tick, Duration::from_secs(seconds));
        assert_eq!(stack.applied().forwarding.tunnels.len(), known);
    }
}

#[test]
fn a_path_of_an_earlier_daemon_stays_until_the_kernel_was_asked() {
    let mut config = front_end(Destinations::list([xcf(2), xcf(3)]));
    config.routes = vec![viparoute(2, RouteEncapsulation::Gre)];
    let service = ServiceTargets {
        rows: [xcf(2), xcf(3)].into(),
        ring: [0, 1].into(),
        choice: Choice::Turn,
        affinity: None,
    };
    let left_behind = Adopted {
        forwarding: Forwarding {
            services: [(key(), service)].into(),
            dvipas: [(vipa(), owned(7))].into(),
            targets: [(xcf(2), tunnel("10.1.1.1"))].into(),
            ..Forwarding::default()
        },
        placements: [(vipa(), Placement::Owned)].into(),
        silent_for: Some(ZERO),
        orders: Orders::default(),
    };
    let mut stack = stack("TCPIP", config, left_behind);
    stack.start(ZERO);
    for (name, host) in [("TCPIP2", 2), ("TCPIP3", 3)] {
        join(&mut stack, name, host, &Definitions::default());
        ready(&mut stack, name, 1, 1);
    }
    stack.handle(Event::Tick, SETTLE);
    assert!(matches!(path_of(&stack, 3), Path::Link { .. }));
    assert_eq!(path_of(&stack, 2), tunnel("10.1.1.1"));
    stack.handle(routed(Route::None), SETTLE);
    assert!(matches!(path_of(&stack, 2), Path::Link { .. }));
}

#[test]
fn a_route_of_ipv6_is_no_way() {
    let mut config = front_end(Destinations::list([xcf(2), xcf(3)]));
    config.routes = vec![VipaRoute {
        dynamic_xcf: ip("fd00:172::2"),
        target: ip("fd00:9::2"),
        encapsulation: RouteEncapsulation::Gre,
    }];
    let mut stack = Stack::new(options("TCPIP", config), Adopted::default(), ZERO);
    let effects = start(&mut stack);
    let asked = |effect: &Effect| matches!(effect, Effect::Route(asked) if !asked.is_empty());
    assert!(!effects.iter().any(asked));
    // Nor does it matter if the kernel has one all the same.
    let destination = ip("fd00:9::2");
    stack.handle(
        Event::Route {
            destination,
            route: open("fd00:9::1"),
        },
        ZERO,
    );
    assert_eq!(stack.path_by_route(ip("fd00:172::2")), None);
}
