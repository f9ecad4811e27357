mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Instant;

use super::*;
use crate::engine::group::key::GroupKey;
use crate::shell::testing::{DEADLINE, eventually, in_namespace, ip};

/// A stack of a test, with all events that it got.
struct Stack {
    group: Group,
    events: mpsc::Receiver<GroupEvent>,
    seen: Vec<GroupEvent>,
}

fn keys(secrets: &[u8]) -> KeyRing {
    let keys = secrets
        .iter()
        .map(|byte| GroupKey::from_secret(&[*byte; 32]))
        .collect();
    KeyRing::new(keys).expect("different keys")
}

fn xcf(stack: u8) -> IpAddr {
    IpAddr::from([172, 1, 1, stack])
}

fn lan(stack: u8) -> IpAddr {
    IpAddr::from([10, 1, 1, stack])
}

/// All addresses of the test are on the loopback interface of its namespace.
fn local(address: IpAddr) -> LocalAddress {
    LocalAddress {
        ifname: "lo".to_owned(),
        ifindex: 1,
        address,
        prefix_len: 24,
        is_xcf: matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 172),
    }
}

fn options(stack: u8, secrets: &[u8]) -> GroupOptions {
    let local = vec![local(xcf(stack)), local(lan(stack))];
    GroupOptions::new(
        format!("TCPIP{stack}"),
        xcf(stack).into(),
        keys(secrets),
        local,
    )
}

fn add_addresses(stack: u8) {
    ip(&format!("addr add {}/32 dev lo", xcf(stack)));
    ip(&format!("addr add {}/32 dev lo", lan(stack)));
}

/// A socket that was closed a moment ago may live on in a process that another test is starting.
async fn start(options: GroupOptions) -> Stack {
    let (group, events) = eventually("free addresses", async || {
        match Group::start(options.clone()).await {
            Err(GroupError::Bind { source, .. }) if source.kind() == ErrorKind::AddrInUse => None,
            started => Some(started.expect("the group starts")),
        }
    })
    .await;
    Stack {
        group,
        events,
        seen: Vec::new(),
    }
}

async fn start_usual(stack: u8) -> Stack {
    add_addresses(stack);
    start(options(stack, &[1])).await
}

impl Stack {
    /// Waits for an event, and keeps all that come before it.
    async fn until(&mut self, what: &str, is_it: impl Fn(&GroupEvent) -> bool) -> GroupEvent {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the group has not ended");
                self.seen.push(event.clone());
                if is_it(&event) {
                    return event;
                }
            }
        };
        let outcome = tokio::time::timeout(DEADLINE, wait).await;
        outcome.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}; seen: {:?}", self.seen))
    }

    async fn until_joined(&mut self, stack: u8) {
        let expected = format!("TCPIP{stack}");
        self.until(
            &format!("{expected} joins"),
            |event| matches!(event, GroupEvent::Joined { name, .. } if *name == expected),
        )
        .await;
    }

    async fn until_left(&mut self, stack: u8) -> LeftReason {
        let expected = format!("TCPIP{stack}");
        let left = self
            .until(
                &format!("{expected} leaves"),
                |event| matches!(event, GroupEvent::Left { name, .. } if *name == expected),
            )
            .await;
        let GroupEvent::Left { reason, .. } = left else {
            panic!("{left:?}")
        };
        reason
    }

    async fn until_path(&mut self, at: IpAddr, is_up: bool) {
        self.until(&format!("the path to {at} is up: {is_up}"), |event| {
            let up =
                matches!(event, GroupEvent::PathUp { peer_address, .. } if *peer_address == at);
            let down =
                matches!(event, GroupEvent::PathDown { peer_address, .. } if *peer_address == at);
            if is_up { up } else { down }
        })
        .await;
    }

    /// Waits for what a stack publishes to become this.
    async fn until_state(&mut self, stack: u8, expected: &[(&str, &str)]) {
        let from = format!("TCPIP{stack}");
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.until(&format!("{from} publishes {expected:?}"), |event| {
            matches!(event, GroupEvent::State { name, values }
                if *name == from && *values == expected)
        })
        .await;
    }

    /// Waits for facts with these numbers, in this order and no others between.
    async fn until_facts(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for expected in numbers {
            let event = self
                .until("a fact", |event| matches!(event, GroupEvent::Fact { .. }))
                .await;
            let GroupEvent::Fact {
                fact: Fact::FlowsRequest { request, .. },
                ..
            } = event
            else {
                panic!("another fact: {event:?}")
            };
            assert_eq!(request, expected);
        }
    }

    fn say(&self, to: u8, number: u64) {
        let fact = Fact::FlowsRequest {
            request: number,
            dvipas: vec![lan(200)],
        };
        self.group
            .send(&format!("TCPIP{to}"), &fact)
            .expect("a member");
    }
}

