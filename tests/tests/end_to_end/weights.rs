//! BASEWLM and SERVERWLM: new connections go by what of each target's capacity is free, or of its servers'.

use std::process::Command;
use std::time::Duration;

use nix::unistd::Pid;
use tests::cgroup::Cgroup;
use tests::lab::{Lab, VIPA};
use tests::process::Process;
use tests::stack::Stack;
use tests::tcp::{Server, greetings};
use tests::{profile, program, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
/// Processors that each target may use: less than one, so that one job uses them up wherever this runs.
const CAPACITY: &str = "0.4";
const CONNECTIONS: u32 = 64;
/// Most that one of two targets gets if they weigh alike; a little noise makes no difference of more.
const MOST: u32 = CONNECTIONS / 2 + CONNECTIONS / 8;
/// Ten times what a change may take; a benchmark shows that it takes less.
const PATIENCE: Duration = Duration::from_secs(30);

/// Builds a lab whose front end distributes by `method` over two targets of a known capacity.
fn weighted(method: &str) -> Lab {
    let lab = built(3, 1);
    for name in TARGETS {
        lab.stack(name).set_capacity(CAPACITY);
    }
    let destinations = TARGETS.map(|name| lab.stack(name).xcf_address().to_string());
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::distributed(stack.xcf_address(), method, &destinations),
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    for stack in lab.stacks() {
        stack.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    }
    for stack in lab.stacks() {
        let own = own_cgroup(stack).processes();
        let daemon = stack.daemon_id().expect("a daemon");
        let is_it = |process: &Pid| u32::try_from(process.as_raw()) == Ok(daemon);
        assert!(own.iter().any(is_it), "{own:?}");
    }
    lab
}

fn weights(lab: &Lab) -> anyhow::Result<Option<[u16; 2]>> {
    let rows = lab.stack("TCPIP").vdpt()?;
    let weight = |name| rows.iter().find(|row| row.target == name)?.wlm;
    let both = weight(TARGETS[0]).zip(weight(TARGETS[1]));
    Ok(both.map(<[u16; 2]>::from))
}

fn wait_for(lab: &Lab, what: &str, holds: fn([u16; 2]) -> bool) {
    wait::until(what, PATIENCE, || Ok(weights(lab)?.is_some_and(holds)))
        .unwrap_or_else(|error| panic!("{error:#}: {:?}", weights(lab)));
}

/// A little noise makes no difference of more than one.
fn are_alike([one, other]: [u16; 2]) -> bool {
    one.abs_diff(other) <= 1
}

fn is_less([one, other]: [u16; 2]) -> bool {
    one * 2 < other
}

/// Connects, and returns how many connections each target has answered.
fn shares(lab: &Lab) -> [u32; 2] {
    let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
    TARGETS.map(|name| by_server.get(name).copied().unwrap_or_default())
}

/// Something that uses up a processor, in TCPIP2's cgroup or in one within.
fn job(lab: &Lab, cgroup: Option<&Cgroup>) -> Process {
    let host = lab.stack("TCPIP2").host();
    let mut command = Command::new("sh");
    let command = command.args(["-c", "while :; do :; done"]);
    let job = host.start("job", command).expect("a job");
    if let Some(cgroup) = cgroup {
        cgroup.take(job.id()).expect("the job lives");
    }
    job
}

fn own_cgroup(stack: &Stack) -> &Cgroup {
    stack.cgroup().expect("a stack has one")
}

/// A cgroup for one server of a stack.
fn server_cgroup(stack: &Stack, name: &str) -> Cgroup {
    let cgroup = own_cgroup(stack).within(name);
    cgroup.create().expect("a cgroup");
    cgroup
}

#[test]
fn a_target_whose_processors_are_busy_gets_less_until_they_are_free() {
    let _turn = turn();
    let lab = weighted("BASEWLM");
    let _servers =
        TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
    let front_end = lab.stack("TCPIP");
    let ready = TARGETS.map(|name| (name, 1));
    front_end.wait_for_ready(&ready).expect("two servers");

    wait_for(&lab, "equal weights", are_alike);
    let before = shares(&lab);
    assert!(before.iter().all(|share| *share <= MOST), "{before:?}");

    let mut job = job(&lab, None);
    wait_for(&lab, "a lower weight of TCPIP2", is_less);
    let [busy, idle] = shares(&lab);
    assert!(busy * 2 < idle, "{busy} {idle}");
    let service = SERVICE.to_string();
    let why = front_end.order(&["explain", &service]).expect("reasons");
    assert!(why.contains("capacity 0.400 - used "), "{why}");

    job.kill().expect("the job ends");
    wait_for(&lab, "equal weights again", are_alike);
    let after = shares(&lab);
    assert!(after.iter().all(|share| *share <= MOST), "{after:?}");
}

#[test]
fn a_server_that_uses_up_its_own_capacity_gets_less_though_its_stack_is_idle() {
    let _turn = turn();
    let lab = weighted("SERVERWLM");
    let program = program::lab().expect("the program");
    let cgroups = TARGETS.map(|name| server_cgroup(lab.stack(name), "server"));
    let servers = TARGETS.map(|name| {
        let host = lab.stack(name).host();
        let mut command = host.namespace().command(&program);
        let command = command.args(["serve", name, &SERVICE.to_string()]);
        host.start("server", command).expect("a server")
    });
    for (server, cgroup) in servers.iter().zip(&cgroups) {
        cgroup.take(server.id()).expect("the server lives");
    }
    let front_end = lab.stack("TCPIP");
    let ready = TARGETS.map(|name| (name, 1));
    front_end.wait_for_ready(&ready).expect("two servers");
    wait_for(&lab, "equal weights", are_alike);
    let before = shares(&lab);
    assert!(before.iter().all(|share| *share <= MOST), "{before:?}");

    // What works for the server is the server's.
    let mut job = job(&lab, Some(&cgroups[0]));
    wait_for(&lab, "a lower weight of TCPIP2", is_less);
    let [busy, idle] = shares(&lab);
    assert!(busy * 2 < idle, "{busy} {idle}");
    // Anybody can say why: the owner, and a target by what it has heard.
    for (stack, whose) in [
        (front_end, "In force on this stack."),
        (lab.stack("TCPIP3"), "TCPIP owns the DVIPA and decides."),
    ] {
        let why = stack.order(&["explain", &SERVICE.to_string()]);
        let why = why.expect("reasons");
        assert!(why.contains(whose), "{why}");
        assert!(
            why.contains("server 1 (cgroup): capacity 0.400 - used "),
            "{why}"
        );
    }

    job.kill().expect("the job ends");
    wait_for(&lab, "equal weights again", are_alike);
    let after = shares(&lab);
    assert!(after.iter().all(|share| *share <= MOST), "{after:?}");
    drop(servers);
}

#[test]
fn of_servers_that_share_a_port_by_weight_the_busy_one_gets_less() {
    let _turn = turn();
    let lab = built(3, 1);
    let two = lab.stack("TCPIP2");
    two.set_capacity(CAPACITY);
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::front_end(stack.xcf_address(), &[two.xcf_address()]),
        "TCPIP2" => profile::target(stack.xcf_address()) + "PORT 8443 TCP * SHAREPORTWLM\n",
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    for name in ["TCPIP", "TCPIP2"] {
        let stack = lab.stack(name);
        stack.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    }
    let program = program::lab().expect("the program");
    let names = ["one", "two"];
    let cgroups = names.map(|name| server_cgroup(two, name));
    let servers = names.map(|name| {
        let host = two.host();
        let mut command = host.namespace().command(&program);
        let command = command.args(["serve", name, &SERVICE.to_string()]);
        host.start(name, command).expect("a server")
    });
    for (server, cgroup) in servers.iter().zip(&cgroups) {
        cgroup.take(server.id()).expect("the server lives");
    }
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&[("TCPIP2", 2)])
        .expect("two servers");
    let shares = || {
        let by_server = greetings(lab.client(), SERVICE, CONNECTIONS)?;
        anyhow::Ok(names.map(|name| by_server.get(name).copied().unwrap_or_default()))
    };
    let wait_for = |what: &str, holds: fn([u32; 2]) -> bool| {
        wait::until(what, PATIENCE, || Ok(holds(shares()?)))
            .unwrap_or_else(|error| panic!("{error:#}: {:?}", shares()));
    };
    wait_for("equal shares", |shares| {
        shares.iter().all(|share| *share <= MOST)
    });
    let mut job = job(&lab, Some(&cgroups[0]));
    wait_for("a smaller share of the busy one", |[busy, idle]| {
        busy * 2 < idle
    });
    job.kill().expect("the job ends");
    wait_for("equal shares again", |shares| {
        shares.iter().all(|share| *share <= MOST)
    });
    drop(servers);
}
