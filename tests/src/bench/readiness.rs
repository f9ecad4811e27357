//! How long it takes until the owner distributes by what a target's listeners do.
//!
//! From the moment before the system call that starts or ends a listener on a
//! target, to the moment when the owner shows the new number, which it does
//! after its packet path has it.

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Socket, Type};

use super::{Case, Measurement};
use crate::lab::{Lab, Layout, PORT, VIPA};
use crate::stack::Stack;

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "readiness",
    about: "from a listener's start or end on a target to its effect at the owner",
    run,
};

/// Listeners that start or end.
const EVENTS: usize = 100;

/// The most that the 95th of a hundred may take.
const MOST: Duration = Duration::from_millis(50);

/// Pause between two looks at the owner: a fraction of what is measured, and no load.
const PAUSE: Duration = Duration::from_micros(500);

/// How long one event may take before the measurement is given up.
const DEADLINE: Duration = Duration::from_secs(10);

fn run(_repeat: u32) -> Result<Vec<Case>> {
    let lab = Lab::build(&Layout {
        name: None,
        stacks: 2,
        clients: 1,
    })?;
    lab.start(&["TCPIP2"])?;
    let owner = lab.stack("TCPIP");
    let mut took = lab.stack("TCPIP2").namespace().run(|| measure(owner))?;
    took.sort_unstable();
    let p95 = took[EVENTS * 95 / 100 - 1];
    let name = format!("readiness at the owner, 95th of {EVENTS} events");
    Ok(vec![Case::new(
        &name,
        nanoseconds(p95),
        "what is allowed",
        nanoseconds(MOST),
        1.0,
    )])
}

/// Starts and ends a listener in turn; the calling thread is in the target's namespace.
fn measure(owner: &Stack) -> Result<Vec<Duration>> {
    let address = SocketAddr::new(IpAddr::V4(VIPA), PORT);
    let mut took = Vec::with_capacity(EVENTS);
    while took.len() < EVENTS {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket
            .bind(&address.into())
            .context("cannot bind the VIPA")?;
        let start = Instant::now();
        socket.listen(1)?;
        took.push(wait_for(owner, 1, start)?);
        let start = Instant::now();
        drop(socket);
        took.push(wait_for(owner, 0, start)?);
    }
    Ok(took)
}

fn wait_for(owner: &Stack, listeners: u16, start: Instant) -> Result<Duration> {
    loop {
        let ready: u16 = owner.vdpt()?.iter().map(|row| row.ready).sum();
        let took = start.elapsed();
        if ready == listeners {
            return Ok(took);
        }
        ensure!(
            took < DEADLINE,
            "the owner shows {ready} listeners, not {listeners}"
        );
        thread::sleep(PAUSE);
    }
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
