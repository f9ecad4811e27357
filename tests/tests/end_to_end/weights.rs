//! BASEWLM: new connections go by what of each target's capacity is free.

use std::process::Command;
use std::time::Duration;

use nix::unistd::Pid;
use tests::lab::VIPA;
use tests::tcp::{Server, greetings};
use tests::{profile, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
/// Processors that each target may use: less than one, so that one job uses them up wherever this runs.
const CAPACITY: &str = "0.4";
const CONNECTIONS: u32 = 64;
/// Ten times what a change may take; a benchmark shows that it takes less.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_target_whose_processors_are_busy_gets_less_until_they_are_free() {
    let _turn = turn();
    let lab = built(3, 1);
    for name in TARGETS {
        lab.stack(name).set_capacity(CAPACITY);
    }
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
    for stack in lab.stacks() {
        let own = stack.cgroup().expect("a stack has one").processes();
        let daemon = stack.daemon_id().expect("a daemon");
        let is_it = |process: &Pid| u32::try_from(process.as_raw()) == Ok(daemon);
        assert!(own.iter().any(is_it), "{own:?}");
    }
    let _servers =
        TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
    front_end
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))
        .expect("two servers");

    let weights = || -> anyhow::Result<Option<[u16; 2]>> {
        let rows = front_end.vdpt()?;
        let weight = |name| rows.iter().find(|row| row.target == name)?.wlm;
        Ok(weight(TARGETS[0])
            .zip(weight(TARGETS[1]))
            .map(<[u16; 2]>::from))
    };
    let wait_for = |what: &str, holds: fn([u16; 2]) -> bool| {
        wait::until(what, PATIENCE, || Ok(weights()?.is_some_and(holds)))
            .unwrap_or_else(|error| panic!("{error:#}: {:?}", weights()));
    };
    // A little noise makes no difference of more than one.
    let alike = |[one, other]: [u16; 2]| one.abs_diff(other) <= 1;
    let less = |[one, other]: [u16; 2]| one * 2 < other;
    let shares = || {
        let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
        TARGETS.map(|name| by_server.get(name).copied().unwrap_or_default())
    };
    let most = CONNECTIONS / 2 + CONNECTIONS / 8;
    wait_for("equal weights", alike);
    let before = shares();
    assert!(before.iter().all(|share| *share <= most), "{before:?}");

    let mut job = lab
        .stack("TCPIP2")
        .host()
        .start(
            "job",
            Command::new("sh").args(["-c", "while :; do :; done"]),
        )
        .expect("a job");
    wait_for("a lower weight of TCPIP2", less);
    let [busy, idle] = shares();
    assert!(busy * 2 < idle, "{busy} {idle}");

    job.kill().expect("the job ends");
    wait_for("equal weights again", alike);
    let after = shares();
    assert!(after.iter().all(|share| *share <= most), "{after:?}");
}
