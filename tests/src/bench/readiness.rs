//! How long it takes until the owner distributes by what a target's listeners do.
//!
//! From the moment before the system call that starts or ends a listener on a
//! target, to the first SYN that the owner's packet path treats accordingly, as
//! the wire shows: sent on to the target, or not sent on any more. Nobody asks a
//! daemon for anything meanwhile, so that asking is not what is measured.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Socket, Type};

use super::{Case, Cost, Measurement, Options};
use crate::lab::{Lab, Layout, PORT, VIPA};

/// On the command line.
pub(super) const MEASUREMENT: Measurement = Measurement {
    name: "readiness",
    about: "from a listener's start or end on a target to its effect at the owner",
    cases: Vec::new,
    run,
};

/// Listeners that start or end.
const EVENTS: usize = 100;

/// Connections that a listener keeps though nobody accepts them.
const BACKLOG: i32 = 128;

/// The most that the 95th of a hundred may take.
const MOST: Duration = Duration::from_millis(50);

/// Pause between two SYNs: a fraction of what is measured, and no load.
const PAUSE: Duration = Duration::from_micros(500);

/// How long one event may take before the measurement is given up.
const DEADLINE: Duration = Duration::from_secs(10);

fn run(_options: &Options) -> Result<Vec<Case>> {
    let lab = Lab::build(&Layout {
        name: None,
        stacks: 2,
        clients: 1,
    })?;
    lab.start(&["TCPIP2"])?;
    let mut took = lab.client().namespace().run(|| measure(&lab))?;
    took.sort_unstable();
    let p95 = took[EVENTS * 95 / 100 - 1];
    let name = format!("readiness at the owner, 95th of {EVENTS} events");
    Ok(vec![Case::Cost(Cost::new(
        &name,
        nanoseconds(p95),
        "what is allowed",
        nanoseconds(MOST),
        1.0,
    ))])
}

/// Starts and ends a listener in turn; the calling thread is in the client's namespace.
fn measure(lab: &Lab) -> Result<Vec<Duration>> {
    let service = SocketAddr::new(IpAddr::V4(VIPA), PORT);
    let target = lab.stack("TCPIP2").namespace();
    let mut took = Vec::with_capacity(EVENTS);
    while took.len() < EVENTS {
        let listener = target.run(|| {
            let socket = Socket::new(Domain::for_address(service), Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket
                .bind(&service.into())
                .context("cannot bind the VIPA")?;
            Ok(socket)
        })?;
        let start = Instant::now();
        listener.listen(BACKLOG)?;
        took.push(wait_until_forwarded(lab, service, true, start)?);
        let start = Instant::now();
        drop(listener);
        took.push(wait_until_forwarded(lab, service, false, start)?);
    }
    Ok(took)
}

/// Connects again and again until a SYN is, or is not, sent on to the target.
fn wait_until_forwarded(
    lab: &Lab,
    service: SocketAddr,
    is_wanted: bool,
    start: Instant,
) -> Result<Duration> {
    loop {
        let before = forwarded(lab)?;
        // Accepted, or refused by the target or by the owner: the wire shows by which.
        let connection = TcpStream::connect_timeout(&service, DEADLINE);
        let took = start.elapsed();
        if (forwarded(lab)? > before) == is_wanted {
            return Ok(took);
        }
        drop(connection);
        ensure!(
            took < DEADLINE,
            "the owner has not noticed a listener's start or end"
        );
        thread::sleep(PAUSE);
    }
}

/// TCP packets that the owner has sent to its target.
fn forwarded(lab: &Lab) -> Result<u64> {
    lab.xcf().tcp_sent_by(lab.stack("TCPIP").port())
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
