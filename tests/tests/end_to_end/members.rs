//! Connections that start on a member of the group are answered, as a client's are.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use socket2::{Domain, Socket, Type};
use tests::lab::{Lab, VIPA};
use tests::profile::{self, Dvipa, Role};
use tests::stack::Stack;
use tests::tcp::{Conversation, Load, Server, greetings};
use tests::wait;

use crate::{DUAL_STACK, SERVICE, built, started, turn};

const PATIENCE: Duration = Duration::from_secs(20);

/// Beyond what one packet holds, however large the kernel makes it on its way through itself.
const BULK: usize = 1 << 20;

/// Waits until what starts on the stacks is distributed.
fn wait_for_programs(lab: &Lab) {
    let mut stacks = lab.stacks().iter();
    stacks
        .try_for_each(Stack::wait_for_programs)
        .expect("programs");
}

/// TCPIP distributes over `targets`, on each of which a server runs, by `options` of VIPADISTRIBUTE.
fn served(stacks: u8, targets: &[&str], options: &str) -> (Lab, BTreeMap<String, Server>) {
    let lab = built(stacks, 1);
    let address = |name: &&str| lab.stack(name).xcf_address().to_string();
    let addresses: Vec<_> = targets.iter().map(address).collect();
    let method = format!("ROUNDROBIN {options}");
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::distributed(stack.xcf_address(), &method, &addresses),
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    let servers = serve(&lab, targets);
    wait_for_programs(&lab);
    (lab, servers)
}

/// Starts a server on each of the stacks, and waits until the owner knows of them.
fn serve(lab: &Lab, targets: &[&str]) -> BTreeMap<String, Server> {
    for name in targets {
        lab.stack(name)
            .wait_for_dvipa(VIPA.into())
            .expect("the VIPA");
    }
    let start = |name: &&str| {
        let server = Server::start(lab.stack(name), name, DUAL_STACK).expect("a server");
        ((*name).to_owned(), server)
    };
    let servers = targets.iter().map(start).collect();
    let ready: Vec<_> = targets.iter().map(|name| (*name, 1)).collect();
    lab.stack("TCPIP").wait_for_ready(&ready).expect("servers");
    servers
}

/// So many connections to each of these.
fn each(targets: &[&str], connections: u32) -> BTreeMap<String, u32> {
    let each = targets.iter();
    each.map(|name| ((*name).to_owned(), connections)).collect()
}

/// Connects from `source` by a socket of the family of `to`, which is the VIPA; returns who answered.
fn greeting_from(stack: &Stack, source: Option<Ipv4Addr>, to: SocketAddr) -> String {
    let connect = || {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        socket.connect_timeout(&to.into(), PATIENCE)?;
        let conversation = Conversation::over(socket.into())?;
        Ok(conversation.server().to_owned())
    };
    let greeted = stack.namespace().run(connect);
    greeted
        .with_context(|| format!("from {source:?} to {to} on {}", stack.name()))
        .expect("a greeting")
}

#[test]
fn everywhere_connections_take_their_turn() {
    let _turn = turn();
    // TCPIP4 is neither target nor owner: the VIPA is elsewhere for it, as for a client.
    let targets = ["TCPIP2", "TCPIP3"];
    let (lab, _servers) = served(4, &targets, "");
    let route = format!("route add {VIPA} dev eth0");
    lab.stack("TCPIP4").namespace().ip([route]).expect("a way");
    for stack in lab.stacks() {
        let by_server = greetings(stack, SERVICE, 20).expect("connections");
        assert_eq!(by_server, each(&targets, 10), "on {}", stack.name());
    }
    let by_server = greetings(lab.client(), SERVICE, 20).expect("connections");
    assert_eq!(by_server, each(&targets, 10));
    let rows = lab.stack("TCPIP").vdpt().expect("VDPT");
    let totals = rows
        .iter()
        .map(|row| (row.target.as_str(), row.total_connections));
    assert_eq!(
        totals.collect::<BTreeMap<_, _>>(),
        targets.map(|name| (name, 50)).into()
    );
    // Also by the sockets of Java, and from an address that the client has chosen.
    let mapped = SocketAddr::new(IpAddr::V6(VIPA.to_ipv6_mapped()), SERVICE.port());
    for stack in &lab.stacks()[..3] {
        let (lan, xcf) = (stack.lan_address(), stack.xcf_address());
        for source in [Some(lan), Some(xcf), None] {
            let pair = [(); 2].map(|()| greeting_from(stack, source, SERVICE));
            assert_eq!(pair, targets, "from {source:?} on {}", stack.name());
        }
        let pair = [(); 2].map(|()| greeting_from(stack, None, mapped));
        assert_eq!(pair, targets, "on {}", stack.name());
    }
}

