//! Counts the listening sockets on a set of DVIPAs, and says at once when the count changes.
//!
//! Counts come from socket dumps only. Three things make the task look again:
//! reports of a `sock_ops` program (a listener came or goes), the kernel's
//! events of ended sockets (listeners from before the program was there), and
//! time, which is only the backstop. A socket that the program has reported
//! as closing is never counted, though a dump may still have it, nor is one of a
//! server that the operator has quiesced.
//!
//! One task owns all of this. It is cancelled only as a whole, when the last
//! [`Listeners`] is dropped; that also detaches the program.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use distributor_common::watch::{CLOSES, LISTENS, ListenerReport};
use netlink_packet_sock_diag::inet::StateFlags;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::engine::fact::ReadyRow;
use crate::engine::responsiveness::Responsiveness;
use crate::engine::servers::Server;

use super::holders;
use super::netlink::EVENT_BUFFER_BYTES;
use super::sock_diag::{Ended, EndedSockets, Entry, Scope, SockDiag};
use super::sock_ops::{self, Report, SockOpsError, SockOpsProgram, WatchObject, reports};

#[cfg(test)]
mod tests;

/// Time between two dumps when nothing is reported.
const BACKSTOP: Duration = Duration::from_secs(5);

/// The same without the program: a new listener is noticed by dumps only.
const BACKSTOP_WITHOUT_PROGRAM: Duration = Duration::from_millis(500);

/// `lo` has this index in every network namespace.
const LOOPBACK: u32 = 1;

/// The watch over the listeners on DVIPAs.
#[derive(Debug)]
pub struct Listeners {
    wanted: watch::Sender<Wanted>,
    missing: Option<Arc<SockOpsError>>,
}

/// What is to be counted.
#[derive(Clone, Debug, Default)]
struct Wanted {
    /// On which addresses.
    dvipas: BTreeSet<IpAddr>,
    /// Whose servers not; absent until that was said.
    aside: Option<BTreeSet<Server>>,
}

/// The listeners that are not counted, because the operator has quiesced their servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// Their sockets, by their cookies.
    pub cookies: BTreeSet<u64>,
    /// The ports where others count that listen on the same address.
    pub shared: BTreeSet<u16>,
}

impl Listeners {
    /// Starts the task, in the network namespace of the calling thread.
    ///
    /// Without its program in `object`, a warning names what is missing and new
    /// listeners are noticed within half a second instead of at once.
    ///
    /// The receiver has the rows of all watched DVIPAs, sorted; it is marked
    /// as changed when they differ from before, and after every
    /// [`Self::watch`]. Before it, `aside` is told which listeners do not count, once
    /// [`Self::set_aside`] has been called.
    ///
    /// # Errors
    ///
    /// The kernel refuses `sock_diag` sockets.
    pub fn start(
        object: &mut WatchObject,
        aside: watch::Sender<Option<Aside>>,
    ) -> io::Result<(Self, watch::Receiver<Vec<ReadyRow>>)> {
        let (program, missing) = match SockOpsProgram::attach(object) {
            Ok(program) => (Some(program), None),
            Err(reason) => (None, Some(reason)),
        };
        if let Some(reason) = &missing {
            let reason = &**reason as &dyn std::error::Error;
            let dump_ms = BACKSTOP_WITHOUT_PROGRAM.as_millis();
            warn!(reason, "new listeners are noticed only every {dump_ms} ms");
        }
        let (sender, wanted) = watch::channel(Wanted::default());
        let (ready, snapshots) = watch::channel(Vec::new());
        let task = Task {
            backstop: if program.is_some() {
                BACKSTOP
            } else {
                BACKSTOP_WITHOUT_PROGRAM
            },
            program,
            ended: EndedSockets::open(EVENT_BUFFER_BYTES)?,
            sock_diag: SockDiag::open()?,
            wanted,
            ready,
            aside,
            closing: BTreeSet::new(),
        };
        tokio::spawn(task.run());
        let wanted = sender;
        Ok((Self { wanted, missing }, snapshots))
    }

    /// Why listeners are not reported as they come; `None` when they are.
    #[must_use]
    pub fn missing(&self) -> Option<&SockOpsError> {
        self.missing.as_deref()
    }

