//! Another configuration for a running stack: planned, applied, confirmed, and undone.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::lab::{Lab, PORT, VIPA};
use tests::stack::Stack;
use tests::tcp::{Load, Server, greetings};
use tests::{profile, program, wait};

use crate::{DUAL_STACK, SERVICE, started, turn};

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
/// Connections that live through everything.
const LIVING: u32 = 40;
/// How long the group may take to agree.
const AGREED: Duration = Duration::from_secs(15);

/// A front end that distributes over two targets, with connections to both.
struct Busy {
    living: Load,
    _servers: [Server; 2],
    lab: Lab,
}

impl Busy {
    fn start() -> Self {
        let lab = started(3, 1, &TARGETS);
        let servers =
            TARGETS.map(|name| Server::start(lab.stack(name), name, DUAL_STACK).expect("a server"));
        let ready = TARGETS.map(|name| (name, 1));
        lab.stack("TCPIP").wait_for_ready(&ready).expect("targets");
        let living = Load::start(lab.client(), SERVICE, LIVING);
        Self {
            living: living.expect("living connections"),
            _servers: servers,
            lab,
        }
    }

    fn front_end(&self) -> &Stack {
        self.lab.stack("TCPIP")
    }

    /// Waits until new connections go to these targets and to no others.
    fn wait_for(&self, targets: &[&str]) {
        let ready: Vec<_> = targets.iter().map(|name| (*name, 1)).collect();
        self.front_end().wait_for_ready(&ready).expect("targets");
    }

    /// Who answers new connections.
    fn answers(&self) -> Vec<String> {
        let by_server = greetings(self.lab.client(), SERVICE, 4).expect("connections");
        by_server.into_keys().collect()
    }

    /// The profile of the front end with these targets.
    fn profile(&self, targets: &[&str]) -> String {
        let address = |name: &&str| self.lab.stack(name).xcf_address();
        let targets: Vec<Ipv4Addr> = targets.iter().map(address).collect();
        profile::front_end(self.front_end().xcf_address(), &targets)
    }

    /// Writes another profile beside the daemon's.
    fn write(&self, text: &str) -> PathBuf {
        let file = self.front_end().directory().join("other.profile");
        fs::write(&file, text).expect("a file");
        file
    }

    fn end(self) {
        self.living.wait_for_round().expect("a round");
        assert_eq!(self.living.stop().expect("the end"), []);
    }
}

/// Runs a command about a stack; the exit code is for the caller.
fn run(stack: &Stack, words: &[&str]) -> Output {
    let mut command = Command::new(program::distributor().expect("the program"));
    command
        .args(words)
        .args(["--name", stack.name(), "--run-dir"]);
    command
        .arg(stack.run_directory())
        .output()
        .expect("it runs")
}

