//! After a clean stop the machine is as it was.

use std::thread;
use std::time::Duration;

use tests::lab::{Lab, VIPA, VIPA6};
use tests::profile::{self, Dvipa, Role};
use tests::snapshot::Snapshot;
use tests::tcp::{Server, greetings};
use tests::wait;

use crate::{DUAL_STACK, SERVICE, built, turn};

#[test]
fn a_clean_stop_puts_everything_back() {
    let _turn = turn();
    let targets = ["TCPIP", "TCPIP2", "TCPIP3"];
    let lab = built(3, 1);
    // The kernel itself is still at work on a link that has just come up.
    wait::until("the links to be up", Duration::from_secs(10), || {
        Ok(snapshots(&lab).iter().all(Snapshot::is_settled))
    })
    .expect("links");
    let before = snapshots(&lab);

    start(&lab, &targets);
    let servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    lab.stack("TCPIP")
        .wait_for_ready(&targets.map(|name| (name, 1)))
        .expect("three servers");
    greetings(lab.client(), SERVICE, 99).expect("connections");
    for (stack, (before, during)) in lab.stacks().iter().zip(before.iter().zip(snapshots(&lab))) {
        // Or the comparison below would compare nothing.
        assert!(
            !before.differences(&during).is_empty(),
            "{} changed nothing",
            stack.name()
        );
    }
    drop(servers);

    thread::scope(|scope| {
        let stops: Vec<_> = lab
            .stacks()
            .iter()
            .map(|stack| scope.spawn(|| stack.stop()))
            .collect();
        for stop in stops {
            let status = stop.join().expect("no panic").expect("a clean stop");
            assert!(status.success(), "{status}");
        }
    });
    for (stack, (before, after)) in lab.stacks().iter().zip(before.iter().zip(snapshots(&lab))) {
        assert_eq!(
            before.differences(&after),
            Vec::<String>::new(),
            "on {}",
            stack.name()
        );
    }
}

/// Starts every daemon: TCPIP owns VIPAs of both families, and distributes them over `targets`.
fn start(lab: &Lab, targets: &[&str]) {
    let address = |name: &&str| lab.stack(name).xcf_address();
    let destinations: Vec<_> = targets.iter().map(address).collect();
    let dvipa = Dvipa {
        role: Role::Define,
        moveable: None,
        destinations: &destinations,
    };
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => dvipa.dual_profile(stack.xcf_address()),
        _ => profile::dual_target(stack.xcf_address()),
    })
    .expect("daemons");
    for stack in targets.iter().map(|name| lab.stack(name)) {
        for vipa in [VIPA.into(), VIPA6.into()] {
            stack.wait_for_dvipa(vipa).expect("a VIPA");
        }
    }
}

fn snapshots(lab: &Lab) -> Vec<Snapshot> {
    lab.stacks()
        .iter()
        .map(|stack| Snapshot::of(stack).expect("a snapshot"))
        .collect()
}
