//! Changes of a running daemon: another profile, another program.
//!
//! What is asked for is read and checked beside the loop, and applied in it:
//! whole, or not at all. Nothing here ends a connection. One change is under way
//! at a time; the task that checks it owns nothing of the daemon and may be
//! dropped. What is applied is noted in the history before.

mod check;
mod program;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{bail, ensure};
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

use super::Daemon;
use super::contested::Taken;
use super::open::seeds;
use super::reports::wall_clock;
use crate::engine::config::Config;
use crate::engine::history::{How, New};
use crate::engine::profile::Texts;
use crate::engine::report::{Body, Frame, Report};
use crate::engine::stack::Event;
use crate::shell::admin::Answer;
use crate::shell::supervisor;
use check::Check;
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
    /// A text in the profile's place.
    Other(Texts),
    /// An entry of the history.
    Entry(How, Box<Config>),
}

/// A change that is asked for.
#[derive(Debug)]
pub(super) struct Order {
    /// Where it comes from.
    pub(super) source: Source,
    /// Who gave the order, by number; absent for a signal, and for what is undone by itself.
    pub(super) uid: Option<u32>,
    /// How long there is time to confirm it; absent: it need not be.
    pub(super) within: Option<Duration>,
    /// Who wants to know what came of it.
    pub(super) answer: Option<oneshot::Sender<Answer>>,
}

impl From<Source> for Order {
    /// A change that nobody waits for.
    fn from(source: Source) -> Self {
        Self {
            source,
            uid: None,
            within: None,
            answer: None,
        }
    }
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
    Apply(Box<New>, String),
    /// Execute the program anew, which then reads the profile.
    Execute,
}

impl Daemon {
    /// Begins to check a change.
    pub(super) fn begin_change(&mut self, order: Order) {
        let Order {
            source,
            uid,
            within,
            answer,
        } = order;
        if let Some(reason) = self.is_waiting(&source) {
            refuse(answer, reason);
            return;
        }
        if std::mem::replace(&mut self.changes.is_under_way, true) {
            let reason = "another change is being checked; try again when it is done";
            refuse(answer, reason.to_owned());
            return;
        }
        supervisor::reloading();
        let check = Check::of(self, uid, within);
        let outcomes = self.changes.outcomes.clone();
        tokio::spawn(async move {
            let checked = check.go(source).await;
            // The daemon may have ended meanwhile.
            let _ = outcomes.send(Outcome { checked, answer }).await;
        });
    }

    /// Begins to go back to an earlier configuration.
    pub(super) fn begin_rollback(
        &mut self,
        to: Option<u64>,
        uid: u32,
        within: Option<Duration>,
        answer: oneshot::Sender<Answer>,
    ) {
        let answer = Some(answer);
        match self.history.history().way_back(to) {
            Err(none) => refuse(answer, none.to_string()),
            Ok(entry) => {
                let config = Box::new(entry.config.clone());
                self.begin_change(Order {
                    source: Source::Entry(How::Rollback(entry.number), config),
                    uid: Some(uid),
                    within,
                    answer,
                });
            }
        }
    }

    /// Begins to undo what was not confirmed in time, if that is so.
    pub(super) fn undo_if_due(&mut self) {
        if self.changes.is_under_way || !self.history.is_undo_due() {
            return;
        }
        let history = self.history.history();
        let back_to = history.unconfirmed().map(|unconfirmed| unconfirmed.back_to);
        if let Some(entry) = back_to.and_then(|number| history.entry(number)) {
            info!(
                "what was applied was not confirmed in time; entry {} comes back",
                entry.number
            );
            let config = Box::new(entry.config.clone());
            let source = Source::Entry(How::Undo(entry.number), config);
            self.begin_change(source.into());
        }
    }

    /// Says beside the loop what a configuration would change.
    pub(super) fn plan(&self, texts: Texts, answer: oneshot::Sender<Answer>) {
        let check = Check::of(self, None, None);
        let name = self.stack.name().to_owned();
        let time = wall_clock("%Y-%m-%dT%H:%M:%S%:z");
        tokio::spawn(async move {
            let reply = match check.plan(texts).await {
                Ok((plan, room)) => Answer::Report(Report {
                    frame: Frame::new(&name, time, room),
                    body: Body::Plan(plan),
                }),
                Err(error) => Answer::Refused(format!("{error:#}")),
            };
            // Whoever asked may have gone.
            let _ = answer.send(reply);
        });
    }

    /// Says why a change cannot be made while another waits to be confirmed.
    fn is_waiting(&self, source: &Source) -> Option<String> {
        let unconfirmed = self.history.history().unconfirmed()?;
        if matches!(source, Source::Entry(..)) {
            return None;
        }
        let until = unconfirmed.until.to_zoned(TimeZone::system());
        Some(format!(
            "a change waits to be confirmed until {}: say `distributor confirm` or `distributor rollback` \
             first",
            until.strftime("%H:%M:%S")
        ))
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
            Ok(Change::Apply(new, remarks)) => match self.apply(*new).await {
                Ok(done) => confirm(answer, format!("{remarks}{done}")),
                Err(error) => refuse(answer, format!("{error:#}")),
            },
            Ok(Change::Execute) => {
                info!("the program is another one now; it goes on in this one's place");
                // Whoever has the profile read again wants what it says.
                self.history.follow_profile();
                let reason = self.changes.program.execute();
                refuse(answer, format!("{reason:#}"));
            }
        }
        supervisor::ready(&self.status());
    }

    /// Applies a configuration that was checked; says what was done.
    async fn apply(&mut self, new: New) -> anyhow::Result<String> {
        let (how, config, changes) = (new.how, new.config.clone(), new.changes.clone());
        if let How::Undo(number) = how {
            let unconfirmed = self.history.history().unconfirmed();
            ensure!(
                unconfirmed.is_some_and(|unconfirmed| unconfirmed.back_to == number),
                "what was to be undone has been confirmed meanwhile"
            );
        }
        let number = self.history.record(new)?;
        let has_words = !matches!(how, How::Start | How::Reload | How::Obey);
        let mut done = String::new();
        if config == *self.stack.config() {
            done.push_str("it says what the stack does already; nothing was changed");
        } else {
            self.group.set_seeds(&seeds(&config, &self.options.seeds));
            let reserved = self.kernel.ports.apply(&config).await;
            self.handle(Event::Reconfigured(Box::new(config))).await;
            done.push_str("the changed configuration is applied");
            if let Err(error) = reserved {
                error!("{error:#}");
                done.push_str(", without its PORT and PORTRANGE");
            }
            info!("{done}, as entry {number}");
            if has_words {
                let _ = write!(done, ", as entry {number} of `distributor history`");
                done.insert_str(0, &(changes.join("\n") + "\n"));
            }
        }
        let history = self.history.history();
        if let Some(unconfirmed) = history.unconfirmed() {
            let until = unconfirmed.until.to_zoned(TimeZone::system());
            let _ = write!(
                done,
                "; entry {} comes back at {} unless `distributor confirm` is said before",
                unconfirmed.back_to,
                until.strftime("%H:%M:%S")
            );
        }
        if has_words && history.sets_profile_aside() {
            let _ = write!(
                done,
                "\n`{}` says something else: what is in force stays so at the next start, until that \
                 file is changed or `distributor reload` reads it",
                self.options.profile.display()
            );
        }
        Ok(done)
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