#[test]
fn a_connection_is_in_the_table_and_carries_everything() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let (lab, _servers) = served(3, &targets, "");
    for stack in lab.stacks() {
        let converse = || {
            let pair = [Conversation::open(SERVICE)?, Conversation::open(SERVICE)?];
            Ok(pair.map(|mut conversation| {
                let bytes = vec![0x5a; BULK];
                conversation.start_echo().expect("a living connection");
                conversation.echo_all(&bytes).expect("every byte");
                conversation
            }))
        };
        let living = stack.namespace().run(converse).expect("connections");
        let expected: BTreeMap<_, _> = living
            .iter()
            .map(|conversation| {
                let port = conversation.client_port().expect("a living connection");
                (port, conversation.server().to_owned())
            })
            .collect();
        // A connection that its own target started is seen whole at the next audit only.
        wait::until("VCRT to show them", PATIENCE, || {
            let rows = lab.stack("TCPIP").vcrt()?;
            let own = rows.iter().filter(|row| {
                row.client == IpAddr::V4(stack.xcf_address()) && row.state == "established"
            });
            let own: BTreeMap<_, _> = own
                .map(|row| (row.client_port, row.target.clone().unwrap_or_default()))
                .collect();
            Ok(own == expected)
        })
        .expect("VCRT");
    }
}

#[test]
fn a_target_without_a_server_reaches_the_others() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    for options in ["", "OPTLOCAL"] {
        let (lab, mut servers) = served(3, &targets, options);
        drop(servers.remove("TCPIP2"));
        lab.stack("TCPIP")
            .wait_for_ready(&[("TCPIP3", 1)])
            .expect("a server less");
        let by_server = greetings(lab.stack("TCPIP2"), SERVICE, 10).expect("connections");
        assert_eq!(by_server, each(&["TCPIP3"], 10), "{options}");
    }
}

#[test]
fn optlocal_keeps_connections_on_a_target_that_can_serve_them() {
    let _turn = turn();
    let targets = ["TCPIP", "TCPIP2", "TCPIP3"];
    let (lab, mut servers) = served(4, &targets, "OPTLOCAL");
    let route = format!("route add {VIPA} dev eth0");
    lab.stack("TCPIP4").namespace().ip([route]).expect("a way");
    for name in targets {
        let by_server = greetings(lab.stack(name), SERVICE, 9).expect("connections");
        assert_eq!(by_server, each(&[name], 9), "on {name}");
    }
    // Nobody's turn has passed, and those on no target take theirs.
    let by_server = greetings(lab.stack("TCPIP4"), SERVICE, 9).expect("connections");
    assert_eq!(by_server, each(&targets, 3));

    for name in ["TCPIP", "TCPIP2"] {
        let stack = lab.stack(name);
        stack
            .order(&["vary", "quiesce", "target"])
            .expect("an order");
        wait::until("connections to go elsewhere", PATIENCE, || {
            let by_server = greetings(stack, SERVICE, 4)?;
            Ok(!by_server.contains_key(name))
        })
        .expect("a quiesced target");
        stack
            .order(&["vary", "resume", "target"])
            .expect("an order");
        wait::until("connections to stay", PATIENCE, || {
            Ok(greetings(stack, SERVICE, 4)? == each(&[name], 4))
        })
        .expect("a resumed target");
    }
    drop(servers.remove("TCPIP"));
    lab.stack("TCPIP")
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("a server less");
    let elsewhere = greeting_from(lab.stack("TCPIP"), None, SERVICE);
    assert!(targets[1..].contains(&elsewhere.as_str()), "{elsewhere}");
}

