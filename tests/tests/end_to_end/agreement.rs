//! `distributor check --running`: what the stacks of a running group show together.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tests::lab::{Lab, VIPA};
use tests::stack::Stack;
use tests::{profile, program, wait};

use crate::{built, turn};

/// How long definitions may take to arrive everywhere.
const ARRIVED: Duration = Duration::from_secs(15);

const NAMES: [&str; 3] = ["TCPIP", "TCPIP2", "TCPIP3"];

#[test]
fn a_running_group_is_checked_with_and_without_a_changed_profile() {
    let _turn = turn();
    let lab = built(3, 0);
    let stacks = NAMES.map(|name| lab.stack(name));
    let [front_end, two, three] = stacks;
    let addresses = stacks.map(Stack::xcf_address);
    let healthy = [
        profile::front_end(addresses[0], &addresses[1..]),
        backup(two, 20),
        backup(three, 10),
    ];
    lab.start_with(|stack| {
        let place = NAMES.iter().position(|name| *name == stack.name());
        healthy[place.expect("a stack of the lab")].clone()
    })
    .expect("daemons");
    wait_for(&lab, &json!([]));
    let output = check(two, &["--strict"]);
    assert!(output.status.success(), "{}", text(&output));
    let clean = NAMES.map(|name| format!("stack {name}: no errors, no warnings, no notes\n"));
    assert_eq!(text(&output), clean.concat());

    // A changed profile, before it is reloaded.
    let nobody = "172.1.1.99";
    let wrong_target = healthy[0].replace(&addresses[2].to_string(), nobody);
    let wrong_rank = backup(three, 20);
    let wrong_mask = healthy[1].replace("255.255.255.0 3", "255.255.0.0 3");
    for (stack, changed, expected) in [
        (front_end, &healthy[0], &[][..]),
        (front_end, &wrong_target, &[nobody]),
        (three, &wrong_rank, &["found 20, which `TCPIP2` has too"]),
        (two, &wrong_mask, &["as before", "found 172.1.0.0/16"]),
    ] {
        let file = stack.directory().join("changed.profile");
        std::fs::write(&file, changed).expect("a file");
        let path = file.display().to_string();
        let output = check(stack, &["--strict", "--format", "json", &path]);
        let found = warnings(&output);
        assert_eq!(output.status.code(), Some(i32::from(!found.is_empty())));
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(
                (&found["stack"], &found["file"]),
                (&json!(stack.name()), &json!(path))
            );
            let message = found["message"].as_str().expect("a message");
            assert!(message.contains(expected), "{message}");
        }
        let new = format!("TCPIP9={path}");
        let output = check(stack, &["--format", "json", &new]);
        let found = warnings(&output);
        let is_taken = |found: &Value| found["message"].to_string().contains("of its own");
        assert!(found.iter().any(is_taken), "a stack beside it: {found:#?}");
    }

    // The same in the running group, where no file shows it.
    front_end.write_profile(&wrong_target).expect("a file");
    three.write_profile(&wrong_rank).expect("a file");
    for stack in [front_end, three] {
        stack.reload().expect("a profile that is right alone");
    }
    let expected = json!([
        [
            "TCPIP",
            format!(
                "expected the DYNAMICXCF address of one of these stacks, found \
                           `{nobody}`, which is that of none"
            )
        ],
        [
            "TCPIP3",
            format!(
                "expected a rank of its own for `{VIPA}`, found 20, which `TCPIP2` has \
                            too"
            )
        ],
    ]);
    wait_for(&lab, &expected);
    let output = check(two, &["--strict"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("--> stack TCPIP3\n"),
        "{}",
        text(&output)
    );

    for (stack, profile) in stacks.iter().zip(&healthy) {
        stack.write_profile(profile).expect("a file");
        stack.reload().expect("the profile");
    }
    wait_for(&lab, &json!([]));
    three.stop().expect("a clean stop");
    let gone = json!([[
        "TCPIP3",
        "the stack has left the group, and is not compared"
    ]]);
    wait_for_at(two, &gone);
    let output = check(two, &["--strict"]);
    assert!(output.status.success(), "{}", text(&output));
}

/// The profile of a stack that backs the VIPA up.
fn backup(stack: &Stack, rank: u8) -> String {
    let target = profile::target(stack.xcf_address());
    let statement = format!("VIPABACKUP {rank} MOVEABLE IMMEDIATE 255.255.255.0 {VIPA}");
    format!("{target}VIPADYNAMIC\n   {statement}\nENDVIPADYNAMIC\n")
}

fn check(stack: &Stack, arguments: &[&str]) -> Output {
    let mut command = Command::new(program::distributor().expect("the program"));
    command.args(["check", "--running", "--name", stack.name(), "--run-dir"]);
    command.arg(stack.run_directory()).args(arguments);
    command.output().expect("an answer")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn findings(output: &Output) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    document["diagnostics"]
        .as_array()
        .expect("findings")
        .clone()
}

fn warnings(output: &Output) -> Vec<Value> {
    let mut found = findings(output);
    found.retain(|finding| finding["severity"] == "warning");
    found
}

/// Waits until every stack finds the same: pairs of a stack and a message.
fn wait_for(lab: &Lab, expected: &Value) {
    for stack in lab.stacks() {
        wait_for_at(stack, expected);
    }
}

fn wait_for_at(stack: &Stack, expected: &Value) {
    let mut seen = Value::Null;
    let waited = wait::until("the findings", ARRIVED, || {
        let found = findings(&check(stack, &["--format", "json"]));
        let found = found
            .iter()
            .map(|found| json!([found["stack"], found["message"]]));
        seen = found.collect();
        Ok(seen == *expected)
    });
    assert!(waited.is_ok(), "{} finds {seen:#}", stack.name());
}
