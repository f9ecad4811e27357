//! An IPv6 VIPA beside the IPv4 one: where it is, who says so, and how stacks agree on it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tests::host::{Host, LAN_INTERFACE, XCF_INTERFACE};
use tests::lab::{DVIPA6, Lab, PORT, VIPA, VIPA6, in_ipv6};
use tests::neighbour;
use tests::profile::{self, Dvipa, Moveable, Role};
use tests::program;
use tests::stack::Stack;
use tests::tcp::Server;
use tests::wait;

use crate::{DUAL_STACK, built, turn};

/// The stacks that receive connections; they are also the backups, in this order.
const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];

/// How long something may take that nobody is to wait for.
const SOON: Duration = Duration::from_secs(15);

/// What TCPIP and its backups are told of both VIPAs.
fn dual_profile(lab: &Lab, stack: &Stack) -> String {
    let destinations = TARGETS.map(|name| lab.stack(name).xcf_address());
    let dvipa = Dvipa {
        role: match stack.name() {
            "TCPIP" => Role::Define,
            "TCPIP2" => Role::Backup(200),
            _ => Role::Backup(100),
        },
        moveable: Some(Moveable::Immediate),
        destinations: &destinations,
    };
    dvipa.dual_profile(stack.xcf_address())
}

/// A lab whose daemons run with such profiles.
fn started() -> Lab {
    let lab = built(3, 2);
    lab.start_with(|stack| dual_profile(&lab, stack))
        .expect("daemons");
    for stack in lab.stacks() {
        for vipa in [VIPA.into(), VIPA6.into()] {
            stack.wait_for_dvipa(vipa).expect("a VIPA");
        }
    }
    lab
}

