//! An owner that hears nobody.

use super::*;

/// What happens.
enum Step {
    /// No packet of anybody arrives for so many milliseconds.
    Silence(u64),
    /// A packet arrives.
    Packet,
    /// The backup is heard again.
    Heard,
    /// The backup is no longer heard, and its packet path does not answer.
    Lost,
    /// The backup owns the DVIPA, with this counter.
    Owns(u64),
    /// The backup gives it back.
    HandsOver,
}

use Step::{HandsOver, Heard, Lost, Owns, Packet, Silence};

/// Each with whether the packet path is fenced after every step.
const CASES: [(&str, &[(Step, bool)]); 6] = [
    (
        "the others die, and clients are there",
        &[(Lost, false), (Packet, false), (Silence(5_000), false)],
    ),
    (
        "it is cut off, and nobody comes back",
        &[
            (Lost, false),
            (Silence(50), false),
            (Silence(100), true),
            (Silence(60_000), true),
            (Packet, true),
            (Silence(1_900), true),
            (Silence(200), false),
            (Silence(5_000), false),
        ],
    ),
    (
        "it is cut off for a moment, in which nobody took over",
        &[
            (Lost, false),
            (Silence(200), true),
            (Packet, true),
            (Heard, true),
            (Silence(150), true),
            (Silence(100), false),
        ],
    ),
    (
        "it is cut off, and another has taken over",
        &[
            (Lost, false),
            (Silence(200), true),
            (Heard, true),
            (Owns(9), true),
            (HandsOver, false),
        ],
    ),
    (
        "the way back is lost again",
        &[
            (Lost, false),
            (Silence(200), true),
            (Heard, true),
            (Lost, true),
            (Silence(1_900), true),
            (Silence(200), false),
        ],
    ),
    (
        "a member is heard before anything is decided",
        &[(Lost, false), (Heard, false), (Silence(5_000), false)],
    ),
];

/// A definer whose backup is a member, and owns nothing.
fn with_backup() -> Stack {
    let mut stack = owner();
    start(&mut stack);
    let role = DvipaRole::Backup {
        rank: 200,
        moveable: Some(Moveable::Immediate),
    };
    let backup = Definitions {
        dvipas: vec![Dvipa::new(vipa(), Some(24), role)],
        ..Definitions::default()
    };
    join(&mut stack, "TCPIP2", 2, &backup);
    ready(&mut stack, "TCPIP2", 1, 1);
    stack
}

#[test]
fn it_is_fenced_from_when_nothing_arrives_until_it_knows_who_owns() {
    for (name, steps) in CASES {
        let mut stack = with_backup();
        let (mut now, mut arrived, mut is_fenced) = (LISTEN, 7, false);
        for (number, (step, expected)) in steps.iter().enumerate() {
            let mut effects = Vec::new();
            match step {
                Silence(ms) => {
                    let end = now + Duration::from_millis(*ms);
                    while now < end && stack.looks_for_packets() {
                        effects.extend(stack.handle(Event::Arrivals(arrived), now));
                        now += Duration::from_millis(50);
                    }
                    now = end;
                    effects.extend(stack.handle(Event::Arrivals(arrived), now));
                }
                Packet => {
                    effects.extend(stack.handle(Event::Arrivals(arrived), now));
                    arrived += 1;
                    effects.extend(stack.handle(Event::Arrivals(arrived), now));
                }
                Heard | Lost => {
                    let path = path(XCF, xcf(2));
                    let (name, is_up) = ("TCPIP2".to_owned(), matches!(step, Heard));
                    effects.extend(stack.handle(Event::Path { name, path, is_up }, now));
                    let (name, age) = ("TCPIP2".to_owned(), None);
                    effects.extend(stack.handle(Event::Probed { name, age }, now));
                }
                Owns(counter) => {
                    effects.extend(stack.handle(own(*counter, "TCPIP2", 200), now));
                    assert_eq!(stack.owner(vipa()), Some("TCPIP2"), "{name}");
                }
                HandsOver => {
                    let epoch = || Epoch {
                        counter: 10,
                        stack: "TCPIP".to_owned(),
                    };
                    effects.extend(stack.handle(say("TCPIP2", Word::Willing), now));
                    effects.extend(answer_rebuilds(&mut stack, &effects, now));
                    effects
                        .extend(stack.handle(say("TCPIP2", Word::Promise { epoch: epoch() }), now));
                    effects.extend(
                        stack.handle(say("TCPIP2", Word::HandedOver { epoch: epoch() }), now),
                    );
                    assert_eq!(stack.owner(vipa()), Some("TCPIP"), "{name}");
                }
            }
            for effect in &effects {
                if let Effect::Fence(is) = effect {
                    is_fenced = *is;
                }
            }
            assert_eq!(is_fenced, *expected, "{name}, step {number}");
            assert_eq!(stack.may_live(), !is_fenced, "{name}, step {number}");
        }
    }
}

/// Says for every member that is asked that it has no connections.
fn answer_rebuilds(stack: &mut Stack, effects: &[Effect], now: Duration) -> Vec<Effect> {
    let mut then = Vec::new();
    for effect in effects {
        if let Effect::Send {
            to,
            fact: Fact::FlowsRequest { request, .. },
        } = effect
        {
            let fact = Fact::Flows {
                request: *request,
                parts_left: 0,
                flows: Vec::new(),
            };
            let from = to.clone();
            then.extend(stack.handle(Event::Fact { from, fact }, now));
        }
        if let Effect::ListConnections {
            dvipas,
            asked: Some(asked),
        } = effect
        {
            let event = Event::Connections {
                dvipas: dvipas.clone(),
                asked: Some(asked.clone()),
                flows: Vec::new(),
            };
            then.extend(stack.handle(event, now));
        }
    }
    then
}

