//! A target that comes back gets a share that grows.

use super::*;
use crate::engine::selection::Warmth;

const OVER: Duration = Duration::from_secs(16);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An owner with slow start and two targets that have been there from the beginning.
fn served() -> Stack {
    let config = front_end(Destinations::list([xcf(2), xcf(3)]));
    let options = StackOptions {
        slow_start: OVER,
        ..options("TCPIP", config)
    };
    let mut stack = Stack::new(options, Adopted::default(), ZERO);
    start(&mut stack);
    for (name, host) in [("TCPIP2", 2), ("TCPIP3", 3)] {
        join(&mut stack, name, host, &Definitions::default());
        ready(&mut stack, name, 1, 1);
    }
    stack
}

fn report(stack: &mut Stack, revision: u64, listeners: u16, now: Duration) {
    let row = ReadyRow {
        dvipa: vipa(),
        port: 8443,
        listeners,
        is_quiesced: false,
        responsiveness: Responsiveness::default(),
        weight: None,
    };
    let ready = if listeners > 0 { vec![row] } else { Vec::new() };
    let fact = Fact::Readiness { revision, ready };
    let from = "TCPIP2".to_owned();
    stack.handle(Event::Fact { from, fact }, now);
}

/// How many places each target has for one of TCPIP3's sixteen.
fn share(stack: &Stack) -> usize {
    let ring = ring(stack);
    let of = |target| ring.iter().filter(|place| **place == target).count();
    of(xcf(2)) * 16 / of(xcf(3))
}

#[test]
fn a_server_that_starts_again_gets_its_share_step_by_step() {
    let mut stack = served();
    assert_eq!(ring(&stack), [xcf(2), xcf(3)]);
    report(&mut stack, 2, 0, at(60));
    assert_eq!(ring(&stack), [xcf(3)]);
    report(&mut stack, 3, 1, at(70));
    let mut shares = vec![share(&stack)];
    // What else happens changes nothing about it.
    stack.handle(Event::Tick, at(70));
    let mut last = at(70);
    while let Some(timer) = stack.next_timer().filter(|timer| *timer <= at(86)) {
        assert!(timer > last, "{timer:?}");
        last = timer;
        stack.handle(Event::Timer, timer);
        shares.push(share(&stack));
    }
    // There are timers of others.
    shares.dedup();
    assert_eq!(shares, (1..=16).collect::<Vec<_>>());
    assert_eq!(last, at(86));
    assert_eq!(ring(&stack), [xcf(2), xcf(3)]);
}

#[test]
fn a_stack_that_returns_gets_little_at_first() {
    let mut stack = served();
    stack.handle(left("TCPIP2"), at(60));
    assert_eq!(ring(&stack), [xcf(3)]);
    let returned = |stack: &mut Stack, event| drop(stack.handle(event, at(90)));
    let name = || "TCPIP2".to_owned();
    returned(
        &mut stack,
        Event::Joined {
            name: name(),
            xcf: xcf(2).into(),
        },
    );
    returned(
        &mut stack,
        Event::Path {
            name: name(),
            path: path(XCF, xcf(2)),
            is_up: true,
        },
    );
    report(&mut stack, 9, 1, at(90));
    assert_eq!(share(&stack), 1);
    let warming: Vec<_> = stack.warming().collect();
    assert_eq!(warming, [((key(), xcf(2)), Warmth::of(1))]);
}
