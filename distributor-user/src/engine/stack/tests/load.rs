//! Who is told what stacks and servers could still do, and when it matters.

use super::*;
use crate::engine::config::Processors;
use crate::engine::fact::ServerRow;
use crate::engine::load::Account;

const SERVER_WLM: DistMethod = DistMethod::ServerWlm {
    cross_cost: Processors {
        cp: 1,
        zaap: 1,
        ziip: 1,
    },
    importance: 0,
};

fn by_servers() -> Config {
    let mut config = front_end(Destinations::list([xcf(2), xcf(3)]));
    let destinations = config.services[0].terms.destinations.clone();
    config.services = vec![Service::new(vipa(), 8443, SERVER_WLM, destinations)];
    config
}

fn server(free: u32) -> Server {
    let load = Load {
        capacity: 1_600,
        free,
        ..Load::default()
    };
    Server {
        account: Account::Cgroup,
        load,
    }
}

/// A member tells what its servers could do.
fn told(stack: &mut Stack, from: &str, free: &[u32]) -> Vec<Effect> {
    let row = ServerRow {
        dvipa: vipa(),
        port: 8443,
        servers: free.iter().copied().map(server).collect(),
    };
    let rows = if free.is_empty() { vec![] } else { vec![row] };
    let event = Event::Fact {
        from: from.to_owned(),
        fact: Fact::Servers {
            parts_left: 0,
            rows,
        },
    };
    stack.handle(event, ZERO)
}

fn forwards(effects: &[Effect]) -> bool {
    let mut effects = effects.iter();
    effects.any(|effect| matches!(effect, Effect::Forward(_)))
}

#[test]
fn serverwlm_goes_by_the_servers_once_all_targets_have_told() {
    let mut stack = stack("TCPIP", by_servers(), Adopted::default());
    start(&mut stack);
    for (name, host) in [("TCPIP2", 2), ("TCPIP3", 3)] {
        join(&mut stack, name, host, &Definitions::default());
        ready(&mut stack, name, 1, 2);
    }
    let (two, three) = (xcf(2), xcf(3));
    // Nobody has told, and one has: in turn.
    assert_eq!(ring(&stack), [two, three]);
    told(&mut stack, "TCPIP2", &[800, 400]);
    assert_eq!(ring(&stack), [two, three]);
    // What the whole stack could do is nothing here.
    let fact = Fact::Load(Some(server(100).load));
    let from = || "TCPIP3".to_owned();
    stack.handle(Event::Fact { from: from(), fact }, ZERO);
    assert_eq!(ring(&stack), [two, three]);
    // 600 on the average against 1,200: 21 of 64 and 42, by four 5 and 10.
    assert!(forwards(&told(&mut stack, "TCPIP3", &[1_200])));
    assert_eq!(ring(&stack), [three, two, three]);
    // Less than a sixteenth makes no difference, in however many steps it comes.
    for free in [1_250, 1_299, 1_101, 1_299] {
        assert!(!forwards(&told(&mut stack, "TCPIP3", &[free])), "{free}");
    }
    // Another server does, and one that is not measured any more.
    assert!(forwards(&told(&mut stack, "TCPIP3", &[1_200, 0])));
    assert_eq!(ring(&stack), [two, three]);
    assert!(forwards(&told(&mut stack, "TCPIP3", &[0, 0])));
    assert_eq!(ring(&stack), [two]);
    assert!(forwards(&told(&mut stack, "TCPIP3", &[])));
    assert_eq!(ring(&stack), [two, three]);
}

#[test]
fn what_waits_comes_and_goes_without_a_swing() {
    let mut stack = stack("TCPIP", by_servers(), Adopted::default());
    start(&mut stack);
    for (name, host) in [("TCPIP2", 2), ("TCPIP3", 3)] {
        join(&mut stack, name, host, &Definitions::default());
        ready(&mut stack, name, 1, 1);
        told(&mut stack, name, &[1_600]);
    }
    // A server that is a little busier or less from second to second.
    let noise = [1_560, 1_590, 1_520, 1_600, 1_505, 1_580];
    let swings = noise
        .iter()
        .cycle()
        .take(60)
        .filter(|free| forwards(&told(&mut stack, "TCPIP2", &[**free])));
    assert_eq!(swings.count(), 0);
}

#[test]
fn a_target_measures_what_the_owner_distributes_by_servers_and_tells_everybody() {
    let mut stack = stack("TCPIP2", target(2), Adopted::default());
    start(&mut stack);
    let row = ReadyRow {
        dvipa: vipa(),
        port: 8443,
        listeners: 1,
        is_quiesced: false,
        responsiveness: Responsiveness::default(),
        weight: None,
    };
    let other = ReadyRow { port: 9443, ..row };
    stack.handle(Event::Listeners(vec![row, other]), ZERO);
    assert_eq!(stack.weighed(), BTreeSet::new());
    join(&mut stack, "TCPIP", 1, &Definitions::of(&by_servers()));
    join(&mut stack, "TCPIP3", 3, &Definitions::default());
    assert_eq!(stack.weighed(), BTreeSet::from([key()]));

    let servers = BTreeMap::from([(key(), vec![server(700)])]);
    let effects = stack.handle(Event::Servers(servers.clone()), ZERO);
    let row = ServerRow {
        dvipa: vipa(),
        port: 8443,
        servers: vec![server(700)],
    };
    let expected = ["TCPIP", "TCPIP3"].map(|to| Effect::Send {
        to: to.to_owned(),
        fact: Fact::Servers {
            parts_left: 0,
            rows: vec![row.clone()],
        },
    });
    assert_eq!(effects, expected);
    let own = stack.loads().servers;
    assert_eq!(own.get(&(key(), xcf(2))), servers.get(&key()));
}

#[test]
fn what_is_too_long_for_one_fact_is_said_in_parts() {
    let mut stack = stack("TCPIP2", target(2), Adopted::default());
    start(&mut stack);
    join(&mut stack, "TCPIP", 1, &Definitions::of(&by_servers()));
    // Nothing is said where nothing is measured and nothing was.
    assert_eq!(stack.handle(Event::Servers(BTreeMap::new()), ZERO), []);
    let of = |port| {
        let dvipa = vipa();
        (ServiceKey { dvipa, port }, vec![server(700); 64])
    };
    let servers: BTreeMap<_, _> = (1..=20).map(of).collect();
    let effects = stack.handle(Event::Servers(servers.clone()), ZERO);

    let mut other = super::stack("TCPIP", by_servers(), Adopted::default());
    start(&mut other);
    join(&mut other, "TCPIP2", 2, &Definitions::default());
    let mut parts = Vec::new();
    for effect in effects {
        let Effect::Send { fact, .. } = effect else {
            panic!("{effect:?}");
        };
        assert!(other.loads().servers.is_empty(), "not before all is there");
        let Fact::Servers { parts_left, .. } = fact else {
            panic!("{fact:?}");
        };
        let length = postcard::to_stdvec(&fact).expect("bytes").len();
        assert!(length < 32 << 10, "{length}");
        parts.push(parts_left);
        let from = "TCPIP2".to_owned();
        other.handle(Event::Fact { from, fact }, ZERO);
    }
    assert_eq!(parts, [2, 1, 0]);
    let told = other.loads().servers;
    assert_eq!(told.len(), 20);
    assert!(
        told.iter()
            .all(|((key, _), told)| servers.get(key) == Some(told))
    );
}