    /// Watches exactly these addresses from now on.
    pub fn watch(&self, dvipas: BTreeSet<IpAddr>) {
        self.wanted.send_modify(|wanted| wanted.dvipas = dvipas);
    }

    /// Counts no listeners of exactly these servers from now on.
    pub fn set_aside(&self, servers: BTreeSet<Server>) {
        self.wanted.send_if_modified(|wanted| {
            let servers = Some(servers);
            let is_other = wanted.aside != servers;
            wanted.aside = servers;
            is_other
        });
    }
}

/// What the program reports about one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ListenerChange {
    what: Transition,
    /// The socket's cookie.
    cookie: u64,
    /// What it is bound to, never v4-mapped.
    address: IpAddr,
}

/// What happens to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transition {
    /// It listens.
    Listens,
    /// It is about to leave the kernel's tables.
    Closes,
}

impl Report for ListenerChange {
    const PROGRAM: &'static str = "watch_listeners";
    const RING: &'static str = "LISTENER_REPORT";

    fn parse(bytes: &[u8]) -> Option<Self> {
        let report = ListenerReport::parse(bytes)?;
        let what = match report.what {
            LISTENS => Transition::Listens,
            CLOSES => Transition::Closes,
            _ => return None,
        };
        let address = sock_ops::address(report.family, report.address);
        Some(Self {
            what,
            cookie: report.cookie,
            address,
        })
    }
}

struct Task {
    program: Option<SockOpsProgram<ListenerChange>>,
    ended: EndedSockets,
    sock_diag: SockDiag,
    wanted: watch::Receiver<Wanted>,
    ready: watch::Sender<Vec<ReadyRow>>,
    aside: watch::Sender<Option<Aside>>,
    /// Cookies of sockets that were reported to close, until a dump no longer has them.
    closing: BTreeSet<u64>,
    backstop: Duration,
}

/// Why the task looks again.
enum Cause {
    NewSet,
    Report,
    Ended,
    Backstop,
}

impl Task {
    async fn run(mut self) {
        // Events that come during a dump lead to the next one: whatever happened, its answer is
        // a dump that began later.
        loop {
            let cause = match self.wait().await {
                Ok(Some(cause)) => cause,
                Ok(None) => return,
                Err(error) => {
                    warn!(%error, "listeners are noticed by dumps only");
                    self.backstop = BACKSTOP_WITHOUT_PROGRAM;
                    sleep(self.backstop).await;
                    Cause::Backstop
                }
            };
            match self.count().await {
                Ok(rows) => {
                    self.ready.send_if_modified(|before| {
                        let is_news = matches!(cause, Cause::NewSet) || *before != rows;
                        *before = rows;
                        is_news
                    });
                }
                Err(error) => {
                    warn!(%error, "listeners could not be counted");
                    sleep(BACKSTOP_WITHOUT_PROGRAM).await;
                }
            }
        }
    }

    /// Waits for something that may have changed the listeners; `None` when nobody asks any more.
    async fn wait(&mut self) -> io::Result<Option<Cause>> {
        let backstop = sleep(self.backstop);
        tokio::pin!(backstop);
        loop {
            let cause = tokio::select! {
                changed = self.wanted.changed() => {
                    changed.ok().map(|()| Cause::NewSet)
                }
                reports = reports(self.program.as_mut()) => {
                    if !self.take(&reports?) {
                        continue;
                    }
                    Some(Cause::Report)
                }
                ended = self.ended.next() => {
                    let Ended { sockets, is_incomplete } = ended?;
                    let dvipas = &self.wanted.borrow().dvipas;
                    let is_relevant = sockets.iter().any(|entry| {
                        let is_listener = entry.remote.port() == 0;
                        is_listener && dvipas.iter().any(|dvipa| entry.listens_on(*dvipa))
                    });
                    if !is_relevant && !is_incomplete {
                        continue;
                    }
                    Some(Cause::Ended)
                }
                () = &mut backstop => Some(Cause::Backstop),
            };
            return Ok(cause);
        }
    }

    /// Keeps which sockets close; says whether the reports are about a watched DVIPA.
    fn take(&mut self, reports: &[ListenerChange]) -> bool {
        let mut is_relevant = false;
        for report in reports {
            match report.what {
                Transition::Listens => self.closing.remove(&report.cookie),
                Transition::Closes => self.closing.insert(report.cookie),
            };
            let dvipas = &self.wanted.borrow().dvipas;
            is_relevant |= dvipas.iter().any(|dvipa| may_serve(report.address, *dvipa));
        }
        is_relevant
    }

