//! On a real kernel, each test in a network namespace and with a bpffs of its own; needs root.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use socket2::{Domain, Socket, Type};

use super::task::SETTLED;
use super::*;
use crate::engine::profile::{self, Style, Text};
use crate::shell::profile_files::ProfileFiles;
use crate::shell::teller::Teller;
use crate::shell::testing::{Peer, eventually, in_namespace, ip};

mod clients;
mod weigh;

const BPFFS: &str = "/sys/fs/bpf";
const VIPA: Ipv4Addr = Ipv4Addr::new(10, 1, 3, 10);
const PORT: u16 = 8443;

/// Runs a test where nothing else is reserved or pinned; passes it the stack's directory for pins.
fn in_sandbox<F>(test: impl FnOnce(PathBuf) -> F + Send + 'static)
where
    F: Future<Output = ()>,
{
    in_namespace(move || async move {
        unshare(CloneFlags::CLONE_NEWNS).expect("needs root");
        mount::<str, str, str, str>(None, BPFFS, None, MsFlags::MS_PRIVATE, None)
            .expect("a bpffs is mounted");
        let flags = MsFlags::empty();
        mount::<str, str, str, str>(Some("bpf"), BPFFS, Some("bpf"), flags, None).expect("a bpffs");
        ip(&format!("address add {VIPA}/32 dev lo"));
        test(PathBuf::from(BPFFS).join("stacks/TCPIP")).await;
    });
}

fn config(statements: &str) -> Config {
    let text = Text {
        name: "profile".to_owned(),
        identity: "profile".to_owned(),
        bytes: statements.as_bytes().to_vec(),
    };
    let loaded = profile::load(text, &mut ProfileFiles::new(Vec::new()));
    let said = loaded.text(Style::Plain);
    loaded.config.expect(&said)
}

/// A socket as a server makes it that knows nothing of others.
fn bound(address: SocketAddr, only_v6: bool) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn any4(port: u16) -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, port).into()
}

fn any6(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

fn address(socket: &Socket) -> SocketAddr {
    let address = socket.local_addr().expect("an address");
    address.as_socket().expect("an IP address")
}

/// A server that counts its connections.
struct Server {
    socket: Socket,
    connections: Arc<AtomicU32>,
}

impl Server {
    fn start(address: SocketAddr) -> Self {
        let socket = bound(address, false).expect("a bound socket");
        socket.listen(128).expect("a listener");
        let connections = Arc::new(AtomicU32::new(0));
        let listener: TcpListener = socket.try_clone().expect("a copy").into();
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                count.fetch_add(1, Ordering::SeqCst);
                // The end of the connection is what its client waits for.
                drop(connection);
            }
        });
        Self {
            socket,
            connections,
        }
    }

    fn end(self) {
        self.socket
            .shutdown(std::net::Shutdown::Both)
            .expect("the end");
    }
}

/// Connects to the VIPA, and returns how many connections each server got.
fn connect<const N: usize>(times: u32, servers: [&Server; N]) -> [u32; N] {
    for _ in 0..times {
        let mut connection = TcpStream::connect((VIPA, PORT)).expect("a connection");
        let _ = connection.read(&mut [0]);
    }
    servers.map(|server| server.connections.swap(0, Ordering::SeqCst))
}

/// Starts with a profile whose reservations are in force when this returns.
async fn start(pin_dir: &Path, statements: &str) -> Ports {
    let (_, nobody) = watch::channel(Some(Aside::default()));
    start_with(pin_dir, statements, nobody).await
}

/// The same, with the listeners that are aside.
async fn start_with(
    pin_dir: &Path,
    statements: &str,
    aside: watch::Receiver<Option<Aside>>,
) -> Ports {
    let started = Ports::start(pin_dir, &config(statements), aside, Teller::default());
    let (ports, reserving) = started.expect("the task");
    reserving.await.expect("rules in force");
    ports
}

/// Waits until something holds that a task of this thread brings about.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, async || holds().then_some(())).await;
}

const SHARED: &str = "PORT 8443 TCP * SHAREPORT BIND 10.1.3.10";

#[test]
fn servers_that_know_nothing_of_each_other_share_in_turn() {
    in_sandbox(|pin_dir| async move {
        let _ports = start(&pin_dir, SHARED).await;
        let [one, two, three] = [any4(PORT), any6(PORT), any4(PORT)].map(Server::start);
        assert_eq!(connect(300, [&one, &two, &three]), [100; 3]);
        // A turn is a connection's even where the kernel looks twice: at its SYN, and at the ACK that
        // brings the cookie back.
        fs::write("/proc/sys/net/ipv4/tcp_syncookies", "2").expect("a setting");
        assert_eq!(connect(300, [&one, &two, &three]), [100; 3]);
        fs::write("/proc/sys/net/ipv4/tcp_syncookies", "1").expect("a setting");
        // One that ends leaves no turn behind, and one that begins has its own.
        two.end();
        assert_eq!(connect(300, [&one, &three]), [150; 2]);
        let four = Server::start(any4(PORT));
        let five = Server::start((VIPA, PORT).into());
        assert_eq!(connect(400, [&one, &three, &four, &five]), [100; 4]);
    });
}

