//! Round robin over stacks is exact, whoever connects.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use tests::tcp::{Server, greetings_paced};

use crate::{DUAL_STACK, SERVICE, started, turn};

/// Eight clients without a pause would take both processors of a small machine for themselves, and
/// a member whose daemon is not heard for a second gets no new connection.
const PAUSE: Duration = Duration::from_millis(8);

#[test]
fn nine_thousand_connections_of_eight_clients_are_three_thousand_each() {
    let _turn = turn();
    let targets = ["TCPIP2", "TCPIP3", "TCPIP4"];
    let lab = started(4, 8, &targets);
    let _servers = targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    let front_end = lab.stack("TCPIP");
    front_end
        .wait_for_ready(&targets.map(|name| (name, 1)))
        .expect("three servers");

    let mut answered = BTreeMap::new();
    thread::scope(|scope| {
        let clients: Vec<_> = lab
            .clients()
            .iter()
            .map(|client| scope.spawn(|| greetings_paced(client, SERVICE, 9_000 / 8, PAUSE)))
            .collect();
        for client in clients {
            let by_server = client
                .join()
                .expect("no panic")
                .expect("no failed connection");
            for (server, connections) in by_server {
                *answered.entry(server).or_insert(0) += connections;
            }
        }
    });
    assert_eq!(
        answered,
        targets.map(|name| (name.to_owned(), 3_000)).into()
    );
    let rows = front_end.vdpt().expect("VDPT");
    let distributed: BTreeMap<_, _> = rows
        .into_iter()
        .map(|row| (row.target, row.total_connections))
        .collect();
    assert_eq!(
        distributed,
        targets.map(|name| (name.to_owned(), 3_000)).into()
    );
}
