//! The corpus of misconfigurations on running and on stopped stacks: doctor names the true cause, first
//! in its list, and says nothing where nothing is wrong.
//!
//! `MISCONFIG=word` runs only the cases with the word in their names.

use std::collections::BTreeMap;
use std::env;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tests::host::{Host, LAN_INTERFACE, XCF_INTERFACE};
use tests::lab::{Lab, PORT};
use tests::profile::{self, Dvipa, Moveable, Role};
use tests::stack::Stack;
use tests::tcp::{Server, greetings};
use tests::{program, wait};

use crate::{DUAL_STACK, SERVICE, built, turn};

/// How long a fault may take to be seen, and its end.
const SOON: Duration = Duration::from_secs(40);

const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];

#[derive(Debug, Deserialize)]
struct Corpus<Case> {
    case: Vec<Case>,
}

/// A case of `running.toml`, which explains the fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    name: String,
    on: String,
    #[serde(default, rename = "break")]
    faults: Vec<String>,
    #[serde(default)]
    mend: Vec<String>,
    ask: Option<String>,
    expect: String,
    #[serde(default)]
    servers: BTreeMap<String, String>,
    daemon: Option<Happening>,
    #[serde(default)]
    fix: bool,
    client: Option<String>,
}

/// What happens to a daemon.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Happening {
    Stop,
    Kill,
    Suspend,
    Restart,
}

/// A case of `stopped.toml`, which explains the fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stopped {
    name: String,
    #[serde(default, rename = "break")]
    faults: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    #[serde(default)]
    without_interfaces: bool,
    expect: String,
}

