//! Restarts, goodbyes, and names and addresses that are taken.

use super::simulation::*;
use super::*;

fn group_of_three() -> Simulation {
    let mut simulation = Simulation::group(1, CALM, 3);
    simulation.run_until_complete(ms(1_000));
    simulation.run_for(ms(500));
    simulation.clear_events();
    simulation
}

/// Settings of stack `stack` as if it were called like stack `like`.
fn named_like(stack: u8, like: u8) -> GroupSettings {
    GroupSettings {
        name: format!("TCPIP{like}"),
        ..settings(stack)
    }
}

#[test]
fn goodbye_is_noticed_at_once() {
    let mut simulation = group_of_three();
    simulation.put(3, Input::Stop);
    simulation.crash(3);
    simulation.run_for(ms(2));
    for stack in [1, 2] {
        assert_eq!(
            brief(&simulation.take_events(stack)),
            ["left TCPIP3 Goodbye"]
        );
    }
    simulation.start(3, settings(3), ring(&[1]));
    let took = simulation.run_until_complete(ms(1_000));
    assert!(took <= ms(250), "{took:?}");
}

#[test]
fn a_restarted_stack_takes_its_own_place() {
    let mut simulation = group_of_three();
    simulation.start(3, settings(3), ring(&[1]));
    simulation.run_for(ms(900));
    assert!(simulation.is_complete());
    for stack in [1, 2] {
        let events = brief(&simulation.take_events(stack));
        assert_eq!(
            events[..2],
            ["left TCPIP3 Replaced", "joined TCPIP3"],
            "{events:?}"
        );
    }
    // What it says before it is admitted is not lost.
    simulation.start(3, settings(3), ring(&[1]));
    simulation.run_until_true(ms(500), "it has a member", |simulation| {
        simulation.members(3).contains(&1)
    });
    simulation.say(3, 1, 1);
    simulation.run_for(ms(1_500));
    assert_eq!(simulation.heard(1, 3), [1]);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let mut simulation = group_of_three();
    simulation.start(4, named_like(4, 3), ring(&[1]));
    simulation.run_for(ms(5_000));
    for stack in [1, 2, 3] {
        let events = brief(&simulation.take_events(stack));
        assert_eq!(events, ["conflict TCPIP3 Name"], "stack {stack}");
        assert!(!simulation.members(stack).contains(&4));
    }
    let events = brief(&simulation.take_events(4));
    for by in [
        "refused TCPIP1 Name",
        "refused TCPIP2 Name",
        "conflict TCPIP3 Name",
    ] {
        assert!(events.iter().any(|event| event == by), "{events:?}");
    }
    // Facts of a stack that is not admitted count for nothing.
    simulation.say(4, 1, 9);
    simulation.run_for(ms(100));
    assert!(simulation.heard(1, 3).is_empty());
    assert!(
        simulation.stacks[&1]
            .engine
            .drops()
            .of(DropReason::NotAdmitted)
            > 0
    );

    // Once the holder is gone, there is room.
    simulation.clear_events();
    simulation.put(3, Input::Stop);
    simulation.crash(3);
    simulation.run_for(ms(300));
    let events = brief(&simulation.take_events(1));
    assert_eq!(
        events[..2],
        ["left TCPIP3 Goodbye", "joined TCPIP3"],
        "{events:?}"
    );
    assert!(events.contains(&"up TCPIP3 xcf".to_owned()), "{events:?}");
    assert_eq!(simulation.members(1), [2, 4]);
}

#[test]
fn a_dynamicxcf_address_that_is_taken_is_refused() {
    let mut simulation = group_of_three();
    let twin = GroupSettings {
        xcf: address(XCF, 3).into(),
        ..settings(4)
    };
    simulation.start(4, twin, ring(&[1]));
    simulation.run_for(ms(3_000));
    for stack in [1, 2, 3] {
        let events = simulation.take_events(stack);
        let expected = GroupEvent::Conflict {
            what: ConflictKind::DynamicXcf,
            name: "TCPIP4".to_owned(),
            xcf: address(XCF, 3).into(),
            at: address(XCF, 4),
        };
        assert_eq!(events, [expected], "stack {stack}");
    }
}

#[test]
fn a_stack_of_another_group_is_noticed_once_and_not_admitted() {
    let mut simulation = group_of_three();
    simulation.start(4, settings(4), ring(&[2]));
    simulation.run_for(ms(30_000));
    for stack in [1, 2, 3] {
        let running = &simulation.stacks[&stack];
        assert_eq!(
            running.notices,
            [Notice::ForeignKey {
                from: address(XCF, 4)
            }]
        );
        assert!(running.engine.drops().of(DropReason::ForeignKey) >= 5);
        assert_eq!(running.events, []);
    }
    assert!(simulation.members(4).is_empty());
    assert_eq!(simulation.stacks[&4].notices.len(), 3);
}

#[test]
fn keys_are_rotated_without_a_gap() {
    let mut simulation = group_of_three();
    // Each is restarted with both keys, then with the new one first, then with that alone.
    for keys in [[1, 2].as_slice(), &[2, 1], &[2]] {
        for stack in 1..=3 {
            simulation.put(stack, Input::Stop);
            simulation.start(stack, settings(stack), ring(keys));
            let took = simulation.run_until_complete(ms(2_000));
            assert!(
                took <= ms(900),
                "{took:?} for stack {stack} with keys {keys:?}"
            );
        }
    }
}

#[test]
fn a_stack_that_stood_still_starts_anew() {
    let mut simulation = group_of_three();
    // SIGSTOP: the others go on, and what they send waits in the socket.
    let stopped = simulation.stacks.remove(&3).expect("it runs");
    simulation.run_for(ms(3_000));
    assert_eq!(simulation.members(1), [2]);
    simulation.stacks.insert(3, stopped);
    simulation.clear_events();
    simulation.run_until_complete(ms(2_000));
    let events = brief(&simulation.take_events(3));
    assert_eq!(
        events
            .iter()
            .filter(|event| event.starts_with("left"))
            .count(),
        2,
        "{events:?}"
    );
}

#[test]
fn settings_that_cannot_work_are_refused() {
    type Change = fn(&mut GroupSettings);
    let start = |change: Change| {
        let mut settings = settings(1);
        change(&mut settings);
        GroupEngine::new(settings, ring(&[1]), [0; 32])
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let cases: [(Change, &str); 6] = [
        (|settings| settings.name.clear(), "found ``"),
        (
            |settings| settings.name = "TCP IP".to_owned(),
            "found `TCP IP`",
        ),
        (|settings| settings.locals.clear(), "found none"),
        (
            |settings| settings.locals = vec![settings.locals[0].clone(); 33],
            "found 33",
        ),
        (|settings| settings.down_after = ms(999), "found 999ms"),
        (|settings| settings.beat = ms(0), "beats of 0ns"),
    ];
    for (change, expected) in cases {
        let refusal = start(change).expect_err("it cannot work");
        assert!(refusal.contains(expected), "{refusal}");
    }
    assert_eq!(start(|settings| settings.beat = ms(50)), Ok(()));
}
