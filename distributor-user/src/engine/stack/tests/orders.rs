//! What the operator orders a stack.

use super::*;
use crate::engine::servers::Server;

#[test]
fn a_quiesced_target_says_so_and_is_handed_nothing() {
    let mut target = stack("TCPIP2", target(2), Adopted::default());
    start(&mut target);
    let front_end = front_end(Destinations::All);
    join(&mut target, "TCPIP", 1, &Definitions::of(&front_end));
    let row = |port, is_quiesced| ReadyRow {
        dvipa: vipa(),
        port,
        listeners: 1,
        is_quiesced,
        responsiveness: Responsiveness::default(),
        weight: None,
    };
    let listeners = vec![row(80, false), row(8443, false)];
    target.handle(Event::Listeners(listeners), ZERO);
    for (order, rows) in [
        (
            Vary::Quiesce(Scope::Port(8443)),
            [row(80, false), row(8443, true)],
        ),
        (
            Vary::Quiesce(Scope::Target),
            [row(80, true), row(8443, true)],
        ),
        (
            Vary::Resume(Scope::Target),
            [row(80, false), row(8443, true)],
        ),
        (
            Vary::Resume(Scope::Port(8443)),
            [row(80, false), row(8443, false)],
        ),
    ] {
        target.consider(&order).expect("it is not so yet");
        let effects = target.handle(Event::Vary(order.clone()), ZERO);
        let told = effects.iter().any(|effect| {
            matches!(effect, Effect::Send { to, fact: Fact::Readiness { ready, .. } }
                if to == "TCPIP" && *ready == rows)
        });
        assert!(told, "{order:?}: {effects:?}");
        assert!(target.consider(&order).is_err(), "{order:?} twice");
    }
    let all = Vary::Quiesce(Scope::Target);
    target.handle(Event::Vary(all), ZERO);
    let error = target.consider(&Vary::Resume(Scope::Port(8443)));
    let error = error.expect_err("only the whole target is").to_string();
    assert!(error.contains("resume target"), "{error}");

    let mut front_end = owner();
    start(&mut front_end);
    join(&mut front_end, "TCPIP2", 2, &Definitions::default());
    for (revision, is_quiesced) in [(1, false), (2, true), (3, false)] {
        let fact = Fact::Readiness {
            revision,
            ready: vec![row(8443, is_quiesced)],
        };
        let from = "TCPIP2".to_owned();
        front_end.handle(Event::Fact { from, fact }, ZERO);
        assert_eq!(ring(&front_end).is_empty(), is_quiesced);
    }
}

fn server(port: Option<u16>, job: &str) -> Scope {
    let job = job.parse().expect("a job name");
    Scope::Server(Server { port, job })
}

/// The servers that the shell was last told to set aside.
fn aside(effects: &[Effect]) -> Vec<String> {
    let mut effects = effects.iter().rev();
    let last = effects.find_map(|effect| {
        if let Effect::SetAside(servers) = effect {
            Some(servers)
        } else {
            None
        }
    });
    let servers = last.expect("the shell is told").iter();
    servers.map(ToString::to_string).collect()
}