#[test]
fn doctor_names_the_cause_on_running_stacks() {
    let _turn = turn();
    let lab = built(3, 1);
    program::require(&[&[("nft", "nftables")]]).expect("what the cases need");
    let addresses = TARGETS.map(|name| lab.stack(name).xcf_address());
    lab.start_with(|stack| {
        let role = match stack.name() {
            "TCPIP" => Role::Define,
            "TCPIP2" => Role::Backup(100),
            _ => return profile::target(stack.xcf_address()),
        };
        let dvipa = Dvipa {
            role,
            moveable: Some(Moveable::Immediate),
            destinations: &addresses,
        };
        dvipa.profile(stack.xcf_address())
    })
    .expect("daemons");
    let mut bench = Bench {
        lab: &lab,
        servers: BTreeMap::new(),
    };
    for name in TARGETS {
        bench.serve(name, None);
    }
    bench.wait_for_health().expect("nothing to begin with");
    greetings(lab.client(), SERVICE, 4).expect("connections");

    let corpus: Corpus<Running> = read(include_str!("../../misconfig/running.toml"));
    let mut complaints = Vec::new();
    for case in chosen(corpus.case, |case| &case.name) {
        let began = Instant::now();
        if let Err(error) = bench.run(&case) {
            complaints.push(format!("{}: {error:#}", case.name));
        }
        if let Err(error) = bench.undo(&case) {
            complaints.push(format!("{}, undone: {error:#}", case.name));
            break;
        }
        eprintln!("{:4.1} s: {}", began.elapsed().as_secs_f32(), case.name);
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn doctor_names_what_keeps_a_stack_from_starting() {
    let _turn = turn();
    let lab = built(1, 0);
    let stack = lab.stack("TCPIP");
    let profile = profile::front_end(stack.xcf_address(), &[stack.xcf_address()]);
    stack.write_profile(&profile).expect("a profile");
    stack.run_command().expect("a key");
    let corpus: Corpus<Stopped> = read(include_str!("../../misconfig/stopped.toml"));
    let mut complaints = Vec::new();
    for case in chosen(corpus.case, |case| &case.name) {
        let found = shell(&lab, stack, &case.faults).and_then(|()| {
            let host = stack.directory().display().to_string();
            let with: Vec<String> = case
                .with
                .iter()
                .map(|word| word.replace("$HOST", &host))
                .collect();
            doctor(stack, &with, case.without_interfaces)
        });
        match found {
            Ok(found) if found.first() == case.expect && !found.is_running => {}
            found => complaints.push(format!(
                "{}: expected {}, found {found:#?}",
                case.name, case.expect
            )),
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

fn read<Case: for<'a> Deserialize<'a>>(text: &str) -> Corpus<Case> {
    toml::from_str(text).expect("a corpus")
}

/// The cases that are to be run.
fn chosen<Case>(cases: Vec<Case>, name: impl Fn(&Case) -> &String) -> Vec<Case> {
    let word = env::var("MISCONFIG").unwrap_or_default();
    let chosen: Vec<_> = cases
        .into_iter()
        .filter(|case| name(case).contains(&word))
        .collect();
    assert!(!chosen.is_empty(), "no case is called `{word}`");
    chosen
}

/// A server of a case.
#[expect(dead_code, reason = "it serves as long as it is there")]
enum Serving {
    Greeting(Server),
    Ipv6Only(TcpListener),
}

struct Bench<'a> {
    lab: &'a Lab,
    servers: BTreeMap<String, Serving>,
}

impl Bench<'_> {
    fn run(&mut self, case: &Running) -> Result<()> {
        for (stack, address) in &case.servers {
            self.serve(stack, Some(address));
        }
        let host = self.host(&case.on);
        shell(self.lab, host, &case.faults)?;
        if let Some(happening) = case.daemon {
            let stack = self.lab.stack(&case.on);
            match happening {
                Happening::Stop => drop(stack.stop()?),
                Happening::Kill => stack.kill()?,
                Happening::Suspend => stack.suspend()?,
                Happening::Restart => {
                    stack.stop()?;
                    stack.restart()?;
                }
            }
        }
        let stack = self.lab.stack(case.ask.as_ref().unwrap_or(&case.on));
        let client = case.client.iter();
        let with: Vec<String> = client
            .flat_map(|client| ["--client".to_owned(), client.clone()])
            .collect();
        wait_for(stack, &with, &case.expect)?;
        if case.fix {
            let fixed = [&with[..], &["--fix".to_owned()]].concat();
            doctor(stack, &fixed, false)?;
            wait_for(stack, &with, "").context("after --fix")?;
        }
        Ok(())
    }

    fn undo(&mut self, case: &Running) -> Result<()> {
        let host = self.host(&case.on);
        // What `--fix` has mended already may be refused.
        let outcome = shell(self.lab, host, &case.mend);
        if !case.fix {
            outcome?;
        }
        let stack = self
            .lab
            .stacks()
            .iter()
            .find(|stack| stack.name() == case.on);
        match (case.daemon, stack) {
            (Some(Happening::Stop | Happening::Kill), Some(stack)) => stack.restart()?,
            (Some(Happening::Suspend), Some(stack)) => stack.resume()?,
            (Some(Happening::Restart), Some(stack)) if !case.mend.is_empty() => {
                stack.stop()?;
                stack.restart()?;
            }
            _ => {}
        }
        for stack in case.servers.keys() {
            self.serve(stack, None);
        }
        self.wait_for_health()
    }

    /// Has a stack's server listen on another address, or as usual.
    fn serve(&mut self, name: &str, address: Option<&String>) {
        // The port is free before it is taken again.
        self.servers.remove(name);
        let stack = self.lab.stack(name);
        let greeting = |address: SocketAddr| {
            Serving::Greeting(Server::start(stack, name, address).expect("a server"))
        };
        let server = match address.map(String::as_str) {
            None => greeting(DUAL_STACK),
            Some("none") => return,
            Some("ipv6-only") => Serving::Ipv6Only(
                stack
                    .namespace()
                    .run(listen_on_ipv6_only)
                    .expect("a listener"),
            ),
            Some(address) => greeting(address.parse().expect("an address")),
        };
        self.servers.insert(name.to_owned(), server);
    }

    fn host(&self, name: &str) -> &Host {
        let stacks = self.lab.stacks().iter().map(Stack::host);
        let mut hosts = stacks.chain(self.lab.clients());
        hosts
            .find(|host| host.name() == name)
            .expect("a host of the lab")
    }

    /// Waits until doctor has nothing to say anywhere.
    fn wait_for_health(&self) -> Result<()> {
        thread::scope(|scope| {
            let stacks = self.lab.stacks().iter();
            let waiting: Vec<_> = stacks
                .map(|stack| scope.spawn(|| wait_for(stack, &[], "")))
                .collect();
            let mut waiting = waiting.into_iter();
            waiting.try_for_each(|waiting| waiting.join().expect("no panic"))
        })
    }
}

fn listen_on_ipv6_only() -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)).into())?;
    socket.listen(16)?;
    Ok(socket.into())
}

