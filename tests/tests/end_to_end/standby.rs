//! HOTSTANDBY: who gets the new connections when the preferred target goes, and when it returns.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::lab::{PORT, VIPA};
use tests::tcp::{Load, Server, greetings};
use tests::{profile, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

/// More than may be handed out while nobody looks.
const CONNECTIONS: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn the_preferred_target_gets_everything_again_when_it_returns() {
    let _turn = turn();
    go_and_return("", "TCPIP2");
}

#[test]
fn with_noautoswitchback_the_backup_goes_on() {
    let _turn = turn();
    go_and_return("NOAUTOSWITCHBACK", "TCPIP3");
}

/// The only server of the preferred target goes and returns, and then its daemon; after each return
/// `afterwards` is the target that gets the new connections.
fn go_and_return(option: &str, afterwards: &str) {
    let lab = built(3, 1);
    let [front_end, preferred, backup] = ["TCPIP", "TCPIP2", "TCPIP3"].map(|name| lab.stack(name));
    let method = format!("HOTSTANDBY {option}");
    let destinations = [
        format!("{} BACKUP 9", backup.xcf_address()),
        format!("{} PREFERRED", preferred.xcf_address()),
    ];
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::distributed(stack.xcf_address(), &method, &destinations),
        _ => profile::target(stack.xcf_address()),
    })
    .expect("daemons");
    for stack in lab.stacks() {
        stack.wait_for_dvipa(VIPA.into()).expect("the VIPA");
    }
    let start = |name: &str| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server");
    let both = ["TCPIP2", "TCPIP3"];
    let wait_for_servers = |names: &[&str]| {
        wait::until("VDPT to show the servers", PATIENCE, || {
            let rows = front_end.vdpt()?;
            let ready = rows.iter().filter(|row| row.ready > 0);
            let ready: BTreeSet<&str> = ready.map(|row| row.target.as_str()).collect();
            Ok(ready == names.iter().copied().collect())
        })
        .expect("servers");
    };
    let everything_to = |name: &str| {
        let by_server = greetings(lab.client(), SERVICE, CONNECTIONS).expect("connections");
        assert_eq!(by_server, [(name.to_owned(), CONNECTIONS)].into());
        let rows = front_end.vdpt().expect("VDPT");
        let active = rows.iter().filter(|row| row.is_active);
        let active: Vec<_> = active.map(|row| row.target.as_str()).collect();
        assert_eq!(active, [name]);
    };

    // Whoever is ready first is active, until there is a reason to switch.
    let first = start("TCPIP2");
    wait_for_servers(&both[..1]);
    let _waits = start("TCPIP3");
    wait_for_servers(&both);
    everything_to("TCPIP2");
    let load = Load::start(lab.client(), SERVICE, CONNECTIONS).expect("living connections");

    first.stop_listening();
    wait_for_servers(&both[1..]);
    everything_to("TCPIP3");
    let _second = start("TCPIP2");
    wait_for_servers(&both);
    everything_to(afterwards);

    load.wait_for_round().expect("a round");
    assert!(load.servers().iter().all(|server| server == "TCPIP2"));
    assert_eq!(load.stop().expect("the end"), []);

    preferred.stop().expect("a clean stop");
    wait_for_servers(&both[1..]);
    everything_to("TCPIP3");
    preferred.restart().expect("a daemon");
    wait_for_servers(&both);
    everything_to(afterwards);

    let told = |from, to| {
        let told = format!(
            "SDL0109I new connections for {VIPA} port {PORT} go to {to}, no longer to {from}"
        );
        front_end.output().matches(&told).count()
    };
    let returns = if afterwards == "TCPIP2" { 2 } else { 0 };
    wait::until("what was told", PATIENCE, || {
        Ok(told("TCPIP3", "TCPIP2") == returns)
    })
    .expect("every return is told");
    assert_eq!(told("TCPIP2", "TCPIP3"), returns.max(1));
}
