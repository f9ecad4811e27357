//! A lab under observation: its connections, its probes, and who answers for the VIPA.

use std::collections::BTreeSet;
use std::fs;
use std::mem;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::setup::{BACKUP, OWNER, Setup};
use super::{Figures, milliseconds};
use crate::lab::{Lab, Layout, PORT};
use crate::neighbour::{self, Sighting, Watch};
use crate::tcp::{Form, Load, Lost, Mix, Probing, Server, Timeline};

/// Connections that live through an event.
const CONNECTIONS: u32 = 1_000;

/// What servers listen on.
const DUAL_STACK: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);

/// How many lines of each daemon are shown if something has gone wrong.
const LINES: usize = 40;

/// How long everything is observed before an event.
const BEFORE: Duration = Duration::from_secs(1);

/// How much of a processor clients, servers and probes may take: gaps seen on a busy machine say
/// nothing about the distributor.
const BUSY: f64 = 0.5;

/// A lab whose stacks have their profiles, and their servers once they are started.
pub(super) struct Stage {
    // In this order: servers end before their networks go.
    servers: Vec<Server>,
    lab: Lab,
    setup: Setup,
}

impl Stage {
    /// Builds the lab, and starts everything but the stacks `absent`.
    pub(super) fn set(setup: Setup, absent: &[&str]) -> Result<Self> {
        let stage = Self::set_undistributed(setup, absent)?;
        stage.wait_for_owner(first(absent)?)?;
        Ok(stage)
    }

    /// The same where nothing is distributed yet.
    pub(super) fn set_undistributed(setup: Setup, absent: &[&str]) -> Result<Self> {
        let lab = Lab::build(&Layout {
            clients: 2, // the second one only watches
            ..Layout::default()
        })?;
        for stack in lab.stacks() {
            stack.write_profile(&setup.profile(&lab, stack))?;
        }
        let mut stage = Self {
            servers: Vec::new(),
            lab,
            setup,
        };
        let present = |name: &&str| !absent.contains(name);
        thread::scope(|scope| -> Result<()> {
            let stacks = stage.lab.stacks().iter();
            let starts: Vec<_> = stacks
                .filter(|stack| present(&stack.name()))
                .map(|stack| scope.spawn(|| stack.restart()))
                .collect();
            starts.into_iter().try_for_each(|start| match start.join() {
                Ok(started) => started,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        for name in setup.servers {
            let server = Server::start(stage.lab.stack(name), name, DUAL_STACK)?;
            stage.servers.push(server);
        }
        neighbour::wait_for_holder(&stage.lab, setup.vipa, first(absent)?)?;
        Ok(stage)
    }

    pub(super) fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Prints what the daemons have said last.
    fn tell(&self) {
        for stack in self.lab.stacks() {
            let output = stack.output();
            let lines = output.lines().count().saturating_sub(LINES);
            for line in output.lines().skip(lines) {
                eprintln!("    {}: {line}", stack.name());
            }
        }
    }

    /// Waits until `stack` alone answers for the VIPA, and knows every server.
    pub(super) fn wait_for_owner(&self, stack: &str) -> Result<()> {
        neighbour::wait_for_holder(&self.lab, self.setup.vipa, stack)?;
        if !self.setup.is_distributed {
            return Ok(());
        }
        let ready: Vec<_> = self.setup.servers.iter().map(|name| (*name, 1)).collect();
        self.lab.stack(stack).wait_for_ready(&ready)
    }

    /// Opens the living connections and starts to probe; everything is well until then.
    pub(super) fn observe(&self) -> Result<Observation<'_>> {
        let form = Form::Connect(self.setup.service());
        self.observe_with(Some(Mix::of(CONNECTIONS)), form)
    }

    /// The same with other connections, or none, and another form of probes.
    pub(super) fn observe_with(&self, mix: Option<Mix>, form: Form) -> Result<Observation<'_>> {
        let client = self.lab.client();
        let load = mix
            .map(|mix| Load::start_mixed(client, self.setup.service(), mix))
            .transpose()?;
        let mut observation = Observation {
            stage: self,
            watch: Watch::start(&self.lab, self.setup.vipa)?,
            probing: Probing::start(client, form),
            loads: load.into_iter().collect(),
            lost: Vec::new(),
            faults: Vec::new(),
        };
        observation.settle()?;
        Ok(observation)
    }
}

/// The stack that has the VIPA when some are absent.
fn first(absent: &[&str]) -> Result<&'static str> {
    let mut stacks = [OWNER, BACKUP].into_iter();
    let first = stacks.find(|name| !absent.contains(name));
    first.context("nobody could have the VIPA")
}

/// What is going on while events happen.
pub(super) struct Observation<'a> {
    stage: &'a Stage,
    watch: Watch,
    probing: Probing,
    loads: Vec<Load>,
    lost: Vec<Lost>,
    faults: Vec<String>,
}

