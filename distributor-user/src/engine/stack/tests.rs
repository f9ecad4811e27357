use super::timing::FORGET_MEMBER;
use super::*;
use crate::engine::config::{
    Destinations, DistMethod, Dvipa, DvipaRole, DynamicXcf, Moveable, Service,
};
use crate::engine::fact::ReadyRow;
use crate::engine::forwarding::{
    Choice, DvipaForwarding, Flow, FlowKey, FlowState, Forwarding, Path, ServiceTargets,
};
use crate::engine::ownership::{DEFINER, Epoch, LISTEN, Word};

mod affinity;
mod beginning;
mod connectivity;
mod families;
mod isolation;
mod load;
mod orders;
mod passed;
mod reconfigure;
mod routes;
mod slow_start;
mod takeover;

const ZERO: Duration = Duration::ZERO;
const GRACE: Duration = Duration::from_secs(2);
const XCF: u32 = 3;
const LAN: u32 = 2;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn vipa() -> IpAddr {
    ip("10.1.3.10")
}

fn key() -> ServiceKey {
    ServiceKey {
        dvipa: vipa(),
        port: 8443,
    }
}

fn xcf(host: u8) -> IpAddr {
    IpAddr::from([172, 1, 1, host])
}

fn target(host: u8) -> Config {
    let dynamic_xcf = DynamicXcf {
        address: xcf(host),
        prefix_len: 24,
        cost_metric: 3,
    };
    Config {
        dynamic_xcf: Some(dynamic_xcf),
        ..Config::default()
    }
}

fn front_end(destinations: Destinations) -> Config {
    let role = DvipaRole::Define {
        moveable: Moveable::Immediate,
    };
    let service = Service::new(vipa(), 8443, DistMethod::RoundRobin, destinations);
    Config {
        dvipas: vec![Dvipa::new(vipa(), Some(24), role)],
        services: vec![service],
        ..target(1)
    }
}

fn stack(name: &str, config: Config, adopted: Adopted) -> Stack {
    Stack::new(options(name, config), adopted, ZERO)
}

fn options(name: &str, config: Config) -> StackOptions {
    StackOptions {
        name: name.to_owned(),
        config,
        addresses: BTreeSet::new(),
        xcf_ifindex: XCF,
        client_ifindexes: BTreeSet::from([LAN]),
        grace: GRACE,
        slow_start: Duration::ZERO,
        first_revision: 1,
        listened: ZERO,
        contested: BTreeSet::new(),
    }
}

fn owner() -> Stack {
    stack(
        "TCPIP",
        front_end(Destinations::list([xcf(2), xcf(3)])),
        Adopted::default(),
    )
}

/// Starts a stack that is alone, and lets it listen for others to the end.
fn start(stack: &mut Stack) -> Vec<Effect> {
    let mut effects = stack.start(ZERO);
    effects.extend(stack.handle(Event::Timer, LISTEN));
    effects
}

/// What an earlier daemon has left of a DVIPA that it owned.
fn owned(epoch: u64) -> DvipaForwarding {
    DvipaForwarding {
        owner: Some(xcf(1)),
        epoch,
        ..DvipaForwarding::default()
    }
}

/// What the owner of the DVIPA says.
fn own(counter: u64, name: &str, rank: u8) -> Event {
    let epoch = Epoch {
        counter,
        stack: name.to_owned(),
    };
    let word = Word::Own {
        epoch,
        rank,
        is_vacating: false,
    };
    say(name, word)
}

fn say(from: &str, word: Word) -> Event {
    let words = vec![(vipa(), word)];
    Event::Fact {
        from: from.to_owned(),
        fact: Fact::Ownership { words },
    }
}

fn path(ifindex: u32, destination: IpAddr) -> NextHopKey {
    NextHopKey {
        ifindex,
        destination,
    }
}

fn hop(last: u8) -> Hop {
    Hop {
        source_mac: [2, 0, 0, 0, 0, 1],
        next_hop_mac: [2, 0, 0, 0, 0, last],
        is_direct: true,
    }
}