    /// Counts the listeners by DVIPA and port.
    async fn count(&mut self) -> io::Result<Vec<ReadyRow>> {
        let Wanted { dvipas, aside } = self.wanted.borrow_and_update().clone();
        let mut serving = Vec::new();
        let mut still_closing = BTreeSet::new();
        let Self {
            sock_diag, closing, ..
        } = self;
        sock_diag
            .dump(StateFlags::LISTEN, Scope::Everything, |entry| {
                if closing.contains(&entry.cookie) {
                    still_closing.insert(entry.cookie);
                } else if dvipas.iter().any(|dvipa| serves(entry, *dvipa)) {
                    serving.push(*entry);
                }
            })
            .await?;
        *closing = still_closing;
        let quiesced = match &aside {
            Some(servers) => quiesced(servers, &serving).await?,
            None => BTreeSet::new(),
        };
        let counts = count(&dvipas, &serving, &quiesced);
        if aside.is_some() {
            let is_shared = |(_, count): &(&(IpAddr, u16), &Count)| count.are_some_aside();
            let shared = counts.iter().filter(is_shared);
            let aside = Aside {
                shared: shared.map(|((_, port), _)| *port).collect(),
                cookies: quiesced,
            };
            self.aside.send_if_modified(|told| {
                let aside = Some(aside);
                let is_other = *told != aside;
                *told = aside;
                is_other
            });
        }
        let row = |((dvipa, port), count): ((IpAddr, u16), Count)| ReadyRow {
            dvipa,
            port,
            listeners: count.listeners,
            is_quiesced: count.listeners == 0,
            responsiveness: Responsiveness::default(),
            weight: None,
        };
        Ok(counts.into_iter().map(row).collect())
    }
}

/// How many listen on one DVIPA × port.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    listeners: u16,
    /// Those of quiesced servers, which are not among them.
    aside: u16,
}

impl Count {
    fn are_some_aside(self) -> bool {
        self.listeners > 0 && self.aside > 0
    }
}

/// Counts by DVIPA and port the listeners that are not quiesced, and beside them those that are.
fn count(
    dvipas: &BTreeSet<IpAddr>,
    serving: &[Entry],
    quiesced: &BTreeSet<u64>,
) -> BTreeMap<(IpAddr, u16), Count> {
    let mut counts: BTreeMap<(IpAddr, u16), Count> = BTreeMap::new();
    for entry in serving {
        let is_aside = quiesced.contains(&entry.cookie);
        for dvipa in dvipas.iter().filter(|dvipa| serves(entry, **dvipa)) {
            let count = counts.entry((*dvipa, entry.local.port())).or_default();
            let counted = if is_aside {
                &mut count.aside
            } else {
                &mut count.listeners
            };
            *counted = counted.saturating_add(1);
        }
    }
    counts
}

/// The cookies of listeners that one of these servers has.
async fn quiesced(servers: &BTreeSet<Server>, listeners: &[Entry]) -> io::Result<BTreeSet<u64>> {
    let concerned = |entry: &&Entry| {
        let port = entry.local.port();
        servers.iter().any(|server| server.concerns(port))
    };
    let sockets = listeners.iter().filter(concerned);
    let holders = holders::of(sockets.map(|entry| entry.inode).collect()).await?;
    let is_quiesced = |entry: &&Entry| {
        let holders = holders.get(&entry.inode).map_or(&[][..], Vec::as_slice);
        let port = entry.local.port();
        servers.iter().any(|server| server.has(port, holders))
    };
    let quiesced = listeners.iter().filter(is_quiesced);
    Ok(quiesced.map(|entry| entry.cookie).collect())
}

/// Whether the listener takes connections to `dvipa` that come from the network.
fn serves(entry: &Entry, dvipa: IpAddr) -> bool {
    entry.ifindex != LOOPBACK && entry.listens_on(dvipa)
}

/// Whether a listener bound to `address` may take connections to `dvipa`, v6-only or not.
fn may_serve(address: IpAddr, dvipa: IpAddr) -> bool {
    address.is_unspecified() || address == dvipa
}