#[test]
fn stacks_meet_talk_and_part() {
    in_namespace(|| async {
        let mut one = start_usual(1).await;
        let mut two = start_usual(2).await;
        one.group.publish("definitions", "of one");
        for (stack, other) in [(&mut one, 2), (&mut two, 1)] {
            stack.until_joined(other).await;
            assert_eq!(stack.seen.len(), 1, "the first event: {:?}", stack.seen);
            stack.until_path(xcf(other), true).await;
        }
        two.until_state(1, &[("definitions", "of one")]).await;
        one.say(2, 1);
        two.until_facts([1]).await;
        let members = one.group.members();
        let addresses = vec![(xcf(2), 24), (lan(2), 24)];
        assert_eq!(
            (members[0].name.as_str(), &members[0].addresses),
            ("TCPIP2", &addresses)
        );

        // Who comes later is told what was published before.
        let mut three = start_usual(3).await;
        three.until_joined(1).await;
        three.until_state(1, &[("definitions", "of one")]).await;
        one.group.publish("readiness", "1");
        one.group.withdraw("definitions");
        for stack in [&mut two, &mut three] {
            stack.until_state(1, &[("readiness", "1")]).await;
        }

        let since = Instant::now();
        three.group.stop().await;
        for stack in [&mut one, &mut two] {
            assert_eq!(stack.until_left(3).await, LeftReason::Goodbye);
        }
        assert!(
            since.elapsed() < Duration::from_millis(500),
            "{:?}",
            since.elapsed()
        );
        drop(one.group);
        assert_eq!(two.until_left(1).await, LeftReason::Silent);
        let fact = Fact::FlowsRequest {
            request: 1,
            dvipas: vec![lan(200)],
        };
        assert_eq!(
            two.group.send("TCPIP1", &fact),
            Err(SendError::NoMember("TCPIP1".to_owned()))
        );
        two.group.stop().await;
        assert_eq!(two.events.recv().await, None);
    });
}

#[test]
fn stacks_meet_by_seeds_alone() {
    in_namespace(|| async {
        add_addresses(1);
        add_addresses(2);
        let mut options = [options(1, &[1]), options(2, &[1])].map(|mut options| {
            options.multicast = false;
            options
        });
        options[0].seeds = vec![xcf(1), xcf(2), lan(9)];
        let [first, second] = options;
        let mut one = start(first).await;
        let mut two = start(second).await;
        one.until_joined(2).await;
        two.until_joined(1).await;
    });
}

