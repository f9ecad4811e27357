//! How long it takes until new connections go where the method says.
//!
//! From the moment before the event to the connection that a server greets which
//! would not have got it before. Nobody asks a daemon for anything meanwhile.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Case, Cost, Measurement, Options};
use crate::lab::{Lab, Layout, PORT, VIPA};
use crate::profile;
use crate::program;
use crate::tcp::{Arrivals, Conversation, Server};

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "selection",
    about: "from an event at a target to where the next connections go",
    cases: Vec::new,
    run,
};

const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(VIPA), PORT);
const TARGETS: [&str; 2] = ["TCPIP2", "TCPIP3"];
/// How often a target goes and returns.
const TURNS: usize = 20;
/// The most that HOTSTANDBY may take to send new connections elsewhere.
const SWITCH: Duration = Duration::from_millis(100);
/// How often the processors of a target are used up.
const JOBS: usize = 3;
/// The most that BASEWLM may take to notice that processors are busy, or free again.
const WEIGH: Duration = Duration::from_secs(3);
/// How often a stack joins.
const JOINS: usize = 10;
/// The most that may pass from when a stack's daemon answers until it gets a connection.
const JOIN: Duration = Duration::from_millis(500);
/// How often a server stops accepting.
const STALLS: usize = 3;
/// The most that may pass until a server that stops accepting gets no more connections.
const STALL: Duration = Duration::from_secs(1);
/// The most that may pass until it gets connections again.
const RECOVERY: Duration = Duration::from_secs(3);
/// Processors that each target may use: less than one, so that one job uses them up wherever this runs.
const CAPACITY: &str = "0.4";
/// Connections of which shares are counted.
const WINDOW: usize = 32;
/// Pause between two connections: a fraction of what is measured, and no load.
const PAUSE: Duration = Duration::from_millis(1);
/// How long one event may take before the measurement is given up.
const DEADLINE: Duration = Duration::from_secs(30);

fn run(_options: &Options) -> Result<Vec<Case>> {
    let [goes, returns] = standby()?;
    let [busy, free] = weights()?;
    let [stalls, recovers] = acceptance()?;
    let joins = joining()?;
    let case = |name, took: Duration, most: Duration| {
        let (ns, most) = (took.as_secs_f64() * 1e9, most.as_secs_f64() * 1e9);
        Case::Cost(Cost::new(name, ns, "what is allowed", most, 1.0))
    };
    Ok(vec![
        case("hot standby: the preferred goes, worst", goes, SWITCH),
        case("hot standby: the preferred returns, worst", returns, SWITCH),
        case("free capacity: processors are busy, worst", busy, WEIGH),
        case("free capacity: processors are free, worst", free, WEIGH),
        case("a stack joins DESTIP ALL, worst", joins, JOIN),
        case("a server stops accepting, worst", stalls, STALL),
        case("a server accepts again, worst", recovers, RECOVERY),
    ])
}

/// A lab of three stacks.
fn lab() -> Result<Lab> {
    Lab::build(&Layout {
        name: None,
        stacks: 3,
        clients: 1,
    })
}

/// Has TCPIP distribute by `method`; each target is said to be what `destination` says.
fn start(lab: &Lab, method: &str, destination: fn(&str) -> &str) -> Result<()> {
    let destinations = TARGETS.map(|name| {
        let address = lab.stack(name).xcf_address();
        format!("{address} {}", destination(name))
    });
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::distributed(stack.xcf_address(), method, &destinations),
        _ => profile::target(stack.xcf_address()),
    })?;
    let mut stacks = lab.stacks().iter();
    stacks.try_for_each(|stack| stack.wait_for_dvipa(VIPA.into()))
}

fn serve(lab: &Lab, name: &str) -> Result<Server> {
    Server::start(lab.stack(name), name, SERVICE)
}

fn standby() -> Result<[Duration; 2]> {
    let role = |name: &str| match name {
        "TCPIP2" => "PREFERRED",
        _ => "BACKUP",
    };
    let lab = lab()?;
    start(&lab, "HOTSTANDBY", role)?;
    let _backup = serve(&lab, "TCPIP3")?;
    let mut worst = [Duration::ZERO; 2];
    let until_greeted = |by, began| until_greeted(&lab, by, began);
    until_greeted("TCPIP3", Instant::now())?;
    for _ in 0..TURNS {
        let began = Instant::now();
        let preferred = serve(&lab, "TCPIP2")?;
        worst[1] = worst[1].max(until_greeted("TCPIP2", began)?);
        let began = Instant::now();
        preferred.stop_listening();
        worst[0] = worst[0].max(until_greeted("TCPIP3", began)?);
    }
    Ok(worst)
}

/// Connects until `by` has greeted; returns how long that took.
fn until_greeted(lab: &Lab, by: &str, began: Instant) -> Result<Duration> {
    lab.client().namespace().run(|| {
        loop {
            // A target whose listener has just gone refuses what is on its way.
            let greeted = Conversation::open(SERVICE);
            if greeted.is_ok_and(|conversation| conversation.server() == by) {
                return Ok(began.elapsed());
            }
            ensure!(began.elapsed() < DEADLINE, "{by} gets no connection");
            thread::sleep(PAUSE);
        }
    })
}

