use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use netlink_packet_sock_diag::constants::{TCP_ESTABLISHED, TCP_TIME_WAIT};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::shell::netlink::EVENT_BUFFER_BYTES;
use crate::shell::testing::{eventually, in_namespace, soon};

/// A connection between two addresses of `lo`: its client and its server.
fn connection(listener: &TcpListener, client: &str, server: &str) -> (TcpStream, TcpStream) {
    let port = listener.local_addr().expect("a bound listener").port();
    let client = SocketAddr::new(client.parse().expect("an address"), 0);
    let server = SocketAddr::new(server.parse().expect("an address"), port);
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).expect("a socket");
    socket.bind(&client.into()).expect("the address is ours");
    socket
        .connect(&server.into())
        .expect("the listener takes it");
    (socket.into(), listener.accept().expect("a connection").0)
}

/// The server's side of a connection, in the words of this module.
fn ends(server: &TcpStream) -> (SocketAddr, SocketAddr) {
    let end = |address: SocketAddr| SocketAddr::new(unmapped(address.ip()), address.port());
    (
        end(server.local_addr().expect("a connection")),
        end(server.peer_addr().expect("a connection")),
    )
}

async fn dump(addresses: &[&str]) -> BTreeSet<(SocketAddr, SocketAddr)> {
    let addresses = addresses
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect();
    let mut seen = BTreeSet::new();
    SockDiag::open()
        .expect("a socket")
        .dump(StateFlags::ESTABLISHED, Scope::Local(&addresses), |entry| {
            seen.insert((entry.local, entry.remote));
        })
        .await
        .expect("a dump");
    seen
}

#[test]
fn the_kernel_filters_by_local_address() {
    in_namespace(|| async {
        let v4 = TcpListener::bind("127.0.0.2:0").expect("a listener");
        let dual = TcpListener::bind("[::]:0").expect("a listener");
        let (_one, one) = connection(&v4, "127.0.0.9", "127.0.0.2");
        let (_two, two) = connection(&dual, "127.0.0.9", "127.0.0.3");
        let (_three, three) = connection(&dual, "::1", "::1");
        let [one, two, three] = [&one, &two, &three].map(ends);
        let reverse = (three.1, three.0);

        for (addresses, expected) in [
            (&[][..], &[][..]),
            (&["127.0.0.2"], &[one]),
            (&["127.0.0.3"], &[two]),
            (&["::1"], &[three, reverse]),
            (&["127.0.0.2", "127.0.0.3"], &[one, two]),
            (
                &["127.0.0.3", "127.0.0.4", "::1", "2001:db8::1"],
                &[two, three, reverse],
            ),
            (&["127.0.0.4", "2001:db8::1"], &[]),
        ] {
            assert_eq!(
                dump(addresses).await,
                expected.iter().copied().collect(),
                "{addresses:?}"
            );
        }

        // As many as a filter can hold, and more than that.
        for count in [2_000, 5_000] {
            let mut addresses: BTreeSet<IpAddr> = (0..count)
                .map(|n| Ipv4Addr::from_bits(0x0a00_0000 + n).into())
                .collect();
            addresses.extend((0..100).map(|n| IpAddr::V6(Ipv6Addr::from_bits(n << 64))));
            addresses.insert(two.0.ip());
            let mut seen = BTreeSet::new();
            SockDiag::open()
                .expect("a socket")
                .dump(StateFlags::ESTABLISHED, Scope::Local(&addresses), |entry| {
                    seen.insert((entry.local, entry.remote));
                })
                .await
                .expect("a dump");
            assert!(seen.contains(&two), "{count}");
        }
    });
}

#[test]
fn one_connection_is_found_in_every_state() {
    in_namespace(|| async {
        let mut sock_diag = SockDiag::open().expect("a socket");
        for (listen, client, server) in [
            ("127.0.0.2:0", "127.0.0.9", "127.0.0.2"),
            ("0.0.0.0:0", "127.0.0.9", "127.0.0.2"),
            ("[::]:0", "127.0.0.9", "127.0.0.2"),
            ("[::]:0", "::1", "::1"),
        ] {
            let listener = TcpListener::bind(listen).expect("a listener");
            let (near, far) = connection(&listener, client, server);
            let (local, remote) = ends(&far);
            let entry = sock_diag
                .find(local, remote)
                .await
                .expect("an answer")
                .expect("it lives");
            assert_eq!(
                (entry.state, entry.local, entry.remote),
                (TCP_ESTABLISHED, local, remote)
            );
            let cookie = socket2::SockRef::from(&far).cookie().expect("SO_COOKIE");
            assert_eq!(entry.cookie, cookie);

            drop((far, near));
            let entry = sock_diag
                .find(local, remote)
                .await
                .expect("an answer")
                .expect("it waits");
            assert_eq!(
                (entry.state, entry.local, entry.remote),
                (TCP_TIME_WAIT, local, remote)
            );

            // The listener of the port is not the connection.
            let other = SocketAddr::new(remote.ip(), 9);
            assert_eq!(
                sock_diag.find(local, other).await.expect("an answer"),
                None,
                "{listen}"
            );
            drop(listener);
            assert_eq!(
                sock_diag.find(local, other).await.expect("an answer"),
                None,
                "{listen}"
            );
        }
    });
}

#[test]
fn ends_are_events_of_both_families() {
    in_namespace(|| async {
        let mut ended = EndedSockets::open(EVENT_BUFFER_BYTES).expect("a socket");
        for listen in ["127.0.0.2:0", "[::]:0"] {
            let listener = TcpListener::bind(listen).expect("a listener");
            let (near, far) = connection(&listener, "127.0.0.9", "127.0.0.2");
            let expected = ends(&far);
            drop((far, near));
            eventually("the end of the connection", async || {
                let ended = soon("an event", ended.next()).await.expect("events");
                assert!(!ended.is_incomplete);
                let mut sockets = ended.sockets.iter();
                sockets
                    .any(|entry| (entry.local, entry.remote) == expected)
                    .then_some(())
            })
            .await;
        }
    });
}

#[test]
fn more_sockets_than_one_answer_holds() {
    in_namespace(|| async {
        let listener = TcpListener::bind("127.0.0.2:0").expect("a listener");
        let connections: Vec<_> = (0..400)
            .map(|_| connection(&listener, "127.0.0.9", "127.0.0.2"))
            .collect();
        let expected: BTreeSet<_> = connections.iter().map(|(_, far)| ends(far)).collect();
        assert_eq!(dump(&["127.0.0.2"]).await, expected);
    });
}
