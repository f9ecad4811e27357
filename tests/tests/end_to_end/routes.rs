//! Targets with a VIPAROUTE: packets travel inside others, across a router that knows nothing of it.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use distributor_common::abi::Encapsulation;
use distributor_common::host::frame::{Frame, carried};
use distributor_common::wire::tcp::{ACK, SYN};
use tests::host::Host;
use tests::lab::{FAR_INTERFACE, FarNetwork, Fault, Lab, Network, VIPA};
use tests::neighbour;
use tests::profile::{self, Dvipa, Moveable, Role};
use tests::tap::{EVERYTHING, Tap};
use tests::tcp::{Conversation, Load, Server};
use tests::wait;

use crate::{DUAL_STACK, SERVICE, built, turn};

/// How long a change of routes may take to be followed.
const FOLLOWED: Duration = Duration::from_secs(10);
const BYTES: [u8; 1000] = [7; 1000];
const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];

/// The statement, with what follows its addresses.
fn viparoute(lab: &Lab, target: &str, more: &str) -> String {
    let xcf = lab.stack(target).xcf_address();
    let address = FarNetwork::address(lab, target);
    format!("VIPADYNAMIC VIPAROUTE {xcf} {address} {more} ENDVIPADYNAMIC\n")
}

/// A lab with TCPIP3 on a far network too, to which the owner has a route; all daemons run.
fn routed(encapsulation: &str) -> (Lab, FarNetwork) {
    let lab = built(3, 1);
    let far = lab.add_far_network(&["TCPIP3"]).expect("a router");
    let destinations = TARGETS.map(|name| lab.stack(name).xcf_address());
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => {
            profile::front_end(stack.xcf_address(), &destinations)
                + &viparoute(&lab, "TCPIP3", encapsulation)
        }
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    for stack in lab.stacks() {
        stack.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    }
    (lab, far)
}

fn count(lab: &Lab, stack: &str, counter: &str) -> u64 {
    lab.stack(stack).counters().expect("counters")[counter]
}

/// Waits until the owner says of its route, and of the target's path, what is expected.
fn wait_for_route(lab: &Lab, status: &str, path: &str) {
    let owner = lab.stack("TCPIP");
    let what = format!("a route that is {status} and a path by {path}");
    wait::until(&what, FOLLOWED, || {
        let vipadyn = owner.netstat_json("vipadyn")?;
        let rows = owner.vdpt()?;
        let row = rows.iter().find(|row| row.target == "TCPIP3");
        Ok(vipadyn["routes"][0]["status"] == status
            && row.is_some_and(|row| row.path.as_deref() == Some(path)))
    })
    .expect("the route is followed");
}

/// Opens connections until each target has one.
fn one_of_each(client: &Host) -> Result<[Conversation; 2]> {
    client.namespace().run(|| {
        let open = || -> Result<Conversation> {
            let mut conversation = Conversation::open(SERVICE)?;
            conversation.start_echo()?;
            Ok(conversation)
        };
        let (first, second) = (open()?, open()?);
        anyhow::ensure!(first.server() != second.server(), "round robin");
        Ok(if first.server() == "TCPIP2" {
            [first, second]
        } else {
            [second, first]
        })
    })
}

