//! The client's side.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::load::allow_files;
use super::{CLOSE, ECHO, RESET};
use crate::host::Host;

/// How long a client waits for anything: longer than several retransmissions.
const PATIENCE: Duration = Duration::from_secs(10);

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
        Self::over(TcpStream::connect_timeout(&to, PATIENCE)?)
    }

    /// The same from a port of the client's choice.
    ///
    /// # Errors
    ///
    /// As the kernel says; the port may be taken.
    pub fn open_from(port: u16, to: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        let anywhere = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        socket.bind(&SocketAddr::new(anywhere, port).into())?;
        socket.connect_timeout(&to.into(), PATIENCE)?;
        Self::over(socket.into())
    }

    /// Reads the greeting of a connection that was made otherwise.
    ///
    /// # Errors
    ///
    /// As the kernel says: reset, timed out.
    pub fn over(stream: TcpStream) -> io::Result<Self> {
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

    /// The same for more bytes than both ends hold: they are sent while they come back.
    ///
    /// # Errors
    ///
    /// As the kernel says; `InvalidData` for other bytes.
    pub fn echo_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sender = self.stream.get_ref().try_clone()?;
        thread::scope(|scope| {
            let sending = scope.spawn(move || sender.write_all(bytes));
            let received = self.expect(bytes);
            let sent = sending.join().map_err(|_panic| unexpected("no panic"))?;
            sent.and(received)
        })
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

/// Makes `connections` connections from `client`, one after the other, and holds every
/// `held_every`-th; the client closes the others at once.
///
/// # Errors
///
/// One of them failed.
pub fn hold(
    client: &Host,
    to: SocketAddr,
    connections: u32,
    held_every: u32,
) -> Result<Vec<Conversation>> {
    // Both ends are in this process.
    allow_files(u64::from(2 * connections))?;
    client.namespace().run(|| {
        let mut held = Vec::new();
        for number in 0..connections {
            let conversation = Conversation::open(to)
                .with_context(|| format!("connection {number} of {connections} failed"))?;
            if number % held_every == 0 {
                held.push(conversation);
            }
        }
        Ok(held)
    })
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
