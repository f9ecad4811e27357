//! Changes of a running daemon: another profile, another program.
//!
//! What is asked for is read and checked beside the loop, and applied in it:
//! whole, or not at all. Nothing here ends a connection. One change is under way
//! at a time; the task that checks it owns nothing of the daemon and may be
//! dropped.

mod program;

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context as _, bail};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

use super::contested::{Inquiry, Taken};
use super::network::Network;
use super::open::seeds;
use super::ready::read_profile;
use super::{Daemon, DaemonOptions};
use crate::engine::agreement::{IdentityChanged, keeps_identity};
use crate::engine::config::Config;
use crate::engine::profile::{self, Style, Texts};
use crate::engine::stack::Event;
use crate::shell::admin::Answer;
use crate::shell::profile_files::ProfileFiles;
use crate::shell::supervisor;
use program::Program;

/// The changes of one daemon.
#[derive(Debug)]
pub(super) struct Changes {
    outcomes: mpsc::Sender<Outcome>,
    program: Program,
    is_under_way: bool,
}

impl Changes {
    /// Takes note of the running program; what comes out of the checks arrives at the receiver.
    pub(super) fn new() -> anyhow::Result<(Self, mpsc::Receiver<Outcome>)> {
        let (outcomes, receiver) = mpsc::channel(1);
        let changes = Self {
            outcomes,
            program: Program::running()?,
            is_under_way: false,
        };
        Ok((changes, receiver))
    }
}

/// Where a change comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// The profile, which may say something else now.
    Profile,
    /// A text that changes the running configuration, and leaves what it does not mention.
    Obeyfile(Texts),
}

/// What a check came to, and who wants to know.
#[derive(Debug)]
pub(in crate::shell) struct Outcome {
    checked: anyhow::Result<Checked>,
    answer: Option<oneshot::Sender<Answer>>,
}

/// A change that could be made.
#[derive(Debug)]
struct Checked {
    change: Change,
    /// Hosts that answer for its DVIPAs.
    taken: Taken,
}

/// What is to be done.
#[derive(Debug)]
enum Change {
    /// Apply the configuration; the text is what there is to say about the profile.
    Apply(Box<Config>, String),
    /// Execute the program anew, which then reads the profile.
    Execute,
}

impl Daemon {
    /// Begins to check a change.
    pub(super) fn begin_change(&mut self, source: Source, answer: Option<oneshot::Sender<Answer>>) {
        if std::mem::replace(&mut self.changes.is_under_way, true) {
            let reason = "another change is being checked; try again when it is done";
            refuse(answer, reason.to_owned());
            return;
        }
        supervisor::reloading();
        let check = Check {
            options: self.options.clone(),
            running: self.stack.config().clone(),
            network: self.network.clone(),
            known: self.known_dvipas(),
            program: self.changes.program.clone(),
        };
        let outcomes = self.changes.outcomes.clone();
        tokio::spawn(async move {
            let checked = match source {
                Source::Profile => check.reload().await,
                Source::Obeyfile(texts) => check.obey(texts).await,
            };
            // The daemon may have ended meanwhile.
            let _ = outcomes.send(Outcome { checked, answer }).await;
        });
    }

    /// Applies what was checked.
    pub(super) async fn finish_change(&mut self, outcome: Outcome) {
        self.changes.is_under_way = false;
        let Outcome { checked, answer } = outcome;
        let change = checked.and_then(|Checked { change, taken }| {
            // A stack of the group may have come to own one while the network was asked.
            refuse_taken(taken, &self.known_dvipas()).map(|()| change)
        });
        match change {
            Err(reason) => refuse(answer, format!("{reason:#}")),
            Ok(Change::Apply(config, remarks)) => {
                let done = if *config == *self.stack.config() {
                    "it says what the stack does already; nothing was changed"
                } else {
                    self.group.set_seeds(&seeds(&config, &self.options.seeds));
                    let reserved = self.kernel.ports.apply(&config).await;
                    self.handle(Event::Reconfigured(config)).await;
                    match reserved {
                        Ok(()) => "the changed configuration is applied",
                        Err(error) => {
                            error!("{error:#}");
                            "the changed configuration is applied, without its PORT and PORTRANGE"
                        }
                    }
                };
                info!("{done}");
                confirm(answer, format!("{remarks}{done}"));
            }
            Ok(Change::Execute) => {
                info!("the program is another one now; it goes on in this one's place");
                let reason = self.changes.program.execute();
                refuse(answer, format!("{reason:#}"));
            }
        }
        supervisor::ready(&self.status());
    }
}