/// Lets a member join with a resolved path over the DYNAMICXCF network; returns the last effects.
fn join(stack: &mut Stack, name: &str, host: u8, definitions: &Definitions) -> Vec<Effect> {
    let dynamic_xcf = xcf(host);
    let values = definitions.to_parts(1).into_iter().collect();
    let name = name.to_owned();
    let mut effects = stack.handle(
        Event::Joined {
            name: name.clone(),
            xcf: dynamic_xcf.into(),
        },
        ZERO,
    );
    let over_xcf = path(XCF, dynamic_xcf);
    let up = Event::Path {
        name: name.clone(),
        path: over_xcf,
        is_up: true,
    };
    effects.extend(stack.handle(up, ZERO));
    effects.extend(stack.handle(
        Event::NextHop {
            path: over_xcf,
            hop: Some(hop(host)),
        },
        ZERO,
    ));
    effects.extend(stack.handle(
        Event::State {
            name: name.clone(),
            values,
        },
        ZERO,
    ));
    // Who defines the DVIPA owns it, unless the stack of the test does.
    if !definitions.dvipas.is_empty() && stack.owner(vipa()).is_none() {
        effects.extend(stack.handle(own(1, &name, DEFINER), ZERO));
    }
    effects
}

fn ready(stack: &mut Stack, name: &str, revision: u64, listeners: u16) -> Vec<Effect> {
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
    stack.handle(
        Event::Fact {
            from: name.to_owned(),
            fact,
        },
        ZERO,
    )
}

fn ring(stack: &Stack) -> Vec<IpAddr> {
    let service = &stack.applied().forwarding.services[&key()];
    service
        .ring
        .iter()
        .map(|&row| service.rows[usize::from(row)])
        .collect()
}

fn left(name: &str) -> Event {
    Event::Left {
        name: name.to_owned(),
        is_goodbye: false,
    }
}

fn flow(port: u16, state: FlowState) -> Flow {
    let key = FlowKey {
        client: ip("10.1.1.99"),
        client_port: port,
        dvipa: vipa(),
        port: 8443,
    };
    Flow {
        key,
        target: xcf(2),
        state,
    }
}

#[test]
fn the_packet_path_serves_before_the_address_is_there_and_after_it_is_gone() {
    let mut stack = owner();
    let position = |effects: &[Effect], wanted: fn(&Effect) -> bool| {
        effects
            .iter()
            .position(wanted)
            .expect("the effect is there")
    };
    let effects = start(&mut stack);
    let forward = position(&effects, |effect| matches!(effect, Effect::Forward(_)));
    let place = position(&effects, |effect| matches!(effect, Effect::Place { .. }));
    assert!(forward < place, "{effects:?}");

    stack.handle(Event::Stop, ZERO);
    let effects = stack.handle(Event::Quiet, ZERO);
    let forward = position(&effects, |effect| {
        *effect == Effect::Forward(Forwarding::default())
    });
    let place = position(&effects, |effect| {
        matches!(
            effect,
            Effect::Place {
                placement: None,
                ..
            }
        )
    });
    assert!(place < forward, "{effects:?}");
}

#[test]
fn a_target_is_in_the_ring_only_while_it_is_ready_and_present() {
    let mut stack = owner();
    start(&mut stack);
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    join(&mut stack, "TCPIP3", 3, &Definitions::default());
    assert!(ring(&stack).is_empty());
    ready(&mut stack, "TCPIP2", 1, 2);
    assert_eq!(
        ring(&stack),
        [xcf(2)],
        "two listeners on a stack count once"
    );
    ready(&mut stack, "TCPIP3", 1, 1);
    assert_eq!(ring(&stack), [xcf(2), xcf(3)]);
    ready(&mut stack, "TCPIP2", 2, 0);
    assert_eq!(ring(&stack), [xcf(3)]);
    ready(&mut stack, "TCPIP2", 1, 2);
    assert_eq!(ring(&stack), [xcf(3)], "an older report changes nothing");
    stack.handle(left("TCPIP3"), ZERO);
    assert!(ring(&stack).is_empty());
    let kept = stack.applied().forwarding.targets[&xcf(3)];
    assert!(
        matches!(kept, Path::Link { ifindex: XCF, .. }),
        "its connections may live: {kept:?}"
    );
}

