//! What nobody has thought of: connections, targets, profiles, daemons and owners come and go in an
//! order that chance decides.
//!
//! Four stacks: TCPIP owns the VIPA, TCPIP2 backs it up, and TCPIP2 to TCPIP4 are
//! targets. Two hundred connections live through all of it, and new ones come all
//! the time. None may be lost, none may fail: TCPIP3 serves without a break, so
//! that there is always somebody who answers. At the end everything is put
//! back; then nothing may be left in the flow table, and no daemon may have grown.

mod churn;
mod memory;
mod stage;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

use self::churn::Churn;
use self::memory::Memory;
use self::stage::{Deed, Stage};
use crate::tcp::Load;

/// Connections that live through all of it.
const LIVING: u32 = 200;

/// How long the news that a listener is closed takes to reach the owner, at most: ten times what is promised.
const NEWS: Duration = Duration::from_millis(500);

/// The longest time between two deeds.
const PAUSE: Duration = Duration::from_millis(1500);

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// What repeats the order of deeds.
    pub seed: u64,
    /// How many deeds were done.
    pub deeds: u32,
    /// Connections that were made meanwhile, beside those that lived on.
    pub connections: u64,
    /// What was done, with the second of it.
    pub log: Vec<String>,
    /// What went wrong, in a sentence each.
    pub faults: Vec<String>,
}

/// Disturbs a lab for so long, and says what became of its connections.
///
/// `say` is told every deed.
///
/// # Errors
///
/// There is no lab, or it does not begin to serve.
pub fn soak(time: Duration, seed: u64, say: &dyn Fn(&str)) -> Result<Outcome> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut stage = Stage::set()?;
    let load = Load::start(stage.client(), stage::SERVICE, LIVING)?;
    let churn = Churn::start(stage.other_client(), stage::SERVICE);
    let mut memory = Memory::default();
    let mut outcome = Outcome {
        seed,
        ..Outcome::default()
    };
    let began = Instant::now();
    while began.elapsed() < time && outcome.faults.is_empty() {
        let deed = *Deed::ALL.choose(&mut random).context("there are deeds")?;
        if stage.can(deed) {
            // A listener takes along what it has not accepted yet, and what reaches its host before the news
            // has reached the owner is refused: no distributor can help it.
            let paused = (deed == Deed::CloseListener).then(|| churn.pause());
            let done = stage.act(deed, &mut random);
            if paused.is_some() {
                thread::sleep(NEWS);
            }
            drop(paused);
            let line = format!(
                "{:7.1} s  {}",
                began.elapsed().as_secs_f32(),
                name(&done, deed)
            );
            say(&line);
            outcome.log.push(line);
            outcome.deeds += 1;
            outcome
                .faults
                .extend(done.err().map(|error| format!("{deed:?}: {error:#}")));
        }
        memory.look(stage.lab());
        let pause = PAUSE.mul_f64(random.random());
        churn.wait(pause);
        let lost = load.lost();
        outcome.faults.extend(lost.iter().map(ToString::to_string));
        outcome.faults.extend(churn.failures());
    }
    if !outcome.faults.is_empty() {
        stage.tell();
    }
    say("everything is put back");
    let rested = stage.rest().and_then(|()| load.wait_for_round());
    outcome
        .faults
        .extend(rested.err().map(|error| format!("at the end: {error:#}")));
    let churned = churn.stop();
    outcome.connections = churned.connections;
    outcome.faults.extend(churned.failures);
    let lost = load.stop()?;
    outcome.faults.extend(lost.iter().map(ToString::to_string));
    memory.look(stage.lab());
    outcome.faults.extend(memory.growths());
    let empty = stage.wait_until_empty();
    outcome
        .faults
        .extend(empty.err().map(|error| format!("{error:#}")));
    outcome.faults.dedup();
    Ok(outcome)
}

fn name(done: &Result<String>, deed: Deed) -> String {
    match done {
        Ok(what) => what.clone(),
        Err(_) => format!("{deed:?} failed"),
    }
}
