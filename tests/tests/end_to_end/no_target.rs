//! No ready target, and the owner as a target of its own.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tests::tcp::{Conversation, Server, greetings};

use crate::{DUAL_STACK, SERVICE, started, turn};

#[test]
fn a_connection_without_ready_target_is_refused_at_once() {
    let _turn = turn();
    let lab = started(2, 1, &["TCPIP2"]);
    let refused = || {
        lab.client().namespace().run(|| {
            let start = Instant::now();
            let error = Conversation::open(SERVICE).expect_err("nobody listens");
            Ok((error.kind(), start.elapsed()))
        })
    };
    let (kind, took) = refused().expect("a client");
    assert_eq!(kind, ErrorKind::ConnectionRefused);
    assert!(took < Duration::from_secs(1), "a SYN was lost: {took:?}");

    let server = Server::start(lab.stack("TCPIP2"), "TCPIP2", DUAL_STACK).expect("a server");
    lab.stack("TCPIP")
        .wait_for_ready(&[("TCPIP2", 1)])
        .expect("one server");
    greetings(lab.client(), SERVICE, 10).expect("connections");
    drop(server);
    lab.stack("TCPIP").wait_for_ready(&[]).expect("no server");
    let (kind, took) = refused().expect("a client");
    assert_eq!(kind, ErrorKind::ConnectionRefused);
    assert!(took < Duration::from_secs(1), "a SYN was lost: {took:?}");
}

#[test]
fn the_owner_takes_its_turn_as_a_target() {
    let _turn = turn();
    let targets = ["TCPIP", "TCPIP2"];
    let lab = started(2, 1, &targets);
    let _servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&[("TCPIP", 1), ("TCPIP2", 1)])
        .expect("two servers");
    let by_server = greetings(lab.client(), SERVICE, 100).expect("connections");
    assert_eq!(by_server, targets.map(|name| (name.to_owned(), 50)).into());
}
