//! DESTIP ALL: every stack of the group is a target, those that join later too.

use std::collections::BTreeMap;

use tests::lab::VIPA;
use tests::profile;
use tests::tcp::{Load, Server, greetings};

use crate::{DUAL_STACK, SERVICE, built, turn};

const CONNECTIONS: u32 = 20;

#[test]
fn a_stack_that_joins_gets_its_turn_until_it_leaves() {
    let _turn = turn();
    let lab = built(3, 1);
    let (front_end, second, third) = (lab.stack("TCPIP"), lab.stack("TCPIP2"), lab.stack("TCPIP3"));
    let all = ["ALL".to_owned()];
    let distributor = profile::distributed(front_end.xcf_address(), "ROUNDROBIN", &all);
    front_end.start(&distributor).expect("a daemon");
    second
        .start(&profile::target(second.xcf_address()))
        .expect("a daemon");
    second.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    let serve = |name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server");
    let _second_server = serve("TCPIP2");
    // Its server is there before its stack is.
    let _third_server = serve("TCPIP3");
    let of = |shares: &[(&str, u32)]| -> BTreeMap<String, u32> {
        let shares = shares.iter();
        shares
            .map(|(name, share)| ((*name).to_owned(), *share))
            .collect()
    };
    let shares = || greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
    let alone = || {
        front_end
            .wait_for_ready(&[("TCPIP2", 1)])
            .expect("one server");
        assert_eq!(shares(), of(&[("TCPIP2", CONNECTIONS)]));
    };
    alone();
    let living = Load::start(lab.client(), SERVICE, CONNECTIONS).expect("living connections");

    third
        .start(&profile::target(third.xcf_address()))
        .expect("a daemon");
    front_end
        .wait_for_ready(&[("TCPIP2", 1), ("TCPIP3", 1)])
        .expect("two servers");
    let half = CONNECTIONS / 2;
    assert_eq!(shares(), of(&[("TCPIP2", half), ("TCPIP3", half)]));

    third.stop().expect("a clean stop");
    alone();
    assert_eq!(living.stop().expect("the load"), []);
}