impl Observation<'_> {
    /// Waits until all of it runs evenly, and notes if that takes too much of the machine.
    fn settle(&mut self) -> Result<()> {
        for load in &self.loads {
            load.wait_for_round()?;
        }
        let (began, used) = (Instant::now(), processor_time()?);
        thread::sleep(BEFORE);
        let used = processor_time()?.saturating_sub(used);
        let share = used.as_secs_f64() / began.elapsed().as_secs_f64();
        eprintln!("clients, servers and probes take {share:.2} of a processor");
        if share > BUSY && !cfg!(debug_assertions) {
            let fault = format!("clients, servers and probes take {share:.2} of a processor");
            self.faults.push(fault);
        }
        Ok(())
    }

    /// Notes what should have happened and did not; what else is to be seen is still seen.
    pub(super) fn expect(&mut self, done: Result<()>) {
        if let Err(error) = done {
            self.faults.push(format!("{error:#}"));
        }
    }

    /// Notes `fault` unless `holds`.
    pub(super) fn expect_that(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    /// Waits until `stack` alone answers for the VIPA.
    pub(super) fn expect_owner(&mut self, stack: &str) {
        let vipa = self.stage.setup.vipa;
        self.expect(neighbour::wait_for_holder(&self.stage.lab, vipa, stack));
    }

    /// Who greeted the living connections.
    pub(super) fn servers(&self) -> &[String] {
        self.loads.first().map_or(&[], Load::servers)
    }

    /// Opens more connections, which must live on as well.
    pub(super) fn open_more(&mut self, connections: u32) -> Result<()> {
        let service = self.stage.setup.service();
        let load = Load::start(self.stage.lab.client(), service, connections)?;
        load.wait_for_round()?;
        self.loads.push(load);
        Ok(())
    }

    /// Ends the living connections; the probes go on.
    pub(super) fn end_connections(&mut self) -> Result<()> {
        for load in self.loads.drain(..) {
            self.lost.extend(load.stop()?);
        }
        Ok(())
    }

    /// Goes on for `after`, ends everything, and says what the event cost.
    pub(super) fn conclude(
        self,
        after: Duration,
        name: &str,
        limit: Option<u64>,
        event: Instant,
    ) -> Result<Vec<Figures>> {
        thread::sleep(after);
        let end = Instant::now();
        let mut observed = self.end()?;
        Ok(vec![observed.figures(name, limit, event, end)])
    }

    /// Ends everything.
    pub(super) fn end(mut self) -> Result<Observed> {
        let timeline = self.probing.stop()?;
        for load in self.loads.drain(..) {
            self.lost.extend(load.stop()?);
        }
        let seen = self.watch.stop()?;
        let rivals = neighbour::rivals(&seen);
        if let Some(first) = rivals.first() {
            let after = first.at.duration_since(seen[0].at);
            let who: BTreeSet<_> = rivals.iter().flat_map(|seen| &seen.holders).collect();
            self.faults.push(format!(
                "{who:?} answered for the VIPA at once, {} times; {after:?} after the beginning first",
                rivals.len()
            ));
        }
        if !self.lost.is_empty() || !self.faults.is_empty() {
            self.stage.tell();
        }
        Ok(Observed {
            timeline,
            seen,
            lost: self.lost,
            faults: self.faults,
        })
    }
}

/// What was seen.
pub(super) struct Observed {
    pub(super) timeline: Timeline,
    pub(super) seen: Vec<Sighting>,
    pub(super) lost: Vec<Lost>,
    pub(super) faults: Vec<String>,
}

impl Observed {
    /// Who answered for the VIPA from one moment to another.
    pub(super) fn holders(&self, from: Instant, to: Instant) -> BTreeSet<&str> {
        let seen = self.seen.iter();
        let seen = seen.filter(|sighting| (from..to).contains(&sighting.at));
        let holders = seen.flat_map(|sighting| &sighting.holders);
        holders.map(String::as_str).collect()
    }

    /// Notes it if anybody but `stack` answered for the VIPA.
    pub(super) fn expect_only(&mut self, stack: &str, from: Instant, to: Instant) {
        let holders: Vec<_> = self
            .holders(from, to)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if holders.iter().any(|holder| holder != stack) {
            self.faults.push(format!(
                "{holders:?} answered for the VIPA, expected {stack} only"
            ));
        }
    }

    /// The figures of the longest gap from one moment to another; `limit` is in milliseconds.
    pub(super) fn figures(
        &mut self,
        name: &str,
        limit: Option<u64>,
        from: Instant,
        to: Instant,
    ) -> Figures {
        let gap = self.timeline.longest_gap(from, to);
        self.figures_of(name, limit, gap, from)
    }

    /// The same of another gap after an event. What was lost, and what went wrong otherwise,
    /// belongs to the first figures of an observation.
    pub(super) fn figures_of(
        &mut self,
        name: &str,
        limit: Option<u64>,
        gap: Duration,
        event: Instant,
    ) -> Figures {
        let figures = Figures {
            name: name.to_owned(),
            connections_lost: Some(self.lost.len()),
            gap_ms: Some(milliseconds(gap)),
            limit,
            faults: mem::take(&mut self.faults),
        };
        eprintln!("{figures}\n    {}", self.timeline.story(event));
        let mut lost: Vec<_> = self.lost.drain(..).map(|lost| lost.to_string()).collect();
        lost.sort();
        for same in lost.chunk_by(|one, other| one == other) {
            eprintln!("    {} lost: {}", same.len(), same[0]);
        }
        figures
    }
}

/// What this process has taken of the processors: all clients, servers and probes, with what the
/// kernel does for them.
fn processor_time() -> Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // A thread that ends meanwhile has nothing to tell.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let nanoseconds = text
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok());
        sum += nanoseconds.unwrap_or(0_u64);
    }
    Ok(Duration::from_nanos(sum))
}
