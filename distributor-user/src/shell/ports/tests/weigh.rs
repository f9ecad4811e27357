//! Ports that are shared by weight.

use std::collections::BTreeSet;

use super::*;
use crate::engine::load::Load;
use crate::shell::ports::listeners;
use crate::shell::servers::ListenerLoad;
use crate::shell::sock_diag::SockDiag;

const BY_WEIGHT: &str = "PORT 8443 TCP * SHAREPORTWLM BIND 10.1.3.10";

/// The cookies of the listeners of the port, those of `known` left out.
async fn cookies(known: &[u64]) -> Vec<u64> {
    let mut sock_diag = SockDiag::open().expect("a socket");
    let found = listeners::on(&mut sock_diag, &BTreeSet::from([PORT])).await;
    let found = found.expect("a dump").into_iter();
    let cookies = found.map(|listener| listener.cookie);
    cookies.filter(|cookie| !known.contains(cookie)).collect()
}

/// Has listeners weighed by what each could do, and returns when that is in force.
async fn weigh(ports: &Ports, loads: &[(u64, u32)]) {
    let load = |(cookie, free): &(u64, u32)| ListenerLoad {
        port: PORT,
        cookie: *cookie,
        load: Load {
            capacity: 1_000,
            free: *free,
            ..Load::default()
        },
    };
    ports.weigh(loads.iter().map(load).collect());
    // What is asked for later is done later.
    ports
        .apply(&config(BY_WEIGHT))
        .await
        .expect("the same rules");
}

#[test]
fn servers_get_connections_by_their_weights_once_these_are_known() {
    in_sandbox(|pin_dir| async move {
        let ports = start(&pin_dir, BY_WEIGHT).await;
        let one = Server::start(any4(PORT));
        let [first] = cookies(&[]).await[..] else {
            panic!("one listener");
        };
        let two = Server::start(any6(PORT));
        let [second] = cookies(&[first]).await[..] else {
            panic!("two listeners");
        };
        let both = [&one, &two];
        assert_eq!(connect(100, both), [50, 50]);
        weigh(&ports, &[(first, 900), (second, 300)]).await;
        assert_eq!(connect(400, both), [300, 100]);
        // A turn is a connection's, and not more often in a row than needed.
        assert_eq!(connect(4, both), [3, 1]);
        weigh(&ports, &[(first, 901), (second, 310)]).await;
        assert_eq!(connect(400, both), [300, 100], "too little to matter");
        weigh(&ports, &[(first, 0), (second, 900)]).await;
        assert_eq!(connect(40, both), [0, 40]);

        // Another one comes: all take turns until all weigh something.
        let three = Server::start(any4(PORT));
        assert_eq!(connect(300, [&one, &two, &three]), [100; 3]);
        let [third] = cookies(&[first, second]).await[..] else {
            panic!("three listeners");
        };
        let loads = [(first, 200), (second, 400), (third, 40)];
        weigh(&ports, &loads[..2]).await;
        assert_eq!(connect(300, [&one, &two, &three]), [100; 3]);
        weigh(&ports, &loads).await;
        assert_eq!(connect(160, [&one, &two, &three]), [50, 100, 10]);
        // One that ends leaves no gap.
        two.end();
        let [first_got, third_got] = connect(100, [&one, &three]);
        assert_eq!(first_got + third_got, 100);

        // Without weights in the profile there are none.
        weigh(&ports, &[(first, 900), (third, 300)]).await;
        assert_eq!(connect(40, [&one, &three]), [30, 10]);
        ports.apply(&config(SHARED)).await.expect("other rules");
        assert_eq!(connect(40, [&one, &three]), [20, 20]);
    });
}

#[test]
fn a_server_that_does_not_accept_gets_nothing_while_another_does() {
    in_sandbox(|pin_dir| async move {
        let ports = start(&pin_dir, BY_WEIGHT).await;
        let idle = bound(any4(PORT), false).expect("a bound socket");
        idle.listen(128).expect("a listener");
        let [stuck] = cookies(&[]).await[..] else {
            panic!("one listener");
        };
        let one = Server::start(any4(PORT));
        let [accepting] = cookies(&[stuck]).await[..] else {
            panic!("two listeners");
        };
        let loads = [(stuck, 500), (accepting, 500)];
        weigh(&ports, &loads).await;
        let place = (VIPA, PORT);
        let waiting: Vec<TcpStream> = (0..20)
            .map(|_| TcpStream::connect(place).expect("a connection"))
            .collect();
        // Ten wait from one look to the next, and none is accepted.
        for _ in 0..4 {
            weigh(&ports, &loads).await;
        }
        one.connections.store(0, Ordering::SeqCst);
        assert_eq!(connect(50, [&one]), [50]);
        drop(waiting);
    });
}
