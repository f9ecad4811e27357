use std::net::Ipv4Addr;

use super::*;

const SECONDS: u16 = 5;

fn client(last: u8) -> ClientKey {
    ClientKey {
        client: Ipv4Addr::new(10, 1, 1, last).into(),
        dvipa: Ipv4Addr::new(10, 1, 3, 10).into(),
        port: 8443,
    }
}

/// Asks about one client, once a second, and returns what becomes of it.
fn fates(connections: &[Use]) -> Vec<Fate> {
    let mut timers = Timers::default();
    let rounds = connections.iter().zip(0..);
    let fates = rounds.map(|(connections, second)| {
        let now = Duration::from_secs(second);
        let fate = timers.judge(client(1), *connections, SECONDS, now);
        timers.end_round();
        fate
    });
    fates.collect()
}

#[test]
fn the_timer_runs_from_the_end_of_the_last_connection_on() {
    use Fate::{Idle, Over, Used};
    for (connections, expected) in [
        (&[Use::Connected; 9][..], vec![Used; 9]),
        (
            &[
                Use::Recent,
                Use::Idle,
                Use::Idle,
                Use::Idle,
                Use::Idle,
                Use::Idle,
            ],
            vec![Idle, Idle, Idle, Idle, Idle, Over],
        ),
        // A new connection stops it, however short it was.
        (
            &[
                Use::Recent,
                Use::Idle,
                Use::Idle,
                Use::Connected,
                Use::Recent,
                Use::Idle,
                Use::Idle,
                Use::Recent,
                Use::Idle,
                Use::Idle,
                Use::Idle,
                Use::Idle,
                Use::Idle,
            ],
            vec![
                Idle, Idle, Idle, Used, Idle, Idle, Idle, Idle, Idle, Idle, Idle, Idle, Over,
            ],
        ),
        // One that another daemon has started begins anew.
        (&[Use::Idle; 6], vec![Idle, Idle, Idle, Idle, Idle, Over]),
    ] {
        assert_eq!(fates(connections), expected, "{connections:?}");
    }
}

#[test]
fn rounds_that_are_a_little_early_or_late_end_it_in_the_right_one() {
    for jitter_ms in [-300_i64, 0, 300] {
        let mut timers = Timers::default();
        timers.judge(client(1), Use::Recent, SECONDS, Duration::from_secs(100));
        timers.end_round();
        let mut ended = None;
        for round in 1..10 {
            let at = Duration::from_millis((100_000 + round * 1_000 + jitter_ms).cast_unsigned());
            if timers.judge(client(1), Use::Idle, SECONDS, at) == Fate::Over {
                ended = Some(round);
                break;
            }
            timers.end_round();
        }
        assert_eq!(ended, Some(5), "{jitter_ms}");
    }
}

#[test]
fn clients_are_apart_and_forgotten_with_what_they_keep() {
    let mut timers = Timers::default();
    let at = Duration::from_secs;
    timers.judge(client(1), Use::Recent, SECONDS, at(0));
    timers.judge(client(2), Use::Connected, SECONDS, at(0));
    timers.end_round();
    assert_eq!(timers.left_s(&client(1), SECONDS, at(0)), Some(5));
    assert_eq!(timers.left_s(&client(1), SECONDS, at(3)), Some(2));
    assert_eq!(timers.left_s(&client(1), SECONDS, at(60)), Some(0));
    assert_eq!(timers.left_s(&client(2), SECONDS, at(0)), None);
    assert!(!timers.is_empty());
    timers.end_round();
    assert!(timers.is_empty());
}