fn refuse(answer: Option<oneshot::Sender<Answer>>, reason: String) {
    error!("nothing was changed: {reason}");
    if let Some(answer) = answer {
        // Whoever asked may have gone.
        let _ = answer.send(Answer::Refused(reason));
    }
}

fn confirm(answer: Option<oneshot::Sender<Answer>>, done: String) {
    if let Some(answer) = answer {
        // Whoever asked may have gone.
        let _ = answer.send(Answer::Done(done));
    }
}

/// Refuses a DVIPA that somebody else has.
fn refuse_taken(taken: Taken, known: &BTreeSet<IpAddr>) -> anyhow::Result<()> {
    let mut strangers = taken.into_iter();
    match strangers.find(|(dvipa, _)| !known.contains(dvipa)) {
        None => Ok(()),
        Some((dvipa, (other, link))) => bail!(
            "VIPA {dvipa} is taken: {other} answers for it on `{link}`, and no stack of the group \
             owns it"
        ),
    }
}

/// What a check needs to know; a copy, because it runs beside the loop.
struct Check {
    options: DaemonOptions,
    running: Config,
    network: Network,
    /// DVIPAs that are here, or that a stack of the group owns.
    known: BTreeSet<IpAddr>,
    program: Program,
}

impl Check {
    async fn reload(self) -> anyhow::Result<Checked> {
        let options = self.options.clone();
        let read = move || read_profile(&options, Style::Plain);
        let (config, text) = tokio::task::spawn_blocking(read)
            .await
            .context("the profile was not read to its end")?;
        let Some(config) = config else {
            bail!("`{}` has errors\n{text}", self.options.profile.display());
        };
        let taken = self.examine(&config).await?;
        let change = if self.program.is_replaced()? {
            self.program.rehearse().await?;
            Change::Execute
        } else {
            Change::Apply(Box::new(config), text)
        };
        Ok(Checked { change, taken })
    }

    async fn obey(self, texts: Texts) -> anyhow::Result<Checked> {
        let running = self.running.clone();
        let symbols = self.options.symbols.clone();
        let symbols = ProfileFiles::new(Vec::new()).with_symbols(symbols);
        let read = move || {
            let (obeyfile, mut reader) = texts.open(symbols);
            let loaded = profile::obey(&running, obeyfile, &mut reader);
            let text = loaded.text(Style::Plain);
            (loaded.config, text)
        };
        let (config, text) = tokio::task::spawn_blocking(read)
            .await
            .context("the obeyfile was not read to its end")?;
        let Some(config) = config else {
            bail!("it has errors\n{text}");
        };
        let taken = self.examine(&config).await?;
        let change = Change::Apply(Box::new(config), text);
        Ok(Checked { change, taken })
    }

    /// Checks what a running stack cannot follow, and asks who else has its DVIPAs.
    async fn examine(&self, config: &Config) -> anyhow::Result<Taken> {
        let (before, after) = (self.running.xcf_networks(), config.xcf_networks());
        if let Err(changed) = keeps_identity(before, after) {
            bail!("{changed}; {}", IdentityChanged::REMEDY);
        }
        self.network.check_ipv6(config)?;
        Inquiry::of(config, &self.known, &self.network).ask().await
    }
}
