//! Another profile for a running stack.

use super::*;
use crate::engine::definitions::DEFINITIONS_KEY;

/// The owner with two ready targets.
fn busy_owner() -> Stack {
    let mut stack = owner();
    start(&mut stack);
    for (name, host) in [("TCPIP2", 2), ("TCPIP3", 3)] {
        join(&mut stack, name, host, &Definitions::default());
        ready(&mut stack, name, 1, 1);
    }
    stack
}

fn reconfigure(stack: &mut Stack, config: Config) -> Vec<Effect> {
    stack.handle(Event::Reconfigured(Box::new(config)), ZERO)
}

/// Takes the DVIPA out of the profile, and waits until nobody has come for it.
fn withdraw(stack: &mut Stack) {
    reconfigure(stack, target(1));
    stack.handle(Event::Timer, Duration::from_secs(1));
}

fn serving(stack: &Stack) -> Vec<IpAddr> {
    let services = &stack.applied().forwarding.services;
    let Some(service) = services.get(&key()) else {
        return Vec::new();
    };
    let row = |row: &u16| service.rows[usize::from(*row)];
    service.ring.iter().map(row).collect()
}

#[test]
fn the_same_profile_changes_nothing() {
    let mut stack = busy_owner();
    let config = front_end(Destinations::list([xcf(2), xcf(3)]));
    assert_eq!(reconfigure(&mut stack, config), []);
}

#[test]
fn a_removed_target_gets_nothing_new_and_keeps_its_path() {
    let mut stack = busy_owner();
    assert_eq!(serving(&stack), [xcf(2), xcf(3)]);
    let path = stack.applied().forwarding.targets[&xcf(2)];
    let config = front_end(Destinations::list([xcf(3)]));
    let effects = reconfigure(&mut stack, config);
    let is_published =
        |effect: &Effect| matches!(effect, Effect::Publish { key, .. } if *key == DEFINITIONS_KEY);
    assert!(effects.iter().any(is_published), "{effects:?}");
    assert_eq!(serving(&stack), [xcf(3)]);
    assert_eq!(stack.applied().forwarding.targets[&xcf(2)], path);

    let config = front_end(Destinations::list([xcf(2), xcf(3)]));
    reconfigure(&mut stack, config);
    assert_eq!(serving(&stack), [xcf(3), xcf(2)]);
}

#[test]
fn a_removed_service_leaves_the_address_and_its_connections() {
    let mut stack = busy_owner();
    let mut config = front_end(Destinations::All);
    config.services.clear();
    reconfigure(&mut stack, config);
    assert_eq!(stack.applied().forwarding.services.len(), 0);
    assert_eq!(
        stack.applied().placements.get(&vipa()),
        Some(&Placement::Owned)
    );
    let targets = &stack.applied().forwarding.targets;
    assert!(targets.contains_key(&xcf(2)) && targets.contains_key(&xcf(3)));
}

#[test]
fn a_withdrawn_address_stays_until_its_last_connection_has_ended() {
    let mut stack = busy_owner();
    let now = Duration::from_secs(1);
    withdraw(&mut stack);
    assert!(stack.is_quiescing(vipa()));
    assert_eq!(
        stack.applied().placements.get(&vipa()),
        Some(&Placement::Owned)
    );
    assert!(stack.applied().forwarding.services.is_empty());

    // The targets report to who withdrew it.
    let flows = vec![flow(1, FlowState::Established).key];
    let fact = Fact::FlowsGone { flows };
    let from = "TCPIP2".to_owned();
    let effects = stack.handle(Event::Fact { from, fact }, now);
    assert!(
        matches!(effects[..], [Effect::RemoveEnded { .. }]),
        "{effects:?}"
    );

    let effects = stack.handle(Event::Tick, now);
    assert!(effects.contains(&Effect::SnapshotFlows), "{effects:?}");
    let table = vec![flow(2, FlowState::Established)];
    assert_eq!(stack.handle(Event::FlowSnapshot(table), now), []);
    let asked = Effect::ListConnections {
        dvipas: vec![vipa()],
        asked: None,
    };
    let effects = stack.handle(Event::FlowSnapshot(Vec::new()), now);
    assert_eq!(effects, [asked]);
    let connections = Event::Connections {
        dvipas: vec![vipa()],
        asked: None,
        flows: Vec::new(),
    };
    let effects = stack.handle(connections, now);
    let gone = Effect::Place {
        dvipa: vipa(),
        placement: None,
    };
    assert!(effects.contains(&gone), "{effects:?}");
    assert!(stack.applied().placements.is_empty());
}

