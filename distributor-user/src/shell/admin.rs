//! The admin socket: how the command line talks to a running daemon.
//!
//! One Unix socket per stack, one JSON line each way. Root and the members of
//! the group `distributor` may connect; the socket's mode says so to the
//! kernel, and nothing is ever done on behalf of anybody else.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use crate::engine::agreement::Running;
use crate::engine::fact::{Ask, Outcome, Remaining};
use crate::engine::profile::Texts;
use crate::engine::report::{Query, Report};
use crate::engine::stack::{Scope, Vary};

/// The system group whose members may use the admin socket.
pub const GROUP: &str = "distributor";
/// How long the command line waits for an answer: a change is checked before it is answered.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest request line that is read, in bytes: a text of the largest size with its includes, each
/// byte a number.
const MAX_REQUEST: u64 = 64 << 20;

/// What the command line can ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Asks for a report.
    Netstat(Query),
    /// Asks for the profile to be read again, and for the program to be executed again if it is
    /// another one now.
    Reload,
    /// Asks for the running configuration to be changed by what the texts say.
    Obey(Texts),
    /// Asks what the configuration of the texts would change; nothing is changed.
    Plan(Texts),
    /// Asks for the configuration of the texts in place of the running one.
    Apply {
        /// A profile.
        texts: Texts,
        /// How long there is time to confirm it, before it is undone; absent: it need not be.
        within: Option<Duration>,
    },
    /// Confirms what was applied.
    Confirm,
    /// Asks for an earlier configuration: that of this entry, or the one before.
    Rollback {
        /// The number of an entry of the history.
        to: Option<u64>,
        /// As for [`Self::Apply`].
        within: Option<Duration>,
    },
    /// Orders what z/OS's `VARY TCPIP,,SYSPLEX` does.
    Vary(Vary),
    /// Asks for the living connections to distributed services that end at this stack, of this much of
    /// it.
    Remaining(Scope),
    /// Asks another member for something.
    Of {
        /// Its name.
        member: String,
        /// For what.
        ask: Ask,
    },
    /// Asks which start of the daemon answers.
    Instance,
    /// Asks for what the stacks of the group publish of their profiles.
    Group,
}

impl Request {
    /// What is asked of another member, asked of the stack itself.
    #[must_use]
    pub fn of_own(ask: Ask) -> Self {
        match ask.order() {
            Ok(vary) => Self::Vary(vary),
            Err(scope) => Self::Remaining(scope),
        }
    }
}

/// What the daemon answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The report that was asked for.
    Report(Report),
    /// The request was carried out, and what that was.
    Done(String),
    /// How many connections are left, by service; of those that have any.
    Remaining(Vec<Remaining>),
    /// Milliseconds since 1970 at the start of the daemon.
    Instance(u64),
    /// The stacks of the group, the one that answers first.
    Group(Vec<Running>),
    /// The request was refused, and why; nothing was changed.
    Refused(String),
    /// What came of the request is not known, and why.
    Unknown(String),
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(done) => Self::Done(done),
            Outcome::Refused(reason) => Self::Refused(reason),
            Outcome::Remaining(left) => Self::Remaining(left),
            Outcome::Unknown(reason) => Self::Unknown(reason),
        }
    }
}

/// A request with the way to answer it.
#[derive(Debug)]
pub struct Pending {
    /// What is asked.
    pub request: Request,
    /// The number of the user who asks, as the kernel says (`SO_PEERCRED`).
    pub uid: u32,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answer>,
}

/// Why the admin socket cannot be served or reached.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The socket could not be made.
    #[error("admin socket `{path}` cannot be made")]
    Bind {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A daemon of this name already answers on it.
    #[error(
        "a stack named `{name}` is already running here (it answers on `{path}`); \
         stop it, or choose another `--name`"
    )]
    AlreadyRunning {
        /// The stack's name.
        name: String,
        /// The socket.
        path: PathBuf,
    },
    /// Nothing answers there.
    #[error(
        "no stack named `{name}` answers on `{path}`; is `distributor run --name {name}` running, \
         and are you root or in the group `distributor`?"
    )]
    Unreachable {
        /// The stack's name.
        name: String,
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The daemon has gone before it answered: it ended, or another program took its place.
    #[error("stack `{name}` gave no answer on `{path}`; it is not running any more")]
    Closed {
        /// The stack's name.
        name: String,
        /// The socket.
        path: PathBuf,
    },
    /// The daemon's answer cannot be read.
    #[error("expected one JSON line from the daemon on `{path}`, found {found}")]
    BadAnswer {
        /// The socket.
        path: PathBuf,
        /// What came instead.
        found: String,
    },
}

/// Returns the path of a stack's admin socket.
#[must_use]
pub fn socket_path(run_dir: &Path, name: &str) -> PathBuf {
    run_dir.join(format!("{name}.sock"))
}

