//! A server that starts again gets a share that grows.

use std::thread;
use std::time::Duration;

use tests::tcp::{Server, greetings};

use crate::{DUAL_STACK, SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
const SLOW_START_S: u64 = 8;
/// Who is heard later than this after its service began to be distributed has come back.
const BEGINNING: Duration = Duration::from_secs(3);
/// What a share may be apart from what the report says before it or after it: an eighth of warmth.
const TOLERANCE_PERCENT: u64 = 12;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1500);
const CONNECTIONS: u32 = 320;

#[test]
fn shares_grow_in_successive_windows() {
    let _turn = turn();
    let lab = built(3, 1);
    let front_end = lab.stack("TCPIP");
    front_end.add_arguments(["--slow-start", &SLOW_START_S.to_string()]);
    lab.start(&TARGETS).expect("daemons");
    let [back, other] =
        TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
    let both = TARGETS.map(|name| (name, 1));
    front_end.wait_for_ready(&both).expect("two servers");
    let share = || {
        let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
        by_server.get(TARGETS[0]).copied().unwrap_or_default()
    };
    let warmth = || {
        let vdpt = front_end.netstat_json("vdpt").expect("a report");
        let rows = vdpt["rows"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["target"] == TARGETS[0]);
        row.expect("a row")["slow_start"].as_u64()
    };
    // Those who begin together share from the beginning.
    assert_eq!((share(), warmth()), (CONNECTIONS / 2, None));
    thread::sleep(BEGINNING);

    drop(back);
    front_end
        .wait_for_ready(&[(TARGETS[1], 1)])
        .expect("one server");
    let back = Server::start(lab.stack(TARGETS[0]), TARGETS[0], DUAL_STACK).expect("a server");
    front_end.wait_for_ready(&both).expect("two servers");
    // However slowly this is looked at, a share lies between what the report says before and after.
    let mut looks = Vec::new();
    while let Some(before) = warmth() {
        looks.push((before, share(), warmth().unwrap_or(100)));
        thread::sleep(BETWEEN_LOOKS);
    }
    assert!(looks.len() > 1, "{looks:?}");
    assert!(
        looks.is_sorted_by(|one, next| one.2 <= next.0 && one.1 < next.1),
        "{looks:?}"
    );
    let expected = |percent: u64| u64::from(CONNECTIONS) * percent / (100 + percent);
    for &(before, share, after) in &looks {
        let least = expected(before.saturating_sub(TOLERANCE_PERCENT));
        let most = expected(after + TOLERANCE_PERCENT);
        assert!(
            (least..=most).contains(&share.into()),
            "{share} of {least} to {most}: {looks:?}"
        );
    }
    assert_eq!((share(), warmth()), (CONNECTIONS / 2, None));
    drop((back, other));
}
