//! A running stack on a terminal.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tests::program;
use tests::stack::Stack;
use tests::tcp::{Server, greetings};
use tests::terminal::Terminal;

use crate::{DUAL_STACK, SERVICE, started, turn};

const SOON: Duration = Duration::from_secs(20);

/// The stack's `top`.
fn top(stack: &Stack) -> Command {
    let mut command = stack
        .namespace()
        .command(program::distributor().expect("a program"));
    command.args(["top", "--name", stack.name(), "--run-dir"]);
    command.arg(stack.run_directory());
    command
}

#[test]
fn a_target_is_found_and_quiesced_on_a_terminal() {
    let _turn = turn();
    let lab = started(3, 1, &["TCPIP2", "TCPIP3"]);
    let [owner, target] = ["TCPIP", "TCPIP2"].map(|name| lab.stack(name));
    let servers = ["TCPIP2", "TCPIP3"]
        .map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
    let both = [("TCPIP2", 1), ("TCPIP3", 1)];
    owner.wait_for_ready(&both).expect("servers");
    greetings(lab.client(), SERVICE, 10).expect("connections");

    let (mut person, mut top) = Terminal::run(top(owner)).expect("a terminal");
    let outcome = (|| {
        person.see("10.1.3.10:8443")?;
        person.see("2/2")?;
        person.press("\r")?;
        person.see("TCPIP3")?;
        // The order goes to another host.
        person.press("z")?;
        person.see("TCPIP2: quiesce port 8443 of this target?")?;
        person.press("y")?;
        person.see("quiesced")?;
        owner.wait_for_ready(&[("TCPIP3", 1)])?;
        person.press("r")?;
        person.see("resume port 8443")?;
        person.press("y")?;
        owner.wait_for_ready(&both)?;
        person.press("\t")?;
        person.see("Paths")?;
        person.press("q")
    })();
    if let Err(error) = outcome {
        let _ = top.kill();
        panic!("{error:#}; {}", target.output());
    }
    let until = Instant::now() + SOON;
    let status = loop {
        match top.try_wait().expect("a process") {
            Some(status) => break Ok(status),
            None if Instant::now() > until => break Err("it goes on"),
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    if status.is_err() {
        let _ = top.kill();
    }
    assert!(status.expect("an end").success());
    drop(servers);

    // Where there is no terminal it says what there is instead.
    let output = self::top(owner)
        .stdin(Stdio::null())
        .output()
        .expect("an end");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--watch"), "{said}");
}
