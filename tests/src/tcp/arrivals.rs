//! New connections at a steady pace, whoever takes them, if anybody does.

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::host::Host;

/// Clients that connect side by side, so that one which is not greeted holds nobody up.
const CLIENTS: u32 = 4;

/// Connections per second, all clients together.
const RATE: u32 = 200;

/// How long a client waits to be greeted.
const PATIENCE: Duration = Duration::from_millis(15);

/// How long the kernel may take to complete a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// One new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it began.
    pub at: Instant,
    /// Who greeted it within 15 ms.
    pub server: Option<String>,
}

/// 200 new connections a second, as long as it lives.
#[derive(Debug)]
pub struct Arrivals {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Vec<Arrival>>>>,
}

impl Arrivals {
    /// Starts to connect from `client`.
    #[must_use]
    pub fn start(client: &Host, to: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let client = |number| {
            let (is_over, namespace) = (Arc::clone(&is_over), client.namespace().clone());
            thread::spawn(move || {
                namespace.enter()?;
                thread::sleep(number * Duration::from_secs(1) / RATE);
                connect_until(&is_over, to)
            })
        };
        let threads = (0..CLIENTS).map(client).collect();
        Self { is_over, threads }
    }

    /// Stops, and returns all connections in the order in which they began.
    ///
    /// # Errors
    ///
    /// One of them could not be established.
    pub fn stop(mut self) -> Result<Vec<Arrival>> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut arrivals = Vec::new();
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(seen) => arrivals.extend(seen?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        arrivals.sort_by_key(|arrival| arrival.at);
        Ok(arrivals)
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn connect_until(is_over: &AtomicBool, to: SocketAddr) -> Result<Vec<Arrival>> {
    let mut arrivals = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let at = Instant::now();
        let server = greeting(to).with_context(|| {
            let before = arrivals.len();
            format!("a connection to `{to}` failed after {before} that did not")
        })?;
        arrivals.push(Arrival { at, server });
        let next = at + CLIENTS * Duration::from_secs(1) / RATE;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(arrivals)
}

fn greeting(to: SocketAddr) -> io::Result<Option<String>> {
    let stream = TcpStream::connect_timeout(&to, HANDSHAKE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    match BufReader::new(stream).read_line(&mut line) {
        Ok(_) => Ok(line.strip_suffix('\n').map(str::to_owned)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
