//! The demo's own function, held to its numbers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tests::lab::{PORT, VIPA};
use tests::scenario::{FRONT_END, Scenario};
use tests::wait;

use crate::turn;

#[test]
fn four_hundred_verified_connections_are_distributed_over_stacks() {
    let _turn = turn();
    let scenario = Scenario::start(None).expect("the scenario");
    let outcome = scenario.connect(400).expect("connections");
    assert_eq!(outcome.complaints(), Vec::<String>::new());
    assert_eq!(outcome.answers.by_stack()["TCPIP3"], 200);
    assert_eq!(outcome.distributed["TCPIP3"], 200);
    assert_eq!(outcome.answers.by_server.len(), 3);
    for (server, connections) in &outcome.answers.by_server {
        // A quarter each on TCPIP2, whose profile has them share the port.
        let expected = if server.stack == "TCPIP3" { 200 } else { 100 };
        assert_eq!(*connections, expected, "{server}");
    }

    // On the owner, on a target that is the backup, and on a target.
    for stack in scenario.lab().stacks() {
        stack.wait_for_programs().expect("programs");
        let outcome = scenario.connect_from(stack, 8).expect("connections");
        let complaints = outcome.complaints();
        assert_eq!(complaints, Vec::<String>::new(), "from {}", stack.name());
    }

    let front_end = scenario.lab().stack(FRONT_END);
    let table = front_end.netstat_text("vdpt").expect("VDPT");
    assert!(
        table.contains("Dynamic VIPA Destination Port Table"),
        "{table}"
    );
    let json = front_end.netstat_json("vdpt").expect("VDPT");
    assert_eq!(json["rows"].as_array().map(Vec::len), Some(2), "{json}");

    // Every connection that is open has its row, on the owner and on its target.
    let held = scenario.hold(6).expect("open connections");
    let mut expected: Vec<_> = held
        .iter()
        .map(|one| one.local_addr().expect("an address"))
        .collect();
    expected.sort_unstable();
    let shown = |stack: &str, state: &str| {
        let mut rows = scenario.lab().stack(stack).vcrt().expect("VCRT");
        let service = rows
            .iter()
            .all(|row| (row.dvipa, row.port) == (IpAddr::V4(VIPA), PORT));
        assert!(service, "{rows:?}");
        rows.retain(|row| row.state == state);
        let mut clients: Vec<_> = rows
            .iter()
            .map(|row| SocketAddr::new(row.client, row.client_port))
            .collect();
        clients.sort_unstable();
        clients
    };
    // Ended ones may still be in TIME_WAIT at a server.
    wait::until("VCRT to show what is open", Duration::from_secs(10), || {
        let here = ["TCPIP2", "TCPIP3"]
            .map(|stack| shown(stack, "terminated-here"))
            .concat();
        Ok(shown(FRONT_END, "established") == expected
            && expected.iter().all(|client| here.contains(client)))
    })
    .expect("six rows");
    drop(held);
    wait::until("VCRT to show nothing open", Duration::from_secs(10), || {
        Ok(shown(FRONT_END, "established").is_empty())
    })
    .expect("no row");
}