#[test]
fn a_target_is_reached_across_a_router_and_without_it_by_its_network() {
    let _turn = turn();
    let (lab, _far) = routed("");
    let servers = TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    assert!(servers.iter().all(Result::is_ok));
    let owner = lab.stack("TCPIP");
    owner
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))
        .expect("two servers");
    wait_for_route(&lab, "Active", "gre");
    let [mut direct, mut routed] = one_of_each(lab.client()).expect("two connections");

    // Each change on the way is followed, and no connection notices.
    let route = |line: &str| owner.namespace().ip([line.to_owned()]).expect("a route");
    let obey = |more: &str| {
        owner
            .obey(&viparoute(&lab, "TCPIP3", more))
            .expect("it is obeyed");
    };
    let steps: [(&str, &str, &dyn Fn()); 5] = [
        ("Active", "gre", &|| ()),
        ("Active", "ipip", &|| obey("IPIP")),
        ("Unavail", "link", &|| route("route del 10.9.9.0/24")),
        ("Active", "ipip", &|| {
            route("route add 10.9.9.0/24 via 10.1.1.254");
        }),
        ("Active", "gre", &|| obey("GRE")),
    ];
    for (status, path, change) in steps {
        change();
        wait_for_route(&lab, status, path);
        let is_carried = path != "link";
        let before = [
            count(&lab, "TCPIP", "encapsulated"),
            count(&lab, "TCPIP3", "decapsulated"),
        ];
        routed.echo(&BYTES).expect("the same bytes");
        let [_, mut another] = one_of_each(lab.client()).expect("two connections");
        another.echo(&BYTES).expect("the same bytes");
        let after = [
            count(&lab, "TCPIP", "encapsulated"),
            count(&lab, "TCPIP3", "decapsulated"),
        ];
        for (before, after) in before.into_iter().zip(after) {
            assert_eq!(after > before, is_carried, "{path}: {before} {after}");
        }
        direct.echo(&BYTES).expect("the same bytes");
    }
    for counter in ["tunnel-stranger", "tunnel-odd", "tunnel-foreign"] {
        assert_eq!(count(&lab, "TCPIP3", counter), 0, "{counter}");
    }
    let detail = owner
        .netstat("vcrt", &["DETAIL,FORMAT=LONG"])
        .expect("VCRT");
    assert!(
        detail.contains("VipaRoute: Yes           Gw: 10.1.1.254"),
        "{detail}"
    );
    let explained = owner
        .order(&["explain", "10.1.3.10:8443"])
        .expect("EXPLAIN");
    assert!(
        explained.contains("Path: in GRE from 10.1.1.1 to 10.9.9.3, up to 1500 bytes"),
        "{explained}"
    );
    let said = owner.output();
    for message in ["SDL0128I", "SDL0129I"] {
        assert_eq!(said.matches(message).count(), 1, "{message}: {said}");
    }
}

#[test]
fn a_stack_that_shares_no_network_with_the_others_is_a_target() {
    let _turn = turn();
    let lab = built(3, 1);
    let _far = lab.add_far_network(&["TCPIP3"]).expect("a router");
    // It is on the far network and nowhere else.
    let alone = lab.stack("TCPIP3");
    lab.cut("TCPIP3", &Network::ALL, Fault::Unplugged)
        .expect("no cables");
    let lines = [
        "link set eth0 down",
        "route add default via 10.9.9.254",
        "route del 172.1.1.0/24 dev xcf0",
    ];
    alone
        .namespace()
        .ip(lines.map(ToOwned::to_owned))
        .expect("one way out");
    let destinations = TARGETS.map(|name| lab.stack(name).xcf_address());
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => {
            profile::front_end(stack.xcf_address(), &destinations)
                + &viparoute(&lab, "TCPIP3", "IPIP")
        }
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    let servers = TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    assert!(servers.iter().all(Result::is_ok));
    let owner = lab.stack("TCPIP");
    owner
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))
        .expect("two servers");
    wait_for_route(&lab, "Active", "ipip");
    let load = Load::start(lab.client(), SERVICE, 20).expect("connections");
    for _ in 0..3 {
        load.wait_for_round().expect("a round");
    }
    // The owner's daemon comes and goes, and its packet path goes on.
    owner.kill().expect("a kill");
    load.wait_for_round().expect("a round");
    owner.restart().expect("a daemon");
    owner
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))
        .expect("two servers");
    // So does the target's.
    alone.kill().expect("a kill");
    alone.restart().expect("a daemon");
    owner
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))
        .expect("two servers");
    load.wait_for_round().expect("a round");
    assert_eq!(load.stop().expect("the end"), []);
    assert!(count(&lab, "TCPIP3", "decapsulated") > 0);
}

#[test]
fn connections_to_routed_targets_survive_a_takeover() {
    let _turn = turn();
    let lab = built(3, 1);
    let _far = lab.add_far_network(&["TCPIP3"]).expect("a router");
    let destinations = ["TCPIP3"].map(|name| lab.stack(name).xcf_address());
    lab.start_with(|stack| {
        let role = match stack.name() {
            "TCPIP" => Role::Define,
            "TCPIP2" => Role::Backup(100),
            _ => return profile::target(stack.xcf_address()),
        };
        let dvipa = Dvipa {
            role,
            moveable: Some(Moveable::Immediate),
            destinations: &destinations,
        };
        // VIPAROUTE is not inherited, as on z/OS.
        dvipa.profile(stack.xcf_address()) + &viparoute(&lab, "TCPIP3", "")
    })
    .expect("daemons");
    let _server = Server::start(lab.stack("TCPIP3"), "TCPIP3", DUAL_STACK).expect("a server");
    let (owner, backup) = (lab.stack("TCPIP"), lab.stack("TCPIP2"));
    owner.wait_for_ready(&[("TCPIP3", 1)]).expect("a server");
    wait_for_route(&lab, "Active", "gre");
    let load = Load::start(lab.client(), SERVICE, 50).expect("connections");
    load.wait_for_round().expect("a round");

    lab.power_off("TCPIP").expect("no power");
    neighbour::wait_for_holder(&lab, VIPA, "TCPIP2").expect("a takeover");
    load.wait_for_round().expect("a round");
    assert!(count(&lab, "TCPIP2", "encapsulated") > 0);
    backup.wait_for_ready(&[("TCPIP3", 1)]).expect("a server");

    lab.power_on("TCPIP").expect("power");
    owner
        .namespace()
        .ip(["route add 10.9.9.0/24 via 10.1.1.254".to_owned()])
        .expect("a route");
    owner.restart().expect("a daemon");
    neighbour::wait_for_holder(&lab, VIPA, "TCPIP").expect("a takeback");
    load.wait_for_round().expect("a round");
    assert!(count(&lab, "TCPIP", "encapsulated") > 0);
    assert_eq!(load.stop().expect("the end"), []);
}

