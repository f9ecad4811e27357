//! What is kept, and where the way back leads.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

/// Configurations that differ.
fn config(number: u8) -> Config {
    let mut config = Config::default();
    config.ip.time_to_live = number;
    config
}

fn new(how: How, number: u8) -> New {
    New {
        how,
        by: None,
        source: None,
        changes: vec![format!("it is {number}")],
        config: config(number),
        profile: None,
        within: None,
    }
}

/// The same, while the profile says `profile`.
fn beside(profile: u8, new: New) -> New {
    New {
        profile: Some(config(profile)),
        ..new
    }
}

/// The same, for five minutes unless it is confirmed.
fn on_trial(new: New) -> New {
    New {
        within: Some(Duration::from_mins(5)),
        ..new
    }
}

/// A start with 1, and then these.
fn history(then: &[(How, u8)]) -> History {
    let mut history = History::default();
    history.record(new(How::Start, 1), at(0));
    for (how, number) in then {
        history.record(new(*how, *number), at(0));
    }
    history
}

fn in_force(history: &History) -> u8 {
    history.last().expect("an entry").config.ip.time_to_live
}

#[test]
fn each_rollback_goes_one_further_back() {
    let mut history = history(&[(How::Apply, 2), (How::Obey, 3)]);
    for expected in [2, 1] {
        let entry = history.way_back(None).expect("a way back").clone();
        assert_eq!(entry.config, config(expected));
        history.record(new(How::Rollback(entry.number), expected), at(1));
        assert_eq!(in_force(&history), expected);
    }
    assert_eq!(history.way_back(None), Err(NoWayBack::None));
    // What comes after a rollback is undone to what the rollback had restored.
    history.record(new(How::Apply, 4), at(2));
    let back = history.way_back(None).expect("a way back");
    assert_eq!(back.config, config(1));
    let third = history.way_back(Some(3)).expect("an entry");
    assert_eq!(third.config, config(3));
    assert_eq!(history.way_back(Some(77)), Err(NoWayBack::Unknown(77)));
}

#[test]
fn the_same_again_is_no_entry() {
    let mut history = history(&[]);
    assert_eq!(history.record(new(How::Reload, 1), at(1)), 1);
    assert_eq!(history.entries().len(), 1);
    // But what was obeyed and is applied then lasts from then on.
    history.record(new(How::Obey, 2), at(2));
    assert_eq!(history.record(new(How::Apply, 2), at(3)), 3);
}

#[test]
fn what_is_not_confirmed_comes_back_to_what_was() {
    let mut history = history(&[]);
    history.record(on_trial(new(How::Apply, 2)), at(0));
    let unconfirmed = *history.unconfirmed().expect("a trial");
    assert_eq!(unconfirmed.back_to, 1);
    for (now, left) in [(0, 300), (299, 1), (300, 0), (9_999, 0), (-9_999, 300)] {
        assert_eq!(
            unconfirmed.left(at(now)),
            Duration::from_secs(left),
            "{now}"
        );
    }
    assert_eq!(history.way_back(None).expect("a way back").number, 1);
    let mut confirmed = history.clone();
    assert_eq!(confirmed.confirm(), Some(2));
    assert_eq!(confirmed.confirm(), None);
    assert_eq!(in_force(&confirmed), 2);
    history.record(new(How::Undo(1), 1), at(300));
    assert_eq!((in_force(&history), history.unconfirmed()), (1, None));
    assert_eq!(history.way_back(None), Err(NoWayBack::None));
}