/// Serves the admin socket until it is dropped.
#[derive(Debug)]
pub struct AdminServer {
    path: PathBuf,
    requests: mpsc::Sender<Pending>,
    task: tokio::task::JoinHandle<()>,
}

impl AdminServer {
    /// Binds the socket and hands every request to the receiver that is returned.
    ///
    /// # Errors
    ///
    /// A daemon of this name already answers, or the socket cannot be made. Nothing is left behind.
    pub fn start(
        run_dir: &Path,
        name: &str,
    ) -> Result<(Self, mpsc::Receiver<Pending>), AdminError> {
        let path = socket_path(run_dir, name);
        if BlockingStream::connect(&path).is_ok() {
            return Err(AdminError::AlreadyRunning {
                name: name.to_owned(),
                path,
            });
        }
        let listener = bind(run_dir, &path).map_err(|source| AdminError::Bind {
            path: path.clone(),
            source,
        })?;
        let (requests, receiver) = mpsc::channel(16);
        let sender = requests.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone()));
            }
        });
        let server = Self {
            path,
            requests,
            task,
        };
        Ok((server, receiver))
    }

    /// The way that requests take, for others who ask in the daemon's own process.
    #[must_use]
    pub fn requests(&self) -> mpsc::Sender<Pending> {
        self.requests.clone()
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.task.abort();
        // Nothing useful can be done if somebody else removed it first.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn bind(run_dir: &Path, path: &Path) -> std::io::Result<UnixListener> {
    std::fs::create_dir_all(run_dir)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // The socket must never be reachable for others, not even between bind and chmod.
    let old = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    nix::sys::stat::umask(old);
    let listener = listener?;
    if let Ok(Some(group)) = nix::unistd::Group::from_name(GROUP) {
        nix::unistd::chown(path, None, Some(group.gid))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    }
    Ok(listener)
}

async fn serve(stream: UnixStream, requests: mpsc::Sender<Pending>) {
    // The kernel knows this of every connected stream.
    let Ok(peer) = stream.peer_cred() else {
        return;
    };
    let uid = peer.uid();
    let (read, mut write) = stream.into_split();
    let mut lines = tokio::io::BufReader::new(read.take(MAX_REQUEST)).lines();
    let Ok(Some(line)) = lines.next_line().await else {
        return;
    };
    let answer = match serde_json::from_str::<Request>(&line) {
        Err(error) => Answer::Refused(format!("expected a request, found `{line}`: {error}")),
        Ok(request) => {
            let (answer, receiver) = oneshot::channel();
            let pending = Pending {
                request,
                uid,
                answer,
            };
            if requests.send(pending).await.is_err() {
                return;
            }
            receiver
                .await
                .unwrap_or_else(|_| Answer::Refused("the daemon is stopping".to_owned()))
        }
    };
    let Ok(text) = tokio::task::spawn_blocking(move || line_of(&answer)).await else {
        return;
    };
    // The client may have gone; there is nobody left to tell.
    let _ = write.write_all(text.as_bytes()).await;
}

/// The answer in one line. An answer may be large: it is written out beside the daemon's loop.
fn line_of(answer: &Answer) -> String {
    let mut text = serde_json::to_string(answer).expect("plain data always has a JSON form");
    text.push('\n');
    text
}

/// Sends one request to the daemon of `name` and waits for its answer.
///
/// # Errors
///
/// Nothing answers on the socket, or what answers does not speak this protocol.
pub fn ask(run_dir: &Path, name: &str, request: &Request) -> Result<Answer, AdminError> {
    ask_within(run_dir, name, request, PATIENCE)
}

/// Sends one request to the daemon of `name` and waits so long for its answer.
///
/// # Errors
///
/// As [`ask`]; a daemon that takes longer counts as unreachable, with `WouldBlock` for a reason.
pub fn ask_within(
    run_dir: &Path,
    name: &str,
    request: &Request,
    patience: Duration,
) -> Result<Answer, AdminError> {
    let path = socket_path(run_dir, name);
    let line = exchange(&path, request, patience).map_err(|source| AdminError::Unreachable {
        name: name.to_owned(),
        path: path.clone(),
        source,
    })?;
    if line.is_empty() {
        let name = name.to_owned();
        return Err(AdminError::Closed { name, path });
    }
    serde_json::from_str(&line).map_err(|error| AdminError::BadAnswer {
        path,
        found: format!("{} bytes ({error})", line.len()),
    })
}

fn exchange(path: &Path, request: &Request, patience: Duration) -> std::io::Result<String> {
    let mut stream = BlockingStream::connect(path)?;
    stream.set_read_timeout(Some(patience))?;
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    stream.write_all(text.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

/// Lists the stacks whose admin sockets are in `run_dir`, by name.
#[must_use]
pub fn stacks(run_dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(run_dir) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".sock")?.to_owned())
        })
        .collect();
    names.sort();
    names
}