#[test]
fn connections_of_several_clients_at_once_are_handed_out_exactly() {
    in_sandbox(|pin_dir| async move {
        let _ports = start(&pin_dir, SHARED).await;
        let servers = [(); 5].map(|()| Server::start(any4(PORT)));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| connect::<0>(250, []));
            }
        });
        assert_eq!(connect(0, servers.each_ref()), [200; 5]);
    });
}

#[test]
fn a_successor_goes_on_where_the_programs_are() {
    in_sandbox(|pin_dir| async move {
        let ports = start(&pin_dir, SHARED).await;
        let (a, b) = (Server::start(any4(PORT)), Server::start(any4(PORT)));
        assert_eq!(connect(101, [&a, &b]).iter().sum::<u32>(), 101);
        // As a daemon that is killed.
        drop(ports);
        tokio::task::yield_now().await;
        let c = Server::start(any4(PORT));
        assert_eq!(address(&c.socket), (VIPA, PORT).into());
        assert_eq!(connect(300, [&a, &b, &c]), [100; 3]);
        let ports = start(&pin_dir, SHARED).await;
        assert_eq!(connect(300, [&a, &b, &c]), [100; 3]);
        // A new listener is still noted, and only once.
        let d = Server::start(any4(PORT));
        tokio::time::sleep(3 * SETTLED).await;
        assert_eq!(connect(400, [&a, &b, &c, &d]), [100; 4]);

        ports.remove().await.expect("nothing is left");
        assert!(!pin_dir.join(DIRECTORY).exists());
        // The servers stay where they are, the kernel chooses, and a new one is nobody's friend.
        let counts = connect(100, [&a, &b, &c, &d]);
        assert_eq!(counts.iter().sum::<u32>(), 100, "{counts:?}");
        let refused = bound(any4(PORT), false).expect_err("the port is in use");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn listeners_from_before_take_part() {
    in_sandbox(|pin_dir| async move {
        // It listens on every address, and shares with nobody.
        let a = Server::start(any4(PORT));
        let ports = start(&pin_dir, SHARED).await;
        until("a second server that may listen", || {
            bound(any4(PORT), false).is_ok()
        })
        .await;
        let b = Server::start((VIPA, PORT).into());
        // That on the address goes before that on all of them, as without any program.
        assert_eq!(connect(10, [&a, &b]), [0, 10]);
        b.end();
        let c = Server::start(any6(PORT + 1));
        drop(c);
        ports
            .apply(&config("PORT 8443 TCP * SHAREPORT"))
            .await
            .expect("rules in force");
        let b = Server::start(any4(PORT));
        assert_eq!(connect(100, [&a, &b]), [50, 50]);
    });
}

#[test]
fn a_server_on_every_address_gets_the_one_that_bind_says() {
    in_sandbox(|pin_dir| async move {
        // The address need not be there yet.
        ip(&format!("address delete {VIPA}/32 dev lo"));
        let ports = start(
            &pin_dir,
            "PORT 8443 TCP * BIND 10.1.3.10\n5353 UDP * BIND 10.1.3.10\nPORTRANGE 9000 9 TCP *",
        )
        .await;
        for asked in [any4(PORT), any6(PORT)] {
            let server = bound(asked, false).expect("a bound socket");
            assert_eq!(address(&server).ip().to_canonical(), VIPA, "{asked}");
        }
        let server = Server::start(any4(PORT));
        ip(&format!("address add {VIPA}/32 dev lo"));
        assert_eq!(connect(3, [&server]), [3]);
        // Whoever names an address keeps it, and other ports are nobody's business.
        let own: SocketAddr = "127.0.0.1:8443".parse().expect("an address");
        for (asked, found) in [
            (own, own),
            (any4(9001), any4(9001)),
            (any4(80), any4(80)),
            (any6(80), any6(80)),
        ] {
            let server = bound(asked, false).expect("a bound socket");
            assert_eq!(address(&server), found);
        }
        let udp = std::net::UdpSocket::bind(any4(5353)).expect("a socket");
        assert_eq!(udp.local_addr().expect("an address").ip(), VIPA);
        let refused = bound(any6(PORT), true).expect_err("takes no IPv4");
        assert_eq!(refused.raw_os_error(), Some(libc::EACCES));

        ports.remove().await.expect("nothing is left");
        let setting = fs::read_to_string("/proc/sys/net/ipv4/ip_nonlocal_bind");
        assert_eq!(setting.expect("a setting"), "0\n");
    });
}

/// Binds on a thread of that name, and says whether it could.
fn may_bind(command: &str, port: u16) -> bool {
    let thread = thread::Builder::new().name(command.to_owned());
    let bind = thread.spawn(move || bound(any4(port), false));
    match bind.expect("a thread").join().expect("no panic") {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::EACCES), "{error}");
            false
        }
    }
}

