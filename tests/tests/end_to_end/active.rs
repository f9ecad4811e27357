//! WEIGHTEDACTIVE: what each target has is what counts, not what it was handed.

use std::time::Duration;

use tests::lab::{Lab, VIPA};
use tests::tcp::{Server, greetings, hold};
use tests::{profile, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

const TARGETS: [&str; 3] = ["TCPIP2", "TCPIP3", "TCPIP4"];
const WEIGHTS: [u32; 3] = [10, 20, 30];
/// Half of what the shares are judged by.
const CONNECTIONS: u32 = 1_000;
/// Of so many connections one is long.
const LONG: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn active_connections_keep_to_the_weights() {
    let _turn = turn();
    let lab = built(4, 1);
    let destinations = [0, 1, 2].map(|which| {
        let target = lab.stack(TARGETS[which]);
        format!("{} WEIGHT {}", target.xcf_address(), WEIGHTS[which])
    });
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::distributed(stack.xcf_address(), "WEIGHTEDACTIVE", &destinations),
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    for stack in lab.stacks() {
        stack.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    }
    let _servers =
        TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
    let ready = TARGETS.map(|name| (name, 1));
    lab.stack("TCPIP")
        .wait_for_ready(&ready)
        .expect("three servers");

    let mut long = hold(lab.client(), SERVICE, CONNECTIONS, LONG).expect("connections");
    assert_shares(&lab, long.len());
    // All that the target with the largest weight has end at once: the next ones are its own.
    long.retain(|conversation| conversation.server() != TARGETS[2]);
    let rest = long.len();
    wait_for_active(&lab, rest);
    let next = hold(lab.client(), SERVICE, 30, 1).expect("connections");
    assert!(next.iter().all(|one| one.server() == TARGETS[2]));
    long.extend(next);
    // Another daemon goes on with the same numbers.
    lab.stack("TCPIP").kill().expect("a daemon");
    lab.stack("TCPIP").restart().expect("another daemon");
    lab.stack("TCPIP")
        .wait_for_ready(&ready)
        .expect("three servers");
    // It hears of the ends at every target again: what it does not hear of counts as active.
    greetings(lab.client(), SERVICE, 60).expect("connections");
    wait_for_active(&lab, long.len());
    long.extend(hold(lab.client(), SERVICE, CONNECTIONS, LONG).expect("connections"));
    assert_shares(&lab, long.len());
}

/// Waits until only this many connections are left, and checks how they are spread.
fn assert_shares(lab: &Lab, active: usize) {
    let active = wait_for_active(lab, active);
    let (sum, weights): (u64, u32) = (active.iter().sum(), WEIGHTS.iter().sum());
    println!("active connections {active:?}");
    for (active, weight) in active.into_iter().zip(WEIGHTS) {
        let (share, part) = (percent(active, sum), percent(weight.into(), weights.into()));
        assert!((share - part).abs() < 3.0, "{share} % instead of {part} %");
    }
}

/// Waits until the front end's table has so many connections; returns how many of each target.
fn wait_for_active(lab: &Lab, active: usize) -> [u64; 3] {
    let mut found = [0; 3];
    wait::until("the others to have ended", PATIENCE, || {
        let rows = lab.stack("TCPIP").vdpt()?;
        found = TARGETS.map(|name| {
            let row = rows.iter().find(|row| row.target == name);
            row.map_or(0, |row| row.active_connections)
        });
        Ok(found.iter().sum::<u64>() == active as u64)
    })
    .unwrap_or_else(|error| panic!("{error:#}: {found:?} instead of {active}"));
    found
}

fn percent(part: u64, whole: u64) -> f64 {
    let [part, whole] = [part, whole].map(|count| u32::try_from(count).expect("few"));
    100.0 * f64::from(part) / f64::from(whole)
}
