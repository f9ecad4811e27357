//! Connections that live on, evenly paced, and check every byte of their streams.
//!
//! All of them are tasks of one thread, and none ever retries or reconnects:
//! what is lost stays lost, and is reported with its reason. Most exchange
//! random bytes of random length with an echoing server; the others receive a
//! download, for which the client never sends more than acknowledgements. The
//! pace is the same for any number of connections: each is the quieter, the
//! more there are.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{self, timeout};

use super::{CHUNK_LEN, DOWNLOAD, ECHO, bytes_from};
use crate::host::Host;
use crate::wait;

/// How long a stream may make no progress.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time from one exchange to the next one, of whichever connection: 1,250 a second.
const PACE: Duration = Duration::from_micros(800);

/// The shortest time from one exchange to the next one of the same connection.
const SHORTEST: Duration = Duration::from_millis(20);

/// The most bytes of one exchange: no more than a segment holds.
const LONGEST: usize = 1_400;

/// How long the end of a load is noticed after it was asked for.
const NOTICE: Duration = Duration::from_millis(50);

/// File descriptors beside those of the connections' two ends.
const SPARE_FILES: u64 = 4_096;

/// How many connections of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Connections that exchange bytes in both directions.
    pub exchanges: u32,
    /// Connections on which only the server sends.
    pub downloads: u32,
}

impl Mix {
    /// The usual one: one download among ten.
    #[must_use]
    pub fn of(connections: u32) -> Self {
        let downloads = connections / 10;
        Self {
            exchanges: connections - downloads,
            downloads,
        }
    }
}

/// A connection that was to live on and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Who had greeted.
    pub server: String,
    /// What the kernel said, or what was wrong with the stream.
    pub reason: String,
    /// When it was found out.
    pub at: Instant,
}

impl fmt::Display for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.server, self.reason)
    }
}

/// Living connections of one client.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    servers: Vec<String>,
}

#[derive(Debug)]
struct Shared {
    is_over: AtomicBool,
    /// By connection: how often it has carried bytes; all ones when it has ended.
    rounds: Vec<AtomicU64>,
    lost: Mutex<Vec<Lost>>,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn lost(&self) -> MutexGuard<'_, Vec<Lost>> {
        // A list that only grows is never half changed.
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// Opens `connections` connections of the [usual mix](Mix::of) from `client`, and keeps them
    /// busy.
    ///
    /// # Errors
    ///
    /// One of them cannot be opened.
    pub fn start(client: &Host, to: SocketAddr, connections: u32) -> Result<Self> {
        Self::start_mixed(client, to, Mix::of(connections))
    }

    /// Opens the connections of `mix` from `client`, one after the other, and keeps them busy.
    ///
    /// # Errors
    ///
    /// One of them cannot be opened.
    pub fn start_mixed(client: &Host, to: SocketAddr, mix: Mix) -> Result<Self> {
        let connections = mix.exchanges + mix.downloads;
        allow_files(2 * u64::from(connections) + SPARE_FILES)?;
        let shared = Arc::new(Shared {
            is_over: AtomicBool::new(false),
            rounds: (0..connections).map(|_| AtomicU64::new(0)).collect(),
            lost: Mutex::new(Vec::new()),
        });
        let (ready, is_ready) = mpsc::channel();
        let namespace = client.namespace().clone();
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let started = namespace.enter().and_then(|()| {
                let runtime = runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                let streams = runtime.block_on(open(to, mix))?;
                Ok((runtime, streams))
            });
            match started {
                Ok((runtime, streams)) => {
                    let servers = streams.iter().map(|one| one.server.clone()).collect();
                    // The starter waits for it.
                    let _ = ready.send(Ok(servers));
                    runtime.block_on(live(streams, &of_thread));
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        });
        let servers: Vec<String> = is_ready
            .recv()
            .context("the load's thread ended")?
            .with_context(|| format!("no {connections} connections to `{to}`"))?;
        Ok(Self {
            shared,
            thread: Some(thread),
            servers,
        })
    }

    /// Who greeted each connection.
    #[must_use]
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// Waits until every living connection has carried bytes after this call, both ways if it is
    /// no download.
    ///
    /// # Errors
    ///
    /// They have not, though no connection may make no progress for longer than its patience.
    pub fn wait_for_round(&self) -> Result<()> {
        let rounds = || self.shared.rounds.iter();
        let before: Vec<_> = rounds()
            .map(|round| round.load(Ordering::Relaxed))
            .collect();
        wait::until("the living connections to answer", 3 * PATIENCE, || {
            let mut pairs = rounds().zip(&before);
            // The exchange under way may have been answered already; the one after has not.
            Ok(pairs.all(|(now, before)| now.load(Ordering::Relaxed) >= before.saturating_add(2)))
        })
    }

    /// The connections that are lost so far.
    #[must_use]
    pub fn lost(&self) -> Vec<Lost> {
        self.shared.lost().clone()
    }

    /// Ends them all, each with a last exchange and the end of both halves, and returns those that
    /// were lost.
    ///
    /// # Errors
    ///
    /// The connections' thread panicked.
    pub fn stop(mut self) -> Result<Vec<Lost>> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("stopped twice")?;
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
        Ok(self.lost())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Lets the thread end by itself; nobody asks any more how it went.
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

/// Lets this process have so many open files.
pub(super) fn allow_files(wanted: u64) -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted))
            .with_context(|| format!("expected {wanted} open files to be allowed, found {soft}"))?;
    }
    Ok(())
}

