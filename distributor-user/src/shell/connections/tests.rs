use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::time::timeout;

use super::*;
use crate::engine::forwarding::ServiceKey;
use crate::engine::stack::Served;
use crate::shell::objects::{WATCH, built};
use crate::shell::testing::{in_namespace, ip, soon};

const DVIPA: &str = "10.1.3.10";
const DVIPA6: &str = "2001:db8::10";
const CLIENT6: &str = "2001:db8::99";

/// Long enough for several looks at what is ending.
const SEVERAL_LOOKS: Duration = Duration::from_millis(600);

struct Server {
    listener: TcpListener,
    dvipa: IpAddr,
}

impl Server {
    /// A server that listens on a DVIPA in one of the ways of servers.
    fn start(address: &str) -> Self {
        let is_ipv6 = address.contains(DVIPA6);
        let (dvipa, prefix) = if is_ipv6 { (DVIPA6, 128) } else { (DVIPA, 32) };
        if !ip("address show dev lo").contains(dvipa) {
            ip(&format!("address add {dvipa}/{prefix} dev lo scope host"));
            if is_ipv6 {
                ip(&format!("address add {CLIENT6}/128 dev lo"));
            }
        }
        Self {
            listener: TcpListener::bind(address).expect("a listener"),
            dvipa: dvipa.parse().expect("an address"),
        }
    }

    fn service(&self) -> ServiceKey {
        ServiceKey {
            dvipa: self.dvipa,
            port: self.port(),
        }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().expect("a bound listener").port()
    }

