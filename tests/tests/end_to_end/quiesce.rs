//! Maintenance: a target gets no new connections, keeps what it has, and is drained.

use std::time::Duration;

use tests::lab::{Lab, PORT, VIPA};
use tests::tcp::{Load, Server, greetings};
use tests::wait;

use crate::{DUAL_STACK, SERVICE, started, turn};

const CONNECTIONS: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// TCPIP distributes over TCPIP2 and TCPIP3, and a server runs on each.
fn served() -> (Lab, [Server; 2]) {
    let targets = ["TCPIP2", "TCPIP3"];
    let lab = started(3, 1, &targets);
    let servers =
        targets.map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
    let ready = targets.map(|name| (name, 1));
    lab.stack("TCPIP")
        .wait_for_ready(&ready)
        .expect("two servers");
    (lab, servers)
}

/// Waits until the front end says why TCPIP2 gets nothing; `None` that it gets its share.
fn wait_for_idle(lab: &Lab, because: Option<&str>) {
    wait::until("VDPT to say so", PATIENCE, || {
        let rows = lab.stack("TCPIP").vdpt()?;
        let row = rows.iter().find(|row| row.target == "TCPIP2");
        Ok(row.is_some_and(|row| row.idle_because.as_deref() == because && row.ready == 1))
    })
    .expect("what VDPT says of TCPIP2");
}

#[test]
fn a_quiesced_target_keeps_its_connections_and_gets_no_others() {
    let _turn = turn();
    let (lab, _servers) = served();
    let target = lab.stack("TCPIP2");
    let load = Load::start(lab.client(), SERVICE, CONNECTIONS).expect("living connections");
    let half = CONNECTIONS / 2;
    let both = || {
        let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
        assert_eq!(
            by_server,
            ["TCPIP2", "TCPIP3"]
                .map(|name| (name.to_owned(), half))
                .into()
        );
    };
    both();
    let port = format!("port={PORT}");
    for scope in ["target", &port] {
        target.order(&["vary", "quiesce", scope]).expect("an order");
        wait_for_idle(&lab, Some("quiesced"));
        let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
        assert_eq!(by_server, [("TCPIP3".to_owned(), CONNECTIONS)].into());
        let again = target.order(&["vary", "quiesce", scope]);
        let refusal = again.expect_err("it is so").to_string();
        assert!(refusal.contains("already"), "{refusal}");
        // A daemon that goes on where another was killed keeps to it.
        target.kill().expect("a daemon");
        target.restart().expect("another daemon");
        wait_for_idle(&lab, Some("quiesced"));
        target.order(&["vary", "resume", scope]).expect("an order");
        wait_for_idle(&lab, None);
        both();
    }
    // Another port has nothing to do with it.
    target
        .order(&["vary", "quiesce", "port=1"])
        .expect("an order");
    both();
    load.wait_for_round().expect("a round");
    assert_eq!(load.stop().expect("the end"), []);
}

#[test]
fn a_drained_target_shows_what_is_left_and_resets_it_in_the_end() {
    let _turn = turn();
    let (lab, _servers) = served();
    let target = lab.stack("TCPIP2");
    let load = Load::start(lab.client(), SERVICE, CONNECTIONS).expect("living connections");
    let here = load
        .servers()
        .iter()
        .filter(|server| *server == "TCPIP2")
        .count();
    let left = format!("TCPIP2 has {here} connections left: {here} to {VIPA} port {PORT}");

    let said = target.order(&["drain"]).expect("an order");
    assert!(said.contains("SDL0112I") && said.contains(&left), "{said}");
    wait_for_idle(&lab, Some("quiesced"));
    let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
    assert_eq!(by_server, [("TCPIP3".to_owned(), CONNECTIONS)].into());
    // Without a deadline nothing is reset, and a resumed target forgets it.
    target
        .order(&["drain", "--deadline", "1s"])
        .expect("an order");
    target
        .order(&["vary", "resume", "target"])
        .expect("an order");
    std::thread::sleep(Duration::from_secs(2));
    load.wait_for_round().expect("a round");
    assert_eq!(load.lost(), []);

    let said = target
        .order(&["drain", "--wait", "--deadline", "2s"])
        .expect("it waits until nothing is left");
    assert!(said.contains(&left), "{said}");
    assert!(
        said.trim_end()
            .ends_with("TCPIP2 has no connection any more"),
        "{said}"
    );
    let lost = load.stop().expect("the end");
    assert_eq!(lost.len(), here, "{lost:?}");
    assert!(
        lost.iter()
            .all(|lost| lost.server == "TCPIP2" && lost.reason.contains("reset")),
        "{lost:?}"
    );
    let greeted = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
    assert_eq!(greeted, [("TCPIP3".to_owned(), CONNECTIONS)].into());
}

#[test]
fn a_target_is_quiesced_and_drained_from_another_host() {
    let _turn = turn();
    let (lab, _servers) = served();
    let (front_end, three) = (lab.stack("TCPIP"), lab.stack("TCPIP3"));
    let load = Load::start(lab.client(), SERVICE, CONNECTIONS).expect("living connections");
    let here = load
        .servers()
        .iter()
        .filter(|server| *server == "TCPIP2")
        .count();
    let port = format!("port={PORT}");
    let quiesce = ["vary", "quiesce", &port, "target=TCPIP2"];
    let said = three.order(&quiesce).expect("an order");
    assert!(said.contains("SDL0110I port 8443"), "{said}");
    wait_for_idle(&lab, Some("quiesced"));
    let again = front_end.order(&quiesce).expect_err("it is so").to_string();
    assert!(again.contains("already"), "{again}");
    let log = lab.stack("TCPIP2").output();
    assert!(log.contains("SDL0114I TCPIP3 passes on"), "{log}");
    let resume = ["vary", "resume", &port, "target=TCPIP2"];
    front_end.order(&resume).expect("an order");
    wait_for_idle(&lab, None);

    let nobody = front_end.order(&["drain", "TCPIP9"]);
    let nobody = nobody.expect_err("no such member").to_string();
    assert!(
        nobody.contains("TCPIP9 is no member") && nobody.contains("TCPIP2, TCPIP3"),
        "{nobody}"
    );
    let said = front_end.order(&["drain", "TCPIP2", "--port", "8443"]);
    let said = said.expect("an order");
    let left = format!("TCPIP2 has {here} connections left: {here} to {VIPA} port {PORT}");
    assert!(said.contains("SDL0112I") && said.contains(&left), "{said}");
    let said = front_end
        .order(&["drain", "TCPIP2", "--wait", "--deadline", "2s"])
        .expect("it waits until nothing is left");
    assert!(
        said.contains(&left)
            && said
                .trim_end()
                .ends_with("TCPIP2 has no connection any more"),
        "{said}"
    );
    let lost = load.stop().expect("the end");
    assert_eq!(lost.len(), here, "{lost:?}");
    assert!(
        lost.iter()
            .all(|lost| lost.server == "TCPIP2" && lost.reason.contains("reset")),
        "{lost:?}"
    );

    lab.stack("TCPIP2").kill().expect("a daemon");
    wait::until("TCPIP2 to be missed", PATIENCE, || {
        let order = front_end.order(&["vary", "resume", "target=TCPIP2"]);
        let refusal = order.expect_err("nobody is there").to_string();
        Ok(refusal.contains("TCPIP2 is not there"))
    })
    .expect("what is said of a member that is gone");
}