/// A connection, and what it does.
#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    server: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Exchange { every: Duration, first: Duration },
    Download,
}

async fn open(to: SocketAddr, mix: Mix) -> Result<Vec<Stream>> {
    let mut streams = Vec::new();
    let connections = mix.exchanges + mix.downloads;
    let every = (PACE * mix.exchanges).max(SHORTEST);
    for number in 0..connections {
        // Downloads are spread evenly among the others, so that every server has some.
        let downloads =
            |number: u32| u64::from(number) * u64::from(mix.downloads) / u64::from(connections);
        let kind = if downloads(number + 1) > downloads(number) {
            Kind::Download
        } else {
            let first = every * number / connections;
            Kind::Exchange { every, first }
        };
        let opened = within_patience(open_one(to, kind, u64::from(number))).await;
        streams.push(opened.with_context(|| format!("connection {number} of {connections}"))?);
    }
    Ok(streams)
}

async fn open_one(to: SocketAddr, kind: Kind, number: u64) -> io::Result<Stream> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let server = read_greeting(&mut stream).await?;
    match kind {
        Kind::Exchange { .. } => stream.write_u8(ECHO).await?,
        Kind::Download => {
            let mut request = vec![DOWNLOAD];
            request.extend(number.to_be_bytes());
            stream.write_all(&request).await?;
        }
    }
    Ok(Stream {
        socket: stream,
        server,
        kind,
    })
}

/// Reads the server's name: all that a server says before it is asked.
pub(super) async fn read_greeting(stream: &mut TcpStream) -> io::Result<String> {
    let mut greeting = Vec::new();
    loop {
        match stream.read_buf(&mut greeting).await? {
            0 => {
                let ended = "the connection ended before the greeting";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, ended));
            }
            _ if greeting.ends_with(b"\n") => {
                greeting.pop();
                return Ok(String::from_utf8_lossy(&greeting).into_owned());
            }
            _ => {}
        }
    }
}

async fn live(streams: Vec<Stream>, shared: &Arc<Shared>) {
    let mut tasks = JoinSet::new();
    for (number, mut stream) in streams.into_iter().enumerate() {
        let shared = Arc::clone(shared);
        tasks.spawn(async move {
            let round = &shared.rounds[number];
            let bytes = bytes_from(number as u64);
            let lived = match stream.kind {
                Kind::Exchange { every, first } => {
                    exchange(&mut stream.socket, bytes, every, first, round, &shared).await
                }
                Kind::Download => download(&mut stream.socket, bytes, round, &shared).await,
            };
            if let Err(error) = lived {
                shared.lost().push(Lost {
                    server: stream.server,
                    reason: error.to_string(),
                    at: Instant::now(),
                });
            }
            round.store(u64::MAX, Ordering::Relaxed);
        });
    }
    tasks.join_all().await;
}

/// Sends bytes and gets them back, once every `every`, and a last time when all is over.
async fn exchange(
    stream: &mut TcpStream,
    mut bytes: SmallRng,
    every: Duration,
    first: Duration,
    round: &AtomicU64,
    shared: &Shared,
) -> io::Result<()> {
    let mut next = time::Instant::now() + first;
    loop {
        while time::Instant::now() < next && !shared.is_over() {
            time::sleep_until(next.min(time::Instant::now() + NOTICE)).await;
        }
        let is_last = shared.is_over();
        let mut sent = vec![0; bytes.random_range(1..=LONGEST)];
        bytes.fill_bytes(&mut sent);
        within_patience(stream.write_all(&sent)).await?;
        if is_last {
            stream.shutdown().await?;
        }
        expect(stream, &sent).await?;
        if is_last {
            return expect_end(stream).await;
        }
        round.fetch_add(1, Ordering::Relaxed);
        // What a slow network has delayed is not made up for.
        next = (next + every).max(time::Instant::now());
    }
}

/// Receives what the server sends, and lets it end when all is over.
async fn download(
    stream: &mut TcpStream,
    mut bytes: SmallRng,
    round: &AtomicU64,
    shared: &Shared,
) -> io::Result<()> {
    let mut expected = vec![0; CHUNK_LEN];
    while !shared.is_over() {
        bytes.fill_bytes(&mut expected);
        expect(stream, &expected).await?;
        round.fetch_add(1, Ordering::Relaxed);
    }
    stream.shutdown().await?;
    loop {
        bytes.fill_bytes(&mut expected);
        // The server's end comes between two chunks.
        let mut first = [0];
        if within_patience(stream.read(&mut first)).await? == 0 {
            return Ok(());
        }
        if first[0] != expected[0] {
            return Err(wrong_byte(0));
        }
        expect(stream, &expected[1..]).await?;
    }
}

/// Reads exactly `bytes`.
async fn expect(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut found = vec![0; bytes.len()];
    let mut len = 0;
    while len < bytes.len() {
        match within_patience(stream.read(&mut found[len..])).await? {
            0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "an early end")),
            read => len += read,
        }
    }
    match found
        .iter()
        .zip(bytes)
        .position(|(one, other)| one != other)
    {
        None => Ok(()),
        Some(position) => Err(wrong_byte(position)),
    }
}

async fn expect_end(stream: &mut TcpStream) -> io::Result<()> {
    match within_patience(stream.read(&mut [0])).await? {
        0 => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "bytes after the end",
        )),
    }
}

fn wrong_byte(position: usize) -> io::Error {
    let reason = format!("a wrong byte, number {position} of its part");
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

async fn within_patience<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        let reason = format!("no progress for {} s", PATIENCE.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, reason))
    })
}