#[test]
fn a_killed_daemon_is_not_needed() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3"];
    let (lab, _servers) = served(3, &targets, "");
    for name in ["TCPIP2", "TCPIP"] {
        let stack = lab.stack(name);
        let load = Load::start(stack, SERVICE, 10).expect("living connections");
        stack.kill().expect("a daemon");
        // A target whose daemon is gone gets no new ones soon; that they are answered is enough.
        greetings(stack, SERVICE, 20).expect("connections");
        stack.restart().expect("another daemon");
        let ready = targets.map(|name| (name, 1));
        lab.stack("TCPIP").wait_for_ready(&ready).expect("servers");
        let by_server = greetings(stack, SERVICE, 20).expect("connections");
        assert_eq!(by_server, each(&targets, 10), "on {name}");
        load.wait_for_round().expect("a round");
        assert_eq!(load.stop().expect("the end"), []);
    }
}

#[test]
fn connections_of_members_outlive_the_owner() {
    let _turn = turn();
    let lab = built(4, 1);
    let targets = ["TCPIP2", "TCPIP3"];
    let addresses = targets.map(|name| lab.stack(name).xcf_address());
    let dvipa = |role| Dvipa {
        role,
        moveable: None,
        destinations: &addresses,
    };
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => dvipa(Role::Define).profile(stack.xcf_address()),
        "TCPIP4" => dvipa(Role::Backup(1)).profile(stack.xcf_address()),
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    let _servers = serve(&lab, &targets);
    wait_for_programs(&lab);
    let backup = lab.stack("TCPIP4");
    let route = format!("route add {VIPA} dev eth0");
    backup.namespace().ip([route]).expect("a way");
    // What starts on the backup begins as a client's, and goes on when the VIPA comes to it.
    let loads = ["TCPIP2", "TCPIP3", "TCPIP4"].map(|name| {
        let load = Load::start(lab.stack(name), SERVICE, 10).expect("living connections");
        (name, load)
    });

    lab.power_off("TCPIP").expect("an owner less");
    wait::until("the backup to own the VIPA", PATIENCE, || {
        let rows = backup.vipadyn()?;
        Ok(rows
            .iter()
            .any(|row| row.dvipa == IpAddr::V4(VIPA) && row.status == "Active"))
    })
    .expect("a takeover");
    for (name, load) in loads {
        load.wait_for_round().expect("a round");
        assert_eq!(load.stop().expect("the end"), [], "started on {name}");
    }
    for stack in &lab.stacks()[1..] {
        let by_server = greetings(stack, SERVICE, 20).expect("connections");
        assert_eq!(by_server, each(&targets, 10), "on {}", stack.name());
    }
}

#[test]
fn connections_of_the_owner_outlive_its_ownership() {
    let _turn = turn();
    let lab = started(3, 1, &["TCPIP2", "TCPIP3"]);
    let _servers = serve(&lab, &["TCPIP2", "TCPIP3"]);
    wait_for_programs(&lab);
    let owner = lab.stack("TCPIP");
    let load = Load::start(owner, SERVICE, 10).expect("living connections");
    let addresses = ["TCPIP2", "TCPIP3"].map(|name| lab.stack(name).xcf_address());
    let dvipa = Dvipa {
        role: Role::Backup(1),
        moveable: None,
        destinations: &addresses,
    };
    let backup = lab.stack("TCPIP2");
    let profile = dvipa.profile(backup.xcf_address());
    backup.write_profile(&profile).expect("a profile");
    backup.reload().expect("a backup");
    // The former owner has no VIPA then, but a way to it.
    let route = format!("route add {VIPA} dev eth0");
    owner.namespace().ip([route]).expect("a way");
    owner
        .order(&["vary", "deactivate", &VIPA.to_string()])
        .expect("an order");
    wait::until("the backup to own the VIPA", PATIENCE, || {
        let rows = backup.vipadyn()?;
        Ok(rows
            .iter()
            .any(|row| row.dvipa == IpAddr::V4(VIPA) && row.status == "Active"))
    })
    .expect("a takeover");
    load.wait_for_round().expect("a round");
    assert_eq!(load.stop().expect("the end"), []);
    let by_server = greetings(owner, SERVICE, 20).expect("connections");
    assert_eq!(by_server, each(&["TCPIP2", "TCPIP3"], 10));
}
