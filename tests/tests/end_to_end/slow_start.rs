//! A server that starts again gets a share that grows.

use std::thread;
use std::time::{Duration, Instant};

use tests::tcp::{Server, greetings};

use crate::{DUAL_STACK, SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
const SLOW_START_S: u64 = 8;
/// Who is heard later than this after its service began to be distributed has come back.
const BEGINNING: Duration = Duration::from_secs(3);
/// When shares are looked at, after the server has started again: in the middle of a quarter each.
const LOOKS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(7),
];
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
    let began = Instant::now();
    let shares = LOOKS.map(|at| {
        thread::sleep(at.saturating_sub(began.elapsed()));
        (share(), warmth())
    });
    let warmths = shares.map(|(_, warmth)| warmth.expect("it is coming back"));
    let shares = shares.map(|(share, _)| share);
    assert!(warmths.is_sorted() && warmths[3] < 100, "{warmths:?}");
    assert!(
        shares.is_sorted_by(|one, next| one < next),
        "{shares:?} {warmths:?}"
    );
    // An eighth, three, five and seven eighths of what the other gets, within a quarter of that.
    for (share, eighths) in shares.into_iter().zip([1, 3, 5, 7]) {
        let range = |eighths: u32| CONNECTIONS * eighths / (8 + eighths);
        let expected = range(eighths - 1)..=range(eighths + 1);
        assert!(
            expected.contains(&share),
            "{share} {expected:?}: {shares:?}"
        );
    }
    let end = Duration::from_secs(SLOW_START_S) + Duration::from_millis(500);
    thread::sleep(end.saturating_sub(began.elapsed()));
    assert_eq!((share(), warmth()), (CONNECTIONS / 2, None));
    drop((back, other));
}