    /// A connection to the DVIPA, its client bound to `client_port` (0: any).
    fn connect(&self, client_port: u16) -> Connection {
        let client = match self.dvipa {
            IpAddr::V4(_) => [127, 0, 0, 9].into(),
            IpAddr::V6(_) => CLIENT6.parse().expect("an address"),
        };
        let client = SocketAddr::new(client, client_port);
        let server = SocketAddr::new(self.dvipa, self.port());
        let socket =
            Socket::new(Domain::for_address(server), Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("SO_REUSEADDR");
        socket.bind(&client.into()).expect("the port is free");
        socket.connect(&server.into()).expect("the server listens");
        let near = TcpStream::from(socket);
        let client = near.local_addr().expect("a connection");
        let flow = FlowKey {
            client: client.ip(),
            client_port: client.port(),
            dvipa: server.ip(),
            port: server.port(),
        };
        let (far, _) = self.listener.accept().expect("the connection");
        Connection { near, far, flow }
    }
}

struct Connection {
    near: TcpStream,
    far: TcpStream,
    flow: FlowKey,
}

fn dvipas() -> BTreeSet<IpAddr> {
    [DVIPA, DVIPA6]
        .map(|dvipa| dvipa.parse().expect("an address"))
        .into()
}

fn start() -> (Connections, mpsc::Receiver<Ends>) {
    let (connections, ends) =
        Connections::start(&mut WatchObject::load(built(WATCH))).expect("the task");
    assert!(
        connections.missing().is_none(),
        "{:?}",
        connections.missing()
    );
    connections.watch(dvipas());
    (connections, ends)
}

async fn next(ends: &mut mpsc::Receiver<Ends>) -> Ends {
    soon("an end of a connection", ends.recv())
        .await
        .expect("the task runs")
}

/// Asserts that nothing is reported for a while.
async fn silence(ends: &mut mpsc::Receiver<Ends>) {
    if let Ok(unexpected) = timeout(SEVERAL_LOOKS, ends.recv()).await {
        panic!("nothing expected, found {unexpected:?}");
    }
}

const WAYS_TO_LISTEN: [&str; 5] = [
    "10.1.3.10:0",
    "0.0.0.0:0",
    "[::]:0",
    "[::ffff:10.1.3.10]:0",
    "[2001:db8::10]:0",
];

#[test]
fn what_is_left_of_a_service_is_reset() {
    in_namespace(|| async {
        for address in WAYS_TO_LISTEN {
            let (server, other) = (Server::start(address), Server::start(address));
            let mut reset = [server.connect(0), server.connect(0)];
            let mut stays = other.connect(0);
            let services = BTreeSet::from([server.service()]);
            let of_job = |job: Option<&str>| Served {
                services: services.clone(),
                job: job.map(|job| job.parse().expect("a job name")),
            };
            // Of this process, which has both ends, and of one that is not there.
            let own = living_of(&of_job(Some("DISTRIB*"))).await.expect("a list");
            assert_eq!(own.len(), 2);
            assert_eq!(
                living_of(&of_job(Some("NOBODY"))).await.expect("a list"),
                []
            );
            let services = of_job(None);
            let left = living_of(&services).await.expect("a list");
            let flows: BTreeSet<_> = reset.iter().map(|one| one.flow).collect();
            assert_eq!(left.into_iter().collect::<BTreeSet<_>>(), flows);
            assert_eq!(super::reset(&services).await.expect("the kernel can"), 2);
            for one in &mut reset {
                let error = one.near.read(&mut [0]).expect_err("no stream any more");
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{address}");
            }
            assert_eq!(living_of(&services).await.expect("a list"), []);
            assert_eq!(super::reset(&services).await.expect("nothing to do"), 0);
            stays.far.write_all(b"x").expect("a connection");
            stays.near.read_exact(&mut [0]).expect("what was sent");
        }
    });
}

#[test]
fn the_client_closes_first() {
    in_namespace(|| async {
        for address in WAYS_TO_LISTEN {
            let server = Server::start(address);
            let (_connections, mut ends) = start();
            let Connection {
                near,
                mut far,
                flow,
            } = server.connect(0);
            drop(near);
            assert_eq!(far.read(&mut [0]).expect("the end of the stream"), 0);
            // The server still has it.
            assert_eq!(list(&dvipas()).await.expect("a list"), [flow], "{address}");
            drop(far);
            assert_eq!(next(&mut ends).await, Ends::Ending(vec![flow]), "{address}");
            assert_eq!(next(&mut ends).await, Ends::Gone(vec![flow]), "{address}");
            assert_eq!(list(&dvipas()).await.expect("a list"), [], "{address}");
        }
    });
}

#[test]
fn the_server_closes_first() {
    in_namespace(|| async {
        let mut remnants = BTreeSet::new();
        for address in WAYS_TO_LISTEN {
            let server = Server::start(address);
            let (_connections, mut ends) = start();
            if !remnants.is_empty() {
                let Ends::Ending(again) = next(&mut ends).await else {
                    panic!("what is left")
                };
                assert_eq!(
                    again.into_iter().collect::<BTreeSet<_>>(),
                    remnants,
                    "{address}"
                );
            }
            let Connection { near, far, flow } = server.connect(0);
            drop(far);
            // At once, though the client has not closed: FIN_WAIT_2.
            assert_eq!(next(&mut ends).await, Ends::Ending(vec![flow]), "{address}");
            silence(&mut ends).await;
            drop(near);
            // TIME_WAIT.
            silence(&mut ends).await;
            assert!(
                list(&dvipas()).await.expect("a list").contains(&flow),
                "{address}"
            );
            remnants.insert(flow);
        }
    });
}

#[test]
fn a_reset_ends_it_at_once() {
    in_namespace(|| async {
        for address in WAYS_TO_LISTEN {
            let server = Server::start(address);
            let (_connections, mut ends) = start();
            for by_client in [true, false] {
                let Connection { near, far, flow } = server.connect(0);
                let resetting = if by_client { &near } else { &far };
                SockRef::from(resetting)
                    .set_linger(Some(Duration::ZERO))
                    .expect("SO_LINGER");
                if by_client {
                    drop(near);
                    drop(far);
                } else {
                    drop(far);
                    drop(near);
                }
                assert_eq!(next(&mut ends).await, Ends::Ending(vec![flow]), "{address}");
                assert_eq!(next(&mut ends).await, Ends::Gone(vec![flow]), "{address}");
            }
            silence(&mut ends).await;
        }
    });
}

#[test]
fn a_reset_is_reported_while_the_program_still_has_the_socket() {
    in_namespace(|| async {
        let server = Server::start("[::]:0");
        let (_connections, mut ends) = start();
        let Connection { near, far, flow } = server.connect(0);
        SockRef::from(&near)
            .set_linger(Some(Duration::ZERO))
            .expect("SO_LINGER");
        drop(near);
        assert_eq!(next(&mut ends).await, Ends::Ending(vec![flow]));
        assert_eq!(next(&mut ends).await, Ends::Gone(vec![flow]));
        drop(far);
        silence(&mut ends).await;
    });
}

#[test]
fn without_the_program_a_reset_by_the_server_leads_to_an_audit() {
    in_namespace(|| async {
        let server = Server::start("[::]:0");
        let (connections, mut ends) =
            Connections::start(&mut WatchObject::load(None)).expect("the task");
        assert!(connections.missing().is_some());
        connections.watch(dvipas());
        for _ in 0..3 {
            let Connection { near, far, .. } = server.connect(0);
            SockRef::from(&far)
                .set_linger(Some(Duration::ZERO))
                .expect("SO_LINGER");
            drop(far);
            drop(near);
        }
        assert_eq!(next(&mut ends).await, Ends::Resync);
        assert_eq!(list(&dvipas()).await.expect("what the audit asks"), []);
    });
}

#[test]
fn a_half_closed_connection_lives() {
    in_namespace(|| async {
        let server = Server::start("[::]:0");
        let (connections, mut ends) = start();
        let Connection {
            mut near,
            mut far,
            flow,
        } = server.connect(0);
        far.shutdown(Shutdown::Write)
            .expect("the server has sent everything");
        silence(&mut ends).await;
        // Nor does looking anew end it: FIN_WAIT_2, but a program has it.
        connections.watch(dvipas());
        silence(&mut ends).await;
        near.write_all(b"upload")
            .expect("the other direction is open");
        drop(near);
        let mut received = String::new();
        far.read_to_string(&mut received).expect("all of it");
        assert_eq!(received, "upload");
        drop(far);
        assert_eq!(next(&mut ends).await, Ends::Ending(vec![flow]));
    });
}

#[test]
fn a_connection_that_lives_again_is_not_gone() {
    in_namespace(|| async {
        let server = Server::start("[::]:0");
        let (_connections, mut ends) = start();
        let Connection { near, far, flow } = server.connect(0);
        drop(far);
        assert_eq!(next(&mut ends).await, Ends::Ending(vec![flow]));
        drop(near);
        // The server's TIME_WAIT yields to a new connection from the same port.
        let again = server.connect(flow.client_port);
        assert_eq!(again.flow, flow);
        silence(&mut ends).await;
        drop(again.near);
        drop(again.far);
        assert_eq!(next(&mut ends).await, Ends::Ending(vec![flow]));
        assert_eq!(next(&mut ends).await, Ends::Gone(vec![flow]));
    });
}

#[test]
fn every_connection_of_many_is_reported_once() {
    in_namespace(|| async {
        let server = Server::start("[::]:0");
        let (_connections, mut ends) = start();
        let mut expected = BTreeSet::new();
        let mut ending = Vec::new();
        let mut gone = Vec::new();
        for _ in 0..300 {
            let Connection { near, far, flow } = server.connect(0);
            drop(near);
            drop(far);
            expected.insert(flow);
        }
        while gone.len() < expected.len() {
            match next(&mut ends).await {
                Ends::Ending(flows) => ending.extend(flows),
                Ends::Gone(flows) => gone.extend(flows),
                Ends::Resync => panic!("a few hundred events fit"),
            }
        }
        for (what, flows) in [("ending", ending), ("gone", gone)] {
            assert_eq!(flows.len(), expected.len(), "{what} once each");
            assert_eq!(
                flows.into_iter().collect::<BTreeSet<_>>(),
                expected,
                "{what}"
            );
        }
        silence(&mut ends).await;
    });
}

#[test]
fn lost_events_are_said_to_be_lost() {
    in_namespace(|| async {
        let server = Server::start("10.1.3.10:0");
        let (connections, mut ends) =
            Connections::start_with_buffer(&mut WatchObject::load(built(WATCH)), 8 << 10)
                .expect("the task");
        connections.watch(dvipas());
        // The runtime has one thread: the task runs when the last one has ended.
        let ended: BTreeSet<FlowKey> = (0..500)
            .map(|_| {
                let Connection { near, far, flow } = server.connect(0);
                drop(near);
                drop(far);
                flow
            })
            .collect();
        let mut gone = BTreeSet::new();
        loop {
            match next(&mut ends).await {
                Ends::Ending(_) => {}
                Ends::Gone(flows) => gone.extend(flows),
                Ends::Resync => break,
            }
        }
        assert!(
            gone.is_subset(&ended) && gone.len() < ended.len(),
            "{} gone",
            gone.len()
        );
        assert_eq!(list(&dvipas()).await.expect("what the audit asks"), []);
    });
}

#[test]
fn lists_connections_in_every_state() {
    in_namespace(|| async {
        let server = Server::start("[::]:0");
        let established = server.connect(0);
        let finwait2 = server.connect(0);
        drop(finwait2.far);
        let timewait = server.connect(0);
        drop(timewait.far);
        drop(timewait.near);
        let closewait = server.connect(0);
        drop(closewait.near);
        let mut expected = [
            established.flow,
            finwait2.flow,
            timewait.flow,
            closewait.flow,
        ]
        .to_vec();
        expected.sort();
        assert_eq!(list(&dvipas()).await.expect("a list"), expected);
        assert_eq!(list(&BTreeSet::new()).await.expect("a list"), []);
        expected.retain(|flow| *flow != timewait.flow);
        let living = living(&dvipas()).await.expect("a list");
        assert_eq!(living, expected);
        drop((
            established.near,
            established.far,
            finwait2.near,
            closewait.far,
        ));
    });
}
