//! MAGLEV: a connection goes where its addresses and ports lead, whoever hands it out.

use std::collections::BTreeMap;

use tests::lab::{Lab, VIPA};
use tests::profile::{self, Dvipa, Role};
use tests::tcp::{Conversation, Server};

use crate::{DUAL_STACK, SERVICE, built, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
const WEIGHTS: [u8; 2] = [20, 40];
const FIRST_PORT: u16 = 20_000;
const CONNECTIONS: u16 = 120;

#[test]
fn a_backup_chooses_as_the_owner_before_it() {
    let _turn = turn();
    let lab = built(4, 1);
    let destinations = [0, 1].map(|which| {
        let target = lab.stack(TARGETS[which]);
        format!("{} WEIGHT {}", target.xcf_address(), WEIGHTS[which])
    });
    lab.start_with(|stack| {
        let xcf = stack.xcf_address();
        match stack.name() {
            "TCPIP" => profile::distributed(xcf, "MAGLEV", &destinations),
            "TCPIP4" => Dvipa {
                role: Role::Backup(9),
                moveable: None,
                destinations: &[],
            }
            .profile(xcf),
            _ => profile::target(xcf),
        }
    })
    .expect("daemons");
    for name in ["TCPIP", "TCPIP2", "TCPIP3"] {
        lab.stack(name)
            .wait_for_dvipa(VIPA.into())
            .expect("the VIPA");
    }
    let _servers =
        TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
    let ready = TARGETS.map(|name| (name, 1));
    let front_end = lab.stack("TCPIP");
    front_end.wait_for_ready(&ready).expect("two servers");

    let before = servers(&lab);
    let count = |name: &str| before.values().filter(|server| *server == name).count();
    let [fewer, more] = TARGETS.map(count);
    assert!(fewer > 20 && more > fewer + fewer / 4, "{fewer} {more}");
    assert_eq!(servers(&lab), before, "again at the same owner");

    front_end.stop().expect("a clean stop");
    lab.stack("TCPIP4")
        .wait_for_dvipa(VIPA.into())
        .expect("the VIPA at its backup");
    assert_eq!(servers(&lab), before, "at another owner");
}

/// Which server answers from which of the client's ports. Each connection is reset, so that the port
/// can be used again at once.
fn servers(lab: &Lab) -> BTreeMap<u16, String> {
    let ports = FIRST_PORT..FIRST_PORT + CONNECTIONS;
    lab.client()
        .namespace()
        .run(|| {
            ports
                .map(|port| {
                    let conversation = Conversation::open_from(port, SERVICE)?;
                    let server = conversation.server().to_owned();
                    conversation.reset()?;
                    Ok((port, server))
                })
                .collect()
        })
        .expect("connections")
}
