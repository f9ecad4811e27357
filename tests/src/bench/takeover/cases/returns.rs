//! Events in which a stack comes back, or comes late.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::AFTER;
use crate::bench::takeover::Figures;
use crate::bench::takeover::observation::Stage;
use crate::bench::takeover::setup::{BACKUP, OWNER, SERVICE, Setup, TARGETS};
use crate::lab::{Fault, Network, VIPA};
use crate::neighbour;
use crate::profile::Moveable;
use crate::tcp::{Form, Mix};

/// How long a client believes what is not so any more.
const PINNED: Duration = Duration::from_secs(20);

/// A stage whose definer has stopped, so that the first backup has the VIPA.
fn taken_over(setup: Setup) -> Result<Stage> {
    let stage = Stage::set(setup, &[])?;
    stage.lab().stack(OWNER).stop()?;
    stage.wait_for_owner(BACKUP)?;
    Ok(stage)
}

pub(super) fn takeback_immediate(name: &str, setup: Setup) -> Result<Vec<Figures>> {
    let stage = taken_over(setup)?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().stack(OWNER).restart()?;
    observation.expect_owner(OWNER);
    observation.conclude(AFTER, name, Some(20), event)
}

/// The probes are no connections here: with a new one every 2 ms the VIPA would never be idle.
pub(super) fn takeback_when_idle() -> Result<Vec<Figures>> {
    /// Within which the definer takes back after the last connection's end.
    const SOON: Duration = Duration::from_secs(1);

    let stage = taken_over(Setup {
        moveable: Moveable::WhenIdle,
        ..Setup::USUAL
    })?;
    let mut observation = stage.observe_with(Some(Mix::of(1_000)), Form::Echo(VIPA.into()))?;
    let event = Instant::now();
    stage.lab().stack(OWNER).restart()?;
    thread::sleep(AFTER);
    let busy = Instant::now();
    observation.end_connections()?;
    let idle = Instant::now();
    observation.expect_owner(OWNER);
    let took = idle.elapsed();
    observation.expect_that(took <= SOON, || {
        format!(
            "taken back {} ms after the last connection's end",
            took.as_millis()
        )
    });
    thread::sleep(AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    observed.expect_only(BACKUP, event, busy);
    Ok(vec![observed.figures(
        "takeback-whenidle",
        Some(20),
        event,
        end,
    )])
}

/// What an operator does by hand, on the definer.
pub(super) fn deactivate_and_reactivate() -> Result<Vec<Figures>> {
    let stage = Stage::set(Setup::USUAL, &[])?;
    let mut observation = stage.observe()?;
    let owner = stage.lab().stack(OWNER);
    let vipa = VIPA.to_string();
    let event = Instant::now();
    observation.expect(owner.order(&["vary", "deactivate", &vipa]).map(|_| ()));
    observation.expect_owner(BACKUP);
    let taken = Instant::now();
    observation.expect(owner.order(&["vary", "reactivate", &vipa]).map(|_| ()));
    observation.expect_owner(OWNER);
    thread::sleep(AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    Ok(vec![
        observed.figures("deactivate", Some(20), event, taken),
        observed.figures("reactivate", Some(20), taken, end),
    ])
}

pub(super) fn cut_off_and_healed() -> Result<Vec<Figures>> {
    /// How long the owner is cut off, and how much later its second network comes back.
    const CUT: Duration = Duration::from_secs(10);
    const LATER: Duration = Duration::from_millis(500);

    let stage = Stage::set(Setup::USUAL, &[])?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().cut(OWNER, &Network::ALL, Fault::Silent)?;
    observation.expect_owner(BACKUP);
    thread::sleep(CUT.saturating_sub(event.elapsed()));
    let healed = Instant::now();
    stage.lab().heal(OWNER, &[Network::Lan], Fault::Silent)?;
    thread::sleep(LATER);
    stage.lab().heal(OWNER, &[Network::Xcf], Fault::Silent)?;
    observation.expect_owner(OWNER);
    thread::sleep(AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    Ok(vec![
        observed.figures("owner-cut-off-for-10-s", Some(500), event, healed),
        observed.figures("owner-healed", Some(20), healed, end),
    ])
}

/// A daemon that begins while its stack is cut off knows of nobody, and of nothing that happened since.
pub(super) fn replaced_while_cut_off() -> Result<Vec<Figures>> {
    /// Connections that are opened while it is cut off.
    const MORE: u32 = 100;
    /// Longer than a new daemon waits for what an earlier one knew of.
    const SETTLED: Duration = Duration::from_secs(5);

    let stage = Stage::set(Setup::USUAL, &[])?;
    let owner = stage.lab().stack(OWNER);
    owner.install(b"one")?;
    owner.kill()?;
    owner.restart()?;
    stage.wait_for_owner(OWNER)?;
    owner.wait_for_programs()?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().cut(OWNER, &Network::ALL, Fault::Silent)?;
    observation.expect_owner(BACKUP);
    owner.install(b"another")?;
    let done = owner.reload()?;
    observation.expect_that(done.contains("has taken over"), || done);
    thread::sleep(SETTLED);
    observation.open_more(MORE)?;
    let healed = Instant::now();
    stage.lab().heal(OWNER, &Network::ALL, Fault::Silent)?;
    observation.expect_owner(OWNER);
    thread::sleep(AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    Ok(vec![
        observed.figures("owner-cut-off-and-replaced", Some(500), event, healed),
        observed.figures("replaced-owner-healed", Some(20), healed, end),
    ])
}

/// Without a backup: the address is gone with its stack, and the connections wait for it.
pub(super) fn front_end_rebooted() -> Result<Vec<Figures>> {
    let stage = Stage::set(
        Setup {
            has_backups: false,
            ..Setup::USUAL
        },
        &[],
    )?;
    let observation = stage.observe()?;
    stage.lab().power_off(OWNER)?;
    stage.lab().power_on(OWNER)?;
    let event = Instant::now();
    stage.lab().stack(OWNER).restart()?;
    observation.conclude(2 * AFTER, "front-end-rebooted", Some(500), event)
}

pub(super) fn takeback_with_pinned_client() -> Result<Vec<Figures>> {
    let stage = taken_over(Setup::USUAL)?;
    let client = stage.lab().client();
    neighbour::pin(client, VIPA, stage.lab().stack(BACKUP))?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().stack(OWNER).restart()?;
    observation.expect_owner(OWNER);
    thread::sleep(PINNED);
    neighbour::release(client, VIPA)?;
    observation.conclude(AFTER, "takeback-with-pinned-client", Some(20), event)
}

/// The stop lasts as long as packets come for the VIPA.
pub(super) fn clean_stop_with_pinned_client() -> Result<Vec<Figures>> {
    let stage = Stage::set(Setup::USUAL, &[])?;
    let client = stage.lab().client();
    neighbour::pin(client, VIPA, stage.lab().stack(OWNER))?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    thread::scope(|scope| -> Result<()> {
        let owner = stage.lab().stack(OWNER);
        let stop = scope.spawn(|| owner.stop());
        observation.expect_owner(BACKUP);
        thread::sleep(PINNED.saturating_sub(event.elapsed()));
        neighbour::release(client, VIPA)?;
        match stop.join() {
            Ok(stopped) => observation.expect(stopped.map(|_| ())),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(())
    })?;
    observation.conclude(AFTER, "clean-stop-with-pinned-client", Some(20), event)
}

/// A backup with MOVEABLE and a VIPADISTRIBUTE of its own needs nobody to serve.
pub(super) fn backup_first() -> Result<Vec<Figures>> {
    let stage = Stage::set(Setup::USUAL, &[OWNER])?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().stack(OWNER).restart()?;
    observation.expect_owner(OWNER);
    thread::sleep(AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    let by_server = observed.timeline.answered_by(event, end);
    if !by_server.keys().copied().eq(TARGETS) {
        let fault = format!("{by_server:?} answered, expected both targets");
        observed.faults.push(fault);
    }
    Ok(vec![observed.figures("backup-first", None, event, end)])
}

/// A backup with MOVEABLE only creates the VIPA and serves it alone; once it has known the definer,
/// it distributes as that did.
pub(super) fn backup_inherits() -> Result<Vec<Figures>> {
    let setup = Setup {
        backups_distribute: false,
        ..Setup::USUAL
    };
    // Not yet distributed: only the server of the stack that has the VIPA answers.
    let stage = Stage::set_undistributed(setup, &[OWNER])?;
    let mut observation = stage.observe_with(None, Form::Connect(SERVICE))?;
    let alone = Instant::now();
    thread::sleep(AFTER);
    let together = Instant::now();
    stage.lab().stack(OWNER).restart()?;
    observation.expect_owner(OWNER);
    let mut before = observation.end()?;
    let by_server = before.timeline.answered_by(alone, together);
    if !by_server.keys().copied().eq([BACKUP]) {
        let fault = format!("{by_server:?} answered, expected {BACKUP} alone");
        before.faults.push(fault);
    }
    stage.wait_for_owner(OWNER)?;

    let mut observation = stage.observe()?;
    let event = Instant::now();
    observation.expect(stage.lab().stack(OWNER).stop().map(|_| ()));
    observation.expect_owner(BACKUP);
    let taken = Instant::now();
    thread::sleep(AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    observed.faults.append(&mut before.faults);
    let by_server = observed.timeline.answered_by(taken, end);
    if !by_server.keys().copied().eq(TARGETS) {
        let fault = format!("{by_server:?} answered, expected both targets");
        observed.faults.push(fault);
    }
    Ok(vec![observed.figures("backup-inherits", None, event, end)])
}