#[test]
fn quiesced_servers_are_set_aside_and_outlive_the_daemon() {
    let mut target = stack("TCPIP2", target(2), Adopted::default());
    assert!(aside(&start(&mut target)).is_empty());
    let (web, any) = (server(Some(8443), "WEB*"), server(None, "DB"));
    for scope in [web, any] {
        let order = Vary::Quiesce(scope);
        target.consider(&order).expect("it is not so yet");
        let effects = target.handle(Event::Vary(order.clone()), ZERO);
        assert!(effects.contains(&Effect::KeepOrders));
        assert!(target.consider(&order).is_err(), "twice");
    }
    let orders = target.orders(ZERO);
    assert_eq!(
        orders.to_string(),
        "quiesce job=DB, quiesce port=8443 job=WEB*"
    );
    let json = serde_json::to_string(&orders).expect("JSON");
    let mut successor = stack(
        "TCPIP2",
        super::target(2),
        Adopted {
            orders: serde_json::from_str(&json).expect("orders"),
            ..Adopted::default()
        },
    );
    assert_eq!(
        aside(&start(&mut successor)),
        ["job=DB", "port=8443 job=WEB*"]
    );
    for (port, job, expected) in [
        (8443, "WEB1", true),
        (80, "WEB1", false),
        (80, "DB", true),
        (8443, "*", false),
    ] {
        let is_quiesced = successor.has_quiesced_job(port, job);
        assert_eq!(is_quiesced, expected, "{port} {job}");
    }
    let effects = successor.handle(Event::Vary(Vary::Resume(web)), ZERO);
    assert_eq!(aside(&effects), ["job=DB"]);
    let weigh = Vary::Weigh(any, Some(5));
    assert_eq!(successor.consider(&weigh), Err(Refused::WeightOfServer));
}

#[test]
fn a_port_without_a_server_that_counts_is_not_ready() {
    let mut front_end = owner();
    start(&mut front_end);
    join(&mut front_end, "TCPIP2", 2, &Definitions::default());
    let report = |front_end: &mut Stack, revision, listeners, is_quiesced| {
        let row = ReadyRow {
            dvipa: vipa(),
            port: 8443,
            listeners,
            is_quiesced,
            responsiveness: Responsiveness::default(),
            weight: None,
        };
        let fact = Fact::Readiness {
            revision,
            ready: vec![row],
        };
        let from = "TCPIP2".to_owned();
        front_end.handle(Event::Fact { from, fact }, ZERO)
    };
    report(&mut front_end, 1, 2, false);
    assert_eq!(ring(&front_end), [xcf(2)]);
    report(&mut front_end, 2, 1, false);
    assert_eq!(ring(&front_end), [xcf(2)]);
    let told = report(&mut front_end, 3, 0, true);
    assert!(ring(&front_end).is_empty());
    let ended = |effect: &Effect| matches!(effect, Effect::Tell(Message::ServerEnded { .. }));
    assert!(told.iter().any(ended), "{told:?}");
}

#[test]
fn each_drain_resets_what_it_was_for() {
    let mut target = stack("TCPIP2", target(2), Adopted::default());
    start(&mut target);
    let front_end = front_end(Destinations::All);
    join(&mut target, "TCPIP", 1, &Definitions::of(&front_end));
    let at = Duration::from_secs;
    for (scope, within) in [
        (Scope::Target, 30),
        (Scope::Port(8443), 10),
        (server(None, "WEB1"), 20),
        (Scope::Port(80), 20),
    ] {
        let within = Some(at(within));
        target.handle(Event::Vary(Vary::Drain { scope, within }), ZERO);
    }
    // One that is resumed is forgotten.
    target.handle(Event::Vary(Vary::Resume(Scope::Target)), ZERO);
    let resets = |effects: Vec<Effect>| -> Vec<Served> {
        let served = effects.into_iter().filter_map(|effect| {
            if let Effect::ResetConnections(served) = effect {
                Some(served)
            } else {
                None
            }
        });
        served.collect()
    };
    let all = BTreeSet::from([key()]);
    assert_eq!(resets(target.handle(Event::Timer, at(9))), []);
    let first = resets(target.handle(Event::Timer, at(10)));
    let services = all.clone();
    assert_eq!(
        first,
        [Served {
            services,
            job: None
        }]
    );
    let job = "WEB1".parse().ok();
    let second = resets(target.handle(Event::Timer, at(25)));
    let services = BTreeSet::new();
    let nothing = Served {
        services,
        job: None,
    };
    assert_eq!(second, [Served { services: all, job }, nothing]);
    assert_eq!(resets(target.handle(Event::Timer, at(60))), []);
}
