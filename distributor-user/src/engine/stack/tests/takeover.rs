//! A DVIPA that moves: who does what, in which order.

use super::*;
use crate::engine::ownership::Refusal;

fn backup(rank: u8) -> Config {
    let role = DvipaRole::Backup {
        rank,
        moveable: Some(Moveable::Immediate),
    };
    Config {
        dvipas: vec![Dvipa::new(vipa(), Some(24), role)],
        ..target(2)
    }
}

/// A backup with the owner TCPIP and the target TCPIP3, which listens.
fn standing_by() -> Stack {
    let mut stack = stack("TCPIP2", backup(200), Adopted::default());
    start_among_others(&mut stack);
    stack
}

fn start_among_others(stack: &mut Stack) {
    stack.start(ZERO);
    let definitions = Definitions::of(&front_end(Destinations::list([xcf(2), xcf(3)])));
    join(stack, "TCPIP", 1, &definitions);
    join(stack, "TCPIP3", 3, &Definitions::default());
    ready(stack, "TCPIP3", 1, 1);
    stack.handle(Event::Timer, LISTEN);
}

fn silence(stack: &mut Stack, name: &str, host: u8, now: Duration) -> Vec<Effect> {
    let down = Event::Path {
        name: name.to_owned(),
        path: path(XCF, xcf(host)),
        is_up: false,
    };
    stack.handle(down, now)
}

fn probed(stack: &mut Stack, name: &str, age: Option<Duration>, now: Duration) -> Vec<Effect> {
    let name = name.to_owned();
    stack.handle(Event::Probed { name, age }, now)
}

fn words(effects: &[Effect]) -> Vec<(&str, &Word)> {
    let mut words = Vec::new();
    for effect in effects {
        if let Effect::Send {
            to,
            fact: Fact::Ownership { words: said },
        } = effect
        {
            words.extend(said.iter().map(|(_, word)| (to.as_str(), word)));
        }
    }
    words
}

fn asked_epoch(effects: &[Effect]) -> Epoch {
    let asks = words(effects).into_iter().find_map(|(_, word)| {
        let Word::Ask { epoch, .. } = word else {
            return None;
        };
        Some(epoch.clone())
    });
    asks.unwrap_or_else(|| panic!("nobody was asked: {effects:?}"))
}

fn is_owner(stack: &Stack) -> bool {
    stack.applied().placements.get(&vipa()) == Some(&Placement::Owned)
}

#[test]
fn a_backup_takes_over_when_neither_the_daemon_nor_its_packet_path_answers() {
    let mut stack = standing_by();
    let now = Duration::from_secs(1);
    assert!(!is_owner(&stack));
    let effects = silence(&mut stack, "TCPIP", 1, now);
    let asks = |effect: &Effect| matches!(effect, Effect::Probe { name, .. } if name == "TCPIP");
    assert!(effects.iter().any(asks), "{effects:?}");

    // As long as the packet path answers, nobody takes anything over.
    let young = Duration::from_millis(300);
    assert_eq!(words(&probed(&mut stack, "TCPIP", Some(young), now)), []);
    let epoch = asked_epoch(&probed(&mut stack, "TCPIP", None, now));
    assert_eq!(epoch.counter, 2);
    assert!(!is_owner(&stack));

    let effects = stack.handle(
        say(
            "TCPIP3",
            Word::Promise {
                epoch: epoch.clone(),
            },
        ),
        now,
    );
    assert!(is_owner(&stack));
    let position = |wanted: &dyn Fn(&Effect) -> bool| {
        let found = effects.iter().position(wanted);
        found.unwrap_or_else(|| panic!("it is missing: {effects:?}"))
    };
    let forward = position(&|effect| matches!(effect, Effect::Forward(_)));
    let place = position(&|effect| matches!(effect, Effect::Place { .. }));
    let tell = position(&|effect| {
        matches!(
            effect,
            Effect::Send {
                fact: Fact::Ownership { .. },
                ..
            }
        )
    });
    assert!(forward < place && place < tell, "{effects:?}");
    let asks_for_flows = |effect: &Effect| matches!(effect, Effect::Send { to, fact: Fact::FlowsRequest { .. } } if to == "TCPIP3");
    assert!(effects.iter().any(asks_for_flows), "{effects:?}");
    assert_eq!(ring(&stack), [xcf(3)], "the distribution is inherited");
}

