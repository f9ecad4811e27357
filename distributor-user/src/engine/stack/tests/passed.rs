//! What an operator orders a stack on another member's host.

use super::*;
use crate::engine::fact::{Ask, Outcome, Remaining};

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
