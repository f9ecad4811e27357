use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::shell::objects::{WATCH, built};
use crate::shell::testing::{in_namespace, ip, soon};

const DVIPA: &str = "10.1.3.10";
const OTHER: &str = "10.1.3.11";

/// A listener as a server makes it: bound to an address, on a port, perhaps for IPv6 only.
fn listener(address: &str, port: u16, only_v6: bool) -> TcpListener {
    let address = SocketAddr::new(address.parse().expect("an address"), port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("SO_REUSEPORT");
    if address.is_ipv6() {
        socket.set_only_v6(only_v6).expect("IPV6_V6ONLY");
    }
    socket.bind(&address.into()).expect("the address is free");
    socket.listen(16).expect("a listener");
    socket.into()
}

fn dvipas(addresses: &[&str]) -> BTreeSet<IpAddr> {
    addresses
        .iter()
        .map(|address| address.parse().expect("an address"))
        .collect()
}

fn row(dvipa: &str, port: u16, listeners: u16) -> ReadyRow {
    ReadyRow {
        dvipa: dvipa.parse().expect("an address"),
        port,
        listeners,
        is_quiesced: false,
        responsiveness: Responsiveness::default(),
        weight: None,
    }
}

/// Waits until the listeners are these, and returns how long it took.
async fn becomes(
    snapshots: &mut watch::Receiver<Vec<ReadyRow>>,
    expected: &[ReadyRow],
) -> Duration {
    let start = Instant::now();
    let wanted = snapshots.wait_for(|rows| rows == expected);
    soon(&format!("listeners {expected:?}"), wanted)
        .await
        .expect("the task runs");
    start.elapsed()
}

fn watch_object() -> WatchObject {
    WatchObject::load(built(WATCH))
}

fn start(program: bool) -> (Listeners, watch::Receiver<Vec<ReadyRow>>) {
    ip(&format!("address add {DVIPA}/32 dev lo scope host"));
    ip(&format!("address add {OTHER}/32 dev lo scope host"));
    let object = program.then(|| built(WATCH)).flatten();
    let (listeners, snapshots) =
        Listeners::start(&mut WatchObject::load(object), watch::Sender::new(None))
            .expect("the task");
    assert_eq!(
        listeners.missing().is_none(),
        program,
        "{:?}",
        listeners.missing()
    );
    (listeners, snapshots)
}

#[test]
fn counts_every_way_to_listen_on_a_dvipa() {
    in_namespace(|| async {
        let (listeners, mut snapshots) = start(true);
        // What was there before the watch began.
        let _early = listener(DVIPA, 8443, false);
        listeners.watch(dvipas(&[DVIPA]));
        becomes(&mut snapshots, &[row(DVIPA, 8443, 1)]).await;

        for (address, only_v6, counts) in [
            (DVIPA, false, true),
            ("0.0.0.0", false, true),
            ("::", false, true),
            ("::ffff:10.1.3.10", false, true),
            ("::", true, false),
            (OTHER, false, false),
            ("127.0.0.1", false, false),
            ("::1", true, false),
        ] {
            let case = listener(address, 8443, only_v6);
            // Something that counts in any case, to see that the other was seen too.
            let marker = listener(DVIPA, 9000, false);
            let expected = [row(DVIPA, 8443, 1 + u16::from(counts)), row(DVIPA, 9000, 1)];
            becomes(&mut snapshots, &expected).await;
            drop((case, marker));
            becomes(&mut snapshots, &[row(DVIPA, 8443, 1)]).await;
        }
    });
}

#[test]
fn counts_the_listeners_that_share_a_port() {
    in_namespace(|| async {
        let (listeners, mut snapshots) = start(true);
        listeners.watch(dvipas(&[DVIPA, OTHER]));
        let mut shared = Vec::new();
        for count in 1..=4 {
            shared.push(listener(
                if count == 3 { "0.0.0.0" } else { DVIPA },
                8443,
                false,
            ));
            let mut expected = vec![row(DVIPA, 8443, count)];
            if count >= 3 {
                expected.push(row(OTHER, 8443, 1));
            }
            becomes(&mut snapshots, &expected).await;
        }
        drop(shared);
        becomes(&mut snapshots, &[]).await;
    });
}

#[test]
fn another_set_of_dvipas_is_counted_at_once() {
    in_namespace(|| async {
        let (listeners, mut snapshots) = start(true);
        let _both = listener("0.0.0.0", 443, false);
        for watched in [&[DVIPA][..], &[DVIPA, OTHER], &[OTHER], &[]] {
            listeners.watch(dvipas(watched));
            let expected: Vec<ReadyRow> = watched.iter().map(|dvipa| row(dvipa, 443, 1)).collect();
            soon("a snapshot for the new set", snapshots.changed())
                .await
                .expect("the task runs");
            assert_eq!(*snapshots.borrow_and_update(), expected);
        }
    });
}

/// Starts a process that holds the listener, which then nobody else does.
fn server(listener: TcpListener) -> Child {
    fcntl(listener.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).expect("the flag is cleared");
    let process = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn();
    drop(listener);
    process.expect("a process")
}

#[test]
fn a_killed_server_is_noticed_at_once() {
    in_namespace(|| async {
        let (listeners, mut snapshots) = start(true);
        listeners.watch(dvipas(&[DVIPA]));
        for address in [DVIPA, "0.0.0.0", "::"] {
            let mut process = server(listener(address, 8443, false));
            becomes(&mut snapshots, &[row(DVIPA, 8443, 1)]).await;
            process.kill().expect("the process is killed");
            let took = becomes(&mut snapshots, &[]).await;
            assert!(
                took < BACKSTOP / 2,
                "found by the backstop after {took:?}: {address}"
            );
            process.wait().expect("the process is ours");
        }
    });
}

#[test]
fn a_listener_from_before_is_noticed_when_it_ends() {
    in_namespace(|| async {
        ip(&format!("address add {DVIPA}/32 dev lo scope host"));
        for address in [DVIPA, "0.0.0.0", "::", "::ffff:10.1.3.10"] {
            let before = listener(address, 8443, false);
            let (listeners, mut snapshots) =
                Listeners::start(&mut watch_object(), watch::Sender::new(None)).expect("it");
            listeners.watch(dvipas(&[DVIPA]));
            becomes(&mut snapshots, &[row(DVIPA, 8443, 1)]).await;
            drop(before);
            let took = becomes(&mut snapshots, &[]).await;
            assert!(
                took < BACKSTOP / 2,
                "found by the backstop after {took:?}: {address}"
            );
        }
    });
}

#[test]
fn a_closing_listener_is_never_counted() {
    in_namespace(|| async {
        let (listeners, mut snapshots) = start(true);
        listeners.watch(dvipas(&[DVIPA]));
        becomes(&mut snapshots, &[]).await;
        for _ in 0..200 {
            let opened = listener(DVIPA, 8443, false);
            becomes(&mut snapshots, &[row(DVIPA, 8443, 1)]).await;
            drop(opened);
            becomes(&mut snapshots, &[]).await;
        }
        // A listener that is shut down and listens again is the same socket.
        let again = Socket::from(listener(DVIPA, 8443, false));
        becomes(&mut snapshots, &[row(DVIPA, 8443, 1)]).await;
        again
            .shutdown(std::net::Shutdown::Both)
            .expect("the listener is shut down");
        becomes(&mut snapshots, &[]).await;
        again.listen(16).expect("it listens again");
        becomes(&mut snapshots, &[row(DVIPA, 8443, 1)]).await;
    });
}

#[test]
fn other_namespaces_are_none_of_our_business() {
    in_namespace(|| async {
        let mut program: SockOpsProgram<ListenerChange> =
            SockOpsProgram::attach(&mut watch_object()).expect("the program is attached");
        let stranger = std::thread::spawn(|| {
            in_namespace(|| async {
                ip(&format!("address add {DVIPA}/32 dev lo scope host"));
                drop(listener(DVIPA, 8443, false));
            });
        });
        stranger.join().expect("the other namespace");
        let own = listener("127.0.0.1", 8443, false);
        let report = soon("a report", program.next()).await.expect("reports");
        assert_eq!(report.len(), 1, "{report:?}");
        let ListenerChange {
            what,
            address,
            cookie,
        } = report[0];
        assert_eq!(
            (what, address),
            (Transition::Listens, "127.0.0.1".parse().expect("it"))
        );
        assert_eq!(
            cookie,
            socket2::SockRef::from(&own).cookie().expect("SO_COOKIE")
        );
    });
}

#[test]
fn without_the_program_dumps_find_everything() {
    in_namespace(|| async {
        let (listeners, mut snapshots) = start(false);
        listeners.watch(dvipas(&[DVIPA]));
        let opened = listener("::", 8443, false);
        becomes(&mut snapshots, &[row(DVIPA, 8443, 1)]).await;
        drop(opened);
        becomes(&mut snapshots, &[]).await;
    });
}

#[test]
fn listeners_of_quiesced_servers_do_not_count() {
    in_namespace(|| async {
        ip(&format!("address add {DVIPA}/32 dev lo scope host"));
        let (told, mut aside) = watch::channel(None);
        let (listeners, mut snapshots) =
            Listeners::start(&mut watch_object(), told).expect("the task");
        listeners.watch(dvipas(&[DVIPA]));
        let _own = listener(DVIPA, 8443, false);
        let mut process = server(listener(DVIPA, 8443, false));
        becomes(&mut snapshots, &[row(DVIPA, 8443, 2)]).await;
        assert_eq!(*aside.borrow(), None, "nobody has said who is quiesced");

        let named = |port, job: &str| Server {
            port,
            job: job.parse().expect("a job name"),
        };
        let none = ReadyRow {
            is_quiesced: true,
            ..row(DVIPA, 8443, 0)
        };
        let shared = BTreeSet::from([8443]);
        for (servers, expected, sockets, others) in [
            (vec![], row(DVIPA, 8443, 2), 0, BTreeSet::new()),
            (
                vec![named(Some(8443), "SLEEP")],
                row(DVIPA, 8443, 1),
                1,
                shared,
            ),
            (
                vec![named(Some(80), "SLEEP")],
                row(DVIPA, 8443, 2),
                0,
                BTreeSet::new(),
            ),
            (
                vec![named(None, "SLEEP"), named(None, "DISTRIB*")],
                none,
                2,
                BTreeSet::new(),
            ),
        ] {
            listeners.set_aside(servers.into_iter().collect());
            becomes(&mut snapshots, &[expected]).await;
            let is_told = aside.wait_for(|aside| {
                let told = aside.as_ref();
                told.is_some_and(|told| told.cookies.len() == sockets && told.shared == others)
            });
            soon("what is aside", is_told).await.expect("the task runs");
        }
        process.kill().expect("the process is killed");
        process.wait().expect("the process is ours");
    });
}