fn joining() -> Result<Duration> {
    /// Every address that there is, and will be.
    const EVERYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT);

    let lab = lab()?;
    let all = ["ALL".to_owned()];
    lab.start_with(|stack| match stack.name() {
        "TCPIP" => profile::distributed(stack.xcf_address(), "ROUNDROBIN", &all),
        _ => profile::target(stack.xcf_address()),
    })?;
    let serve = |name| Server::start(lab.stack(name), name, EVERYWHERE);
    let _servers = [serve(TARGETS[0])?, serve(TARGETS[1])?];
    let joins = lab.stack(TARGETS[1]);
    until_greeted(&lab, TARGETS[1], Instant::now())?;
    let mut worst = Duration::ZERO;
    for _ in 0..JOINS {
        joins.stop()?;
        lab.stack("TCPIP").wait_for_ready(&[(TARGETS[0], 1)])?;
        joins.restart()?;
        worst = worst.max(until_greeted(&lab, TARGETS[1], Instant::now())?);
    }
    Ok(worst)
}

fn weights() -> Result<[Duration; 2]> {
    let lab = lab()?;
    for name in TARGETS {
        lab.stack(name).set_capacity(CAPACITY);
    }
    start(&lab, "BASEWLM", |_| "")?;
    let _servers = [serve(&lab, TARGETS[0])?, serve(&lab, TARGETS[1])?];
    lab.stack("TCPIP")
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))?;
    let until_shared = |how: fn(usize, usize) -> bool, began: Instant| {
        lab.client().namespace().run(|| {
            let mut last = VecDeque::new();
            loop {
                last.push_back(Conversation::open(SERVICE)?.server() == TARGETS[0]);
                if last.len() > WINDOW {
                    last.pop_front();
                    let first = last.iter().filter(|is_first| **is_first).count();
                    if how(first, WINDOW - first) {
                        return Ok(began.elapsed());
                    }
                }
                ensure!(began.elapsed() < DEADLINE, "shares stay as they are");
                thread::sleep(PAUSE);
            }
        })
    };
    let less = |first: usize, second: usize| first * 2 < second;
    let alike = |first: usize, second: usize| first.abs_diff(second) <= WINDOW / 8;
    until_shared(alike, Instant::now())?;
    let mut worst = [Duration::ZERO; 2];
    for _ in 0..JOBS {
        let began = Instant::now();
        let mut command = Command::new("sh");
        let command = command.args(["-c", "while :; do :; done"]);
        let mut job = lab.stack(TARGETS[0]).host().start("job", command)?;
        worst[0] = worst[0].max(until_shared(less, began)?);
        let began = Instant::now();
        job.kill()?;
        worst[1] = worst[1].max(until_shared(alike, began)?);
    }
    Ok(worst)
}

fn acceptance() -> Result<[Duration; 2]> {
    /// What one of two servers may be given before it counts as being distributed to.
    const BEFORE: Duration = Duration::from_secs(1);

    let lab = lab()?;
    start(&lab, "BASEWLM", |_| "")?;
    let _other = serve(&lab, TARGETS[1])?;
    let host = lab.stack(TARGETS[0]).host();
    let mut command = host.namespace().command(program::lab()?);
    let command = command.args(["serve", TARGETS[0], &SERVICE.to_string()]);
    let mut server = host.start("server", command)?;
    lab.stack("TCPIP")
        .wait_for_ready(&TARGETS.map(|name| (name, 1)))?;
    let mut worst = [Duration::ZERO; 2];
    for _ in 0..STALLS {
        let arrivals = Arrivals::start(lab.client(), SERVICE);
        thread::sleep(BEFORE);
        let stalled = Instant::now();
        server.signal(Signal::SIGSTOP)?;
        thread::sleep(RECOVERY);
        let recovered = Instant::now();
        server.signal(Signal::SIGCONT)?;
        thread::sleep(2 * RECOVERY);
        let arrivals = arrivals.stop()?;
        let is_first = |server: &Option<String>| server.as_deref() == Some(TARGETS[0]);
        let before = arrivals.iter().filter(|arrival| arrival.at < stalled);
        ensure!(
            before.filter(|arrival| is_first(&arrival.server)).count() > 0,
            "{} was greeting nobody",
            TARGETS[0]
        );
        let mut meanwhile = arrivals
            .iter()
            .filter(|arrival| (stalled..recovered).contains(&arrival.at));
        let last = meanwhile.rfind(|arrival| arrival.server.is_none());
        let last = last.context("everybody was greeted")?;
        worst[0] = worst[0].max(last.at - stalled);
        let mut after = arrivals.iter().filter(|arrival| arrival.at >= recovered);
        let first = after.find(|arrival| is_first(&arrival.server));
        let first = first.context("it gets no more connections")?;
        worst[1] = worst[1].max(first.at - recovered);
    }
    Ok(worst)
}
