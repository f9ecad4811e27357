//! What one machine answers, word by word.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::super::*;
use crate::engine::config::Moveable;

const DVIPA: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 3, 10));
const OTHER: &str = "TCPIP2";

fn epoch(counter: u64) -> Epoch {
    Epoch {
        counter,
        stack: OTHER.to_owned(),
    }
}

fn own(counter: u64, is_vacating: bool) -> Word {
    Word::Own {
        epoch: epoch(counter),
        rank: DEFINER,
        is_vacating,
    }
}

fn ask(counter: u64, known: u64) -> Word {
    Word::Ask {
        epoch: epoch(counter),
        rank: DEFINER,
        known: Some(epoch(known)),
        is_vacant: false,
        is_handover: false,
    }
}

/// A definer, not a new one, that hears the other.
struct Definer {
    machine: Ownership,
    now: Duration,
}

impl Definer {
    fn new() -> Self {
        let adopted = AdoptedEpoch {
            counter: 2,
            is_own: false,
        };
        let adopted = [(DVIPA, adopted)].into();
        let machine = Ownership::new("TCPIP", &adopted, Duration::ZERO);
        let mut definer = Self {
            machine,
            now: Duration::ZERO,
        };
        definer.input(Input::Member(OTHER.to_owned(), Liveness::Alive));
        definer.hear(own(3, false));
        let stake = Stake {
            rank: DEFINER,
            creates: true,
            moveable: Moveable::Immediate,
        };
        definer.input(Input::Stakes([(DVIPA, stake)].into()));
        definer.now = LISTEN_AS_BACKUP;
        definer
    }

    fn input(&mut self, input: Input) -> Vec<Word> {
        let outputs = self.machine.handle(input, self.now).into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Say { word, .. } => Some(word),
                Output::Changed(_)
                | Output::Prepare(_)
                | Output::CountConnections(_)
                | Output::Tell(_) => None,
            })
            .collect()
    }

    fn hear(&mut self, word: Word) -> Vec<Word> {
        self.input(Input::Word {
            from: OTHER.to_owned(),
            dvipa: DVIPA,
            word,
        })
    }
}

#[test]
fn an_owner_that_forgot_that_it_was_going_is_let_have_it_again() {
    let mut definer = Definer::new();
    definer.hear(own(4, true));
    let awaits = definer.machine.holding(DVIPA).awaits;
    assert_eq!(awaits, Some(Awaits::Owner), "it was about to hand over");
    // It was restarted, and claims what it had.
    let said = definer.hear(ask(5, 4));
    assert_eq!(said, [Word::Promise { epoch: epoch(5) }]);
}

#[test]
fn a_claim_that_arrives_late_says_nothing_about_the_owners_plans() {
    let mut definer = Definer::new();
    definer.hear(own(4, true));
    let said = definer.hear(ask(4, 3));
    let because = Refusal::Later {
        epoch: epoch(4),
        rank: DEFINER,
    };
    let epoch = Some(epoch(4));
    assert_eq!(said, [Word::Refuse { epoch, because }]);
    let awaits = definer.machine.holding(DVIPA).awaits;
    assert_eq!(awaits, Some(Awaits::Owner));
}

/// A backup whose owner has died, with a third stack that has not found out yet.
#[test]
fn a_member_that_takes_a_dead_owner_for_living_is_soon_asked_again() {
    const WITNESS: &str = "TCPIP3";
    let mut backup = Definer::new();
    backup.input(Input::Member(WITNESS.to_owned(), Liveness::Alive));
    backup.input(Input::Member(OTHER.to_owned(), Liveness::Dead));
    let mut asked_at = Vec::new();
    for _ in 0..200 {
        let said = backup.input(Input::Timer);
        for word in said {
            let Word::Ask { epoch, .. } = word else {
                continue;
            };
            asked_at.push(backup.now);
            let word = Word::Refuse {
                epoch: Some(epoch),
                because: Refusal::OwnerLives,
            };
            backup.input(Input::Word {
                from: WITNESS.to_owned(),
                dvipa: DVIPA,
                word,
            });
        }
        backup.now += Duration::from_millis(1);
    }
    let pauses = asked_at
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]).as_millis());
    assert_eq!(pauses.collect::<Vec<_>>(), [5, 10, 20, 40, 50]);
}
