//! What it takes to look at a stack that has a million connections.
//!
//! The connections are written into the table of a running daemon, beside a real one from which
//! they are copied: as many clients would need more machines than there are.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, Map, MapData};
use distributor_common::abi::{Settings, map};
use distributor_common::flow::{self, Bucket, FlowKey, Reported, Slot, State};
use memmap2::MmapOptions;

use super::{Case, Cost, Measurement, Options};
use crate::lab::{Lab, Layout, PORT, VIPA};
use crate::program;
use crate::stack::Stack;
use crate::terminal::Terminal;

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "displays",
    about: "VCRT and `top` of a stack with a million connections",
    cases: Vec::new,
    run,
};

const CONNECTIONS: u32 = 1_000_000;
/// Places for them: two each.
const CAPACITY: &str = "2097152";
/// Lines that a person sees at once.
const LINES: usize = 24;
/// The longest that they may take.
const FIRST_PAGE: Duration = Duration::from_millis(200);
const REPEAT: u32 = 7;
/// How long `top` is looked at.
const LOOK: Duration = Duration::from_secs(10);

const SETTINGS_WORDS: usize = size_of::<Settings>() / 8;
const SEEDS: usize = offset_of!(Settings, seeds) / 8;

fn run(options: &Options) -> Result<Vec<Case>> {
    let lab = Lab::build(&Layout {
        name: None,
        stacks: 2,
        clients: 1,
    })?;
    let owner = lab.stack("TCPIP");
    owner.add_arguments(["--flow-capacity", CAPACITY]);
    lab.start(&["TCPIP2"])?;
    let service = SocketAddr::new(IpAddr::V4(VIPA), PORT);
    let target = lab.stack("TCPIP2").namespace();
    let _listener = target.run(|| Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?))?;
    owner.wait_for_ready(&[("TCPIP2", 1)])?;
    let connection = lab
        .client()
        .namespace()
        .run(|| Ok(TcpStream::connect(service)?))?;
    let stored = fill(&owner.pins().join(owner.name()))?;
    eprintln!("{stored} connections");
    let vdpt = owner.vdpt()?;
    let active: u64 = vdpt.iter().map(|row| row.active_connections).sum();
    ensure!(
        active >= u64::from(stored),
        "VDPT shows {active} of {stored}"
    );

    let mut took = Vec::new();
    for _ in 0..options.repeat.unwrap_or(REPEAT) {
        took.push(first_page(owner)?);
    }
    took.sort_unstable();
    let idle = processor_time(owner.daemon_id()?, LOOK, || Ok(()))?;
    let (mut terminal, mut top) = Terminal::run(command(owner, &["top"])?)?;
    terminal.see("connections")?;
    let mut of_top = Duration::ZERO;
    let watched = processor_time(owner.daemon_id()?, Duration::ZERO, || {
        of_top = processor_time(top.id(), LOOK, || Ok(()))?;
        Ok(())
    })?;
    terminal.press("q")?;
    ensure!(top.wait()?.success(), "`top` has failed");
    drop(connection);
    eprintln!("daemon: {idle:?} of {LOOK:?} idle, {watched:?} watched");
    Ok(vec![
        Case::Cost(Cost::new(
            "first page of VCRT, 1,000,000 connections",
            nanoseconds(took[took.len() / 2]),
            "what is allowed",
            nanoseconds(FIRST_PAGE),
            1.0,
        )),
        Case::Cost(Cost::new(
            "`top` with 1,000,000 connections",
            nanoseconds(of_top),
            "a processor",
            nanoseconds(LOOK),
            0.05,
        )),
        Case::Cost(Cost::new(
            "the daemon while `top` looks",
            nanoseconds(watched.saturating_sub(idle)),
            "a processor",
            nanoseconds(LOOK),
            0.05,
        )),
    ])
}

/// The program on the stack, asking its daemon.
fn command(stack: &Stack, words: &[&str]) -> Result<Command> {
    let mut command = stack.namespace().command(program::distributor()?);
    command
        .args(words)
        .args(["--name", stack.name(), "--run-dir"]);
    command.arg(stack.run_directory());
    Ok(command)
}

/// From the start of the program to the first lines.
fn first_page(stack: &Stack) -> Result<Duration> {
    let mut command = command(stack, &["netstat", "vcrt"])?;
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("a pipe")?;
    let lines: Vec<String> = BufReader::new(output)
        .lines()
        .take(LINES)
        .collect::<Result<_, _>>()?;
    let took = began.elapsed();
    // Whoever has seen enough goes.
    child.wait()?;
    ensure!(lines.len() == LINES, "{lines:?}");
    Ok(took)
}

/// The processor time of a process while something is done, and for a time.
fn processor_time(
    pid: u32,
    time: Duration,
    during: impl FnOnce() -> Result<()>,
) -> Result<Duration> {
    let used = || -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name may have spaces and parentheses in it.
        let (_, rest) = stat.rsplit_once(')').context("a name")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?;
        let per_second = u64::try_from(per_second.context("ticks per second")?)?;
        Ok(Duration::from_millis(ticks * 1_000 / per_second))
    };
    let before = used()?;
    during()?;
    thread::sleep(time);
    Ok(used()?.saturating_sub(before))
}

/// Copies the connection in the table of a packet path; returns how many copies there are.
fn fill(pins: &Path) -> Result<u32> {
    let settings = Map::Array(MapData::from_pin(pins.join(map::SETTINGS))?);
    let settings: Array<_, [u64; SETTINGS_WORDS]> = Array::try_from(settings)?;
    let settings = settings.get(&0, 0)?;
    let seeds = [settings[SEEDS], settings[SEEDS + 1]];
    let flows = MapData::from_pin(pins.join(map::FLOWS))?;
    let len = flows.info()?.value_size() as usize;
    let memory = MmapOptions::new().len(len).map_raw(&flows.fd().as_fd())?;
    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins at a page")]
    let first = memory.as_ptr().cast::<Bucket>();
    // SAFETY: the mapping has `len` bytes, begins at a page, and lives until the end of this
    // function; buckets are atomic words, for which every bit pattern is valid.
    let buckets = unsafe { std::slice::from_raw_parts(first, len / size_of::<Bucket>()) };
    let slots = buckets.iter().flat_map(|bucket| &bucket.slots);
    let found = slots.filter_map(Slot::read);
    let mut established = found.filter(|(_, tag)| tag.state() == State::Established);
    let (original, tag) = established
        .next()
        .context("the connection is not in the table")?;
    let mut stored = 0;
    for number in 0..CONNECTIONS {
        let client = Ipv4Addr::from(0x0a80_0000 + number / 50_000);
        let port = u16::try_from(10_000 + number % 50_000)?;
        let dvipa = VIPA.octets();
        let key = FlowKey::tcp(client.octets(), port, dvipa, PORT);
        let (bucket, home) = flow::place(key.hash(seeds), buckets.len());
        let reported = buckets[bucket].report(&key, home, tag.target(), tag.stamp(), |_| {});
        stored += u32::from(matches!(reported, Reported::New));
    }
    ensure!(
        original.port().0 != 0 && stored > CONNECTIONS / 10 * 9,
        "{stored} stored"
    );
    Ok(stored)
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
