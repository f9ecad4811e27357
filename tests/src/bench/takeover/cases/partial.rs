//! Events in which not all of the owner is gone, or not the owner.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::AFTER;
use crate::bench::takeover::Figures;
use crate::bench::takeover::observation::Stage;
use crate::bench::takeover::setup::{BACKUP, OWNER, SERVICE, Setup};
use crate::lab::{Fault, Network};
use crate::tcp::{Form, Mix};
use crate::wait;

/// Without the DYNAMICXCF network distributed packets come by another interface than the one by
/// which the client is reached: the reverse path check of a lab's stacks is strict.
pub(super) fn xcf_cut() -> Result<Vec<Figures>> {
    let stage = Stage::set(Setup::USUAL, &[])?;
    let observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().cut(OWNER, &[Network::Xcf], Fault::Silent)?;
    thread::sleep(2 * AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    observed.expect_only(OWNER, event, end);
    Ok(vec![observed.figures(
        "xcf-of-owner-cut",
        Some(100),
        event,
        end,
    )])
}

pub(super) fn lan_cut() -> Result<Vec<Figures>> {
    let stage = Stage::set(Setup::USUAL, &[])?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().cut(OWNER, &[Network::Lan], Fault::Unplugged)?;
    observation.expect_owner(BACKUP);
    observation.conclude(AFTER, "lan-of-owner-cut", Some(500), event)
}

/// Here the gap is the time after which no new connection fails any more: those to the other
/// target never do. All connections exchange bytes in both directions: who only listens is never
/// told anything.
pub(super) fn target_cut_off() -> Result<Vec<Figures>> {
    const TARGET: &str = "TCPIP3";
    /// How long the owner may take to find out, and after that to tell the clients.
    const DECISION: Duration = Duration::from_secs(5);
    const TOLD: Duration = Duration::from_secs(1);

    let stage = Stage::set(Setup::USUAL, &[])?;
    let mix = Mix {
        exchanges: 1_000,
        downloads: 0,
    };
    let mut observation = stage.observe_with(Some(mix), Form::Connect(SERVICE))?;
    let concerned = observation.servers().iter().filter(|one| *one == TARGET);
    let concerned = concerned.count();
    let event = Instant::now();
    stage.lab().cut(TARGET, &Network::ALL, Fault::Unplugged)?;
    let owner = stage.lab().stack(OWNER);
    observation.expect(wait::until("the target to be gone", DECISION, || {
        let rows = owner.vdpt()?;
        let mut ready = rows.iter().filter(|row| row.is_active && row.ready > 0);
        Ok(ready.all(|row| row.target != TARGET))
    }));
    let decided = Instant::now();
    thread::sleep(AFTER);
    let mut observed = observation.end()?;
    let own: Vec<_> = observed
        .lost
        .extract_if(.., |one| one.server == TARGET)
        .collect();
    let late = own
        .iter()
        .filter(|one| !one.reason.contains("reset") || one.at > decided + TOLD)
        .count();
    if own.len() != concerned || late > 0 {
        observed.faults.push(format!(
            "{} of {concerned} connections to the target were lost, {late} of them late or \
             without reset",
            own.len()
        ));
    }
    let last = observed.timeline.last_failure_after(event);
    let gap = last.unwrap_or_default();
    Ok(vec![observed.figures_of(
        "target-cut-off",
        Some(500),
        gap,
        event,
    )])
}

/// The VIPA and its server are on one stack at a time, so its connections end with it.
pub(super) fn not_distributed() -> Result<Vec<Figures>> {
    let setup = Setup {
        is_distributed: false,
        backups_distribute: false,
        servers: &["TCPIP", "TCPIP2", "TCPIP3"],
        ..Setup::USUAL
    };
    let stage = Stage::set(setup, &[])?;
    let mut observation = stage.observe_with(None, Form::Connect(SERVICE))?;
    let event = Instant::now();
    stage.lab().cut(OWNER, &Network::ALL, Fault::Unplugged)?;
    observation.expect_owner(BACKUP);
    let taken = Instant::now();
    thread::sleep(AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    let by_server = observed.timeline.answered_by(taken, end);
    if by_server.keys().any(|server| *server != BACKUP) {
        let fault = format!("{by_server:?} answered, expected {BACKUP} only");
        observed.faults.push(fault);
    }
    let mut figures = observed.figures("not-distributed", Some(500), event, end);
    figures.connections_lost = None;
    Ok(vec![figures])
}
