//! The events, as the figures are promised for each.

mod partial;
mod returns;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::observation::Stage;
use super::setup::{BACKUP, OWNER, Setup};
use super::{Event, Figures};
use crate::lab::{Fault, Network};

/// How long a stack does without its daemon before it fences itself, in a lab.
const GRACE: Duration = Duration::from_secs(2);

/// How long everything is observed after an event, or after what it brings about.
const AFTER: Duration = Duration::from_secs(3);

/// Every event.
pub(super) const EVENTS: &[Event] = &[
    Event {
        name: "owner-cut-off",
        run: || owner_cut_off("owner-cut-off", Setup::USUAL, Fault::Unplugged),
    },
    Event {
        name: "owner-cut-off-silently",
        run: || owner_cut_off("owner-cut-off-silently", Setup::USUAL, Fault::Silent),
    },
    Event {
        name: "daemon-killed-and-restarted",
        run: daemon_killed_and_restarted,
    },
    Event {
        name: "daemon-killed-and-gone",
        run: daemon_killed_and_gone,
    },
    Event {
        name: "daemon-suspended",
        run: daemon_suspended,
    },
    Event {
        name: "clean-stop",
        run: || clean_stop("clean-stop", Setup::USUAL),
    },
    Event {
        name: "takeback-immediate",
        run: || returns::takeback_immediate("takeback-immediate", Setup::USUAL),
    },
    Event {
        name: "takeback-whenidle",
        run: returns::takeback_when_idle,
    },
    Event {
        name: "deactivate-and-reactivate",
        run: returns::deactivate_and_reactivate,
    },
    Event {
        name: "xcf-of-owner-cut",
        run: partial::xcf_cut,
    },
    Event {
        name: "lan-of-owner-cut",
        run: partial::lan_cut,
    },
    Event {
        name: "owner-cut-off-and-healed",
        run: returns::cut_off_and_healed,
    },
    Event {
        name: "owner-replaced-while-cut-off",
        run: returns::replaced_while_cut_off,
    },
    Event {
        name: "front-end-rebooted",
        run: returns::front_end_rebooted,
    },
    Event {
        name: "takeback-with-pinned-client",
        run: returns::takeback_with_pinned_client,
    },
    Event {
        name: "clean-stop-with-pinned-client",
        run: returns::clean_stop_with_pinned_client,
    },
    Event {
        name: "target-cut-off",
        run: partial::target_cut_off,
    },
    Event {
        name: "not-distributed",
        run: partial::not_distributed,
    },
    Event {
        name: "backup-first",
        run: returns::backup_first,
    },
    Event {
        name: "backup-inherits",
        run: returns::backup_inherits,
    },
    Event {
        name: "owner-cut-off-ipv6",
        run: || owner_cut_off("owner-cut-off-ipv6", Setup::IPV6, Fault::Unplugged),
    },
    Event {
        name: "clean-stop-ipv6",
        run: || clean_stop("clean-stop-ipv6", Setup::IPV6),
    },
    Event {
        name: "takeback-immediate-ipv6",
        run: || returns::takeback_immediate("takeback-immediate-ipv6", Setup::IPV6),
    },
];

fn owner_cut_off(name: &str, setup: Setup, fault: Fault) -> Result<Vec<Figures>> {
    let stage = Stage::set(setup, &[])?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().cut(OWNER, &Network::ALL, fault)?;
    observation.expect_owner(BACKUP);
    observation.conclude(AFTER, name, Some(500), event)
}

fn daemon_killed_and_restarted() -> Result<Vec<Figures>> {
    let stage = Stage::set(Setup::USUAL, &[])?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    let owner = stage.lab().stack(OWNER);
    owner.kill()?;
    // Well within the grace, and far beyond what a heartbeat takes.
    thread::sleep(GRACE / 2);
    observation.expect(owner.restart());
    thread::sleep(GRACE + AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    observed.expect_only(OWNER, event, end);
    let name = "daemon-killed-and-restarted";
    Ok(vec![observed.figures(name, Some(0), event, end)])
}

fn daemon_killed_and_gone() -> Result<Vec<Figures>> {
    /// The last beat may be that much older than the death.
    const BEAT: Duration = Duration::from_millis(200);

    let stage = Stage::set(Setup::USUAL, &[])?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    stage.lab().stack(OWNER).kill()?;
    let grace = Instant::now() + GRACE.saturating_sub(BEAT);
    thread::sleep(GRACE);
    observation.expect_owner(BACKUP);
    thread::sleep(AFTER);
    let end = Instant::now();
    let mut observed = observation.end()?;
    observed.expect_only(OWNER, event, grace);
    Ok(vec![
        observed.figures("daemon-killed-before-the-grace", Some(0), event, grace),
        observed.figures("daemon-killed-and-gone", Some(100), grace, end),
    ])
}

fn daemon_suspended() -> Result<Vec<Figures>> {
    let stage = Stage::set(Setup::USUAL, &[])?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    let owner = stage.lab().stack(OWNER);
    owner.suspend()?;
    thread::sleep(GRACE);
    observation.expect_owner(BACKUP);
    owner.resume()?;
    // It is the definer, and takes back what it finds that it has lost.
    observation.expect_owner(OWNER);
    observation.conclude(AFTER, "daemon-suspended", Some(100), event)
}

fn clean_stop(name: &str, setup: Setup) -> Result<Vec<Figures>> {
    let stage = Stage::set(setup, &[])?;
    let mut observation = stage.observe()?;
    let event = Instant::now();
    observation.expect(stage.lab().stack(OWNER).stop().map(|_| ()));
    observation.expect_owner(BACKUP);
    observation.conclude(AFTER, name, Some(20), event)
}