#[test]
fn nothing_is_opened_but_what_a_member_sends_for_a_vipa_that_is_here() {
    let _turn = turn();
    let (lab, far) = routed("");
    let _server = Server::start(lab.stack("TCPIP3"), "TCPIP3", DUAL_STACK).expect("a server");
    let owner = lab.stack("TCPIP");
    owner.wait_for_ready(&[("TCPIP3", 1)]).expect("a server");
    wait_for_route(&lab, "Active", "gre");
    let target = lab.stack("TCPIP3");
    let (_, here) = target.link(FAR_INTERFACE).expect("an interface");
    let wire = Tap::open(far.router(), FAR_INTERFACE, EVERYTHING).expect("a tap");

    let inner = |dvipa: [u8; 4], flags: u8| {
        let frame = Frame {
            dvipa,
            ..Frame::new(40_000, flags)
        };
        let mut bytes = frame.bytes();
        bytes[..6].copy_from_slice(&here);
        bytes
    };
    let to = FarNetwork::address(&lab, "TCPIP3").octets();
    let member = Ipv4Addr::new(10, 1, 1, 1).octets();
    let client = lab.client().lan_address().octets();
    let vipa = VIPA.octets();
    let syn = inner(vipa, SYN);
    let gre = Encapsulation::Gre;
    let attacks: [(&str, Vec<u8>, &str); 6] = [
        (
            "a client",
            carried(gre, [client, to], &syn),
            "tunnel-stranger",
        ),
        (
            "the target of the owner's route, elsewhere",
            carried(gre, [member, [10, 9, 9, 4]], &syn),
            "tunnel-stranger",
        ),
        (
            "a member that has no route to here",
            carried(gre, [[10, 1, 1, 2], to], &syn),
            "tunnel-stranger",
        ),
        (
            "a VIPA that is not here",
            carried(gre, [member, to], &inner([10, 1, 3, 99], SYN)),
            "tunnel-foreign",
        ),
        (
            "an address of the host",
            carried(gre, [member, to], &inner(to, SYN)),
            "tunnel-foreign",
        ),
        (
            "a tunnel in a tunnel",
            carried(gre, [member, to], &carried(gre, [member, vipa], &syn)),
            "tunnel-odd",
        ),
    ];
    let accepted = count(&lab, "TCPIP3", "accepted");
    for (what, frame, counter) in attacks {
        let before = count(&lab, "TCPIP3", counter);
        for _ in 0..3 {
            wire.send(&frame).expect("a frame");
        }
        wait::until(what, FOLLOWED, || {
            Ok(target.counters()?[counter] == before + 3)
        })
        .expect("it is counted");
    }
    assert_eq!(count(&lab, "TCPIP3", "accepted"), accepted);
    assert_eq!(count(&lab, "TCPIP3", "decapsulated"), 0);

    // Not as the owner: a target hands on, and begins nothing.
    let frame = carried(gre, [member, to], &inner(vipa, ACK));
    wire.send(&frame).expect("a frame");
    wait::until("a segment that is opened", FOLLOWED, || {
        Ok(target.counters()?["decapsulated"] == 1)
    })
    .expect("the owner's way in");
    assert!(
        lab.stack("TCPIP3")
            .netstat_text("vcrt")
            .is_ok_and(|vcrt| !vcrt.contains("40000")),
        "no connection came of it"
    );
    let mut connection = lab
        .client()
        .namespace()
        .run(|| Ok(Conversation::open(SERVICE)?))
        .expect("a connection");
    connection.start_echo().expect("an echo");
    connection.echo(&BYTES).expect("the same bytes");
}