/// What is known to be another's is neither answered for nor distributed in between.
#[test]
fn an_address_is_hidden_before_it_is_no_longer_distributed() {
    let mut stack = with_backup();
    let effects = stack.handle(own(9, "TCPIP2", 200), LISTEN);
    let at = |wanted: fn(&Effect) -> bool| effects.iter().position(wanted);
    let hidden = at(|effect| {
        matches!(
            effect,
            Effect::Place {
                placement: Some(Placement::Hidden),
                ..
            }
        )
    });
    let forwarded = at(|effect| matches!(effect, Effect::Forward(_)));
    assert!(hidden.is_some() && hidden < forwarded, "{effects:?}");
}

#[test]
fn who_has_no_link_gives_nobody_up() {
    let mut stack = with_backup();
    let link = |is_up| Event::Link {
        ifindex: LAN,
        is_up,
    };
    let heard = |is_up| Event::Path {
        name: "TCPIP2".to_owned(),
        path: path(XCF, xcf(2)),
        is_up,
    };
    let unreachable = || Event::Probed {
        name: "TCPIP2".to_owned(),
        age: None,
    };
    let mut now = LISTEN;
    stack.handle(link(false), now);
    stack.handle(heard(false), now);
    stack.handle(unreachable(), now);
    let mut wait = |stack: &mut Stack| {
        now += Duration::from_secs(1);
        let effects = stack.handle(Event::Timer, now);
        (effects.contains(&Effect::ResetTarget(xcf(2))), now)
    };
    assert!(!wait(&mut stack).0, "no client would learn it");
    let (is_reset, now) = wait(&mut stack);
    assert!(!is_reset);
    // From when it can be heard again, the member has as long as anybody.
    stack.handle(link(true), now);
    let effects = stack.handle(Event::Timer, now);
    assert!(!effects.contains(&Effect::ResetTarget(xcf(2))));
    assert!(wait(&mut stack).0, "it is gone indeed");
}

/// What a daemon finds whose predecessor shared the DVIPA and has been silent for so long.
fn left_behind(silent_for: Duration) -> Adopted {
    let shared = DvipaForwarding {
        has_successor: true,
        ..owned(7)
    };
    Adopted {
        forwarding: Forwarding {
            dvipas: BTreeMap::from([(vipa(), shared)]),
            ..Forwarding::default()
        },
        placements: BTreeMap::from([(vipa(), Placement::Owned)]),
        silent_for: Some(silent_for),
        orders: Orders::default(),
    }
}

/// Lets time pass in which nothing arrives; returns all effects.
fn silence(stack: &mut Stack, from: Duration, to: Duration) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut now = from;
    while now < to {
        if stack.looks_for_packets() {
            effects.extend(stack.handle(Event::Arrivals(7), now));
        }
        effects.extend(stack.handle(Event::Tick, now));
        effects.extend(stack.handle(Event::Timer, now));
        now += Duration::from_millis(50);
    }
    effects
}

#[test]
fn a_daemon_that_begins_while_its_stack_is_cut_off_claims_nothing() {
    let config = || front_end(Destinations::list([xcf(2)]));
    // Its predecessor was fenced, or had no time to notice.
    for silent_for in [GRACE, ZERO] {
        let mut stack = stack("TCPIP", config(), left_behind(silent_for));
        let mut effects = stack.start(ZERO);
        let later = LISTEN + SETTLE + Duration::from_secs(10);
        effects.extend(silence(&mut stack, ZERO, later));
        let is_told = |wanted: &Message| {
            let told = effects.iter();
            told.filter(|effect| matches!(effect, Effect::Tell(message) if message == wanted))
                .count()
        };
        assert!(!stack.may_live(), "{silent_for:?}");
        assert_eq!(is_told(&Message::CutOff), 1, "{silent_for:?}");
        assert_eq!(
            stack.owner(vipa()),
            (silent_for < GRACE).then_some("TCPIP"),
            "what it does not own it does not claim"
        );
        let applied = stack.applied().forwarding.dvipas.get(&vipa());
        let is_open = |forwarding: &DvipaForwarding| !forwarding.has_successor;
        assert!(!applied.is_some_and(is_open), "{silent_for:?}: {applied:?}");

        // It learns who owns the DVIPA, and only then goes on.
        let backup = Definitions::of(&config());
        stack.handle(Event::Arrivals(8), later);
        join(&mut stack, "TCPIP2", 2, &backup);
        stack.handle(own(9, "TCPIP2", 200), later);
        assert_eq!(stack.owner(vipa()), Some("TCPIP2"));
        let settled = later + Duration::from_secs(1);
        stack.handle(Event::Arrivals(9), settled);
        assert!(stack.may_live());
    }
}

#[test]
fn a_daemon_that_begins_alone_owns_what_nobody_else_does() {
    let config = front_end(Destinations::list([xcf(2)]));
    let mut stack = stack("TCPIP", config, left_behind(GRACE));
    stack.start(ZERO);
    // Clients are there, and no member.
    for arrived in 1..20 {
        let now = Duration::from_millis(50 * arrived);
        stack.handle(Event::Arrivals(arrived), now);
        stack.handle(Event::Timer, now);
    }
    assert_eq!(stack.owner(vipa()), Some("TCPIP"));
    assert!(stack.may_live());
}
