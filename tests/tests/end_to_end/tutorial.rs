//! docs/tutorial.md, typed as it stands.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tests::lab::Lab;
use tests::machine::Machine;
use tests::transcript::{self, Said};

use crate::{built, turn};

/// The hosts of the page, by their prompts.
const HOSTS: [&str; 3] = ["front", "back", "client"];

#[test]
fn the_tutorial_works_as_it_stands() {
    let _turn = turn();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial.md");
    let page = fs::read_to_string(page).expect("the page");
    let steps = transcript::parse(&page).expect("a transcript");
    assert!(steps.len() > 20, "{} steps", steps.len());
    let lab = built(2, 1);
    let mut machines = machines(&lab).expect("machines");
    transcript::play(&steps, |step| {
        type_in(&mut machines, &step.host, &step.command).with_context(|| step.to_string())
    })
    .unwrap_or_else(|error| panic!("{error:#}"));
}

fn machines(lab: &Lab) -> Result<BTreeMap<&'static str, Machine>> {
    let [front, back] = ["TCPIP", "TCPIP2"].map(|name| lab.stack(name).host());
    let hosts = HOSTS.into_iter().zip([front, back, lab.client()]);
    hosts
        .map(|(name, host)| Ok((name, Machine::start(host)?)))
        .collect()
}

/// Does what the words of a command ask for: on other hosts too, by `scp` and `ssh`.
fn type_in(machines: &mut BTreeMap<&str, Machine>, host: &str, command: &str) -> Result<Said> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let done = || Said {
        text: String::new(),
        is_success: true,
    };
    match words[..] {
        ["scp", "-r", from, to] => {
            let (other, directory) = to.split_once(':').context("expected root@HOST:DIR")?;
            let other = machine(machines, other.trim_start_matches("root@"))?;
            machine(machines, host)?.copy(from, other, directory)?;
            Ok(done())
        }
        ["ssh", to, ..] => {
            let command = words[2..].join(" ");
            type_in(machines, to.trim_start_matches("root@"), &command)
        }
        ["systemctl", ref words @ ..] => {
            let machine = machines.get_mut(host);
            machine.context("no such host")?.systemctl(words)?;
            Ok(done())
        }
        _ => machine(machines, host)?.shell(command),
    }
}

fn machine<'a>(machines: &'a BTreeMap<&str, Machine>, name: &str) -> Result<&'a Machine> {
    let machine = machines.get(name);
    machine.with_context(|| format!("no host `{name}`: there are {}", HOSTS.join(", ")))
}
