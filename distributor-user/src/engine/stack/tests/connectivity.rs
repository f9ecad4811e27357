//! What is sent to targets, and whether it arrives.

use super::*;

fn by_weight() -> Config {
    let mut config = front_end(Destinations::list([xcf(2), xcf(3)]));
    let destinations = config.services[0].terms.destinations.clone();
    let service = Service::new(vipa(), 8443, DistMethod::BASE_WLM, destinations);
    config.services = vec![service];
    config
}

/// A second passes in which so much was sent to each target altogether; of that `taken` has arrived at
/// TCPIP2, and everything at TCPIP3. Returns what there is to tell.
fn second(stack: &mut Stack, at_s: u64, sent: u64, taken: u64) -> Vec<Message> {
    let now = Duration::from_secs(at_s);
    let counts = BTreeMap::from([(xcf(1), 7), (xcf(2), sent), (xcf(3), sent)]);
    let mut effects = stack.handle(Event::SynsSent(counts), now);
    for (name, taken) in [("TCPIP2", taken), ("TCPIP3", sent)] {
        let request = effects.iter().find_map(|effect| {
            let Effect::Send { to, fact } = effect else {
                return None;
            };
            let Fact::SynsRequest { request } = fact else {
                return None;
            };
            (to == name).then_some(*request)
        });
        let Some(request) = request else {
            continue;
        };
        // An answer to another question than the last says nothing.
        for (request, taken) in [(request - 1, 0), (request, taken)] {
            let event = Event::Fact {
                from: name.to_owned(),
                fact: Fact::SynsTaken { request, taken },
            };
            effects.extend(stack.handle(event, now));
        }
    }
    let messages = effects.into_iter().filter_map(|effect| {
        let Effect::Tell(message) = effect else {
            return None;
        };
        Some(message)
    });
    messages.collect()
}

#[test]
fn a_target_that_new_connections_do_not_reach_gets_few_until_they_do() {
    let mut stack = stack("TCPIP", by_weight(), Adopted::default());
    start(&mut stack);
    for (name, host) in [("TCPIP2", 2), ("TCPIP3", 3)] {
        join(&mut stack, name, host, &Definitions::default());
        ready(&mut stack, name, 1, 1);
        let load = Load {
            capacity: 1_000,
            free: 1_000,
            ..Load::default()
        };
        let from = name.to_owned();
        let fact = Fact::Load(Some(load));
        stack.handle(Event::Fact { from, fact }, ZERO);
    }
    let (two, three) = (xcf(2), xcf(3));
    assert_eq!(second(&mut stack, 1, 10, 10), []);
    assert_eq!(second(&mut stack, 2, 20, 20), []);
    assert_eq!(ring(&stack), [two, three]);
    assert_eq!(
        stack.connectivity(),
        [(xcf(1), 100), (two, 100), (three, 100)].into()
    );

    // The way is cut: a quarter at first, then nothing.
    assert_eq!(second(&mut stack, 3, 30, 20), []);
    assert_eq!(stack.connectivity()[&two], 25);
    assert_eq!(
        ring(&stack).iter().filter(|next| **next == two).count() * 4,
        4
    );
    let target = "TCPIP2".to_owned();
    let lost = Message::OutOfReach {
        target: target.clone(),
        tcsr: 6,
    };
    assert_eq!(second(&mut stack, 4, 40, 20), [lost]);
    assert_eq!(ring(&stack), [three]);

    // It gets nothing; after a while it is tried, and still not reached.
    for at_s in 5..9 {
        assert_eq!(second(&mut stack, at_s, 40, 20), [], "{at_s}");
        assert_eq!(ring(&stack), [three]);
    }
    assert_eq!(second(&mut stack, 9, 40, 20), []);
    assert_eq!(ring(&stack).iter().filter(|next| **next == two).count(), 1);
    assert_eq!(second(&mut stack, 10, 50, 20), []);
    assert_eq!(ring(&stack), [three]);

    // The way is whole again.
    assert_eq!(second(&mut stack, 15, 50, 20), []);
    assert_eq!(
        second(&mut stack, 16, 60, 30),
        [Message::WithinReach { target }]
    );
    assert_eq!(second(&mut stack, 17, 70, 40), []);
    assert_eq!(second(&mut stack, 18, 80, 50), []);
    assert_eq!(second(&mut stack, 19, 90, 60), []);
    assert_eq!(ring(&stack), [two, three]);
}

#[test]
fn nobody_is_asked_who_is_sent_nothing_and_whoever_is_asked_counts() {
    let mut stack = stack("TCPIP2", target(2), Adopted::default());
    start(&mut stack);
    join(&mut stack, "TCPIP", 1, &Definitions::of(&by_weight()));
    let idle = BTreeMap::from([(xcf(1), 0), (xcf(2), 4)]);
    assert_eq!(stack.handle(Event::SynsSent(idle), ZERO), []);

    let asked = ("TCPIP".to_owned(), 9);
    let event = Event::Fact {
        from: "TCPIP".to_owned(),
        fact: Fact::SynsRequest { request: 9 },
    };
    let count = Effect::CountSyns {
        from: xcf(1).into(),
        asked: asked.clone(),
    };
    assert_eq!(stack.handle(event, ZERO), [count]);
    let answer = Effect::Send {
        to: "TCPIP".to_owned(),
        fact: Fact::SynsTaken {
            request: 9,
            taken: 5,
        },
    };
    let counted = Event::SynsTaken { asked, taken: 5 };
    assert_eq!(stack.handle(counted, ZERO), [answer]);
}
