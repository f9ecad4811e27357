use std::collections::BTreeSet;

use super::*;

#[test]
fn every_counter_has_a_place_and_a_name_of_its_own() {
    let indices: BTreeSet<_> = COUNTERS.iter().map(|counter| counter.index).collect();
    let names: BTreeSet<_> = COUNTERS.iter().map(|counter| counter.name).collect();
    assert_eq!(indices.len(), COUNTERS.len());
    assert_eq!(names.len(), COUNTERS.len());
    for counter in COUNTERS {
        assert!(counter.index < COUNTER_SLOTS, "{counter:?}");
        assert!(counter.help.ends_with('.'), "{counter:?}");
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit();
        assert!(counter.name.chars().all(is_plain), "{counter:?}");
    }
}

#[test]
fn verdicts_are_found_by_their_index() {
    let verdicts = COUNTERS.iter().filter(|counter| counter.action.is_some());
    for counter in verdicts {
        let index = u8::try_from(counter.index).expect("small");
        let verdict = Verdict::from_index(index).expect("a verdict");
        assert_eq!(verdict.index(), counter.index);
        assert_eq!(Some(verdict.action()), counter.action);
    }
    assert_eq!(Verdict::from_index(Event::FlowStored as u8), None);
    assert_eq!(Verdict::from_index(u8::MAX), None);
}

#[test]
fn totals_are_summed_over_cpus_and_reasons() {
    let mut cpus = [[0; COUNTER_SLOTS]; 2];
    cpus[0][Verdict::NotTcp.index()] = 3;
    cpus[1][Verdict::NotTcp.index()] = 4;
    cpus[1][Verdict::NotIp.index()] = 5;
    cpus[0][Event::FlowStored.index()] = 2;
    let totals: Totals = cpus.iter().collect();
    assert_eq!(totals.verdict(Verdict::NotTcp), 7);
    assert_eq!(totals.action(Action::Pass), 12);
    assert_eq!(totals.action(Action::Drop), 0);
    assert_eq!(totals.event(Event::FlowStored), 2);
    assert_eq!((totals.received(), totals.of_hosts()), (12, 7));
    let (received, value) = totals.iter().next().expect("some counter");
    assert_eq!((received.name, value), ("received", 12));
}
