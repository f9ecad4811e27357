//! What happens to the others when the last server of a target ends.

use tests::certificate::Certificate;
use tests::lab::VIPA;
use tests::tcp::{Load, Server, greetings};
use tests::{https, lab::Lab};

use crate::{DUAL_STACK, SERVICE, started, turn};

#[test]
fn a_target_without_server_gets_no_connection() {
    let _turn = turn();
    let lab = started(3, 1, &["TCPIP2", "TCPIP3"]);
    kill_the_only_server(&lab, "10.1.3.10:8443", SERVICE);
}

#[test]
fn a_target_without_dual_stack_server_gets_no_connection() {
    let _turn = turn();
    let lab = started(3, 1, &["TCPIP2", "TCPIP3"]);
    kill_the_only_server(&lab, "[::]:8443 ipv6only=off", DUAL_STACK);
}

/// TCPIP2's server is an nginx that is killed, TCPIP3's one that says who it is.
fn kill_the_only_server(lab: &Lab, nginx: &str, address: std::net::SocketAddr) {
    let (front_end, two, three) = (lab.stack("TCPIP"), lab.stack("TCPIP2"), lab.stack("TCPIP3"));
    let certificate = Certificate::create(VIPA.into(), &lab.directory()).expect("a certificate");
    let _stays = Server::start(three, "TCPIP3", address).expect("a server");
    front_end
        .wait_for_ready(&[("TCPIP3", 1)])
        .expect("one server");
    let living = Load::start(lab.client(), SERVICE, 20).expect("living connections");

    let mut dies = https::Server::start(two, 1, nginx, &certificate).expect("nginx");
    front_end
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("two servers");
    let answers =
        https::ask(lab.client(), &certificate, "https://10.1.3.10:8443/", 10, 1).expect("a client");
    assert_eq!(
        answers.by_stack(),
        [("TCPIP2".to_owned(), 5)].into(),
        "{answers:?}"
    );

    dies.process().kill().expect("nginx is dead");
    front_end
        .wait_for_ready(&[("TCPIP3", 1)])
        .expect("the owner has applied the report");
    let total = || {
        let rows = front_end.vdpt().expect("VDPT");
        rows.iter()
            .find(|row| row.target == "TCPIP2")
            .map(|row| row.total_connections)
    };
    let resets = || two.tcp_counter("OutRsts").expect("a counter");
    let before = (total(), resets());
    let by_server = greetings(lab.client(), SERVICE, 200).expect("no failed connection");
    assert_eq!(by_server, [("TCPIP3".to_owned(), 200)].into());
    // A SYN for which nobody listens would have been answered with a reset there.
    assert_eq!((total(), resets()), before);

    living.wait_for_round().expect("living connections");
    assert_eq!(living.servers(), ["TCPIP3"; 20]);
    assert_eq!(living.stop().expect("the end"), []);
    assert_eq!(front_end.tcp_counter("OutRsts").expect("a counter"), 0);
}
