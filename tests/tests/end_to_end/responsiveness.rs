//! A server that stops accepting gets no new connections, until it goes on.

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::lab::VIPA;
use tests::tcp::{Arrivals, Load, Server, greetings};
use tests::{profile, program, wait};

use crate::{SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
const LIVING: u32 = 50;
const CONNECTIONS: u32 = 64;
/// Ten times what a change may take; a benchmark shows that it takes less.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_server_that_stops_accepting_gets_nothing_until_it_goes_on() {
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
    let _other = Server::start(lab.stack("TCPIP3"), "TCPIP3", SERVICE).expect("a server");
    front_end
        .wait_for_ready(&[("TCPIP3", 1)])
        .expect("one server");
    let living = Load::start(lab.client(), SERVICE, LIVING).expect("living connections");
    let host = lab.stack("TCPIP2").host();
    let program = program::lab().expect("the program");
    let mut command = host.namespace().command(program);
    let command = command.args(["serve", "TCPIP2", &SERVICE.to_string()]);
    let mut server = host.start("server", command).expect("a server");
    front_end
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))
        .expect("two servers");

    let arrivals = Arrivals::start(lab.client(), SERVICE);
    let row = || {
        let rows = front_end.vdpt()?;
        let row = rows.into_iter().find(|row| row.target == "TCPIP2");
        row.ok_or_else(|| anyhow::anyhow!("no row"))
    };
    let wait_for = |reason: Option<&str>| {
        let what = format!("TCPIP2 to be idle because of {reason:?}");
        wait::until(&what, PATIENCE, || {
            let because = row()?.idle_because;
            Ok(because.as_deref() == reason)
        })
        .unwrap_or_else(|error| panic!("{error:#}: {:?}", row()));
    };
    server.signal(Signal::SIGSTOP).expect("it lives");
    wait_for(Some("unresponsive"));
    arrivals.stop().expect("every handshake is completed");
    let told = |number: &str| front_end.output().lines().any(|line| line.contains(number));
    assert!(
        told("EZD1182I") && !told("EZD1183I"),
        "{}",
        front_end.output()
    );

    let before = row().expect("a row");
    assert_eq!(before.sef.map(|sef| sef < 10), Some(true), "{before:?}");
    let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
    assert_eq!(by_server.get("TCPIP3"), Some(&CONNECTIONS), "{by_server:?}");
    assert_eq!(
        row().expect("a row").total_connections,
        before.total_connections
    );

    server.signal(Signal::SIGCONT).expect("it lives");
    wait_for(None);
    assert!(told("EZD1183I"), "{}", front_end.output());
    let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
    assert!(by_server.contains_key("TCPIP2"), "{by_server:?}");
    assert_eq!(living.stop().expect("the load"), []);
}
