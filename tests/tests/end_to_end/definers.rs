//! Two stacks define the same VIPA: the later has it, and the other stands by.

use tests::lab::VIPA;
use tests::neighbour;
use tests::profile;
use tests::tcp::{Load, Server};

use crate::{DUAL_STACK, SERVICE, built, turn};

#[test]
fn of_two_definers_the_later_has_the_address() {
    let _turn = turn();
    let lab = built(3, 2); // the second one only watches
    let [first, second, target] = ["TCPIP", "TCPIP2", "TCPIP3"].map(|name| lab.stack(name));
    let destinations = [target.xcf_address()];
    let define =
        |stack: &tests::stack::Stack| profile::front_end(stack.xcf_address(), &destinations);
    first.start(&define(first)).expect("a daemon");
    let own = profile::target(target.xcf_address());
    target.start(&own).expect("a daemon");
    let _server = Server::start(target, "TCPIP3", DUAL_STACK).expect("a server");
    first.wait_for_ready(&[("TCPIP3", 1)]).expect("a server");
    let load = Load::start(lab.client(), SERVICE, 20).expect("living connections");

    second.start(&define(second)).expect("a daemon");
    neighbour::wait_for_holder(&lab, VIPA, "TCPIP2").expect("the later definer");
    load.wait_for_round().expect("a round");

    // It comes back when the other is gone, and is not the later one by a restart of its daemon.
    second.stop().expect("a clean stop");
    neighbour::wait_for_holder(&lab, VIPA, "TCPIP").expect("the earlier definer");
    load.wait_for_round().expect("a round");
    assert_eq!(load.stop().expect("the end"), []);
}
