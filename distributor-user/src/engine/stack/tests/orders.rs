//! What the operator orders a stack, here and on another member's host.

use super::*;
use crate::engine::fact::{Ask, Outcome, Remaining};
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

/// Two stacks of which the first asks the second.
struct Pair {
    here: Stack,
    there: Stack,
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self {
            here: stack("TCPIP", front_end(Destinations::All), Adopted::default()),
            there: stack("TCPIP2", target(2), Adopted::default()),
        };
        start(&mut pair.here);
        let published = start(&mut pair.there);
        let values = published.into_iter().filter_map(|effect| {
            if let Effect::Publish { key, value } = effect {
                Some((key, value))
            } else {
                None
            }
        });
        let values = values.collect();
        join(&mut pair.here, "TCPIP2", 2, &Definitions::default());
        let name = "TCPIP2".to_owned();
        pair.here.handle(Event::State { name, values }, ZERO);
        let front_end = front_end(Destinations::All);
        join(&mut pair.there, "TCPIP", 1, &Definitions::of(&front_end));
        pair
    }

    fn ask(&mut self, to: &str, ask: Ask) -> Vec<Effect> {
        let (to, request) = (to.to_owned(), 7);
        self.here.handle(Event::Ask { to, request, ask }, ZERO)
    }

    /// Has the second stack take what the first one sends, and the first one take the answers.
    fn exchange(&mut self, effects: Vec<Effect>) -> Vec<Outcome> {
        let mut outcomes = answers(&effects);
        for fact in sent(effects) {
            let from = "TCPIP".to_owned();
            let mut done = self.there.handle(Event::Fact { from, fact }, ZERO);
            let counts = done.iter().filter_map(|effect| {
                if let Effect::CountRemaining { to, request, .. } = effect {
                    Some((to.clone(), *request))
                } else {
                    None
                }
            });
            for (to, request) in counts.collect::<Vec<_>>() {
                let outcome = Outcome::Remaining(left());
                let counted = Event::Remaining {
                    to,
                    request,
                    outcome,
                };
                done.extend(self.there.handle(counted, ZERO));
            }
            for fact in sent(done) {
                let from = "TCPIP2".to_owned();
                let effects = self.here.handle(Event::Fact { from, fact }, ZERO);
                outcomes.extend(answers(&effects));
            }
        }
        outcomes
    }
}

/// More than one fact can tell.
fn left() -> Vec<Remaining> {
    let left = (1..=2_500).map(|port| Remaining {
        dvipa: vipa(),
        port,
        connections: port.into(),
    });
    left.collect()
}

fn sent(effects: Vec<Effect>) -> Vec<Fact> {
    let asked = effects.into_iter().filter_map(|effect| {
        if let Effect::Send {
            fact: fact @ (Fact::Asked { .. } | Fact::Answered { .. }),
            ..
        } = effect
        {
            Some(fact)
        } else {
            None
        }
    });
    asked.collect()
}

fn answers(effects: &[Effect]) -> Vec<Outcome> {
    let answers = effects.iter().filter_map(|effect| {
        if let Effect::Answer {
            request: 7,
            outcome,
        } = effect
        {
            Some(outcome.clone())
        } else {
            None
        }
    });
    answers.collect()
}

#[test]
fn a_member_obeys_what_is_passed_on() {
    let mut pair = Pair::new();
    let effects = pair.ask("TCPIP2", Ask::Quiesce(Scope::Target));
    let outcomes = pair.exchange(effects);
    let [Outcome::Done(done)] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert!(
        done.starts_with("SDL0110I this target is quiesced"),
        "{done}"
    );
    assert!(pair.there.orders(ZERO).quiesce(8443));
    let effects = pair.ask("TCPIP2", Ask::Quiesce(Scope::Target));
    let outcomes = pair.exchange(effects);
    let again = Outcome::Refused("this target is quiesced already".to_owned());
    assert_eq!(outcomes, [again]);
    let effects = pair.ask("TCPIP2", Ask::Remaining(Scope::Target));
    assert_eq!(pair.exchange(effects), [Outcome::Remaining(left())]);
    let later = pair.here.handle(Event::Timer, Duration::from_mins(1));
    assert_eq!(answers(&later), [], "nothing is waited for");
    pair.there.handle(Event::Stop, ZERO);
    let effects = pair.ask("TCPIP2", Ask::Resume(Scope::Target));
    let outcomes = pair.exchange(effects);
    let stopping = Outcome::Refused("TCPIP2 is being stopped".to_owned());
    assert_eq!(outcomes, [stopping]);
}

#[test]
fn who_cannot_be_asked_is_not() {
    let mut pair = Pair::new();
    let refusal = |effects: Vec<Effect>| {
        assert_eq!(sent(effects.clone()), []);
        match &answers(&effects)[..] {
            [Outcome::Refused(reason)] => reason.clone(),
            other => panic!("{other:?}"),
        }
    };
    let quiesce = Ask::Quiesce(Scope::Target);
    let nobody = refusal(pair.ask("TCPIP9", quiesce.clone()));
    assert!(
        nobody.contains("no member") && nobody.contains("TCPIP2"),
        "{nobody}"
    );
    join(&mut pair.here, "OLD", 8, &Definitions::default());
    let old = refusal(pair.ask("OLD", quiesce.clone()));
    assert!(old.contains("older release"), "{old}");
    pair.here.handle(super::left("TCPIP2"), ZERO);
    let gone = refusal(pair.ask("TCPIP2", quiesce));
    assert!(gone.contains("not there"), "{gone}");
}

#[test]
fn who_does_not_answer_is_not_waited_for_without_end() {
    let mut pair = Pair::new();
    let order = Ask::Resume(Scope::Target);
    pair.ask("TCPIP2", order.clone());
    let unknown = |effects: &[Effect]| matches!(&answers(effects)[..], [Outcome::Unknown(_)]);
    let effects = pair.here.handle(Event::Timer, Duration::from_secs(4));
    assert_eq!(answers(&effects), []);
    let due = pair.here.next_timer();
    assert!(
        due.is_some_and(|due| due <= Duration::from_secs(5)),
        "{due:?}"
    );
    let effects = pair.here.handle(Event::Timer, Duration::from_secs(5));
    assert!(unknown(&effects), "{effects:?}");
    pair.ask("TCPIP2", order.clone());
    let effects = pair.here.handle(super::left("TCPIP2"), ZERO);
    assert!(unknown(&effects), "{effects:?}");

    // An answer that comes from somebody else, or to nothing that was asked, is none.
    let mut pair = Pair::new();
    pair.ask("TCPIP2", order);
    let done = |request| Fact::Answered {
        request,
        parts_left: 0,
        outcome: Outcome::Done("done".to_owned()),
    };
    join(&mut pair.here, "TCPIP3", 3, &Definitions::default());
    for (from, request, expected) in [("TCPIP3", 7, 0), ("TCPIP2", 8, 0), ("TCPIP2", 7, 1)] {
        let (from, fact) = (from.to_owned(), done(request));
        let effects = pair.here.handle(Event::Fact { from, fact }, ZERO);
        assert_eq!(answers(&effects).len(), expected);
    }
}