#[test]
fn a_dead_daemon_is_waited_for_as_long_as_its_packet_path_goes_on() {
    let mut stack = standing_by();
    let now = Duration::from_secs(1);
    silence(&mut stack, "TCPIP", 1, now);
    let almost = GRACE.saturating_sub(Duration::from_millis(1));
    assert_eq!(words(&probed(&mut stack, "TCPIP", Some(almost), now)), []);
    // It is asked again when the grace is over.
    let due = stack.next_timer().expect("a timer");
    assert_eq!(due, now + Duration::from_millis(1));
    let effects = stack.handle(Event::Timer, due);
    assert!(
        matches!(&effects[..], [Effect::Probe { name, .. }] if name == "TCPIP"),
        "{effects:?}"
    );
    asked_epoch(&probed(&mut stack, "TCPIP", Some(GRACE), due));
}

#[test]
fn who_hears_the_owner_does_not_promise() {
    let mut stack = standing_by();
    let epoch = Epoch {
        counter: 9,
        stack: "TCPIP3".to_owned(),
    };
    let ask = Word::Ask {
        epoch: epoch.clone(),
        rank: 254,
        known: None,
        is_vacant: false,
        is_handover: false,
    };
    let effects = stack.handle(say("TCPIP3", ask), ZERO);
    let refusal = Word::Refuse {
        epoch: Some(epoch),
        because: Refusal::OwnerLives,
    };
    // And the owner learns that it is taken for it.
    let owner = Word::Recall {
        epoch: Epoch {
            counter: 1,
            stack: "TCPIP".to_owned(),
        },
    };
    assert_eq!(words(&effects), [("TCPIP", &owner), ("TCPIP3", &refusal)]);
}

#[test]
fn a_definer_takes_back_only_with_a_complete_flow_table() {
    let mut stack = owner();
    stack.start(ZERO);
    join(&mut stack, "TCPIP3", 3, &Definitions::default());
    ready(&mut stack, "TCPIP3", 1, 1);
    join(&mut stack, "TCPIP2", 2, &Definitions::of(&backup(200)));
    ready(&mut stack, "TCPIP2", 1, 0);
    let now = LISTEN;
    stack.handle(own(5, "TCPIP2", 200), ZERO);
    let effects = stack.handle(Event::Timer, now);
    assert!(
        matches!(words(&effects)[..], [("TCPIP2", Word::Inquire { .. })]),
        "{effects:?}"
    );

    let effects = stack.handle(say("TCPIP2", Word::Willing), now);
    assert_eq!(words(&effects), []);
    assert_eq!(stack.missing_flows(vipa()).count(), 3);
    let requests: Vec<(String, u64)> = effects
        .iter()
        .filter_map(|effect| {
            if let Effect::Send {
                to,
                fact: Fact::FlowsRequest { request, .. },
            } = effect
            {
                Some((to.clone(), *request))
            } else if let Effect::ListConnections { asked, .. } = effect {
                asked.clone()
            } else {
                None
            }
        })
        .collect();
    let mut effects = Vec::new();
    for (from, request) in requests {
        let flows = vec![flow(1, FlowState::Established).key];
        let event = if from == "TCPIP" {
            let asked = Some((from, request));
            Event::Connections {
                dvipas: vec![vipa()],
                asked,
                flows,
            }
        } else {
            let fact = Fact::Flows {
                request,
                parts_left: 0,
                flows,
            };
            Event::Fact { from, fact }
        };
        assert_eq!(words(&effects), [], "the table is not complete");
        effects = stack.handle(event, now);
        assert!(
            effects
                .iter()
                .any(|effect| matches!(effect, Effect::InsertFlows { .. }))
        );
    }
    // The owner is asked when all others have promised, and everything is ready by then.
    let epoch = asked_epoch(&effects);
    let effects = stack.handle(
        say(
            "TCPIP3",
            Word::Promise {
                epoch: epoch.clone(),
            },
        ),
        now,
    );
    let forward = effects
        .iter()
        .position(|effect| matches!(effect, Effect::Forward(_)));
    let request = effects
        .iter()
        .position(|effect| matches!(effect, Effect::Send { to, .. } if to == "TCPIP2"));
    assert!(ring(&stack) == [xcf(3)] && !is_owner(&stack), "{effects:?}");
    assert!(forward <= request && request.is_some(), "{effects:?}");
    stack.handle(say("TCPIP2", Word::HandedOver { epoch }), now);
    assert!(is_owner(&stack));
}