#[test]
fn the_dynamicxcf_path_is_preferred_and_a_silent_one_is_left() {
    let mut stack = owner();
    start(&mut stack);
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    let lan = path(LAN, ip("10.1.1.2"));
    let name = || "TCPIP2".to_owned();
    let chosen = |stack: &Stack| {
        let path = stack.applied().forwarding.targets[&xcf(2)];
        path.interface().unwrap_or_default()
    };
    stack.handle(
        Event::Path {
            name: name(),
            path: lan,
            is_up: true,
        },
        ZERO,
    );
    stack.handle(
        Event::NextHop {
            path: lan,
            hop: Some(hop(22)),
        },
        ZERO,
    );
    assert_eq!(chosen(&stack), XCF);
    stack.handle(
        Event::Path {
            name: name(),
            path: path(XCF, xcf(2)),
            is_up: false,
        },
        ZERO,
    );
    assert_eq!(chosen(&stack), LAN);
    stack.handle(
        Event::Path {
            name: name(),
            path: lan,
            is_up: false,
        },
        ZERO,
    );
    assert_eq!(
        chosen(&stack),
        LAN,
        "the last path is kept while nothing better answers"
    );
}

#[test]
fn a_target_learns_the_dvipa_from_its_owner_and_tells_it_what_listens() {
    let mut stack = stack("TCPIP2", target(2), Adopted::default());
    start(&mut stack);
    let definitions = Definitions::of(&front_end(Destinations::All));
    let effects = join(&mut stack, "TCPIP", 1, &definitions);
    let hidden = Effect::Place {
        dvipa: vipa(),
        placement: Some(Placement::Hidden),
    };
    assert!(effects.contains(&hidden), "{effects:?}");
    assert!(
        effects.contains(&Effect::Watch(BTreeSet::from([vipa()]))),
        "{effects:?}"
    );
    let row = ReadyRow {
        dvipa: vipa(),
        port: 8443,
        listeners: 2,
        is_quiesced: false,
        responsiveness: Responsiveness::default(),
        weight: None,
    };
    let effects = stack.handle(Event::Listeners(vec![row]), ZERO);
    let fact = Fact::Readiness {
        revision: 2,
        ready: vec![row],
    };
    assert!(
        effects.contains(&Effect::Send {
            to: "TCPIP".to_owned(),
            fact
        }),
        "{effects:?}"
    );

    stack.handle(left("TCPIP"), ZERO);
    assert_eq!(
        stack.applied().placements.get(&vipa()),
        Some(&Placement::Hidden)
    );
}

#[test]
fn a_dvipa_that_nobody_wants_here_goes_when_its_last_connection_has_ended() {
    let mut stack = stack("TCPIP2", target(2), Adopted::default());
    start(&mut stack);
    join(
        &mut stack,
        "TCPIP",
        1,
        &Definitions::of(&front_end(Destinations::All)),
    );
    let elsewhere = Definitions::of(&front_end(Destinations::list([xcf(3)])));
    join(&mut stack, "TCPIP", 1, &elsewhere);
    let ask = Effect::ListConnections {
        dvipas: vec![vipa()],
        asked: None,
    };
    assert!(stack.handle(Event::Tick, ZERO).contains(&ask));
    let answer = |flows| Event::Connections {
        dvipas: vec![vipa()],
        asked: None,
        flows,
    };
    stack.handle(answer(vec![flow(1, FlowState::Established).key]), ZERO);
    assert!(stack.applied().placements.contains_key(&vipa()));
    stack.handle(answer(Vec::new()), ZERO);
    assert!(!stack.applied().placements.contains_key(&vipa()));
}

#[test]
fn an_adopted_packet_path_is_left_alone_until_its_targets_have_reported() {
    let rows = vec![xcf(2), xcf(3)];
    let service = ServiceTargets {
        rows: rows.clone().into(),
        ring: [0, 1].into(),
        choice: Choice::Turn,
        affinity: None,
    };
    let forwarding = Forwarding {
        services: BTreeMap::from([(key(), service)]),
        dvipas: BTreeMap::from([(vipa(), owned(7))]),
        ..Forwarding::default()
    };
    let adopted = || Adopted {
        forwarding: forwarding.clone(),
        placements: BTreeMap::from([(vipa(), Placement::Owned)]),
        silent_for: Some(ZERO),
        orders: Orders::default(),
    };
    let config = || front_end(Destinations::list(rows.clone()));
    let is_untouched = |effects: &[Effect]| {
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Forward(_) | Effect::Place { .. }))
    };

    let mut stack_ = stack("TCPIP", config(), adopted());
    assert!(is_untouched(&stack_.start(ZERO)));
    assert!(is_untouched(&join(
        &mut stack_,
        "TCPIP2",
        2,
        &Definitions::default()
    )));
    assert!(is_untouched(&ready(&mut stack_, "TCPIP2", 1, 1)));
    join(&mut stack_, "TCPIP3", 3, &Definitions::default());
    ready(&mut stack_, "TCPIP3", 1, 1);
    assert_eq!(ring(&stack_), rows);

    let mut alone = stack("TCPIP", config(), adopted());
    alone.start(ZERO);
    assert!(is_untouched(&alone.handle(
        Event::Tick,
        SETTLE.saturating_sub(Duration::from_millis(1))
    )));
    alone.handle(Event::Tick, SETTLE);
    assert!(
        ring(&alone).is_empty(),
        "after the settling time only what reported is served"
    );
}

