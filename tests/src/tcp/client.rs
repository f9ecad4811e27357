//! The client's side.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use socket2::SockRef;

use super::{CLOSE, ECHO, RESET};
use crate::host::Host;
use crate::wait;

/// How long a client waits for anything: longer than several retransmissions.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause between two rounds of the living connections, so that they are no load.
const ROUND: Duration = Duration::from_millis(10);

/// A connection whose server has said its name.
#[derive(Debug)]
pub struct Conversation {
    stream: BufReader<TcpStream>,
    server: String,
}

impl Conversation {
    /// Connects from the calling thread's namespace, and reads the greeting.
    ///
    /// # Errors
    ///
    /// As the kernel says: refused, reset, timed out.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(stream);
        let mut server = String::new();
        stream.read_line(&mut server)?;
        if server.pop() != Some('\n') {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended before the greeting",
            ));
        }
        Ok(Self { stream, server })
    }

    /// The name of the server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// This side's port.
    ///
    /// # Errors
    ///
    /// The socket has none any more.
    pub fn client_port(&self) -> io::Result<u16> {
        Ok(self.stream.get_ref().local_addr()?.port())
    }

    /// Asks for everything to come back from now on.
    ///
    /// # Errors
    ///
    /// As the kernel says.
    pub fn start_echo(&mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(&[ECHO])
    }

    /// Sends `bytes`, and checks that exactly these come back; after [`Self::start_echo`].
    ///
    /// # Errors
    ///
    /// As the kernel says; `InvalidData` for other bytes.
    pub fn echo(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.expect(bytes)
    }

    /// Sends `bytes`, closes this half, and checks that exactly these and then the end come back;
    /// after [`Self::start_echo`].
    ///
    /// # Errors
    ///
    /// As the kernel says; `InvalidData` for other bytes.
    pub fn echo_and_half_close(mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_ref().shutdown(Shutdown::Write)?;
        self.expect(bytes)?;
        self.expect_end()
    }

    /// Lets the server close first, and sees it.
    ///
    /// # Errors
    ///
    /// As the kernel says; `InvalidData` for anything but the end.
    pub fn let_server_close(mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(&[CLOSE])?;
        self.expect_end()
    }

    /// Lets the server reset the connection, and sees it.
    ///
    /// # Errors
    ///
    /// As the kernel says; `InvalidData` for anything but a reset.
    pub fn let_server_reset(mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(&[RESET])?;
        match self.stream.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(unexpected("a reset")),
        }
    }

    /// Resets the connection.
    ///
    /// # Errors
    ///
    /// The socket refuses.
    pub fn reset(self) -> io::Result<()> {
        SockRef::from(self.stream.get_ref()).set_linger(Some(Duration::ZERO))
    }

    fn expect(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut echo = vec![0; bytes.len()];
        self.stream.read_exact(&mut echo)?;
        if echo == bytes {
            Ok(())
        } else {
            Err(unexpected("the bytes that were sent"))
        }
    }

    fn expect_end(&mut self) -> io::Result<()> {
        match self.stream.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(unexpected("the end")),
        }
    }
}

fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("expected {what}"))
}

/// Makes `connections` connections from `client`, one after the other, and counts who greeted;
/// the client closes first.
///
/// # Errors
///
/// One of them failed; the number of those before it is in the error.
pub fn greetings(client: &Host, to: SocketAddr, connections: u32) -> Result<BTreeMap<String, u32>> {
    greetings_paced(client, to, connections, Duration::ZERO)
}

/// The same with a pause after each connection, so that clients leave something of a small machine
/// to the daemons.
///
/// # Errors
///
/// One of them failed; the number of those before it is in the error.
pub fn greetings_paced(
    client: &Host,
    to: SocketAddr,
    connections: u32,
    pause: Duration,
) -> Result<BTreeMap<String, u32>> {
    client.namespace().run(|| {
        let mut by_server = BTreeMap::new();
        for number in 0..connections {
            let conversation = Conversation::open(to).with_context(|| {
                format!(
                    "connection {number} of {connections} from {} failed",
                    client.name()
                )
            })?;
            *by_server.entry(conversation.server.clone()).or_default() += 1;
            drop(conversation);
            thread::sleep(pause);
        }
        Ok(by_server)
    })
}

/// Connections that live on: each sends and gets back a few bytes, again and again.
#[derive(Debug)]
pub struct Living {
    rounds: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Broken>>>,
    servers: Vec<String>,
}

/// A connection that was to live on and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Who had greeted.
    pub server: String,
    /// What the kernel said.
    pub reason: String,
}

impl Living {
    /// Opens `connections` connections from `client`, and keeps them busy.
    ///
    /// # Errors
    ///
    /// One of them cannot be opened.
    pub fn start(client: &Host, to: SocketAddr, connections: u32) -> Result<Self> {
        let mut conversations = client.namespace().run(|| {
            let mut conversations = Vec::new();
            for _ in 0..connections {
                let mut conversation = Conversation::open(to)?;
                conversation.start_echo()?;
                conversations.push(conversation);
            }
            Ok(conversations)
        })?;
        let servers = conversations.iter().map(|one| one.server.clone()).collect();
        let rounds = Arc::new(AtomicU64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let (round, over) = (Arc::clone(&rounds), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            let mut broken = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let bytes = round.load(Ordering::Relaxed).to_be_bytes();
                conversations.retain_mut(|conversation| match conversation.echo(&bytes) {
                    Ok(()) => true,
                    Err(error) => {
                        broken.push(Broken {
                            server: conversation.server.clone(),
                            reason: error.to_string(),
                        });
                        false
                    }
                });
                round.fetch_add(1, Ordering::Relaxed);
                thread::sleep(ROUND);
            }
            for conversation in conversations {
                let server = conversation.server.clone();
                if let Err(error) = conversation.echo_and_half_close(b"end") {
                    broken.push(Broken {
                        server,
                        reason: format!("at the end: {error}"),
                    });
                }
            }
            broken
        });
        Ok(Self {
            rounds,
            is_over,
            thread: Some(thread),
            servers,
        })
    }

    /// Who greeted each connection.
    #[must_use]
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// Waits until every living connection has carried bytes both ways after this call.
    ///
    /// # Errors
    ///
    /// They have not, though no connection need answer longer than its patience.
    pub fn wait_for_round(&self) -> Result<()> {
        let now = self.rounds.load(Ordering::Relaxed);
        let deadline = PATIENCE * u32::try_from(self.servers.len() + 1)?;
        // The round under way may have passed a connection already; the one after has not.
        wait::until("the living connections to answer", deadline, || {
            Ok(self.rounds.load(Ordering::Relaxed) >= now + 2)
        })
    }

    /// Ends them all, and returns those that had broken before.
    ///
    /// # Errors
    ///
    /// The connections' thread panicked.
    pub fn stop(mut self) -> Result<Vec<Broken>> {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("stopped twice")?;
        let broken = thread.join();
        ensure!(
            broken.is_ok(),
            "the thread of the living connections panicked"
        );
        Ok(broken.unwrap_or_default())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        // Lets the thread end by itself; nobody asks any more how it went.
        self.is_over.store(true, Ordering::Relaxed);
    }
}
