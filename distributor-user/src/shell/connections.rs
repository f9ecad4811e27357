//! The connections that this stack terminates on a set of DVIPAs: which there are, and how
//! they end.
//!
//! A connection *is ending* when no program has it any more, and *gone* when
//! the kernel has nothing left of it, `FIN_WAIT_2` and `TIME_WAIT` included.
//! The first is told by the kernel's events, and by a `sock_ops` program for
//! connections of which those events no longer know the peer. The second
//! nothing tells: connections that are ending are looked for until they are
//! not there. Gone is said only of a connection that was said to be ending,
//! and that a look-up of its own did not find: dumps miss sockets while others
//! come and go. An end that belongs to an earlier connection between the same
//! two ports is never said of the living one.
//!
//! One task owns all of this. A receiver that is slow makes it wait, so that
//! the kernel drops events: [`Ends::Resync`] says so. Cancelled, it leaves
//! nothing behind.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use netlink_packet_sock_diag::inet::StateFlags;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::engine::forwarding::FlowKey;

use super::netlink::EVENT_BUFFER_BYTES;
use super::sock_diag::{Ended, EndedSockets, Entry, Scope, SockDiag};
use super::sock_ops::{SockOpsError, SockOpsProgram, WatchObject, reports};
use closed::{Closed, flow};
use listing::connected;

pub use listing::{completed, list, living, living_of, reset};

mod closed;
mod listing;

#[cfg(test)]
mod tests;

/// Time between two looks at what is ending.
const LOOK: Duration = Duration::from_millis(250);

/// A look takes at most one part in this many of the task's time.
const LOOK_SHARE: u32 = 10;

/// Ending connections that are looked for at most; more are left to the receiver's audit.
const MAX_ENDING: usize = 128 << 10;

/// Time from an end of which nobody knows what has ended to the audit that finds out.
const RESYNC_DELAY: Duration = Duration::from_secs(1);

/// Batches that wait for the receiver.
const QUEUE: usize = 64;

/// How connections end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// No program has them any more.
    Ending(Vec<FlowKey>),
    /// Nothing is left of them; each was reported as ending before.
    Gone(Vec<FlowKey>),
    /// Some of both may be missing: what there is must be compared with [`list`].
    Resync,
}

/// The watch over the ends of connections on DVIPAs.
#[derive(Debug)]
pub struct Connections {
    dvipas: watch::Sender<BTreeSet<IpAddr>>,
    missing: Option<Arc<SockOpsError>>,
}

impl Connections {
    /// Starts the task, in the network namespace of the calling thread.
    ///
    /// Without its program in `object`, a warning names what is missing, and a
    /// server that resets a connection (`SO_LINGER` of 0) leads to
    /// [`Ends::Resync`], at most once a second.
    ///
    /// # Errors
    ///
    /// The kernel refuses `sock_diag` sockets.
    pub fn start(object: &mut WatchObject) -> io::Result<(Self, mpsc::Receiver<Ends>)> {
        Self::start_with_buffer(object, EVENT_BUFFER_BYTES)
    }

    /// The same, with room for about `buffer_bytes` of the kernel's events.
    fn start_with_buffer(
        object: &mut WatchObject,
        buffer_bytes: usize,
    ) -> io::Result<(Self, mpsc::Receiver<Ends>)> {
        let (program, missing) = match SockOpsProgram::attach(object) {
            Ok(program) => (Some(program), None),
            Err(reason) => (None, Some(reason)),
        };
        if let Some(reason) = &missing {
            let reason = &**reason as &dyn std::error::Error;
            warn!(reason, "resets by servers are found by audits only");
        }
        let (dvipas, wanted) = watch::channel(BTreeSet::new());
        let (ends, received) = mpsc::channel(QUEUE);
        let task = Task {
            events: EndedSockets::open(buffer_bytes)?,
            sock_diag: SockDiag::open()?,
            wanted,
            ends,
            program,
            ending: HashMap::new(),
            reported: HashSet::new(),
            is_full: false,
            resync_at: None,
        };
        tokio::spawn(task.run());
        Ok((Self { dvipas, missing }, received))
    }