#[test]
fn a_start_goes_on_with_what_was_said_last() {
    let mut history = history(&[]);
    let none = History::default();
    assert_eq!(none.at_start(&config(1), at(0)), Start::Profile);
    assert_eq!(history.at_start(&config(1), at(0)), Start::Profile);
    // Applied beside the profile: it lasts as long as the profile stays as it is.
    history.record(beside(1, new(How::Apply, 2)), at(0));
    assert!(history.sets_profile_aside());
    for (profile, expected) in [
        (1, Start::Entry(2)),
        (2, Start::Profile),
        (3, Start::Profile),
    ] {
        let start = history.at_start(&config(profile), at(0));
        assert_eq!(start, expected, "{profile}");
    }
    // What was obeyed on top of it does not.
    let mut obeyed = history.clone();
    obeyed.record(new(How::Obey, 4), at(0));
    assert_eq!(obeyed.at_start(&config(1), at(0)), Start::Entry(2));
    // Going on with it, a start sets the profile aside as before.
    obeyed.record(beside(1, new(How::Start, 2)), at(0));
    assert_eq!(obeyed.at_start(&config(1), at(0)), Start::Entry(4));
    history.follow_profile();
    assert_eq!(history.at_start(&config(1), at(0)), Start::Profile);
    // The profile itself was changed and applied.
    let mut edited = self::history(&[]);
    edited.record(beside(2, new(How::Apply, 2)), at(0));
    assert!(!edited.sets_profile_aside());
    assert_eq!(edited.at_start(&config(2), at(0)), Start::Profile);
    // And rolled back, though the file still has it.
    edited.record(beside(2, new(How::Rollback(1), 1)), at(0));
    assert_eq!(edited.at_start(&config(2), at(0)), Start::Entry(3));
}

#[test]
fn a_start_undoes_what_was_not_confirmed_meanwhile() {
    for (profile, in_time) in [(1, Start::Entry(2)), (2, Start::Profile)] {
        let mut history = history(&[]);
        history.record(on_trial(beside(profile, new(How::Apply, 2))), at(0));
        let starts = [10, 300].map(|now| history.at_start(&config(profile), at(now)));
        assert_eq!(starts, [in_time, Start::Undone(1)], "{profile}");
        // Whoever changed the profile since wants that.
        assert_eq!(history.at_start(&config(3), at(300)), Start::Profile);
    }
}

#[test]
fn the_oldest_are_forgotten_but_not_what_a_start_needs() {
    let mut history = history(&[(How::Apply, 2)]);
    let needed = history.record(beside(1, new(How::Apply, 3)), at(0));
    for number in 0..100 {
        history.record(new(How::Obey, 100 + number), at(1));
    }
    assert_eq!(history.entries().len(), ENTRIES);
    assert_eq!(history.at_start(&config(1), at(2)), Start::Entry(needed));
    let entry = history.entry(needed).expect("an entry");
    assert_eq!(entry.config, config(3));
    assert_eq!(history.last().expect("an entry").number, 103);
}

#[test]
fn many_changes_are_told_of_in_part() {
    let mut many = new(How::Start, 1);
    many.changes = (0..250).map(|number| number.to_string()).collect();
    let mut history = History::default();
    history.record(many, at(0));
    let changes = &history.last().expect("an entry").changes;
    assert_eq!(changes.len(), 101);
    assert_eq!(changes[100], "and 150 more");
}

#[test]
fn it_outlives_its_file() {
    let mut history = history(&[(How::Apply, 2)]);
    let by = Some(User { uid: 0, name: None });
    let back = New {
        by,
        ..on_trial(beside(2, new(How::Rollback(1), 1)))
    };
    history.record(back, at(0));
    let json = serde_json::to_string(&history).expect("JSON");
    let read: History = serde_json::from_str(&json).expect("a history");
    assert_eq!(read, history);
    // What an earlier release wrote, which knew less.
    let old = r#"{"entries":[{"number":1,"at":"2026-07-31T10:00:00Z","how":"start","by":null,
        "source":null,"changes":[],"config":{"sysplex_routing":true}}]}"#;
    let old: History = serde_json::from_str(old).expect("a history");
    let expected = Config {
        sysplex_routing: true,
        ..Config::default()
    };
    assert_eq!(old.last().expect("an entry").config, expected);
}
