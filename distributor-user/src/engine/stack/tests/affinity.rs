//! TIMEDAFFINITY: which targets clients of the owner keep, and of which services a target's clients keep
//! their listeners.

use super::*;
use crate::engine::config::{DistOptions, Terms};
use crate::engine::forwarding::Affinity;

const SECONDS: u16 = 30;

/// The front end's profile, with affinity on one of two ports.
fn affine() -> Config {
    let config = front_end(Destinations::list([xcf(2), xcf(3)]));
    let service = &config.services[0];
    let other = Service {
        port: 9443,
        ..service.clone()
    };
    let terms = Terms {
        options: DistOptions {
            timed_affinity_s: SECONDS,
            ..DistOptions::default()
        },
        ..(*service.terms).clone()
    };
    let kept = Service {
        terms: Arc::new(terms),
        ..service.clone()
    };
    Config {
        services: vec![kept, other],
        ..config
    }
}

fn affinity(stack: &Stack, port: u16) -> Option<Affinity> {
    let service = ServiceKey { port, ..key() };
    let services = &stack.applied().forwarding.services;
    services.get(&service).expect("a service").affinity.clone()
}

#[test]
fn clients_keep_targets_that_listen_and_are_not_quiesced() {
    let mut owner = stack("TCPIP", affine(), Adopted::default());
    start(&mut owner);
    let ready = |rows: &[u16]| {
        Some(Affinity {
            seconds: SECONDS,
            ready: rows.into(),
        })
    };
    assert_eq!(affinity(&owner, 8443), ready(&[]));
    assert_eq!(affinity(&owner, 9443), None);
    let definitions = Definitions::default();
    for (host, name) in [(2, "TCPIP2"), (3, "TCPIP3")] {
        join(&mut owner, name, host, &definitions);
        super::ready(&mut owner, name, 1, 1);
    }
    assert_eq!(affinity(&owner, 8443), ready(&[0, 1]));
    let say = |owner: &mut Stack, revision, is_quiesced| {
        let row = ReadyRow {
            dvipa: vipa(),
            port: 8443,
            listeners: 1,
            is_quiesced,
            responsiveness: Responsiveness::default(),
            weight: Some(0),
        };
        let ready = vec![row];
        let fact = Fact::Readiness { revision, ready };
        let from = "TCPIP2".to_owned();
        owner.handle(Event::Fact { from, fact }, ZERO);
    };
    say(&mut owner, 10, true);
    assert_eq!(affinity(&owner, 8443), ready(&[1]));
    say(&mut owner, 11, false);
    assert_eq!(affinity(&owner, 8443), ready(&[0, 1]));
    super::ready(&mut owner, "TCPIP2", 12, 0);
    assert_eq!(affinity(&owner, 8443), ready(&[1]));
    super::ready(&mut owner, "TCPIP2", 13, 2);
    owner.handle(left("TCPIP3"), ZERO);
    assert_eq!(affinity(&owner, 8443), ready(&[0]));
}

fn kept(effects: &[Effect]) -> Vec<BTreeMap<ServiceKey, u16>> {
    let mut kept = Vec::new();
    for effect in effects {
        if let Effect::KeepListeners(services) = effect {
            kept.push(services.clone());
        }
    }
    kept
}

#[test]
fn a_target_lets_clients_keep_their_listeners_by_its_owner_s_terms() {
    let definitions = Definitions::of(&affine());
    let mut two = stack("TCPIP2", target(2), Adopted::default());
    let mut effects = start(&mut two);
    effects.extend(join(&mut two, "TCPIP", 1, &definitions));
    assert_eq!(kept(&effects), [[(key(), SECONDS)].into()]);
    // An earlier daemon may have left others: it is said again, once.
    let later = LISTEN + SETTLE;
    let effects = [1, 2].map(|tick| two.handle(Event::Tick, later * tick));
    assert_eq!(effects.map(|effects| kept(&effects).len()), [1, 0]);

    // A stack that is no target of it keeps nothing, and says so in time.
    let mut four = stack("TCPIP4", target(4), Adopted::default());
    let mut effects = start(&mut four);
    effects.extend(join(&mut four, "TCPIP", 1, &definitions));
    assert_eq!(kept(&effects), []);
    let effects = four.handle(Event::Tick, later);
    assert_eq!(kept(&effects), [BTreeMap::new()]);
}