    /// Why connections that servers reset are not reported; `None` when they are.
    #[must_use]
    pub fn missing(&self) -> Option<&SockOpsError> {
        self.missing.as_deref()
    }

    /// Watches exactly these addresses from now on.
    ///
    /// What is already ending on them is reported too.
    pub fn watch(&self, dvipas: BTreeSet<IpAddr>) {
        self.dvipas.send_replace(dvipas);
    }
}

struct Task {
    program: Option<SockOpsProgram<Closed>>,
    events: EndedSockets,
    sock_diag: SockDiag,
    wanted: watch::Receiver<BTreeSet<IpAddr>>,
    ends: mpsc::Sender<Ends>,
    /// Cookies of the closed sockets by flow; reported as ending, not as gone.
    ending: HashMap<FlowKey, u64>,
    /// Cookies of the sockets that the program has reported; the kernel's events are still to come.
    reported: HashSet<u64>,
    /// Whether a connection found no room in `ending`.
    is_full: bool,
    /// When to ask for an audit, because something has ended of which nobody knows what.
    resync_at: Option<Instant>,
}

/// Why the task stops.
enum Stop {
    /// Nobody wants to know any more.
    Dropped,
    /// The kernel does not answer.
    Failed(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Task {
    async fn run(mut self) {
        if let Err(Stop::Failed(error)) = self.watch().await {
            warn!(%error, "ends of connections are no longer reported");
        }
    }

    async fn watch(&mut self) -> Result<(), Stop> {
        let mut next_look = Instant::now();
        loop {
            let resync_at = self.resync_at;
            tokio::select! {
                // A report comes before the event about the same socket.
                biased;
                changed = self.wanted.changed() => {
                    changed.map_err(|_dropped| Stop::Dropped)?;
                    self.take_set().await?;
                }
                reports = reports(self.program.as_mut()) => {
                    let reports = reports?;
                    self.reported.extend(reports.iter().map(|closed| closed.cookie));
                    self.take_closed(reports).await?;
                }
                ended = self.events.next() => {
                    self.take_ended(ended?).await?;
                }
                () = sleep_until(next_look), if !self.ending.is_empty() => {
                    let start = Instant::now();
                    self.look().await?;
                    let rest = LOOK.max(start.elapsed() * LOOK_SHARE);
                    next_look = Instant::now() + rest;
                }
                () = sleep_until(resync_at.unwrap_or(next_look)), if resync_at.is_some() => {
                    self.resync().await?;
                }
            }
        }
    }

    /// Begins to watch another set of addresses.
    async fn take_set(&mut self) -> Result<(), Stop> {
        let dvipas = self.wanted.borrow_and_update().clone();
        self.ending.retain(|flow, _| dvipas.contains(&flow.dvipa));
        self.take_remnants().await
    }

    /// Has the receiver compare everything, with what has ended unseen reported as ending.
    async fn resync(&mut self) -> Result<(), Stop> {
        self.resync_at = None;
        self.take_remnants().await?;
        self.report(Ends::Resync).await
    }

    /// Takes what has ended without an event that we saw.
    async fn take_remnants(&mut self) -> Result<(), Stop> {
        let dvipas = self.wanted.borrow().clone();
        let mut closed = Vec::new();
        let states = StateFlags::FIN_WAIT2 | StateFlags::TIME_WAIT;
        self.sock_diag
            .dump(states, Scope::Local(&dvipas), |entry| {
                if entry.is_remnant {
                    closed.extend(Closed::from_event(entry));
                }
            })
            .await?;
        closed.retain(|closed| dvipas.contains(&closed.flow.dvipa));
        self.begin_to_end(&closed).await
    }

    /// Takes the kernel's events.
    async fn take_ended(&mut self, ended: Ended) -> Result<(), Stop> {
        let Ended {
            mut sockets,
            is_incomplete,
        } = ended;
        sockets.retain(|entry| !self.reported.remove(&entry.cookie));
        self.take_unknown(&sockets);
        self.take_closed(sockets.iter().filter_map(Closed::from_event).collect())
            .await?;
        if is_incomplete {
            self.reported.clear();
            self.resync().await?;
        }
        Ok(())
    }

    /// Takes sockets that were closed.
    async fn take_closed(&mut self, mut closed: Vec<Closed>) -> Result<(), Stop> {
        closed.retain(|closed| self.wanted.borrow().contains(&closed.flow.dvipa));
        let mut ending = Vec::new();
        let mut gone = Vec::new();
        for closed in closed {
            match self.find(&closed.flow).await? {
                Some(entry) if closed.is_followed_by(&entry) => {}
                Some(_) => ending.push(closed),
                None => {
                    ending.push(closed);
                    gone.push(closed.flow);
                }
            }
        }
        self.begin_to_end(&ending).await?;
        self.end(gone).await
    }

    /// Takes ended sockets of which the kernel does not know the peer.
    ///
    /// With the program they were reported when they still had one; without
    /// it, they may be listeners or connections that servers have reset.
    fn take_unknown(&mut self, sockets: &[Entry]) {
        let dvipas = self.wanted.borrow();
        let is_of_ours = |entry: &Entry| dvipas.iter().any(|dvipa| entry.listens_on(*dvipa));
        let mut unknown = sockets.iter().filter(|entry| entry.remote.port() == 0);
        if self.program.is_none() && unknown.any(is_of_ours) {
            self.resync_at
                .get_or_insert_with(|| Instant::now() + RESYNC_DELAY);
        }
    }

    /// Looks which of the ending connections are gone, and which have a successor.
    async fn look(&mut self) -> Result<(), Stop> {
        let dvipas = self.wanted.borrow().clone();
        let mut there = HashSet::new();
        let mut followed = Vec::new();
        let Self {
            sock_diag, ending, ..
        } = self;
        sock_diag
            .dump(connected(), Scope::Local(&dvipas), |entry| {
                let Some(flow) = flow(entry) else { return };
                if let Some(cookie) = ending.get(&flow) {
                    there.insert(flow);
                    if (Closed {
                        flow,
                        cookie: *cookie,
                    })
                    .is_followed_by(entry)
                    {
                        followed.push(flow);
                    }
                }
            })
            .await?;
        for flow in followed {
            self.ending.remove(&flow);
        }
        let missing = self
            .ending
            .iter()
            .filter(|(flow, _)| !there.contains(*flow));
        let missing: Vec<Closed> = missing
            .map(|(flow, cookie)| Closed {
                flow: *flow,
                cookie: *cookie,
            })
            .collect();
        let mut gone = Vec::new();
        for closed in missing {
            match self.find(&closed.flow).await? {
                None => gone.push(closed.flow),
                Some(entry) if closed.is_followed_by(&entry) => {
                    self.ending.remove(&closed.flow);
                }
                Some(_) => {}
            }
        }
        self.end(gone).await
    }

    async fn find(&mut self, flow: &FlowKey) -> io::Result<Option<Entry>> {
        let local = SocketAddr::new(flow.dvipa, flow.port);
        let remote = SocketAddr::new(flow.client, flow.client_port);
        self.sock_diag.find(local, remote).await
    }

    /// Reports connections as ending, unless they were, and keeps looking for them.
    async fn begin_to_end(&mut self, closed: &[Closed]) -> Result<(), Stop> {
        let mut news = Vec::new();
        for Closed { flow, cookie } in closed {
            let is_known = self.ending.contains_key(flow);
            if is_known || self.ending.len() < MAX_ENDING {
                self.ending.insert(*flow, *cookie);
            } else {
                self.is_full = true;
            }
            if !is_known {
                news.push(*flow);
            }
        }
        if news.is_empty() {
            Ok(())
        } else {
            self.report(Ends::Ending(news)).await
        }
    }

    /// Reports connections as gone.
    async fn end(&mut self, flows: Vec<FlowKey>) -> Result<(), Stop> {
        for flow in &flows {
            self.ending.remove(flow);
        }
        if !flows.is_empty() {
            self.report(Ends::Gone(flows)).await?;
        }
        if self.is_full && self.ending.len() < MAX_ENDING / 2 {
            self.is_full = false;
            self.resync_at = Some(Instant::now());
        }
        Ok(())
    }

    async fn report(&self, ends: Ends) -> Result<(), Stop> {
        self.ends.send(ends).await.map_err(|_dropped| Stop::Dropped)
    }
}
