//! The server's side.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::RngCore;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::{CHUNK_LEN, CHUNK_PAUSE, CLOSE, DOWNLOAD, ECHO, RESET, bytes_from};
use crate::host::Host;

/// Connections that the kernel completes before the server accepts them: as many as it allows.
const BACKLOG: i32 = 4096;

/// What a server still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Listening,
    Serving,
    Ended,
}

/// A server on one host: a thread of this process in the host's namespace.
#[derive(Debug)]
pub struct Server {
    phase: watch::Sender<Phase>,
    listener_closed: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to listen on `address`, and greets every client with `name`.
    ///
    /// An address of IPv6 listens for IPv4 too, as the servers of Java do. Several servers of a
    /// host may share an address.
    ///
    /// # Errors
    ///
    /// The address is not there, or taken.
    pub fn start(host: &Host, name: &str, address: SocketAddr) -> Result<Self> {
        let (phase, phases) = watch::channel(Phase::Listening);
        let (ready, is_ready) = mpsc::channel();
        let (closed, listener_closed) = mpsc::channel();
        let namespace = host.namespace().clone();
        let greeting = format!("{name}\n");
        let thread = thread::spawn(move || {
            let started = namespace.enter().and_then(|()| {
                let runtime = runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                Ok((runtime, listen(address)?))
            });
            match started {
                Ok((runtime, listener)) => {
                    // The starter waits for it.
                    let _ = ready.send(Ok(()));
                    runtime.block_on(run(listener, greeting, phases, closed));
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        });
        is_ready
            .recv()
            .context("the server's thread ended")?
            .with_context(|| format!("`{name}` cannot listen on `{address}`"))?;
        Ok(Self {
            phase,
            listener_closed,
            thread: Some(thread),
        })
    }

    /// Closes the listener, and returns when it is closed; connections live on.
    pub fn stop_listening(&self) {
        self.phase.send_replace(Phase::Serving);
        // The server lets go of this end after its listener; if it did before, all is done.
        let _ = self.listener_closed.recv();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Ended);
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

/// Serves on `address` in the calling thread's namespace, as [`Server::start`] does, until this process
/// ends.
///
/// # Errors
///
/// The address is not there, or taken.
pub fn serve(name: &str, address: SocketAddr) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener =
        listen(address).with_context(|| format!("`{name}` cannot listen on `{address}`"))?;
    let (_phase, phases) = watch::channel(Phase::Listening);
    let (closed, _) = mpsc::channel();
    runtime.block_on(run(listener, format!("{name}\n"), phases, closed));
    Ok(())
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts as long as it listens, then waits for the end; connections end with the runtime.
async fn run(
    listener: std::net::TcpListener,
    greeting: String,
    mut phases: watch::Receiver<Phase>,
    closed: mpsc::Sender<()>,
) {
    let listener = TcpListener::from_std(listener).expect("the listener does not block");
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone already, or no file descriptor left: the client sees it.
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(converse(stream, greeting.clone()));
                }
            }
            _ = phases.wait_for(|phase| *phase != Phase::Listening) => break,
        }
    }
    drop(listener);
    drop(closed);
    // Fails only if the sender is gone, which is the end as well.
    let _ = phases.wait_for(|phase| *phase == Phase::Ended).await;
}

/// Serves one client. An error is the client's to see.
async fn converse(mut stream: TcpStream, greeting: String) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(greeting.as_bytes()).await?;
    let mut first = [0];
    if stream.read(&mut first).await? == 0 {
        return Ok(());
    }
    match first[0] {
        ECHO => {
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await?;
        }
        DOWNLOAD => send_download(stream).await?,
        RESET => SockRef::from(&stream).set_linger(Some(Duration::ZERO))?,
        CLOSE => {}
        _ => return Err(std::io::ErrorKind::InvalidData.into()),
    }
    Ok(())
}

/// Sends what follows from the number that the client asks with, until it half-closes.
async fn send_download(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = bytes_from(stream.read_u64().await?);
    let (mut from, mut to) = stream.split();
    let mut ticks = interval(CHUNK_PAUSE);
    // What waited for the network is not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut chunk, mut end) = ([0; CHUNK_LEN], [0]);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                bytes.fill_bytes(&mut chunk);
                to.write_all(&chunk).await?;
            }
            // Nothing more comes from the client but its end.
            _ = from.read(&mut end) => return Ok(()),
        }
    }
}