fn json(stack: &Stack, words: &[&str]) -> Value {
    let output = run(stack, words);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The newest entry of the history, and how many there are.
fn newest(stack: &Stack) -> (Value, usize) {
    let history = json(stack, &["history", "--json"]);
    let entries = history["entries"].as_array().expect("entries");
    (entries[0].clone(), entries.len())
}

#[test]
fn a_plan_says_what_happens_and_a_rollback_goes_back() {
    let _turn = turn();
    let busy = Busy::start();
    let front_end = busy.front_end();
    let file = busy.write(&busy.profile(&["TCPIP3"]));
    let file = file.to_str().expect("a path");
    let two = busy.lab.stack("TCPIP2").xcf_address();

    let plan = json(front_end, &["plan", file, "--json"]);
    let changes = plan["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{plan}");
    let there = LIVING / 2;
    assert_eq!(
        changes[0]["words"],
        format!("{VIPA}:{PORT}: target TCPIP2 ({two}) leaves: {there} connections will be drained")
    );
    assert_eq!(changes[0]["connections"], there);
    let output = run(front_end, &["plan", file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let same = busy.write(&busy.profile(&TARGETS));
    let output = run(front_end, &["plan", same.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(busy.answers(), TARGETS, "a plan changes nothing");

    // What is wrong is refused as a whole, by plan as by apply.
    let wrong = busy.write(
        &busy
            .profile(&["TCPIP3"])
            .replace("VIPADEFINE", "VIPADEFIN3"),
    );
    let (before, len) = newest(front_end);
    for verb in ["plan", "apply"] {
        let output = run(front_end, &[verb, wrong.to_str().expect("a path")]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{verb}: {said}");
        assert!(
            said.contains("VIPADEFIN3") && said.contains("nothing was changed"),
            "{said}"
        );
    }
    assert_eq!(newest(front_end), (before, len));

    busy.write(&busy.profile(&["TCPIP3"]));
    let done = front_end.order(&["apply", file]).expect("it is applied");
    assert!(
        done.contains("target TCPIP2") && done.contains("stays so"),
        "{done}"
    );
    busy.wait_for(&["TCPIP3"]);
    assert_eq!(busy.answers(), ["TCPIP3"]);
    busy.living
        .wait_for_round()
        .expect("the other target still serves");
    let (entry, _) = newest(front_end);
    assert_eq!(entry["how"], "apply", "{entry}");
    assert_eq!(entry["uid"], 0, "{entry}");
    assert_eq!(entry["user"], "root", "{entry}");
    assert_eq!(entry["source"], file, "{entry}");
    assert_eq!(entry["changes"][0], changes[0]["words"], "{entry}");

    // What is applied outlives a daemon, though its profile says what it said before.
    front_end.kill().expect("it ends");
    front_end.restart().expect("another daemon");
    busy.wait_for(&["TCPIP3"]);
    assert_eq!(busy.answers(), ["TCPIP3"]);
    assert_eq!(newest(front_end).0["how"], "apply");

    front_end.order(&["rollback"]).expect("the way back");
    busy.wait_for(&TARGETS);
    assert_eq!(busy.answers(), TARGETS);
    let (entry, _) = newest(front_end);
    assert_eq!(entry["how"], "rollback", "{entry}");
    assert_eq!(entry["restores"], 1, "{entry}");
    let refusal = front_end.order(&["rollback"]).expect_err("no way back");
    assert!(
        refusal.to_string().contains("earlier configuration"),
        "{refusal:#}"
    );
    busy.end();
}

#[test]
fn what_is_not_confirmed_is_undone_by_itself() {
    let _turn = turn();
    let busy = Busy::start();
    let front_end = busy.front_end();
    let file = busy.write(&busy.profile(&["TCPIP3"]));
    let file = file.to_str().expect("a path");
    let refusal = front_end
        .order(&["confirm"])
        .expect_err("nothing to confirm");
    assert!(refusal.to_string().contains("found none"), "{refusal:#}");

    // Confirmed, it stays.
    let trial = ["apply", file, "--confirm", "5s"];
    let begun = Instant::now();
    let done = front_end.order(&trial).expect("it is applied");
    assert!(done.contains("unless `distributor confirm`"), "{done}");
    for words in [&["reload"][..], &["apply", file], &trial] {
        let refusal = front_end.order(words).expect_err("one trial at a time");
        assert!(
            refusal.to_string().contains("waits to be confirmed"),
            "{refusal:#}"
        );
    }
    front_end.order(&["confirm"]).expect("it is confirmed");
    thread::sleep(Duration::from_secs(7).saturating_sub(begun.elapsed()));
    assert_eq!(newest(front_end).0["how"], "apply");
    assert_eq!(busy.answers(), ["TCPIP3"]);
    front_end.order(&["rollback"]).expect("the way back");
    busy.wait_for(&TARGETS);

    // Not confirmed, it is undone.
    front_end.order(&trial).expect("it is applied");
    busy.wait_for(&["TCPIP3"]);
    busy.wait_for(&TARGETS);
    let (entry, _) = newest(front_end);
    assert_eq!(entry["how"], "undo", "{entry}");
    assert_eq!(entry["uid"], Value::Null, "{entry}");
    assert_eq!(busy.answers(), TARGETS);

    // Also by a daemon that is started meanwhile, in time or too late.
    for pause in [Duration::ZERO, Duration::from_secs(6)] {
        front_end.order(&trial).expect("it is applied");
        front_end.kill().expect("it ends");
        thread::sleep(pause);
        front_end.restart().expect("another daemon");
        wait::until("the change to be undone", AGREED, || {
            Ok(newest(front_end).0["how"] == "undo")
        })
        .expect("in time");
        busy.wait_for(&TARGETS);
        assert_eq!(busy.answers(), TARGETS);
    }
    busy.end();
}
