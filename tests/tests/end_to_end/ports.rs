//! What PORT and PORTRANGE say, done to servers that know nothing of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use std::{fs, io, thread};

use socket2::{Domain, Socket, Type};
use tests::certificate::Certificate;
use tests::cgroup::Cgroup;
use tests::https::{self, Answer};
use tests::lab::{Lab, PORT, VIPA};
use tests::stack::Stack;
use tests::{host::Host, profile, program, wait};

use crate::{SERVICE, built, turn};

/// What a server is told that knows a port and nothing else.
const EVERY_IPV4: &str = "8443";
/// The same for servers of Java and their like.
const EVERY_ADDRESS: &str = "[::]:8443 ipv6only=off";

const SHARED: &str = "PORT 8443 TCP * SHAREPORT BIND 10.1.3.10\n";
const ALONE: &str = "PORT 8443 TCP * BIND 10.1.3.10\n";

/// How long the daemon may take to say what has happened.
const TELL: Duration = Duration::from_secs(5);

/// Starts daemons whose front end distributes over TCPIP2 and TCPIP3, which say more in their profiles.
fn started(two: &str, three: &str) -> Lab {
    let lab = built(3, 1);
    let targets = ["TCPIP2", "TCPIP3"].map(|name| lab.stack(name).xcf_address());
    lab.start_with(|stack| {
        let target = profile::target(stack.xcf_address());
        match stack.name() {
            "TCPIP" => profile::front_end(stack.xcf_address(), &targets),
            "TCPIP2" => target + two,
            _ => target + three,
        }
    })
    .expect("daemons");
    lab
}

fn nginx(stack: &Stack, number: u32, listen: &str, certificate: &Certificate) -> https::Server {
    https::Server::start(stack, number, listen, certificate).expect("nginx")
}

/// Connects to the VIPA, and returns how many connections each server answered.
fn answered(lab: &Lab, certificate: &Certificate, connections: u32) -> BTreeMap<String, u32> {
    let url = format!("https://{VIPA}:{PORT}/");
    let answers = https::ask(lab.client(), certificate, &url, connections, 2).expect("a client");
    assert_eq!(answers.failures, Vec::<String>::new());
    let servers = answers.by_server.into_iter();
    servers
        .map(|(server, connections): (Answer, u32)| (server.to_string(), connections))
        .collect()
}

fn counts(expected: &[(&str, u32)]) -> BTreeMap<String, u32> {
    let counts = expected.iter();
    counts
        .map(|(server, connections)| ((*server).to_owned(), *connections))
        .collect()
}

/// Addresses on which somebody listens on the port.
fn listeners(host: &Host) -> Vec<String> {
    let mut command = host.namespace().command("ss");
    let filter = format!("sport = :{PORT}");
    let output = program::output(command.args(["-Hltn", &filter])).expect("ss");
    let mut found: Vec<_> = output
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3))
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}

