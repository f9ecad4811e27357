//! The lab itself, before any daemon runs: what a test blames on the distributor must not be the
//! lab's fault.

use tests::certificate::Certificate;
use tests::host::LAN_INTERFACE;
use tests::https;
use tests::lab::{Lab, Layout, VIPA};
use tests::tcp::{Conversation, Load, Server, greetings};

use crate::{DUAL_STACK, SERVICE, turn};

#[test]
fn servers_and_clients_reach_each_other_and_everything_goes() {
    let _turn = turn();
    let lab = Lab::build(&Layout::default()).expect("a lab");
    let _other = Lab::build(&Layout::default()).expect("another lab at the same time");
    let name = lab.name().to_owned();
    let stack = &lab.stacks()[1];
    stack
        .namespace()
        .ip([format!("address add {VIPA}/32 dev {LAN_INTERFACE}")])
        .expect("a VIPA");

    let certificate = Certificate::create(VIPA.into(), &lab.directory()).expect("a certificate");
    let https = https::Server::start(stack, 1, "10.1.3.10:8443", &certificate).expect("nginx");
    let url = "https://10.1.3.10:8443/";
    let answers = https::ask(lab.client(), &certificate, url, 20, 4).expect("a client");
    assert_eq!(answers.failures, Vec::<String>::new());
    assert_eq!(answers.by_stack(), [("TCPIP2".to_owned(), 20)].into());

    // The certificate is for the VIPA only.
    let url = "https://10.1.1.2:8443/";
    let answers = https::ask(lab.client(), &certificate, url, 1, 1).expect("a client");
    assert_eq!(answers.by_server.len(), 0, "{answers:?}");
    drop(https);

    let server = Server::start(stack, "TCPIP2/1", DUAL_STACK).expect("a server");
    let by_server = greetings(lab.client(), SERVICE, 100).expect("a hundred connections");
    assert_eq!(by_server, [("TCPIP2/1".to_owned(), 100)].into());
    lab.client()
        .namespace()
        .run(|| {
            let open = || Conversation::open(SERVICE);
            open()?.let_server_close()?;
            open()?.let_server_reset()?;
            open()?.reset()?;
            let mut echo = open()?;
            echo.start_echo()?;
            echo.echo(&[7; 10_000])?;
            echo.echo_and_half_close(b"the rest")?;
            Ok(())
        })
        .expect("every way to end");

    let living = Load::start(lab.client(), SERVICE, 10).expect("ten connections");
    server.stop_listening();
    assert!(
        greetings(lab.client(), SERVICE, 1).is_err(),
        "nobody listens"
    );
    living.wait_for_round().expect("they live on");
    drop(server);
    let broken = living.stop().expect("the end");
    assert_eq!(broken.len(), 10, "{broken:?}");

    let client = lab.client().port().to_owned();
    assert!(lab.lan().delivered_to(&client).expect("a port") > 100);
    assert!(lab.lan().sent_by(&client).expect("a port") > 100);

    drop(lab);
    let left = tests::namespace::Namespace::starting_with(&name).expect("a list");
    assert_eq!(left, []);
}