#[test]
fn an_address_that_comes_back_while_quiescing_is_active_again() {
    let mut stack = busy_owner();
    withdraw(&mut stack);
    let config = front_end(Destinations::list([xcf(2), xcf(3)]));
    let now = Duration::from_secs(1);
    let mut effects = stack.handle(Event::Reconfigured(Box::new(config)), now);
    for name in ["TCPIP2", "TCPIP3"] {
        let epoch = Epoch {
            counter: 2,
            stack: "TCPIP".to_owned(),
        };
        effects.extend(stack.handle(say(name, Word::Promise { epoch }), now));
    }
    assert!(!stack.is_quiescing(vipa()));
    let moves = |effect: &Effect| matches!(effect, Effect::Place { .. });
    assert!(!effects.iter().any(moves), "{effects:?}");
    assert_eq!(serving(&stack), [xcf(2), xcf(3)]);
}

#[test]
fn a_target_reports_to_who_withdrew_and_lets_go_when_idle() {
    let mut target = stack("TCPIP2", target(2), Adopted::default());
    start(&mut target);
    let defined = Definitions::of(&front_end(Destinations::All));
    join(&mut target, "TCPIP", 1, &defined);
    assert_eq!(
        target.applied().placements.get(&vipa()),
        Some(&Placement::Hidden)
    );
    let name = "TCPIP".to_owned();
    let values = Definitions::default().to_parts(2).into_iter().collect();
    target.handle(Event::State { name, values }, ZERO);
    let epoch = Epoch {
        counter: 1,
        stack: "TCPIP".to_owned(),
    };
    target.handle(say("TCPIP", Word::Vacant { epoch }), ZERO);
    assert!(target.is_unwanted(vipa()));

    let flows = vec![flow(1, FlowState::Established).key];
    let effects = target.handle(Event::FlowsGone(flows), ZERO);
    assert!(
        matches!(&effects[..], [Effect::Send { to, .. }] if to == "TCPIP"),
        "{effects:?}"
    );
    let connections = Event::Connections {
        dvipas: vec![vipa()],
        asked: None,
        flows: Vec::new(),
    };
    target.handle(connections, ZERO);
    assert!(target.applied().placements.is_empty());
}

#[test]
fn an_owner_that_restarts_or_dies_has_withdrawn_nothing() {
    let mut target = stack("TCPIP2", target(2), Adopted::default());
    start(&mut target);
    let defined = Definitions::of(&front_end(Destinations::All));
    join(&mut target, "TCPIP", 1, &defined);
    let (name, xcf) = ("TCPIP".to_owned(), xcf(1).into());
    let again = Event::Joined { name, xcf };
    target.handle(again, ZERO);
    assert!(!target.is_unwanted(vipa()));
    let name = "TCPIP".to_owned();
    target.handle(left(&name), ZERO);
    assert!(!target.is_unwanted(vipa()));
}

#[test]
fn what_was_taken_out_of_the_profile_while_the_daemon_was_down_is_withdrawn() {
    let adopted = Adopted {
        forwarding: Forwarding {
            dvipas: [(vipa(), owned(7))].into(),
            ..Forwarding::default()
        },
        placements: [(vipa(), Placement::Owned)].into(),
        silent_for: Some(ZERO),
        orders: Orders::default(),
    };
    let mut stack = stack("TCPIP", target(1), adopted);
    start(&mut stack);
    assert!(stack.is_quiescing(vipa()));
}
