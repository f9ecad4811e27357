//! What the operator orders a stack.

use super::*;

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
