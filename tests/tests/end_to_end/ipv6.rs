//! An IPv6 VIPA beside the IPv4 one: where it is, who says so, and how stacks agree on it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use distributor_common::host::frame::ipv6::Frame6;
use distributor_common::wire::ipv6::{self, extension};
use distributor_common::wire::tcp::{self, ACK};
use distributor_common::wire::{ethernet, udp};
use tests::host::{Host, LAN_INTERFACE, XCF_INTERFACE};
use tests::lab::{DVIPA6, Fault, Lab, Network, PORT, VIPA, VIPA6, in_ipv6};
use tests::neighbour;
use tests::profile::{self, Dvipa, Moveable, Role};
use tests::program;
use tests::stack::Stack;
use tests::tap::{EVERYTHING, Tap};
use tests::tcp::{Conversation, Load, Server, greetings};
use tests::wait;

use crate::{DUAL_STACK, built, turn};

/// The stacks that receive connections; they are also the backups, in this order.
const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];

const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V6(VIPA6), PORT);

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
    // Nobody listens, which takes a neighbour to find out.
    let refused = client
        .namespace()
        .run(|| Ok(TcpStream::connect_timeout(&SERVICE, SOON)));
    assert!(refused.expect("a namespace").is_err());
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
fn connections_to_an_ipv6_address_take_turns_and_survive_its_moves() {
    /// So many at a time, paced: less than half of a processor.
    const CONNECTIONS: u32 = 60;

    let _turn = turn();
    let lab = started();
    let (owner, client) = (lab.stack("TCPIP"), lab.client());
    let _servers = TARGETS.map(|name| {
        let stack = lab.stack(name);
        Server::start(stack, name, DUAL_STACK).expect("a server")
    });
    let ready = TARGETS.map(|name| (name, 1));
    owner.wait_for_ready(&ready).expect("two servers");

    let shared = || {
        TARGETS
            .map(|name| (name.to_owned(), CONNECTIONS / 2))
            .into()
    };
    let greeted = greetings(client, SERVICE, CONNECTIONS).expect("connections");
    assert_eq!(greeted, shared());
    // Each family has turns of its own.
    let greeted = greetings(client, (VIPA, PORT).into(), CONNECTIONS).expect("connections");
    assert_eq!(greeted, shared());

    let load = Load::start(client, SERVICE, CONNECTIONS).expect("connections");
    let clients = || -> BTreeSet<_> {
        let rows = owner.vcrt().expect("VCRT").into_iter();
        rows.filter(|row| row.dvipa == SERVICE.ip() && row.state == "established")
            .map(|row| (row.client, row.client_port))
            .collect()
    };
    wait::until("VCRT to show what is open", SOON, || {
        Ok(clients().len() == CONNECTIONS as usize)
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", clients()));
    assert!(clients().iter().all(|(address, _)| address.is_ipv6()));

    lab.cut("TCPIP", &Network::ALL, Fault::Silent).expect("cut");
    neighbour::wait_for_holder(&lab, VIPA6, "TCPIP2").expect("the backup");
    load.wait_for_round().expect("all go on at the backup");
    lab.heal("TCPIP", &Network::ALL, Fault::Silent)
        .expect("healed");
    neighbour::wait_for_holder(&lab, VIPA6, "TCPIP").expect("the definer");
    load.wait_for_round().expect("all go on at the definer");
    owner.stop().expect("a clean stop");
    neighbour::wait_for_holder(&lab, VIPA6, "TCPIP2").expect("the backup");
    load.wait_for_round().expect("all go on once more");
    let greeted = greetings(client, SERVICE, CONNECTIONS).expect("connections");
    assert_eq!(greeted, shared());
    let lost = load.stop().expect("the load");
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn what_is_no_segment_leaves_an_ipv6_service_as_it_is() {
    let _turn = turn();
    let lab = started();
    let (owner, client) = (lab.stack("TCPIP"), lab.client());
    let _servers = TARGETS.map(|name| {
        let stack = lab.stack(name);
        Server::start(stack, name, DUAL_STACK).expect("a server")
    });
    let ready = TARGETS.map(|name| (name, 1));
    owner.wait_for_ready(&ready).expect("two servers");
    let mut conversation = client
        .namespace()
        .run(|| Ok(Conversation::open(SERVICE)?))
        .expect("a connection");
    conversation.start_echo().expect("a connection");

    // To the owner's address in Ethernet, so that only what is behind it is wrong.
    let (_, mac) = owner.link(LAN_INTERFACE).expect("a link");
    let whole = Frame6 {
        source: [2, 0, 0, 0, 0, 0xcc],
        client: client.lan_address6(),
        dvipa: VIPA6,
        port: PORT,
        ..Frame6::new(40_000, ACK)
    };
    let extended = |extensions: &[u8]| Frame6 {
        extensions: extensions.to_vec(),
        ..whole.clone()
    };
    // A TCP header of 16 bytes.
    let mut short = whole.bytes();
    short[ethernet::LEN + ipv6::LEN + tcp::DATA_OFFSET] = 4 << 4;
    let frames = [
        short,
        extended(&[extension::OPTIONS; 5]).bytes(),
        extended(&[extension::FRAGMENT]).bytes(),
        whole.carrying(udp::PROTOCOL, &[0; 20]),
    ];
    let tap = Tap::open(client.namespace(), LAN_INTERFACE, EVERYTHING).expect("a socket");
    let before = owner.counters().expect("counters");
    for mut frame in frames {
        frame[..6].copy_from_slice(&mac);
        tap.send(&frame).expect("a frame");
    }
    let counted = ["malformed", "header-chain", "fragment", "not-tcp"];
    wait::until("each to be counted", SOON, || {
        let now = owner.counters()?;
        Ok(counted.iter().all(|name| now[*name] > before[*name]))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", owner.counters()));
    conversation.echo(b"still here").expect("an echo");
    let greeted = greetings(client, SERVICE, 2).expect("connections");
    assert_eq!(greeted.len(), 2, "{greeted:?}");
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