#[test]
fn many_facts_arrive_in_order_even_if_nobody_takes_them_for_a_while() {
    in_namespace(|| async {
        let mut one = start_usual(1).await;
        let mut two = start_usual(2).await;
        one.until_joined(2).await;
        two.until_joined(1).await;
        (0..10_000).for_each(|number| one.say(2, number));
        // The second's daemon is busy until the group has had to refuse facts.
        let start = Instant::now();
        let is_paused = |counters: &[(&str, u64)]| counters.contains(&("paused", 0));
        while is_paused(&two.group.counters().await) {
            assert!(start.elapsed() < DEADLINE, "facts are never refused");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        two.until_facts(0..10_000).await;
        let flow = crate::engine::forwarding::FlowKey {
            client: lan(1),
            client_port: 1,
            dvipa: lan(200),
            port: 8443,
        };
        let too_long = Fact::FlowsGone {
            flows: vec![flow; 9_000],
        };
        assert!(matches!(
            one.group.send("TCPIP2", &too_long),
            Err(SendError::TooLong(_))
        ));
    });
}

#[test]
fn a_network_that_is_lost_comes_back() {
    in_namespace(|| async {
        let mut one = start_usual(1).await;
        let mut two = start_usual(2).await;
        one.until_path(lan(2), true).await;
        two.until_path(lan(1), true).await;
        ip(&format!("addr del {}/32 dev lo", lan(2)));
        one.until_path(lan(2), false).await;
        one.say(2, 1);
        two.until_facts([1]).await;
        ip(&format!("addr add {}/32 dev lo", lan(2)));
        one.until_path(lan(2), true).await;
    });
}

#[test]
fn addresses_may_come_later_and_change() {
    in_namespace(|| async {
        let mut one = start_usual(1).await;
        // The group starts before its addresses are there.
        let mut two = start(options(2, &[1])).await;
        add_addresses(2);
        one.until_joined(2).await;
        one.until_path(lan(2), true).await;

        two.group
            .set_local(vec![local(xcf(2))])
            .expect("one address less");
        one.until_path(lan(2), false).await;
        let addresses = vec![(xcf(2), 24)];
        one.until("the addresses change", |event| {
            *event
                == GroupEvent::Addresses {
                    name: "TCPIP2".to_owned(),
                    addresses: addresses.clone(),
                }
        })
        .await;
        ip("addr add 10.1.1.77/32 dev lo");
        two.group
            .set_local(vec![local(xcf(2)), local(lan(77))])
            .expect("another address");
        one.until_path(lan(77), true).await;
        two.until_path(lan(1), true).await;
    });
}

#[test]
fn a_stack_with_another_key_stays_out() {
    in_namespace(|| async {
        let mut one = start_usual(1).await;
        let mut two = start_usual(2).await;
        add_addresses(3);
        let stranger = start(options(3, &[9])).await;
        one.until_joined(2).await;
        two.until_joined(1).await;
        let start = Instant::now();
        while one.group.counters().await.contains(&("foreign-key", 0)) {
            assert!(start.elapsed() < DEADLINE, "the stranger is not noticed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(stranger.group.members().is_empty());
        assert_eq!(one.group.members().len(), 1);
    });
}

#[test]
fn keys_are_rotated_stack_by_stack() {
    in_namespace(|| async {
        (1..=2).for_each(add_addresses);
        let mut one = start(options(1, &[1])).await;
        let mut two = start(options(2, &[1, 2])).await;
        one.until_joined(2).await;
        one.group.stop().await;
        let mut one = start(options(1, &[2, 1])).await;
        one.until_joined(2).await;
        two.group.stop().await;
        one.until_left(2).await;
        two = start(options(2, &[2])).await;
        two.until_joined(1).await;
        one.until_joined(2).await;
        one.say(2, 1);
        two.until_facts([1]).await;
    });
}

#[test]
fn what_cannot_be_used_is_named() {
    in_namespace(|| async {
        add_addresses(1);
        let taken = UdpSocket::bind((lan(1), DEFAULT_PORT)).expect("the port is free");
        let cases: [(GroupOptions, &[&str]); 4] = [
            (
                options(1, &[1]),
                &["10.1.1.1", "4911", "lo", "another stack"],
            ),
            (
                GroupOptions {
                    local: Vec::new(),
                    ..options(1, &[1])
                },
                &["expected at least one address"],
            ),
            (
                GroupOptions {
                    name: "TCP IP".to_owned(),
                    ..options(1, &[1])
                },
                &["`TCP IP`"],
            ),
            (
                GroupOptions {
                    local: vec![LocalAddress {
                        ifname: "eth7".to_owned(),
                        ..local(xcf(1))
                    }],
                    ..options(1, &[1])
                },
                &["`eth7`", "172.1.1.1"],
            ),
        ];
        for (options, expected) in cases {
            let error = Group::start(options).await.expect_err("it cannot start");
            let text = error.to_string();
            assert!(expected.iter().all(|part| text.contains(part)), "{text}");
        }
        drop(taken);
        start(options(1, &[1])).await;
    });
}

#[test]
fn a_name_that_is_taken_is_an_error_on_both_sides() {
    in_namespace(|| async {
        let mut one = start_usual(1).await;
        let mut two = start_usual(2).await;
        one.until_joined(2).await;
        add_addresses(3);
        let mut twin = start(GroupOptions {
            name: "TCPIP2".to_owned(),
            ..options(3, &[1])
        })
        .await;
        for stack in [&mut one, &mut two, &mut twin] {
            let conflict = stack
                .until("a conflict", |event| {
                    matches!(event, GroupEvent::Conflict { .. })
                })
                .await;
            let GroupEvent::Conflict { what, name, .. } = conflict else {
                panic!("{conflict:?}")
            };
            assert_eq!((what, name.as_str()), (ConflictKind::Name, "TCPIP2"));
        }
        let refusal = GroupEvent::Refused {
            what: ConflictKind::Name,
            by: "TCPIP1".to_owned(),
        };
        // It may have come before the conflict.
        if !twin.seen.contains(&refusal) {
            twin.until("a refusal", |event| *event == refusal).await;
        }
        let dynamic_xcf: BTreeSet<_> = one
            .group
            .members()
            .into_iter()
            .map(|member| member.xcf.first())
            .collect();
        assert_eq!(dynamic_xcf, [xcf(2)].into());
    });
}