/// Runs lines of shell on a host.
fn shell(lab: &Lab, host: &Host, lines: &[String]) -> Result<()> {
    let stack = lab
        .stacks()
        .iter()
        .find(|stack| stack.name() == host.name());
    let mut command = host.namespace().command("sh");
    command.args(["-ec", &lines.join("\n")]);
    command.env("LAB", lab.name()).env("HOST", host.directory());
    if let Some(stack) = stack {
        let program = program::distributor()?;
        let directory = program.parent().context("a program is in a directory")?;
        let path = env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", directory.display()))
            .env("KEY", stack.key())
            .env("PROFILE", stack.profile())
            .env("DISTRIBUTOR_RUN_DIR", stack.run_directory())
            .env("DISTRIBUTOR_PIN_DIR", stack.pins());
    }
    program::output(&mut command).map(drop)
}

/// What doctor has found.
#[derive(Debug)]
struct Found {
    is_running: bool,
    findings: Vec<Value>,
}

impl Found {
    /// The first finding; empty if there is none.
    fn first(&self) -> &str {
        let first = self.findings.first();
        first
            .and_then(|found| found["id"].as_str())
            .unwrap_or_default()
    }
}

/// Asks the doctor of a stack. What `with` does not say is as the stack's daemon is told.
fn doctor(stack: &Stack, with: &[String], without_interfaces: bool) -> Result<Found> {
    let mut command: Command = stack.namespace().command(program::distributor()?);
    command.args(["doctor", "--format", "json", "--name", stack.name()]);
    command.arg("--run-dir").arg(stack.run_directory());
    let mut tell = |option: &str, value: &str| {
        if !with.iter().any(|word| word == option) {
            command.args([option, value]);
        }
    };
    tell("--pin-dir", &stack.pins().display().to_string());
    tell("--profile", &stack.profile().display().to_string());
    tell("--key", &stack.key().display().to_string());
    if !without_interfaces {
        tell("--interface", LAN_INTERFACE);
        tell("--xcf-interface", XCF_INTERFACE);
    }
    let output = command.args(with).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let document: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("not JSON; on standard error: {said}"))?;
    let findings = document["findings"].as_array().context("findings")?.clone();
    let expected = i32::from(!findings.is_empty());
    if output.status.code() != Some(expected) {
        bail!("{}: {document:#}", output.status);
    }
    if document["not_seen"] != serde_json::json!([]) {
        bail!("something was not seen: {document:#}");
    }
    Ok(Found {
        is_running: document["is_running"].as_bool().context("running or not")?,
        findings,
    })
}

/// Waits until the first finding is what is expected; without an expectation, until there is none.
fn wait_for(stack: &Stack, with: &[String], expected: &str) -> Result<()> {
    let mut seen = None;
    let what = format!("`{expected}` on {}", stack.name());
    wait::until(&what, SOON, || {
        let found = doctor(stack, with, false)?;
        let is_expected = found.first() == expected;
        seen = Some(found);
        Ok(is_expected)
    })
    .with_context(|| format!("found {seen:#?}"))
}
