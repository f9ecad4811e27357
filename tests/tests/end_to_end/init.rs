//! `distributor init`: what it writes is all that its stacks need to distribute a connection.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tests::process::Process;
use tests::stack::Stack;
use tests::tcp::{Server, greetings};
use tests::{program, unit, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

/// How long a clean stop and a takeover may take.
const SOON: Duration = Duration::from_secs(40);

#[test]
fn stacks_run_by_what_init_writes() {
    let _turn = turn();
    let lab = built(2, 1);
    let names = ["TCPIP", "TCPIP2"];
    let directory = lab.directory().join("group");
    let mut init = Command::new(program::distributor().expect("the program"));
    init.arg("init").arg(&directory);
    init.args(["--vipa", "10.1.3.10/24", "--port", "8443"]);
    init.args(["--interface", "eth0", "--interface", "xcf0"]);
    for name in names {
        let address = lab.stack(name).xcf_address();
        init.args(["--stack", &format!("{name}={address}/24")]);
    }
    program::output(&mut init).expect("a group");

    let stacks = names.map(|name| lab.stack(name));
    let mut daemons = stacks.map(|stack| start(stack, &directory.join(stack.name())));
    for stack in stacks {
        wait::until("the daemon to answer", SOON, || Ok(stack.vipadyn().is_ok()))
            .unwrap_or_else(|error| panic!("{error:#}: {}", stack.output()));
        stack
            .wait_for_dvipa(SERVICE.ip())
            .unwrap_or_else(|error| panic!("{error:#}: {}", stack.output()));
    }
    let servers = names.map(|name| Server::start(lab.stack(name), name, DUAL_STACK));
    stacks[0]
        .wait_for_ready(&[("TCPIP", 1), ("TCPIP2", 1)])
        .expect("two servers");
    let by_server = greetings(lab.client(), SERVICE, 20).expect("connections");
    assert_eq!(by_server, names.map(|name| (name.to_owned(), 10)).into());

    let [front_end, _backup] = &mut daemons;
    front_end.stop(SOON).expect("a clean stop");
    wait::until("the backup to have the address", SOON, || {
        let rows = stacks[1].vipadyn()?;
        Ok(rows.iter().any(|row| row.status == "Active"))
    })
    .expect("a takeover");
    let by_server = greetings(lab.client(), SERVICE, 20).expect("connections");
    assert_eq!(by_server, [("TCPIP2".to_owned(), 20)].into());
    drop(servers);
}

/// Starts a daemon as systemd would by the unit below `root`, the root of the stack's host.
fn start(stack: &Stack, root: &Path) -> Process {
    let words = unit::command_line(root, "distributor", stack.name()).expect("a unit");
    let mut words = words.iter();
    assert_eq!(words.next().expect("a program"), "/usr/bin/distributor");
    let program = program::distributor().expect("the program");
    let mut command = stack.namespace().command(program);
    for word in words {
        if word.starts_with('/') {
            command.arg(unit::below(root, word));
        } else {
            command.arg(word);
        }
    }
    command.arg("--run-dir").arg(stack.run_directory());
    command
        .arg("--state-dir")
        .arg(stack.directory().join("state"));
    command.arg("--pin-dir").arg(stack.pins());
    let host = stack.host();
    host.start("daemon", &mut command).expect("a daemon")
}
