//! One server of several is quiesced: by its job name, on a port that PORT shares.

use std::collections::BTreeMap;
use std::time::Duration;

use tests::lab::{Lab, PORT};
use tests::process::Process;
use tests::stack::Stack;
use tests::tcp::{Load, Server, greetings};
use tests::{profile, program, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

const SHARED: &str = "PORT 8443 TCP * SHAREPORT BIND 10.1.3.10\n";
const CONNECTIONS: u32 = 40;
const PATIENCE: Duration = Duration::from_secs(10);

/// A server with a process of its own, in a cgroup as systemd makes one for a unit of that name.
fn serve(stack: &Stack, name: &str) -> Process {
    let lab = program::lab().expect("a program");
    let mut command = stack.namespace().command(lab);
    let command = command.args(["serve", name, &DUAL_STACK.to_string()]);
    let process = stack.host().start(name, command).expect("a server");
    let cgroup = stack.cgroup().expect("a stack has one");
    let unit = cgroup.within(&format!("{}.service", name.to_lowercase()));
    unit.create().expect("a cgroup");
    unit.take(process.id()).expect("the server lives");
    process
}

fn shares(lab: &Lab) -> BTreeMap<String, u32> {
    greetings(lab.client(), SERVICE, CONNECTIONS).expect("no failed connection")
}

fn counts(expected: &[(&str, u32)]) -> BTreeMap<String, u32> {
    let counts = expected.iter();
    counts
        .map(|(server, connections)| ((*server).to_owned(), *connections))
        .collect()
}

fn wait_for_ready(lab: &Lab, listeners: u16) {
    let ready = [("TCPIP2", listeners), ("TCPIP3", 1)];
    lab.stack("TCPIP")
        .wait_for_ready(&ready)
        .expect("listeners");
}

/// Waits until new connections are shared so, from one moment on exactly.
fn wait_for_shares(lab: &Lab, expected: &[(&str, u32)]) {
    /// Once or twice the kernel, which chooses until servers take turns, may do the same by chance.
    const IN_A_ROW: u32 = 4;

    let what = format!("{expected:?}");
    let mut exact = 0;
    wait::until(&what, PATIENCE, || {
        let is_exact = shares(lab) == counts(expected);
        exact = if is_exact { exact + 1 } else { 0 };
        Ok(exact == IN_A_ROW)
    })
    .expect("shares");
    assert_eq!(shares(lab), counts(expected));
}

#[test]
fn a_quiesced_server_of_two_gets_nothing_until_it_is_resumed() {
    let _turn = turn();
    let lab = built(3, 1);
    let targets = ["TCPIP2", "TCPIP3"].map(|name| lab.stack(name).xcf_address());
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::front_end(stack.xcf_address(), &targets),
        "TCPIP2" => profile::target(stack.xcf_address()) + SHARED,
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    let (two, three) = (lab.stack("TCPIP2"), lab.stack("TCPIP3"));
    let mut first = serve(two, "WEB1");
    let _second = serve(two, "WEB2");
    let _third = Server::start(three, "TCPIP3", DUAL_STACK).expect("a server");
    wait_for_ready(&lab, 2);
    let all = [("WEB1", 10), ("WEB2", 10), ("TCPIP3", 20)];
    let without = [("WEB2", 20), ("TCPIP3", 20)];
    // The servers take turns from when the daemon has compared those that listen with those it knows.
    wait_for_shares(&lab, &all);
    let load = Load::start(lab.client(), SERVICE, CONNECTIONS).expect("living connections");
    let on_first = load.servers().iter().filter(|server| *server == "WEB1");
    let on_first = on_first.count();
    assert!(on_first > 0);

    let port = format!("port={PORT}");
    let server = [port.as_str(), "job=web1"];
    let order = |verb: &str| two.order(&[&["vary", verb], &server[..]].concat());
    let said = order("quiesce").expect("an order");
    assert!(said.contains("SDL0110I job WEB1 on port 8443"), "{said}");
    wait_for_ready(&lab, 1);
    wait_for_shares(&lab, &without);
    let again = order("quiesce").expect_err("it is so").to_string();
    assert!(again.contains("already"), "{again}");
    let vipadcfg = two.netstat_text("vipadcfg").expect("a report");
    assert!(vipadcfg.contains("port=8443 job=WEB1"), "{vipadcfg}");

    // It keeps what it has, and a daemon that goes on where another was killed keeps to the order.
    let left = two
        .order(&["drain", "--port", "8443", "--job", "WEB1"])
        .expect("an order");
    let expected = format!("TCPIP2 has {on_first} connections left");
    assert!(left.contains(&expected), "{left}");
    two.kill().expect("a daemon");
    two.restart().expect("another daemon");
    wait_for_ready(&lab, 1);
    wait_for_shares(&lab, &without);
    load.wait_for_round().expect("a round");
    assert_eq!(load.stop().expect("the end"), []);

    // So does the server, when it is started again.
    first.kill().expect("it ends");
    let _first = serve(two, "WEB1");
    wait_for_shares(&lab, &without);
    wait_for_ready(&lab, 1);

    order("resume").expect("an order");
    wait_for_ready(&lab, 2);
    wait_for_shares(&lab, &all);

    // Where all servers of a port are quiesced, the target is.
    two.order(&["vary", "quiesce", "job=WEB*"])
        .expect("an order");
    wait::until("VDPT to say so", PATIENCE, || {
        let rows = lab.stack("TCPIP").vdpt()?;
        let row = rows.iter().find(|row| row.target == "TCPIP2");
        let quiesced = Some("quiesced");
        Ok(row.is_some_and(|row| row.ready == 0 && row.idle_because.as_deref() == quiesced))
    })
    .expect("what VDPT says of TCPIP2");
    assert_eq!(shares(&lab), counts(&[("TCPIP3", 40)]));
    two.order(&["vary", "resume", "job=WEB*"])
        .expect("an order");
    wait_for_ready(&lab, 2);
    wait_for_shares(&lab, &all);
}