#[test]
fn who_hands_over_stops_to_distribute_before_it_says_so() {
    let mut stack = standing_by();
    let now = Duration::from_secs(1);
    silence(&mut stack, "TCPIP", 1, now);
    let epoch = asked_epoch(&probed(&mut stack, "TCPIP", None, now));
    stack.handle(say("TCPIP3", Word::Promise { epoch }), now);
    assert!(is_owner(&stack));

    let definitions = Definitions::of(&front_end(Destinations::list([xcf(2), xcf(3)])));
    join(&mut stack, "TCPIP", 1, &definitions);
    let epoch = Epoch {
        counter: 8,
        stack: "TCPIP".to_owned(),
    };
    let claim = crate::engine::ownership::Claim {
        rank: DEFINER,
        is_fresh: true,
    };
    let effects = stack.handle(
        say(
            "TCPIP",
            Word::HandOver {
                epoch: epoch.clone(),
                claim,
            },
        ),
        now,
    );
    let forward = effects
        .iter()
        .position(|effect| matches!(effect, Effect::Forward(_)));
    let given = effects.iter().position(|effect| {
        matches!(
            effect,
            Effect::Send {
                fact: Fact::Ownership { .. },
                ..
            }
        )
    });
    assert!(forward < given && forward.is_some(), "{effects:?}");
    assert_eq!(words(&effects), [("TCPIP", &Word::HandedOver { epoch })]);
    let forwarding = &stack.applied().forwarding;
    assert!(forwarding.services.is_empty());
    assert_eq!(forwarding.dvipas[&vipa()].owner, Some(xcf(1)), "it relays");
    assert_eq!(
        stack.applied().placements.get(&vipa()),
        Some(&Placement::Hidden)
    );
}

#[test]
fn an_owner_that_clients_cannot_reach_would_rather_not_be_it() {
    let mut stack = owner();
    start(&mut stack);
    join(&mut stack, "TCPIP2", 2, &Definitions::of(&backup(200)));
    let down = Event::Link {
        ifindex: LAN,
        is_up: false,
    };
    let effects = stack.handle(down, ZERO);
    assert!(
        matches!(
            words(&effects)[..],
            [(
                "TCPIP2",
                Word::Own {
                    is_vacating: true,
                    ..
                }
            )]
        ),
        "{effects:?}"
    );
    assert!(is_owner(&stack), "somebody must come for it");
}

#[test]
fn a_deactivated_dvipa_is_given_up_and_taken_again() {
    let mut stack = owner();
    start(&mut stack);
    let vary = Vary::Deactivate(vipa());
    stack.consider(&vary).expect("it is active");
    stack.handle(Event::Vary(vary.clone()), ZERO);
    assert_eq!(stack.owner(vipa()), None);
    assert!(stack.consider(&vary).is_err(), "it is deactivated already");
    let vary = Vary::Reactivate(vipa());
    stack.consider(&vary).expect("it is deactivated");
    stack.handle(Event::Vary(vary), ZERO);
    assert_eq!(stack.owner(vipa()), Some("TCPIP"));
    assert!(stack.consider(&Vary::Deactivate(ip("10.9.9.9"))).is_err());
}

#[test]
fn who_has_listened_before_it_began_still_takes_what_has_come() {
    let config = front_end(Destinations::list([xcf(2), xcf(3)]));
    for (listened, expected) in [
        (ZERO, LISTEN),
        (LISTEN / 2, LISTEN / 2),
        (LISTEN * 100, Duration::from_millis(10)),
    ] {
        let options = StackOptions {
            listened,
            ..options("TCPIP", config.clone())
        };
        let mut definer = Stack::new(options, Adopted::default(), ZERO);
        let just_before = expected.saturating_sub(Duration::from_millis(1));
        definer.start(ZERO);
        definer.handle(Event::Timer, just_before);
        assert!(!is_owner(&definer), "{listened:?}");
        assert_eq!(definer.next_timer(), Some(expected), "{listened:?}");
        definer.handle(Event::Timer, expected);
        assert!(is_owner(&definer), "{listened:?}");
    }
}

#[test]
fn a_start_that_takes_its_time_still_listens_and_wants_nothing_that_somebody_has() {
    let late = 2 * LISTEN;
    let options = StackOptions {
        listened: late,
        contested: BTreeSet::from([vipa()]),
        ..options("TCPIP", front_end(Destinations::list([xcf(2)])))
    };
    let mut definer = Stack::new(options, Adopted::default(), ZERO);
    definer.start(late);
    assert!(definer.is_listening());
    definer.handle(Event::Timer, late + LISTEN);
    assert!(!is_owner(&definer), "it does not know yet who has it");
    definer.handle(Event::Contested(BTreeSet::new()), late + LISTEN);
    assert!(is_owner(&definer), "nobody has it");
}
