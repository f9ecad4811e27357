//! TARGCONTROLLED: targets say themselves what they weigh.

use std::collections::BTreeMap;
use std::time::Duration;

use tests::lab::{PORT, VIPA};
use tests::tcp::{Server, greetings};
use tests::{profile, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
const CONNECTIONS: u32 = 40;
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn connections_go_by_the_weights_that_targets_say() {
    let _turn = turn();
    let lab = built(3, 1);
    let front_end = lab.stack("TCPIP");
    let destinations = TARGETS.map(|name| lab.stack(name).xcf_address().to_string());
    let method = "TARGCONTROLLED TIER1 GROUP1 GRE";
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::distributed(stack.xcf_address(), method, &destinations),
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    for stack in lab.stacks() {
        stack.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    }
    let _servers =
        TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
    let ready = TARGETS.map(|name| (name, 1));
    front_end.wait_for_ready(&ready).expect("two servers");

    let shares = || {
        let by_server: BTreeMap<String, u32> =
            greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
        TARGETS.map(|name| by_server.get(name).copied().unwrap_or_default())
    };
    let wait_for = |weight: u16, idle: Option<&str>| {
        wait::until("VDPT to show the weight", PATIENCE, || {
            let rows = front_end.vdpt()?;
            let row = rows.iter().find(|row| row.target == TARGETS[0]);
            Ok(row
                .is_some_and(|row| row.wlm == Some(weight) && row.idle_because.as_deref() == idle))
        })
        .expect("what VDPT says of TCPIP2");
    };
    let order = |words: &[&str]| {
        let target = lab.stack(TARGETS[0]);
        target.order(&[&["vary", "weight"], words].concat())
    };
    let port = format!("port={PORT}");
    wait_for(10, None);
    assert_eq!(shares(), [20, 20]);
    order(&["5", "target"]).expect("an order");
    wait_for(5, None);
    let [less, more] = shares();
    // A ring of three that began somewhere.
    assert!(
        (13..=14).contains(&less) && less + more == CONNECTIONS,
        "{less} {more}"
    );
    order(&["0", &port]).expect("an order");
    wait_for(0, Some("no-weight"));
    assert_eq!(shares(), [0, CONNECTIONS]);
    order(&["none", &port]).expect("an order");
    wait_for(5, None);
    order(&["none", "target"]).expect("an order");
    wait_for(10, None);
    assert_eq!(shares(), [20, 20]);
    let error = order(&["65", "target"]).expect_err("no weight");
    assert!(format!("{error:#}").contains("0 to 64"), "{error:#}");
}