#[test]
fn an_audit_removes_what_the_target_misses_twice() {
    let mut stack = owner();
    start(&mut stack);
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    let now = Duration::from_secs(20);
    let effects = stack.handle(Event::Tick, now);
    assert!(effects.contains(&Effect::SnapshotFlows), "{effects:?}");
    let request = 1;
    let table = vec![
        flow(1, FlowState::Established),
        flow(2, FlowState::Established),
        flow(3, FlowState::Ending),
        flow(4, FlowState::HalfOpen),
    ];
    let effects = stack.handle(Event::FlowSnapshot(table.clone()), now);
    let ask = Fact::FlowsRequest {
        request,
        dvipas: vec![vipa()],
    };
    assert!(effects.contains(&Effect::Send {
        to: "TCPIP2".to_owned(),
        fact: ask
    }));
    let part = |parts_left, flows| Event::Fact {
        from: "TCPIP2".to_owned(),
        fact: Fact::Flows {
            request,
            parts_left,
            flows,
        },
    };
    assert_eq!(stack.handle(part(1, vec![table[0].key]), now), []);
    let effects = stack.handle(part(0, Vec::new()), now);
    assert_eq!(
        effects,
        [
            Effect::MarkEnding(vec![table[1].key]),
            Effect::RemoveEnded {
                target: xcf(2),
                flows: vec![table[2].key]
            },
        ]
    );
}

#[test]
fn ends_of_connections_are_reported_to_the_owner_of_their_dvipa() {
    let mut target = stack("TCPIP2", target(2), Adopted::default());
    start(&mut target);
    join(
        &mut target,
        "TCPIP",
        1,
        &Definitions::of(&front_end(Destinations::All)),
    );
    let flows = vec![flow(1, FlowState::Established).key];
    let effects = target.handle(Event::FlowsGone(flows.clone()), ZERO);
    let fact = Fact::FlowsGone {
        flows: flows.clone(),
    };
    assert_eq!(
        effects,
        [Effect::Send {
            to: "TCPIP".to_owned(),
            fact: fact.clone()
        }]
    );

    let mut owner = owner();
    start(&mut owner);
    join(&mut owner, "TCPIP2", 2, &Definitions::default());
    let effects = owner.handle(
        Event::Fact {
            from: "TCPIP2".to_owned(),
            fact,
        },
        ZERO,
    );
    assert_eq!(
        effects,
        [Effect::RemoveEnded {
            target: xcf(2),
            flows: flows.clone()
        }]
    );
    let effects = owner.handle(Event::FlowsEnding(flows.clone()), ZERO);
    assert_eq!(effects, [Effect::MarkEnding(flows)]);
}

#[test]
fn a_departed_member_is_forgotten_in_time_with_its_flows() {
    let mut stack = owner();
    start(&mut stack);
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    stack.handle(left("TCPIP2"), ZERO);
    let early = stack.handle(
        Event::Tick,
        FORGET_MEMBER.saturating_sub(Duration::from_secs(1)),
    );
    assert!(!early.contains(&Effect::ForgetTarget(xcf(2))), "{early:?}");
    let late = stack.handle(Event::Tick, FORGET_MEMBER);
    assert!(late.contains(&Effect::ForgetTarget(xcf(2))), "{late:?}");
}

#[test]
fn a_target_that_restarts_keeps_its_place_until_it_reports() {
    let mut stack = owner();
    start(&mut stack);
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    ready(&mut stack, "TCPIP2", 1, 1);
    assert_eq!(ring(&stack), [xcf(2)]);
    join(&mut stack, "TCPIP2", 2, &Definitions::default());
    assert_eq!(ring(&stack), [xcf(2)]);
    ready(&mut stack, "TCPIP2", 2, 0);
    assert!(ring(&stack).is_empty());
    // One with another address is another one.
    ready(&mut stack, "TCPIP2", 3, 1);
    join(&mut stack, "TCPIP2", 9, &Definitions::default());
    assert!(ring(&stack).is_empty());
}