/// The IPv6 VIPA as the kernel of `stack` has it: on one line for each interface.
fn placed(stack: &Stack) -> Vec<String> {
    let mut command = stack.namespace().command("ip");
    command.args([
        "-oneline",
        "-6",
        "address",
        "show",
        "to",
        &VIPA6.to_string(),
    ]);
    let text = program::output(&mut command).expect("addresses");
    let words = |line: &str| {
        line.split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(words).collect()
}

fn wait_for_place(stack: &Stack, interface: &str) {
    let what = format!("`{VIPA6}` on {interface} of {} alone", stack.name());
    wait::until(&what, SOON, || {
        let placed = placed(stack);
        Ok(placed.len() == 1 && placed[0].starts_with(&format!("{interface} inet6 {VIPA6}/128")))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", placed(stack)));
}

/// Where `client` believes the IPv6 VIPA to be.
fn believed(client: &Host) -> String {
    let mut command = client.namespace().command("ip");
    command.args(["neighbour", "show", "to", &VIPA6.to_string()]);
    program::output(&mut command).expect("neighbours")
}

fn mac_of(stack: &Stack) -> String {
    let (_, mac) = stack.link(LAN_INTERFACE).expect("a link");
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Each VIPA with its status and its part in distribution, as `stack` says.
fn states(stack: &Stack) -> Vec<(IpAddr, String, String)> {
    let rows = stack.vipadyn().expect("VIPADYN").into_iter();
    rows.map(|row| (row.dvipa, row.status, row.distribution))
        .collect()
}

#[test]
fn an_ipv6_address_moves_like_an_ipv4_one() {
    let _turn = turn();
    let lab = started();
    let [owner, backup] = ["TCPIP", "TCPIP2"].map(|name| lab.stack(name));
    neighbour::wait_for_holder(&lab, VIPA6, "TCPIP").expect("an owner");
    wait_for_place(owner, LAN_INTERFACE);
    for target in TARGETS {
        wait_for_place(lab.stack(target), "lo");
    }
    // Nothing is ever sent from it that does not ask for it.
    assert!(
        placed(owner)[0].contains("deprecated"),
        "{:?}",
        placed(owner)
    );

    let both = |status: &str, distribution: &str| {
        [IpAddr::from(VIPA), VIPA6.into()]
            .map(|vipa| (vipa, status.to_owned(), distribution.to_owned()))
    };
    assert_eq!(states(owner), both("Active", "Dist"));
    assert_eq!(states(backup), both("Backup", "Dest"));
    let rows = owner.vipadyn().expect("VIPADYN");
    assert_eq!(rows[1].interface.as_deref(), Some(DVIPA6));

    // What was removed by hand comes back.
    for (stack, interface) in [(owner, LAN_INTERFACE), (backup, "lo")] {
        let removed = format!("address del {VIPA6}/128 dev {interface}");
        stack.namespace().ip([removed]).expect("no address");
        wait_for_place(stack, interface);
    }

    // A client that has spoken with the owner is told of every other one.
    let client = lab.client();
    let mut ping = client.namespace().command("ping");
    ping.args(["-6", "-c", "1", "-W", "5", &VIPA6.to_string()]);
    program::output(&mut ping).expect("an echo");
    assert!(
        believed(client).contains(&mac_of(owner)),
        "{}",
        believed(client)
    );
    let told = |stack: &Stack| {
        wait::until("the client to be told", SOON, || {
            Ok(believed(client).contains(&mac_of(stack)))
        })
        .unwrap_or_else(|error| panic!("{error:#}: {}", believed(client)));
    };
    owner.stop().expect("a clean stop");
    neighbour::wait_for_holder(&lab, VIPA6, "TCPIP2").expect("the backup");
    told(backup);
    wait_for_place(backup, LAN_INTERFACE);
    assert_eq!(placed(owner), Vec::<String>::new());
    owner.restart().expect("a daemon");
    neighbour::wait_for_holder(&lab, VIPA6, "TCPIP").expect("the definer");
    told(owner);
    wait_for_place(backup, "lo");
}

#[test]
fn stacks_without_ipv4_are_members_like_the_others() {
    let _turn = turn();
    let lab = built(3, 1);
    // TCPIP has addresses of both families, and the others have only those of IPv6.
    for target in TARGETS {
        let flush = |interface| format!("-4 address flush dev {interface}");
        let stack = lab.stack(target);
        for interface in [LAN_INTERFACE, XCF_INTERFACE] {
            let mut command = stack.namespace().command("ip");
            program::output(command.args(flush(interface).split(' '))).expect("no address");
        }
    }
    let xcf = |address: Ipv4Addr| format!("IPCONFIG6 DYNAMICXCF {}\n", in_ipv6(address));
    let destinations = TARGETS.map(|name| lab.stack(name).xcf_address6().to_string());
    let [two, three] = &destinations;
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => format!(
            "{}VIPADYNAMIC\n   VIPADEFINE {DVIPA6} {VIPA6}\n   VIPADISTRIBUTE {DVIPA6} PORT {PORT}\n\
             \u{20}     DESTIP {two} {three}\nENDVIPADYNAMIC\n",
            profile::dual_target(stack.xcf_address())
        ),
        _ => xcf(stack.xcf_address()),
    })
    .expect("daemons");
    let owner = lab.stack("TCPIP");
    let _servers = TARGETS.map(|name| {
        let stack = lab.stack(name);
        stack.wait_for_dvipa(VIPA6.into()).expect("the VIPA");
        Server::start(stack, name, DUAL_STACK).expect("a server")
    });
    let ready = TARGETS.map(|name| (name, 1));
    owner.wait_for_ready(&ready).expect("two servers");
    let named: BTreeSet<_> = owner
        .vdpt()
        .expect("VDPT")
        .into_iter()
        .map(|row| (row.target, row.dest_xcf.to_string()))
        .collect();
    let expected = TARGETS.iter().zip(&destinations);
    let expected = expected.map(|(name, address)| ((*name).to_owned(), address.clone()));
    assert_eq!(named, expected.collect());

    // It is seen at once that a stack is gone, over IPv6 as over IPv4.
    lab.stack("TCPIP3").stop().expect("a clean stop");
    wait::until("TCPIP3 to be gone", SOON, || {
        let rows = owner.vdpt()?;
        let mut ready = rows.iter().filter(|row| row.is_active && row.ready > 0);
        Ok(ready.all(|row| row.target != "TCPIP3"))
    })
    .expect("one target");
}
