//! SYNs that are lost on the way to a target, though it is heard: it gets few of them until they arrive.

use std::time::Duration;

use distributor_user::engine::report::VdptRow;
use tests::lab::{Network, VIPA};
use tests::tcp::{Form, Load, Probing, Server};
use tests::{profile, wait};

use crate::{SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
const LIVING: u32 = 20;
/// Ten times what a change may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_target_that_syns_do_not_reach_gets_few_until_they_do() {
    let _turn = turn();
    let lab = built(3, 1);
    let front_end = lab.stack("TCPIP");
    let destinations = TARGETS.map(|name| lab.stack(name).xcf_address().to_string());
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::distributed(stack.xcf_address(), "BASEWLM", &destinations),
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    for stack in lab.stacks() {
        stack.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    }
    let _servers =
        TARGETS.map(|name| Server::start(lab.stack(name), name, SERVICE).expect("a server"));
    let ready = TARGETS.map(|name| (name, 1));
    front_end.wait_for_ready(&ready).expect("two servers");
    let living = Load::start(lab.client(), SERVICE, LIVING).expect("living connections");
    let probing = Probing::start(lab.client(), Form::Connect(SERVICE));

    let row = || {
        let rows = front_end.vdpt()?;
        let row = rows.into_iter().find(|row| row.target == "TCPIP2");
        row.ok_or_else(|| anyhow::anyhow!("no row"))
    };
    let wait_for = |what: &str, holds: fn(&VdptRow) -> bool| {
        wait::until(what, PATIENCE, || Ok(holds(&row()?)))
            .unwrap_or_else(|error| panic!("{error:#}: {:?}", row()));
    };
    let told = |number: &str| front_end.output().lines().any(|line| line.contains(number));
    wait_for("everything to arrive", |row| row.tcsr == Some(100));

    // Beats and living connections go on by the same network.
    lab.lose_syns("TCPIP2", Network::Xcf, true)
        .expect("a map of the switch");
    wait_for("TCPIP2 to be unresponsive", |row| {
        row.idle_because.as_deref() == Some("unresponsive")
            && row.tcsr.is_some_and(|tcsr| tcsr < 10)
    });
    let unreached = row().expect("a row");
    assert_eq!(
        (unreached.ready, unreached.sef),
        (1, Some(100)),
        "{unreached:?}"
    );
    assert!(
        told("SDL0126W") && !told("SDL0127I"),
        "{}",
        front_end.output()
    );
    let why = front_end.order(&["explain", &SERVICE.to_string()]);
    assert!(why.expect("reasons").contains("TCSR "), "it is explained");

    lab.lose_syns("TCPIP2", Network::Xcf, false)
        .expect("a map of the switch");
    wait_for("TCPIP2 to be tried again, and reached", |row| {
        row.is_active && row.tcsr.is_some_and(|tcsr| tcsr > 90)
    });
    assert!(told("SDL0127I"), "{}", front_end.output());
    drop(probing);
    assert_eq!(living.stop().expect("the load"), []);
}
