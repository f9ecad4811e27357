//! Asking another stack whether its daemon lives.
//!
//! The answer comes from the stack's packet path, not from its daemon: none at
//! all means that the host is gone or cut off, an old age that only its daemon
//! is. What either means for who owns what is not decided here.
//!
//! Nothing is believed that was not made for this very question with a key of
//! the group. The future may be dropped at any time: it owns its sockets and
//! nothing else.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use distributor_common::probe::{self, Kind, LEN};
use futures_util::future;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time;

use crate::engine::group::key::ProbeKey;

/// The probe's port is this far behind the group's.
pub const PORT_OFFSET: u16 = 1;
/// A question is repeated this often until it is answered.
const INTERVAL: Duration = Duration::from_millis(20);

/// One way to a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbePath {
    /// This stack's address on the network.
    pub local: IpAddr,
    /// Its interface: the question leaves by no other, and the answer comes by no other.
    pub ifname: String,
    /// The other stack's address on the same network, with the port of the probe.
    pub peer: SocketAddr,
}

/// Asks the stack with this DYNAMICXCF address on all paths at once, again and again, and returns how
/// old its daemon's last sign of life is; `None` when no answer comes within `timeout`.
pub async fn probe(
    stack: IpAddr,
    paths: &[ProbePath],
    key: ProbeKey,
    timeout: Duration,
) -> Option<Duration> {
    let question = Question::new(stack, key);
    let asked: Vec<_> = paths
        .iter()
        .map(|path| Box::pin(question.ask(path)))
        .collect();
    if asked.is_empty() {
        return None;
    }
    match time::timeout(timeout, future::select_ok(asked)).await {
        Ok(Ok((age, _others))) => Some(age),
        Ok(Err(error)) => {
            tracing::debug!(%stack, %error, "there is no way to ask the stack");
            None
        }
        Err(_elapsed) => None,
    }
}

/// A question, and what its answer must show.
#[derive(Clone, Copy)]
struct Question {
    stack: [u64; 2],
    nonce: [u64; 2],
    key: ProbeKey,
}

impl Question {
    fn new(stack: IpAddr, key: ProbeKey) -> Self {
        Self {
            stack: probe::identity(stack),
            nonce: rand::random(),
            key,
        }
    }

    /// Asks on one path until somebody answers.
    async fn ask(self, path: &ProbePath) -> io::Result<Duration> {
        let socket = open(path)?;
        let question = self.bytes();
        let mut interval = time::interval(INTERVAL);
        interval.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut buffer = [0; LEN + 1];
        loop {
            tokio::select! {
                _ = interval.tick() => {
                    // What is not sent is sent again.
                    let _ = socket.send(&question).await;
                }
                // An error says that an earlier question has met a closed port: no answer.
                Ok(len) = socket.recv(&mut buffer) => {
                    if let Some(age) = self.age(&buffer[..len]) {
                        return Ok(age);
                    }
                }
            }
        }
    }

    fn bytes(self) -> Vec<u8> {
        let words = probe::message(Kind::Question, self.nonce, 0, self.stack, self.key.words());
        words.map(u64::to_ne_bytes).as_flattened().to_vec()
    }

    /// What an answer says; `None` for anything that is no answer to this question.
    fn age(self, bytes: &[u8]) -> Option<Duration> {
        let mut words: probe::Words = [0; LEN / 8];
        if bytes.len() != LEN {
            return None;
        }
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().ok()?);
        }
        let (nonce, age_ms) = probe::read(Kind::Answer, &words, self.stack, self.key.words())?;
        (nonce == self.nonce).then_some(Duration::from_millis(age_ms))
    }
}

/// A socket that only hears the peer of its path.
fn open(path: &ProbePath) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(path.peer),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.bind_device(Some(path.ifname.as_bytes()))?;
    socket.bind(&SocketAddr::new(path.local, 0).into())?;
    socket.connect(&path.peer.into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests;