#[test]
fn a_port_is_for_those_whom_the_profile_names() {
    in_sandbox(|pin_dir| async move {
        let ports = start(
            &pin_dir,
            "PORT 100 TCP RESERVED\n200 TCP WEB\n300 TCP WEB*\n400 TCP NGINX\n400 TCP API*\n\
             500 TCP OMVS\n600 TCP WEBSERVE\nPORTRANGE 1000 100 TCP RESERVED\n2000 10 TCP WEB*",
        )
        .await;
        for (command, port, may) in [
            ("any", 100, false),
            ("any", 101, true),
            ("web", 200, true),
            ("Web", 200, true),
            ("webs", 200, false),
            ("we", 200, false),
            ("web", 300, true),
            ("webserver", 300, true),
            ("we", 300, false),
            ("api-7", 400, true),
            ("nginx", 400, true),
            ("nginx2", 400, false),
            ("any", 500, true),
            ("webserve", 600, true),
            ("webserver", 600, false),
            ("any", 999, true),
            ("any", 1000, false),
            ("any", 1099, false),
            ("any", 1100, true),
            ("web-7", 2009, true),
            ("wob", 2009, false),
            ("wob", 2010, true),
        ] {
            assert_eq!(may_bind(command, port), may, "`{command}` on {port}");
        }
        // A port of another protocol is another port, and so is that of another namespace.
        std::net::UdpSocket::bind(any4(100)).expect("a socket");
        let other = Peer::start();
        other.run(|| assert!(may_bind("any", 100)));

        let changed = config("PORT 200 TCP RESERVED\n300 TCP ANY");
        ports.apply(&changed).await.expect("rules in force");
        for (command, port, may) in [
            ("any", 100, true),
            ("web", 200, false),
            ("web", 300, false),
            ("any", 300, true),
            ("any", 1000, true),
        ] {
            assert_eq!(may_bind(command, port), may, "`{command}` on {port}");
        }
        // Without any reservation nothing is left.
        ports.apply(&config("IPCONFIG")).await.expect("no rules");
        assert!(!pin_dir.join(DIRECTORY).exists());
        assert!(may_bind("any", 200));
    });
}

#[test]
fn listeners_that_are_set_aside_get_none_until_they_are_back() {
    in_sandbox(|pin_dir| async move {
        let (set_aside, aside) = watch::channel(Some(Aside::default()));
        let ports = start_with(&pin_dir, SHARED, aside).await;
        let [one, two, three] = [any4(PORT), any6(PORT), any4(PORT)].map(Server::start);
        let cookie = |server: &Server| server.socket.cookie().expect("SO_COOKIE");
        let cookies = [&one, &two, &three].map(cookie);
        let set = |aside: &[u64]| {
            let cookies = aside.iter().copied().collect();
            let shared = BTreeSet::new();
            set_aside.send_replace(Some(Aside { cookies, shared }));
        };
        set(&cookies[1..2]);
        until("no turn for the second", || {
            connect(6, [&one, &two, &three]) == [3, 0, 3]
        })
        .await;
        assert_eq!(connect(100, [&one, &two, &three]), [50, 0, 50]);
        // A daemon that is gone changes nothing, and the next one takes nobody in before it knows.
        drop(ports);
        assert_eq!(connect(10, [&one, &two, &three]), [5, 0, 5]);
        let (told, untold) = watch::channel(None);
        let _ports = start_with(&pin_dir, SHARED, untold).await;
        tokio::time::sleep(3 * SETTLED).await;
        assert_eq!(connect(10, [&one, &two, &three]), [5, 0, 5]);
        let aside = |cookies: &[u64]| {
            let cookies = cookies.iter().copied().collect();
            let shared = BTreeSet::new();
            told.send_replace(Some(Aside { cookies, shared }));
        };
        // Where nobody is left, the kernel chooses: who gets here is not turned away.
        aside(&cookies);
        until("nobody's turn", || {
            connect(3, [&one, &two, &three]).iter().sum::<u32>() == 3
        })
        .await;
        aside(&cookies[..1]);
        until("turns for the others", || {
            connect(6, [&one, &two, &three]) == [0, 3, 3]
        })
        .await;
        aside(&[]);
        // More than the kernel would do by chance.
        until("turns for all", || {
            connect(90, [&one, &two, &three]) == [30, 30, 30]
                && connect(90, [&one, &two, &three]) == [30, 30, 30]
        })
        .await;
        assert_eq!(connect(300, [&one, &two, &three]), [100; 3]);
    });
}
