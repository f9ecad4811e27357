//! TIMEDAFFINITY: a client comes back to its server, until some time after its last connection.

use std::time::{Duration, Instant};

use distributor_user::engine::report::VcrtRow;
use tests::host::Host;
use tests::lab::{Lab, VIPA};
use tests::tcp::{Conversation, Server, greetings};
use tests::{profile, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

const SECONDS: u64 = 5;
/// How often it is looked whose time is over, twice: at the owner, and when the last close is heard of.
const LATE: Duration = Duration::from_millis(2_500);
const PATIENCE: Duration = Duration::from_secs(20);

/// TCPIP distributes over TCPIP2, where two servers share the port, and TCPIP3; there are two clients.
fn started() -> (Lab, [Server; 3]) {
    let lab = built(3, 2);
    let targets = ["TCPIP2", "TCPIP3"].map(|name| lab.stack(name).xcf_address().to_string());
    let method = format!("ROUNDROBIN TIMEDAFFINITY {SECONDS}");
    lab.start_with(|stack| {
        let target = profile::target(stack.xcf_address());
        match stack.name() {
            "TCPIP" => profile::distributed(stack.xcf_address(), &method, &targets),
            "TCPIP2" => target + "PORT 8443 TCP * SHAREPORT BIND 10.1.3.10\n",
            _ => target,
        }
    })
    .expect("daemons");
    for stack in lab.stacks() {
        stack.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    }
    let servers = ["TCPIP2/1", "TCPIP2/2", "TCPIP3/1"].map(|name| {
        let stack = lab.stack(stack_of(name));
        Server::start(stack, name, DUAL_STACK).expect("a server")
    });
    let ready = [("TCPIP2", 2), ("TCPIP3", 1)];
    lab.stack("TCPIP")
        .wait_for_ready(&ready)
        .expect("three servers");
    (lab, servers)
}

/// The stack of a server.
fn stack_of(server: &str) -> &str {
    server.split('/').next().unwrap_or_default()
}

/// Connects several times, and returns the server, which is the same each time.
fn server_of(client: &Host) -> String {
    let by_server = greetings(client, SERVICE, 10).expect("connections");
    let mut servers = by_server.into_keys();
    let server = servers.next().expect("somebody has answered");
    assert_eq!(servers.next(), None, "and {server} before");
    server
}

fn open(client: &Host) -> Conversation {
    let conversation = client.namespace().run(|| Ok(Conversation::open(SERVICE)?));
    conversation.expect("a connection")
}

/// What VCRT says of the targets that clients keep, by the clients' addresses.
fn kept(lab: &Lab) -> Vec<VcrtRow> {
    let mut rows = lab.stack("TCPIP").vcrt().expect("VCRT");
    rows.retain(|row| row.client_port == 0);
    rows
}

/// Waits until nobody keeps anything.
fn wait_for_end(lab: &Lab) {
    wait::until("nobody to keep a target", PATIENCE, || {
        Ok(kept(lab).is_empty())
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", kept(lab)));
}

#[test]
fn a_client_comes_back_to_its_server_until_its_time_is_over() {
    let _turn = turn();
    let (lab, _servers) = started();
    let [one, two] = [0, 1].map(|client| &lab.clients()[client]);
    let [first, second] = [one, two].map(server_of);
    // The second client had the next turn: the other stack's, though the first came ten times.
    assert_ne!(stack_of(&first), stack_of(&second));
    let rows = kept(&lab);
    let mut targets: Vec<_> = rows
        .iter()
        .filter_map(|row| row.target.as_deref())
        .collect();
    targets.sort_unstable();
    assert_eq!(targets, ["TCPIP2", "TCPIP3"], "{rows:?}");
    for row in &rows {
        assert_eq!(
            (row.state.as_str(), row.timed_affinity_s),
            ("affinity", Some(5))
        );
    }

    // A connection keeps it for as long as it lives; another daemon goes on with it.
    let mut living = open(one);
    assert_eq!(living.server(), first);
    living.start_echo().expect("an echo");
    let began = Instant::now();
    let front_end = lab.stack("TCPIP");
    front_end.kill().expect("a dead daemon");
    front_end.restart().expect("another daemon");
    let ready = [("TCPIP2", 2), ("TCPIP3", 1)];
    front_end.wait_for_ready(&ready).expect("three servers");
    wait::until("the idle client to keep nothing", PATIENCE, || {
        let only = kept(&lab);
        Ok(only.len() == 1 && began.elapsed() > Duration::from_secs(SECONDS) + LATE)
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", kept(&lab)));
    let row = kept(&lab).remove(0);
    let said = (row.affinity_connections, row.affinity_left_s);
    assert_eq!(said, (Some(1), None), "{row:?}");
    living.echo(b"still there").expect("an echo");
    assert_eq!(server_of(one), first);

    // From the end of the last one on the time runs, and a new one stops it.
    drop(living);
    let closed = Instant::now();
    wait::until("the timer to run", PATIENCE, || {
        let rows = kept(&lab);
        Ok(rows
            .iter()
            .any(|row| row.affinity_left_s.is_some_and(|left| left <= 3)))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", kept(&lab)));
    assert!(closed.elapsed() < Duration::from_secs(SECONDS));
    assert_eq!(server_of(one), first);
    let closed = Instant::now();
    wait_for_end(&lab);
    let lasted = closed.elapsed();
    let expected = Duration::from_secs(SECONDS);
    assert!(
        lasted + Duration::from_millis(500) > expected && lasted < expected + LATE,
        "{lasted:?}"
    );

    // Then everybody is next in turn again, on the stack and on the port that is shared there.
    let [third, fourth] = [two, one].map(server_of);
    assert_eq!(stack_of(&third), stack_of(&first));
    assert_eq!(stack_of(&fourth), stack_of(&second));
    let shared: Vec<_> = [&first, &second, &third, &fourth]
        .into_iter()
        .filter(|server| stack_of(server) == "TCPIP2")
        .collect();
    assert_eq!(shared.len(), 2);
    assert_ne!(shared[0], shared[1]);
    let counters = front_end.counters().expect("counters");
    assert!(counters["affinity-kept"] >= 50, "{counters:?}");
    assert_eq!(counters["affinity-unnoted"], 0);
}

#[test]
fn whose_server_ends_is_served_elsewhere() {
    let _turn = turn();
    let (lab, servers) = started();
    let [shared_one, shared_two, alone] = &servers;
    let [one, two] = [0, 1].map(|client| &lab.clients()[client]);
    let [first, second] = [one, two].map(server_of);
    let (on_two, on_three) = if stack_of(&first) == "TCPIP2" {
        (one, two)
    } else {
        (two, one)
    };
    assert_ne!(stack_of(&first), stack_of(&second));

    // The only server of a stack ends: its client goes to the other stack, and stays there.
    alone.stop_listening();
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&[("TCPIP2", 2)])
        .expect("two servers");
    let moved = server_of(on_three);
    assert_eq!(stack_of(&moved), "TCPIP2");

    // One of two on a stack ends: its client goes to the other, and to its own port's turn.
    let kept = server_of(on_two);
    let (ends, left) = if kept == "TCPIP2/1" {
        (shared_one, "TCPIP2/2")
    } else {
        (shared_two, "TCPIP2/1")
    };
    ends.stop_listening();
    for client in [on_two, on_three] {
        assert_eq!(server_of(client), left);
    }

    // A quiesced target keeps nobody.
    let again = Server::start(lab.stack("TCPIP3"), "TCPIP3/2", DUAL_STACK).expect("a server");
    let ready = [("TCPIP2", 1), ("TCPIP3", 1)];
    front_end.wait_for_ready(&ready).expect("two servers");
    assert_eq!(server_of(on_two), left);
    let target = lab.stack("TCPIP2");
    target
        .order(&["vary", "quiesce", "target"])
        .expect("an order");
    wait::until("VDPT to say so", PATIENCE, || {
        let rows = front_end.vdpt()?;
        let mut quiesced = rows.iter().filter(|row| row.target == "TCPIP2");
        Ok(quiesced.all(|row| row.idle_because.as_deref() == Some("quiesced")))
    })
    .expect("a quiesced target");
    for client in [on_two, on_three] {
        assert_eq!(server_of(client), "TCPIP3/2");
    }
    drop(again);
}
