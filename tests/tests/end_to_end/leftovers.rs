//! However the process that made a lab ends, the lab goes.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tests::claim::{self, Claim, State};
use tests::process::Process;
use tests::wait;

use crate::turn;

/// How long the demo may take to have its servers run, and to go.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let _turn = turn();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let files = tempfile::tempdir().expect("a directory");
        let (mut demo, name) = demo_at_work(&files);
        demo.signal(signal).expect("a signal");
        let status = demo.wait(SOON).expect("an end");
        assert_eq!(
            status.code(),
            Some(128 + signal as i32),
            "{}",
            demo.output()
        );
        assert_eq!(state(&name), None, "{signal}: {}", demo.output());
    }
}

#[test]
fn what_a_killed_demo_leaves_goes_with_the_next_lab() {
    let _turn = turn();
    let files = tempfile::tempdir().expect("a directory");
    let (mut demo, name) = demo_at_work(&files);
    demo.kill().expect("a dead demo");
    // A child that it was about to execute holds its lock for a moment longer.
    wait::until("its claim to be stale", SOON, || {
        Ok(state(&name) == Some(State::Stale))
    })
    .expect("a stale claim");
    drop(Claim::new(None).expect("the next lab"));
    assert!(state(&name).is_none());
}

/// A demo that has enough to do, and the name of its lab.
fn demo_at_work(files: &TempDir) -> (Process, String) {
    let name = format!("sd-left{}", std::process::id() % 100_000);
    let log = files.path().join("demo.log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(["--connections", "1000000", "--name", &name]);
    let mut demo = Process::start("the demo", log, &mut command).expect("a demo");
    wait::until("the demo's connections", SOON, || {
        assert!(demo.ended()?.is_none(), "{}", demo.output());
        Ok(demo.output().contains("connections to https"))
    })
    .expect("a demo at work");
    assert_eq!(state(&name), Some(State::Running));
    (demo, name)
}

fn state(name: &str) -> Option<State> {
    let labs = claim::list().expect("a list");
    labs.iter()
        .find(|lab| lab.name == name)
        .map(|lab| lab.state)
}
