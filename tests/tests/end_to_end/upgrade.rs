//! A new program takes over from the running one, under load.

use std::time::Duration;

use aya::programs::links::PinnedLink;
use tests::stack::Stack;
use tests::tcp::{Load, Server, greetings};
use tests::wait;

use crate::accounting::{assert_nothing_lost, at_rest};
use crate::{DUAL_STACK, SERVICE, built, started, turn};

/// Connections that live through the upgrades.
const LIVING: u32 = 1_000;

#[test]
fn a_new_program_takes_over_and_no_packet_is_lost() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let lab = built(3, 1);
    for stack in lab.stacks() {
        stack.install(b"one").expect("a program");
    }
    lab.start(&targets).expect("daemons");
    let _servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let front_end = lab.stack("TCPIP");
    let ready = targets.map(|name| (name, 1));
    front_end.wait_for_ready(&ready).expect("two servers");
    let before = at_rest(&lab);
    let living = Load::start(lab.client(), SERVICE, LIVING).expect("living connections");

    for name in ["TCPIP", "TCPIP2"] {
        let stack = lab.stack(name);
        stack.wait_for_programs().expect("programs");
        let (daemon, programs) = (stack.daemon_id().expect("a daemon"), programs(stack));
        stack.install(b"another").expect("another program");
        let done = stack.reload().expect("a reload");
        assert!(done.contains("has taken over"), "{done}");
        assert_eq!(stack.daemon_id().expect("a daemon"), daemon);
        // Those for what starts on the stack come last.
        wait::until("the new programs", Duration::from_secs(20), || {
            let new = self::programs(stack);
            assert_eq!(new.len(), programs.len());
            Ok(new.iter().all(|id| !programs.contains(id)))
        })
        .expect("new programs");
        greetings(lab.client(), SERVICE, 40).expect("connections meanwhile");
        front_end.wait_for_ready(&ready).expect("two servers");
        let by_server = greetings(lab.client(), SERVICE, 40).expect("connections afterwards");
        assert_eq!(by_server, targets.map(|name| (name.to_owned(), 20)).into());
        living.wait_for_round().expect("a round");
        let done = stack.reload().expect("a reload");
        assert!(done.contains("nothing was changed"), "{done}");
    }
    wait::until(
        "VCRT to show the living connections only",
        Duration::from_mins(1),
        || Ok(front_end.vcrt()?.len() == LIVING as usize),
    )
    .expect("the flows were taken over");
    assert_eq!(living.stop().expect("the end"), []);
    assert_nothing_lost(&lab, before);
}

#[test]
fn a_program_that_cannot_take_over_is_refused() {
    let _turn = turn();
    let lab = started(2, 1, &["TCPIP2"]);
    let front_end = lab.stack("TCPIP");
    front_end.stop().expect("a clean stop");
    front_end.install(b"one").expect("a program");
    front_end.restart().expect("a daemon");
    front_end.wait_for_programs().expect("programs");
    let programs = programs(front_end);
    for (program, reason) in [
        ("not a program", "cannot run"),
        ("#!/bin/sh\necho too old >&2; exit 3\n", "too old"),
    ] {
        let new = front_end.installed().with_extension("new");
        std::fs::copy(front_end.installed(), &new).expect("a copy with its mode");
        std::fs::write(&new, program).expect("a file");
        std::fs::rename(&new, front_end.installed()).expect("in its place");
        let refusal = front_end.reload().expect_err("a refusal").to_string();
        assert!(refusal.contains(reason), "{refusal}");
        assert!(refusal.contains("nothing was changed"), "{refusal}");
        assert_eq!(self::programs(front_end), programs);
    }
    assert!(front_end.vipadyn().is_ok(), "the daemon goes on");
}

/// Ids of the programs that are attached for a stack.
fn programs(stack: &Stack) -> Vec<u32> {
    let pins = std::fs::read_dir(stack.pins().join(stack.name())).expect("pins");
    let links = pins.map(|pin| pin.expect("a pin").path()).filter(|pin| {
        let name = pin.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("LINK_")
    });
    links
        .map(|pin| {
            let link = PinnedLink::from_pin(&pin).expect("a link");
            let link: aya::programs::links::FdLink = link.into();
            link.info().expect("what the link is").program_id()
        })
        .collect()
}
