//! One question to an address every 2 ms, each on its own, and when nobody answered.
//!
//! The honest question is a new TCP connection: it needs a neighbour that
//! answers for the address, an owner that distributes, a target that accepts,
//! and the way back. No question waits for another, and none is ever repeated:
//! the kernel would send the first SYN again only after the second within which
//! an answer counts. The connection is reset as soon as the greeting is there,
//! so that no port stays in TIME-WAIT: 500 a second would use all of them up.
//!
//! An answered connection is a connection; where none may be there, ICMP echo
//! asks for the owner alone.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use socket2::SockRef;
use tokio::net::TcpSocket;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::load::read_greeting;
use crate::host::Host;

mod echo;
mod timeline;

pub use timeline::{Outcome, Probe, Timeline};

/// Time from one probe to the next one.
pub const INTERVAL: Duration = Duration::from_millis(2);

/// Within which an answer counts.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By a new TCP connection, which the server greets.
    Connect(SocketAddr),
    /// By a new TCP connection, which nobody need greet.
    Handshake(SocketAddr),
    /// By ICMP echo.
    Echo(IpAddr),
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(to) | Self::Handshake(to) => {
                write!(formatter, "new connections to {to}")
            }
            Self::Echo(to) => write!(formatter, "echo requests to {to}"),
        }
    }
}

/// Probes that go on as long as this lives.
#[derive(Debug)]
pub struct Probing {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Timeline>>>,
}

impl Probing {
    /// Starts to probe from `client`.
    #[must_use]
    pub fn start(client: &Host, form: Form) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let namespace = client.namespace().clone();
        let thread = thread::spawn(move || {
            namespace.enter()?;
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let probes = match form {
                Form::Connect(to) => runtime.block_on(connect_all(to, true, &over)),
                Form::Handshake(to) => runtime.block_on(connect_all(to, false, &over)),
                Form::Echo(to) => runtime.block_on(echo::ask_all(to, &over)),
            };
            Ok(Timeline::new(probes?))
        });
        Self {
            is_over,
            thread: Some(thread),
        }
    }

    /// Stops when the last probe has been answered or has waited its second.
    ///
    /// # Errors
    ///
    /// A probe could not be sent for a reason of this machine's own, such as no free port.
    pub fn stop(mut self) -> Result<Timeline> {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("stopped twice")?;
        match thread.join() {
            Ok(timeline) => timeline.context("the probes cannot go on"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

async fn connect_all(to: SocketAddr, is_greeted: bool, is_over: &AtomicBool) -> Result<Vec<Probe>> {
    let mut ticks = interval(INTERVAL);
    // However late this thread is woken: no probe is left out.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    let mut probes = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let at = Instant::now();
        under_way.spawn(async move {
            let answered = timeout(PATIENCE, connect(to, is_greeted)).await;
            let outcome = match answered {
                Ok(Ok(server)) => Outcome::Answered {
                    server,
                    after: at.elapsed(),
                },
                Ok(Err(error)) => Outcome::Failed(error),
                Err(_) => Outcome::Silent,
            };
            Probe { at, outcome }
        });
        while let Some(probe) = under_way.try_join_next() {
            probes.push(checked(probe?)?);
        }
    }
    while let Some(probe) = under_way.join_next().await {
        probes.push(checked(probe?)?);
    }
    Ok(probes)
}

/// Opens a connection, reads its greeting if there is one, and resets it.
async fn connect(to: SocketAddr, is_greeted: bool) -> io::Result<String> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    let mut stream = socket.connect(to).await?;
    if is_greeted {
        read_greeting(&mut stream).await
    } else {
        Ok(String::new())
    }
}

/// A probe that this machine itself has failed says nothing about the network.
fn checked(probe: Probe) -> Result<Probe> {
    if let Outcome::Failed(error) = &probe.outcome
        && let Some(code) = error.raw_os_error()
        && [
            Errno::EADDRNOTAVAIL,
            Errno::EADDRINUSE,
            Errno::EMFILE,
            Errno::ENFILE,
            Errno::ENOBUFS,
            Errno::ENOMEM,
            Errno::EPERM,
        ]
        .contains(&Errno::from_raw(code))
    {
        bail!("a probe failed on this side: {error}");
    }
    Ok(probe)
}
