//! A killed daemon leaves the packets flowing, and the next one adopts what is there.

use std::collections::BTreeMap;
use std::time::Duration;

use tests::stack::Stack;
use tests::tcp::{Load, Server, greetings};
use tests::wait;

use crate::accounting::{assert_nothing_lost, at_rest};
use crate::{DUAL_STACK, SERVICE, started, turn};

#[test]
fn connections_outlive_the_daemons() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let lab = started(3, 1, &targets);
    let _servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("two servers");
    let before = at_rest(&lab);
    let living = Load::start(lab.client(), SERVICE, 20).expect("living connections");
    let mut connections = 20;
    let mut connect = |when: &str| {
        let by_server = greetings(lab.client(), SERVICE, 100)
            .unwrap_or_else(|error| panic!("{when}: {error:#}"));
        connections += 100;
        assert_eq!(
            by_server,
            targets.map(|name| (name.to_owned(), 50)).into(),
            "{when}"
        );
        living
            .wait_for_round()
            .unwrap_or_else(|error| panic!("{when}: {error:#}"));
    };
    connect("at first");

    front_end.kill().expect("a dead front end");
    connect("while the front end's daemon is dead");
    front_end.restart().expect("a restarted front end");
    connect("right after the front end's restart");
    front_end
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("two servers");
    connect("after the front end's restart");

    lab.stack("TCPIP2").kill().expect("a dead target");
    connect("while a target's daemon is dead");
    lab.stack("TCPIP2").restart().expect("a restarted target");
    front_end
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("two servers");
    connect("after the target's restart");

    let totals: u64 = front_end
        .vdpt()
        .expect("VDPT")
        .iter()
        .map(|row| row.total_connections)
        .sum();
    assert_eq!(totals, connections, "the counts were adopted");
    // The flows were adopted, and those that ended while nobody looked have been found out.
    wait::until(
        "VCRT to show the living connections only",
        Duration::from_secs(30),
        || Ok(front_end.vcrt()?.len() == 20),
    )
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", states(front_end)));
    assert_eq!(living.stop().expect("the end"), []);
    assert_nothing_lost(&lab, before);
}

/// How many connections are in which state at which target.
fn states(front_end: &Stack) -> BTreeMap<(Option<String>, String), u32> {
    let mut states = BTreeMap::new();
    for row in front_end.vcrt().expect("VCRT") {
        *states.entry((row.target, row.state)).or_default() += 1;
    }
    states
}
