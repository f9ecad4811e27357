//! Random failures for a while, then peace; checked after every step.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::simulation::*;
use super::*;

const STACKS: u8 = 4;

/// What one stack has seen of another since it joined.
#[derive(Debug, Default)]
struct View {
    /// The sender's start and how often it had joined there, from the first fact.
    episode: Option<u64>,
    next: u64,
}

#[derive(Default)]
struct Checker {
    /// By observer and observed: present while a member.
    views: BTreeMap<(u8, u8), View>,
    /// By speaker and listener: the episode and the number of the next fact.
    says: BTreeMap<(u8, u8), (u64, u64)>,
    episodes: u64,
}

fn number(name: &str) -> u8 {
    name.trim_start_matches("TCPIP").parse().expect("a number")
}

impl Checker {
    /// Checks what `stack` was told, in order.
    fn observe(&mut self, stack: u8, events: Vec<GroupEvent>) {
        for event in events {
            match event {
                GroupEvent::Joined { name, .. } => {
                    let other = number(&name);
                    let before = self.views.insert((stack, other), View::default());
                    assert!(before.is_none(), "{stack}: {name} joined twice");
                    self.episodes += 1;
                    self.says.insert((stack, other), (self.episodes, 0));
                }
                GroupEvent::Left { name, .. } => {
                    let view = self.views.remove(&(stack, number(&name)));
                    assert!(view.is_some(), "{stack}: {name} left and was no member");
                    self.says.remove(&(stack, number(&name)));
                }
                GroupEvent::Fact { from, fact } => {
                    let view = self.views.get_mut(&(stack, number(&from)));
                    let view = view.expect("a fact came from who is no member");
                    let (episode, count) = (number_of(&fact) >> 32, number_of(&fact) & 0xffff_ffff);
                    assert_eq!(
                        *view.episode.get_or_insert(episode),
                        episode,
                        "{stack} of {from}"
                    );
                    assert_eq!(
                        view.next, count,
                        "{stack}: a fact of {from} is lost or repeated"
                    );
                    view.next += 1;
                }
                GroupEvent::PathUp { name, .. }
                | GroupEvent::PathDown { name, .. }
                | GroupEvent::PathLags { name, .. }
                | GroupEvent::Addresses { name, .. }
                | GroupEvent::State { name, .. } => {
                    assert!(
                        self.views.contains_key(&(stack, number(&name))),
                        "{name} is no member"
                    );
                }
                GroupEvent::Conflict { .. } | GroupEvent::Refused { .. } => {
                    panic!("{stack}: there is no conflict, but {event:?}")
                }
            }
        }
    }

    /// Forgets a stack that was ended.
    fn forget(&mut self, stack: u8) {
        self.views.retain(|(observer, _), _| *observer != stack);
        self.says.retain(|(speaker, _), _| *speaker != stack);
    }
}

/// The usual settings, or those of a group that must notice a loss within a quarter of a second.
fn settings_for(seed: u64, stack: u8) -> GroupSettings {
    let usual = settings(stack);
    if seed.is_multiple_of(2) {
        return usual;
    }
    GroupSettings {
        beat: ms(50),
        down_after: ms(250),
        gone_after: ms(250),
        ..usual
    }
}

fn step(simulation: &mut Simulation, checker: &mut Checker, seed: u64) {
    let numbers: Vec<u8> = (1..=STACKS).collect();
    let stack = *numbers.choose(&mut simulation.random).expect("some");
    let network = if simulation.random.random() { XCF } else { LAN };
    match simulation.random.random_range(0..100) {
        0..3 => {
            simulation.cuts.insert((network, stack));
        }
        3..8 => {
            simulation.cuts.remove(&(network, stack));
        }
        8..9 => {
            if simulation.random.random() {
                simulation.put(stack, Input::Stop);
            }
            simulation.crash(stack);
            checker.forget(stack);
        }
        9..12 => {
            if !simulation.stacks.contains_key(&stack) {
                simulation.start(stack, settings_for(seed, stack), ring(&[1]));
            }
        }
        12..14 => {
            simulation.weather = if simulation.random.random() {
                STORM
            } else {
                CALM
            }
        }
        _ => {
            for other in numbers {
                if let Some((episode, next)) = checker.says.get_mut(&(stack, other)) {
                    let number = *episode << 32 | *next;
                    *next += 1;
                    simulation.say(stack, other, number);
                }
            }
        }
    }
    let time = simulation.random.random_range(ms(0)..ms(80));
    simulation.run_for(time);
    for stack in 1..=STACKS {
        let events = simulation.take_events(stack);
        checker.observe(stack, events);
    }
}

fn run(seed: u64) {
    let mut simulation = Simulation::new(seed, CALM);
    for stack in 1..=STACKS {
        simulation.start(stack, settings_for(seed, stack), ring(&[1]));
    }
    let mut checker = Checker::default();
    for _ in 0..400 {
        step(&mut simulation, &mut checker, seed);
    }
    // Peace: everybody has everybody again, and all that is said from now on arrives.
    simulation.cuts.clear();
    simulation.weather = CALM;
    for stack in 1..=STACKS {
        if !simulation.stacks.contains_key(&stack) {
            simulation.start(stack, settings_for(seed, stack), ring(&[1]));
        }
    }
    simulation.run_for(ms(6_000));
    assert!(simulation.is_complete());
    for stack in 1..=STACKS {
        let events = simulation.take_events(stack);
        checker.observe(stack, events);
    }
    for ((speaker, listener), (episode, said)) in &checker.says {
        let view = &checker.views[&(*listener, *speaker)];
        assert_eq!(view.next, *said, "{speaker} to {listener}");
        assert!(view.episode.is_none_or(|heard| heard == *episode));
    }
}

#[test]
fn a_group_recovers_from_anything() {
    for seed in 0..12 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "with seed {seed}");
    }
}
