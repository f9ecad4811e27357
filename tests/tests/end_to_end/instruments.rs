//! The instruments that takeovers are measured with: they find nothing where nothing is, and
//! everything that is there.

use std::thread;
use std::time::{Duration, Instant};

use tests::host::LAN_INTERFACE;
use tests::lab::{Fault, Network, VIPA};
use tests::neighbour::{self, Watch};
use tests::tcp::{Form, Load, Probing, Server, greetings};
use tests::wait;

use crate::{DUAL_STACK, SERVICE, built, started, turn};

/// Connections that live through it all.
const LIVING: u32 = 1_000;

/// How long nothing happens: enough for thousands of probes.
const QUIET: Duration = Duration::from_secs(8);

/// How long the network itself may take for what was changed.
const SETTLING: Duration = Duration::from_millis(200);

#[test]
fn nothing_is_lost_while_nothing_happens() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let lab = started(3, 2, &targets);
    let _servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&targets.map(|name| (name, 1)))
        .expect("two servers");
    let load = Load::start(lab.client(), SERVICE, LIVING).expect("living connections");
    let watch = Watch::start(&lab, VIPA).expect("a watch");
    let probing = Probing::start(lab.client(), Form::Connect(SERVICE));
    let began = Instant::now();
    thread::sleep(QUIET);
    let ended = Instant::now();
    let timeline = probing.stop().expect("a time line");
    let story = timeline.story(began);
    eprintln!("{story}");
    let sent = timeline.between(began, ended).count();
    assert!(sent > 3_500, "{story}");
    assert_eq!(
        timeline.longest_gap(began, ended),
        Duration::ZERO,
        "{story}"
    );
    let by_server = timeline.answered_by(began, ended);
    assert_eq!(by_server.keys().copied().collect::<Vec<_>>(), targets);
    let seen = watch.stop().expect("sightings");
    assert!(
        seen.len() > 50
            && seen
                .iter()
                .all(|one| one.holders == ["TCPIP".to_owned()].into()),
        "{seen:?}"
    );
    load.wait_for_round().expect("a round");
    assert_eq!(load.stop().expect("the end"), []);
}

#[test]
fn a_cut_loses_every_connection_and_shows_as_a_gap() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let lab = started(3, 2, &targets);
    let _servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let front_end = lab.stack("TCPIP");
    let ready = targets.map(|name| (name, 1));
    front_end.wait_for_ready(&ready).expect("two servers");
    let load = Load::start(lab.client(), SERVICE, 20).expect("living connections");
    for (fault, lasts) in [
        (Fault::Unplugged, Duration::from_secs(2)),
        (Fault::Silent, Duration::from_secs(11)),
    ] {
        let probing = Probing::start(lab.client(), Form::Connect(SERVICE));
        load.wait_for_round().expect("a round");
        let began = Instant::now();
        lab.cut("TCPIP", &Network::ALL, fault).expect("a cut");
        thread::sleep(lasts);
        lab.heal("TCPIP", &Network::ALL, fault).expect("a cable");
        let healed = Instant::now();
        let served = || Ok(greetings(lab.client(), SERVICE, 1).is_ok());
        wait::until("a connection", Duration::from_secs(10), served).expect("a connection");
        let timeline = probing.stop().expect("a time line");
        // A question may have waited for up to a second for a neighbour that came back.
        let least = lasts.saturating_sub(Duration::from_secs(1) + SETTLING);
        let story = timeline.story(began);
        let gap = timeline.longest_gap(began, healed);
        assert!(gap >= least.max(SETTLING), "{fault:?}: {story}");
    }
    let lost = load.stop().expect("the end");
    assert_eq!(lost.len(), 20, "{lost:?}");
    assert!(
        lost.iter()
            .all(|lost| lost.reason == "no progress for 10 s"),
        "{lost:?}"
    );
}

#[test]
fn a_stack_comes_back_from_nothing() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let lab = started(3, 2, &targets);
    let mut servers: Vec<_> = targets
        .iter()
        .map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"))
        .collect();
    let front_end = lab.stack("TCPIP");
    let ready = targets.map(|name| (name, 1));
    front_end.wait_for_ready(&ready).expect("two servers");

    // What a client believes decides where its packets go.
    neighbour::pin(lab.client(), VIPA, lab.stack("TCPIP2")).expect("an entry");
    let by_server = greetings(lab.client(), SERVICE, 10).expect("connections");
    // TCPIP2 does not own the VIPA: it relays, to the owner, what comes from a client.
    assert_eq!(by_server, targets.map(|name| (name.to_owned(), 5)).into());
    neighbour::release(lab.client(), VIPA).expect("no entry");

    let load = Load::start(lab.client(), SERVICE, 20).expect("living connections");
    let probing = Probing::start(lab.client(), Form::Echo(VIPA.into()));
    load.wait_for_round().expect("a round");
    let began = Instant::now();
    // The target first: a server of this process keeps its namespace alive.
    servers.truncate(1);
    lab.power_off("TCPIP3").expect("a target that is off");
    load.wait_for_round().expect("the other target serves");
    assert_eq!(
        load.stop()
            .expect("the end")
            .iter()
            .filter(|lost| lost.server == "TCPIP2")
            .count(),
        0
    );
    let last = Instant::now();
    lab.power_off("TCPIP").expect("a front end that is off");
    let off = Instant::now();
    for name in ["TCPIP", "TCPIP3"] {
        lab.power_on(name).expect("a stack that is on");
        lab.stack(name).restart().expect("a daemon");
    }
    neighbour::wait_for_holder(&lab, VIPA, "TCPIP").expect("an owner");
    servers.push(Server::start(lab.stack("TCPIP3"), "TCPIP3", DUAL_STACK).expect("a server"));
    front_end.wait_for_ready(&ready).expect("two servers");
    let by_server = greetings(lab.client(), SERVICE, 10).expect("connections");
    assert_eq!(by_server, targets.map(|name| (name.to_owned(), 5)).into());
    let timeline = probing.stop().expect("a time line");
    let story = timeline.story(off);
    assert!(
        timeline.longest_gap(off, Instant::now()) > SETTLING,
        "{story}"
    );
    let gap = timeline.longest_gap(began, last);
    assert_eq!(gap, Duration::ZERO, "before: {story}");
}

#[test]
fn two_owners_are_seen() {
    let _turn = turn();
    let lab = built(3, 1);
    let address = |name: &str, verb: &str| {
        let line = format!("address {verb} {VIPA}/32 dev {LAN_INTERFACE}");
        lab.stack(name).namespace().ip([line]).expect("an address");
    };
    let watch = Watch::start(&lab, VIPA).expect("a watch");
    assert_eq!(neighbour::holders(&lab, VIPA).expect("nobody").len(), 0);
    address("TCPIP", "add");
    neighbour::wait_for_holder(&lab, VIPA, "TCPIP").expect("one owner");
    address("TCPIP2", "add");
    wait::until("two owners", Duration::from_secs(5), || {
        Ok(neighbour::holders(&lab, VIPA)?.len() == 2)
    })
    .expect("two owners");
    thread::sleep(SETTLING);
    address("TCPIP", "del");
    neighbour::wait_for_holder(&lab, VIPA, "TCPIP2").expect("one owner again");
    let seen = watch.stop().expect("sightings");
    let rivals = neighbour::rivals(&seen);
    assert!(!rivals.is_empty(), "{seen:?}");
    let both = ["TCPIP", "TCPIP2"].map(str::to_owned).into();
    assert!(rivals.iter().all(|one| one.holders == both), "{rivals:?}");
}