/// Waits until the daemon has said something.
fn told(stack: &Stack, words: &[&str]) {
    let what = format!("{} to tell of {words:?}", stack.name());
    wait::until(&what, TELL, || {
        let output = stack.output();
        let mut lines = output.lines();
        Ok(lines.any(|line| words.iter().all(|word| line.contains(word))))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {}", stack.output()));
}

#[test]
fn unmodified_servers_share_a_port_through_the_daemon_s_death() {
    let _turn = turn();
    let lab = started(SHARED, ALONE);
    let (front_end, two, three) = (lab.stack("TCPIP"), lab.stack("TCPIP2"), lab.stack("TCPIP3"));
    let certificate = Certificate::create(VIPA.into(), &lab.directory()).expect("a certificate");
    let mut first = nginx(two, 1, EVERY_IPV4, &certificate);
    let _second = nginx(two, 2, EVERY_ADDRESS, &certificate);
    let _third = nginx(three, 1, EVERY_ADDRESS, &certificate);
    assert_eq!(
        listeners(two),
        ["10.1.3.10:8443", "[::ffff:10.1.3.10]:8443"]
    );
    assert_eq!(listeners(three), ["[::ffff:10.1.3.10]:8443"]);
    told(two, &["SDL0122I", "`nginx`", "is bound to 10.1.3.10"]);
    let ready = [("TCPIP2", 2), ("TCPIP3", 1)];
    front_end.wait_for_ready(&ready).expect("three servers");
    let quarters = counts(&[("TCPIP2/1", 100), ("TCPIP2/2", 100), ("TCPIP3/1", 200)]);
    assert_eq!(answered(&lab, &certificate, 400), quarters);

    // A daemon that is dead, and a server that is started meanwhile.
    two.kill().expect("a dead daemon");
    // The front end soon hears nothing of it, and gives it nothing more; what it gives is shared.
    let rounds = [0, 1].map(|_| answered(&lab, &certificate, 50));
    let shares = rounds.each_ref().map(|round| {
        ["TCPIP2/1", "TCPIP2/2"].map(|server| round.get(server).copied().unwrap_or_default())
    });
    assert!(shares[0][0] > 0, "{rounds:?}");
    // Seldom is one of a hundred out of turn here, which is not understood yet; the other round is exact.
    let is_shared = |[first, second]: &[u32; 2]| first.abs_diff(*second) <= 1;
    assert!(shares.iter().any(is_shared), "{rounds:?}");
    first.process().kill().expect("nginx is dead");
    let mut first = nginx(two, 1, EVERY_IPV4, &certificate);
    assert_eq!(
        listeners(two),
        ["10.1.3.10:8443", "[::ffff:10.1.3.10]:8443"]
    );
    two.restart().expect("a restarted daemon");
    front_end.wait_for_ready(&ready).expect("three servers");
    assert_eq!(answered(&lab, &certificate, 400), quarters);
    // One that ends leaves its turn to the other.
    first.process().kill().expect("nginx is dead");
    front_end
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("two servers");
    assert_eq!(
        answered(&lab, &certificate, 100),
        counts(&[("TCPIP2/2", 50), ("TCPIP3/1", 50)])
    );
}

#[test]
fn a_clean_stop_leaves_servers_where_they_are_and_nothing_else() {
    let _turn = turn();
    let lab = started(SHARED, "");
    let two = lab.stack("TCPIP2");
    let certificate = Certificate::create(VIPA.into(), &lab.directory()).expect("a certificate");
    let _servers = [1, 2].map(|number| nginx(two, number, EVERY_IPV4, &certificate));
    let pins = two.pins().join("TCPIP2/ports");
    assert!(pins.exists());
    assert_eq!(nonlocal_bind(two), "1");

    assert!(two.stop().expect("a clean stop").success());
    assert!(!pins.exists());
    assert_eq!(nonlocal_bind(two), "0");
    assert_eq!(listeners(two), ["10.1.3.10:8443", "10.1.3.10:8443"]);
    // Nothing is done to servers any more.
    let in_use = bind(two, "web", "0.0.0.0:8443").expect_err("the port is in use");
    assert_eq!(in_use.kind(), io::ErrorKind::AddrInUse);

    // The profile is done again when the daemon is back, to servers from before too.
    two.restart().expect("a daemon");
    two.wait_for_dvipa(VIPA.into()).expect("a target");
    let address = bind(two, "web", "0.0.0.0:8443").expect("shares");
    assert_eq!(address, SERVICE);
    lab.stack("TCPIP")
        .wait_for_ready(&[("TCPIP2", 2)])
        .expect("two servers");
    assert_eq!(
        answered(&lab, &certificate, 200),
        counts(&[("TCPIP2/1", 100), ("TCPIP2/2", 100)])
    );
}

fn nonlocal_bind(host: &Host) -> String {
    let setting = host
        .namespace()
        .run(|| Ok(fs::read_to_string("/proc/sys/net/ipv4/ip_nonlocal_bind")?));
    setting.expect("a setting").trim().to_owned()
}

/// Lets a program of that name bind; returns where its socket is then.
fn bind(host: &Host, program: &str, address: &str) -> io::Result<SocketAddr> {
    let address: SocketAddr = address.parse().expect("an address");
    let namespace = host.namespace().clone();
    let thread = thread::Builder::new().name(program.to_owned());
    let bind = thread.spawn(move || {
        namespace.enter().expect("a namespace");
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        let found = socket.local_addr()?.as_socket();
        Ok(found.expect("an IP address"))
    });
    bind.expect("a thread").join().expect("no panic")
}

/// The error that a refused program gets.
fn refused() -> io::ErrorKind {
    io::ErrorKind::PermissionDenied
}

/// Lets a `curl` bind the port, by a shell that does something before; says whether it could.
fn curl_may_bind(host: &Host, before: &str, port: u16) -> bool {
    let mut command = host.namespace().command("sh");
    let curl =
        format!("{before} curl --silent --show-error --local-port {port} http://127.0.0.1:1");
    let output = command.args(["-c", &curl]).output().expect("a shell");
    // Nobody listens there: it fails in any case.
    match output.status.code() {
        Some(7) => true,
        Some(45) => false,
        code => panic!("{code:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

const RESERVED: &str = "
PORT 8443 TCP * SHAREPORT BIND 10.1.3.10
     7001 TCP RESERVED
     7002 TCP WEB*
     7003 TCP WEB
PORTRANGE 7100 10 TCP API
";

#[test]
fn ports_are_for_those_whom_the_profile_names() {
    let _turn = turn();
    let lab = started(RESERVED, "");
    let two = lab.stack("TCPIP2");
    for (program, port, may) in [
        ("web", 7001, false),
        ("webserver", 7002, true),
        ("db", 7002, false),
        ("Web", 7003, true),
        ("webserver", 7003, false),
        ("api", 7109, true),
        ("web", 7109, false),
        ("web", 7110, true),
    ] {
        let bound = bind(two, program, &format!("0.0.0.0:{port}"));
        match bound {
            Ok(address) => assert!(may, "`{program}` is bound to {address}"),
            Err(error) => assert_eq!(
                (may, error.kind()),
                (false, refused()),
                "`{program}` {port}"
            ),
        }
    }
    told(two, &["SDL0121W", "port 7001", "`web`", "RESERVED"]);
    told(two, &["SDL0121W", "port 7002", "`db`", "has it for WEB*"]);
    told(two, &["SDL0121W", "port 7109", "`web`", "has it for API"]);

    // Another stack in the same cgroup, and a host without any.
    for host in [lab.stack("TCPIP3").host(), lab.client()] {
        bind(host, "db", "0.0.0.0:7001").expect("is not reserved there");
    }

    // A unit is a cgroup that is called so.
    let unit = two.cgroup().expect("a stack's").within("web.service");
    let worker = unit.within("worker");
    worker.create().expect("a cgroup");
    let enter =
        |cgroup: &Cgroup| format!("echo $$ > {}/cgroup.procs; exec", cgroup.path().display());
    assert!(!curl_may_bind(two, "exec", 7003));
    assert!(curl_may_bind(two, &enter(&unit), 7003));
    assert!(curl_may_bind(two, &enter(&worker), 7003));
    assert!(!curl_may_bind(two, &enter(&worker), 7100));
    assert!(unit.remove().expect("a cgroup"), "it is empty");

    // A socket for IPv6 only cannot have the address.
    let error = bind(two, "web", "[::]:8443").expect_err("takes no IPv4");
    assert_eq!(error.kind(), refused());
    told(two, &["SDL0121W", "port 8443", "IPv6 only", "10.1.3.10"]);
    // Sharing is for servers of one user.
    let certificate = Certificate::create(VIPA.into(), &lab.directory()).expect("a certificate");
    let _server = nginx(two, 1, EVERY_IPV4, &certificate);
    assert!(curl_may_bind(two, "exec", 8443));
    assert!(!curl_may_bind(two, "exec setpriv --reuid 65534", 8443));
    told(two, &["SDL0123W", "user 65534", "listeners of user 0"]);

    // Another profile is in force when the reload is over.
    let profile = profile::target(two.xcf_address());
    let changed = format!("{profile}PORT 7001 TCP WEB*\n     8443 TCP RESERVED\n");
    two.write_profile(&changed).expect("a file");
    two.reload().expect("a reload");
    bind(two, "web", "0.0.0.0:7001").expect("is its own now");
    bind(two, "db", "0.0.0.0:7002").expect("is nobody's now");
    let error = bind(two, "web", "0.0.0.0:8443").expect_err("is reserved now");
    assert_eq!(error.kind(), refused());
    two.write_profile(&profile).expect("a file");
    two.reload().expect("a reload");
    bind(two, "db", "0.0.0.0:7001").expect("is nobody's now");
    assert!(!two.pins().join("TCPIP2/ports").exists());
}
