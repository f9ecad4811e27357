//! What has happened at a running stack.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::lab::{PORT, VIPA};
use tests::program;
use tests::stack::Stack;
use tests::tcp::Server;

use crate::{DUAL_STACK, started, turn};

/// How long any word of it may take.
const SOON: Duration = Duration::from_secs(20);

fn events(stack: &Stack, options: &[&str]) -> Command {
    let program = program::distributor().expect("a program");
    let mut command = stack.namespace().command(program);
    command.args(["events", "--name", stack.name(), "--run-dir"]);
    command.arg(stack.run_directory()).args(options);
    command
}

#[test]
fn what_happens_is_told_to_whoever_asks_and_to_whoever_waits() {
    let _turn = turn();
    let lab = started(2, 1, &["TCPIP2"]);
    let owner = lab.stack("TCPIP");
    let server = Server::start(lab.stack("TCPIP2"), "TCPIP2", DUAL_STACK).expect("a server");
    owner.wait_for_ready(&[("TCPIP2", 1)]).expect("a server");

    let output = events(owner, &[]).output().expect("events");
    let text = String::from_utf8(output.stdout).expect("text");
    for word in [
        "EZD1214I VIPA 10.1.3.10 is active",
        "EZD1176I TCPIP2",
        "SDL0103I",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let told = events(owner, &["--json"]).output().expect("events");
    let told = String::from_utf8(told.stdout).expect("text");
    let is_started = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        event["id"] == "SDL0103I"
            && event["severity"] == "info"
            && event["dvipa"] == VIPA.to_string()
            && event["port"] == PORT
            && event["about_stack"] == "TCPIP2"
    };
    assert!(told.lines().any(is_started), "{told}");

    let mut waiting = events(owner, &["--json", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a program");
    let lines = BufReader::new(waiting.stdout.take().expect("a pipe")).lines();
    let (sender, lines_soon) = mpsc::channel();
    // Ends with the program.
    thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    let mut numbers = Vec::new();
    let mut server = Some(server);
    let has_ended = loop {
        let Ok(line) = lines_soon.recv_timeout(SOON) else {
            break false;
        };
        let event: Value = serde_json::from_str(&line).expect("JSON");
        numbers.push(event["number"].as_u64().expect("a number"));
        if numbers.len() == told.lines().count() {
            // Only now: it was not there when it was asked for.
            drop(server.take());
        }
        if event["id"] == "SDL0104I" {
            break true;
        }
    };
    waiting.kill().expect("a program");
    waiting.wait().expect("an end");
    assert!(has_ended, "{numbers:?}");
    let expected: Vec<u64> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, expected);
    assert!(numbers.len() > told.lines().count());
}
