//! What an owner knows of its targets in its first seconds.

use super::*;

/// Whether the packet path is to refuse nothing.
fn is_unsure(stack: &Stack) -> bool {
    stack.applied().forwarding.dvipas[&vipa()].claimant == Some(xcf(1))
}

#[test]
fn who_has_just_begun_refuses_nothing_until_all_targets_have_reported() {
    let mut stack = owner();
    start(&mut stack);
    assert!(is_unsure(&stack));
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    ready(&mut stack, "TCPIP2", 1, 1);
    assert!(is_unsure(&stack), "the other may have connections");
    join(&mut stack, "TCPIP3", 3, &Definitions::default());
    assert!(is_unsure(&stack), "it is about to say what listens there");
    ready(&mut stack, "TCPIP3", 1, 0);
    assert!(!is_unsure(&stack));
}

#[test]
fn who_has_nothing_to_say_is_waited_for_a_while() {
    let mut stack = owner();
    start(&mut stack);
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    join(&mut stack, "TCPIP3", 3, &Definitions::default());
    stack.handle(Event::Tick, Duration::from_millis(999));
    assert!(is_unsure(&stack));
    stack.handle(Event::Tick, Duration::from_secs(1));
    assert!(!is_unsure(&stack));

    let mut alone = owner();
    start(&mut alone);
    stack.handle(Event::Tick, Duration::from_secs(1));
    assert!(is_unsure(&alone));
    alone.handle(Event::Tick, SETTLE);
    assert!(!is_unsure(&alone), "the targets are down");
}

#[test]
fn an_owner_that_is_its_own_only_target_knows_all() {
    let config = front_end(Destinations::list([xcf(1)]));
    let mut alone = stack("TCPIP", config, Adopted::default());
    start(&mut alone);
    assert!(!is_unsure(&alone));
}
