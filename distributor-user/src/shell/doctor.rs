//! Finds out what `engine::doctor` judges, and mends what it is told to.
//!
//! Nothing is changed while it looks: the kernel is asked, the daemon if it
//! answers, and by ARP whoever else could have a DVIPA. What cannot be seen is
//! said, and is no fault.

mod host;
mod start;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep};

use super::admin::{self, AdminError, Answer, Request};
use super::netlink::Netlink;
use super::profile_files::ProfileFiles;
use crate::engine::doctor::{Daemon, Facts, Fix, Host, Said, Socket, is_incomplete};
use crate::engine::group::drops::DropReason;
use crate::engine::profile;
use crate::engine::report::{Body, Report, ReportName};

pub use start::Start;

/// How long it takes to be sure that a stack with another key, which knocks every second or so, does so
/// no more.
const WHILE: Duration = Duration::from_secs(3);

/// How long a daemon may take to answer a question about what it knows.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be looked at.
#[derive(Clone, Debug)]
pub struct Question {
    /// The stack.
    pub name: String,
    /// Where its admin socket is.
    pub run_dir: PathBuf,
    /// Where its packet path is pinned.
    pub pin_dir: PathBuf,
    /// Clients to which the way back is of interest.
    pub clients: Vec<IpAddr>,
    /// What a start would be told.
    pub start: Start,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The facts.
    pub facts: Facts,
    /// What could not be looked at, and why.
    pub not_seen: Vec<String>,
}

/// Looks at the stack and its host.
///
/// # Errors
///
/// The kernel tells nothing, or the daemon is of another version.
pub async fn look(question: &Question) -> anyhow::Result<Seen> {
    let netlink = Netlink::open().context("cannot talk to the kernel by netlink")?;
    let mut not_seen = Vec::new();
    let facts = match said(question) {
        Ok(mut said) => {
            let host = host::look(&netlink, &said, &question.clients, &mut not_seen).await?;
            wait_for_more(question, &mut said).await?;
            Facts {
                host,
                daemon: Daemon::Running(Box::new(said)),
            }
        }
        Err(error) => Facts {
            host: Host::default(),
            daemon: Daemon::Stopped(start::look(&netlink, question, socket(error)?).await?),
        },
    };
    Ok(Seen { facts, not_seen })
}

/// What the state of the admin socket says about the daemon; other errors stay.
fn socket(error: anyhow::Error) -> anyhow::Result<Socket> {
    let source = match error.downcast_ref::<AdminError>() {
        Some(AdminError::Unreachable { source, .. }) => source,
        Some(AdminError::Closed { .. }) => return Ok(Socket::LeftBehind),
        _ => return Err(error),
    };
    let kind = source.kind();
    let states = [
        (io::ErrorKind::NotFound, Socket::Absent),
        (io::ErrorKind::ConnectionRefused, Socket::LeftBehind),
        (io::ErrorKind::WouldBlock, Socket::Silent),
        (io::ErrorKind::TimedOut, Socket::Silent),
    ];
    let found = states.into_iter().find(|(known, _)| *known == kind);
    found.map(|(_, state)| state).ok_or(error)
}

/// Asks the daemon for all that it knows.
fn said(question: &Question) -> anyhow::Result<Said> {
    let mut said = Said {
        name: question.name.clone(),
        config: {
            let Body::Config(config) = ask(question, ReportName::Config)? else {
                bail!(UNEXPECTED)
            };
            *config
        },
        vipadcfg: {
            let Body::Vipadcfg(body) = ask(question, ReportName::Vipadcfg)? else {
                bail!(UNEXPECTED)
            };
            body
        },
        sysplex: {
            let Body::Sysplex(body) = ask(question, ReportName::Sysplex)? else {
                bail!(UNEXPECTED)
            };
            body
        },
        group: {
            let Body::Group(body) = ask(question, ReportName::Group)? else {
                bail!(UNEXPECTED)
            };
            body
        },
        explain: {
            let Body::Explain(body) = ask(question, ReportName::Explain)? else {
                bail!(UNEXPECTED)
            };
            body
        },
        stats: {
            let Body::Stats(body) = ask(question, ReportName::Stats)? else {
                bail!(UNEXPECTED)
            };
            body
        },
        later: Vec::new(),
        profile_errors: None,
    };
    said.profile_errors = errors_now(&said.config.daemon.profile);
    Ok(said)
}

/// Looks a while later at what had no effect, if anything had and somebody is missing: whether that goes
/// on.
async fn wait_for_more(question: &Question, said: &mut Said) -> anyhow::Result<()> {
    let has_any = |reason: &DropReason| {
        let mut rows = said.stats.group.iter();
        rows.any(|row| row.reason == reason.name() && row.count > 0)
    };
    let reasons: Vec<DropReason> = REFUSALS.into_iter().filter(has_any).collect();
    let began = Instant::now();
    while is_incomplete(said) && !reasons.is_empty() && began.elapsed() < WHILE {
        sleep(WHILE / 10).await;
        let Body::Stats(stats) = ask(question, ReportName::Stats)? else {
            bail!(UNEXPECTED)
        };
        said.later = stats.group;
        if reasons.iter().any(|reason| said.refused(*reason) > 0) {
            break;
        }
    }
    Ok(())
}

/// What of the group's traffic tells of a fault as long as it goes on.
const REFUSALS: [DropReason; 3] = [
    DropReason::ForeignKey,
    DropReason::Version,
    DropReason::NotAdmitted,
];

const UNEXPECTED: &str = "expected another report: is another version running?";

fn ask(question: &Question, report: ReportName) -> anyhow::Result<Body> {
    let request = Request::Netstat(report.into());
    let answer = admin::ask_within(&question.run_dir, &question.name, &request, PATIENCE)?;
    if let Answer::Report(Report { body, .. }) = answer {
        return Ok(body);
    }
    bail!("expected a report, found {answer:?}: is another version running?")
}

/// The first error of a profile as it is now. What depends on what only the daemon was told, symbols
/// and the directories of data sets, is left to it.
fn errors_now(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    if text.contains('&') || text.to_ascii_uppercase().contains("INCLUDE") {
        return None;
    }
    let mut files = ProfileFiles::default();
    let text = files.open(path.as_ref()).ok()?;
    start::first_error(&profile::load(text, &mut files))
}

/// Does what mends a fault.
///
/// # Errors
///
/// The kernel refuses, or the command is not there or fails.
pub fn mend(fix: &Fix) -> anyhow::Result<()> {
    match fix {
        Fix::Setting { path, value } => {
            fs::write(path, value.to_string()).with_context(|| format!("cannot write `{path}`"))
        }
        Fix::Command(words) => {
            let (program, arguments) = words.split_first().context("a command has a name")?;
            let output = Command::new(program)
                .args(arguments)
                .output()
                .with_context(|| format!("cannot run `{program}`"))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                bail!("`{}` failed: {}", fix.line(), said.trim());
            }
            Ok(())
        }
    }
}
