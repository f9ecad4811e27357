//! The history of configurations: how it is kept, and what a start makes of it.
//!
//! It lies in the state directory and outlives the daemon and the machine's boot. A
//! history that cannot be read is begun anew, and one that cannot be written keeps
//! no start off; only what needs the way back is refused then.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use tracing::{info, warn};

use super::{Daemon, DaemonOptions};
use crate::engine::config::Config;
use crate::engine::history::{History, How, New, Start};
use crate::engine::report::{Limit, Outlook, Room};
use crate::shell::admin::Answer;

/// After how long what could not be undone is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// The history of one stack, with its file.
#[derive(Debug)]
pub(super) struct KeptHistory {
    path: PathBuf,
    history: History,
    /// When what is not confirmed is to be undone.
    undo_at: Option<Instant>,
}

/// What a start goes on with.
#[derive(Debug)]
pub(super) struct Started {
    kept: KeptHistory,
    /// What is in force from now on.
    pub(super) config: Config,
    /// What is to be noted of it; absent if it was in force before.
    new: Option<New>,
    /// Whether that is what the profile says.
    follows_profile: bool,
}

impl Started {
    /// Looks whether the profile counts, or what was applied in its place. Nothing is written.
    pub(super) fn of(options: &DaemonOptions, profile: Config) -> Self {
        let kept = KeptHistory::read(options);
        let now = Timestamp::now();
        let file = options.profile.display();
        let start = kept.history.at_start(&profile, now);
        let entry = match &start {
            Start::Profile => None,
            Start::Entry(number) | Start::Undone(number) => kept.history.entry(*number),
        };
        let (how, config) = match (start, entry) {
            (Start::Undone(number), Some(entry)) => {
                warn!("what was applied was not confirmed in time: entry {number} is back");
                (How::Undo(number), entry.config.clone())
            }
            (Start::Entry(number), Some(entry)) => {
                warn!(
                    "entry {number} of `distributor history` is in force, not `{file}`, which says \
                     what it said before; `distributor reload` has it count again"
                );
                (How::Start, entry.config.clone())
            }
            (_, _) => (How::Start, profile.clone()),
        };
        let before = kept.history.last().map(|last| &last.config);
        let changes = before.map_or_else(Vec::new, |before| {
            let mut room = Room::new(Limit::None, None);
            let rows = Outlook::default().plan((before, &config), None, &mut room);
            rows.into_iter().map(|row| row.words).collect()
        });
        let is_known = how == How::Start && before == Some(&config);
        let follows_profile = config == profile;
        let new = New {
            how,
            by: None,
            source: follows_profile.then(|| file.to_string()),
            changes,
            config: config.clone(),
            profile: Some(profile),
            within: None,
        };
        Self {
            kept,
            config,
            new: (!is_known).then_some(new),
            follows_profile,
        }
    }

    /// Takes note of what the start went on with.
    pub(super) fn note(self) -> KeptHistory {
        let Self {
            mut kept,
            config: _,
            new,
            follows_profile,
        } = self;
        if let Some(new) = new {
            kept.history.record(new, Timestamp::now());
            kept.write_if_possible();
        } else if follows_profile && kept.history.sets_profile_aside() {
            kept.follow_profile();
        }
        kept.set_timer();
        kept
    }
}

impl KeptHistory {
    /// The history.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    fn read(options: &DaemonOptions) -> Self {
        let path = options.state_dir.join(format!("{}.history", options.name));
        let history = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(History::default()),
            Err(error) => Err(error.to_string()),
        };
        let history = history.unwrap_or_else(|error| {
            let path = path.display();
            warn!("the history of configurations begins anew: `{path}` {error}");
            History::default()
        });
        Self {
            path,
            history,
            undo_at: None,
        }
    }

    /// Takes note of a configuration before it comes into force; returns its number.
    pub(super) fn record(&mut self, new: New) -> anyhow::Result<u64> {
        let needs_way_back = matches!(new.how, How::Apply | How::Rollback(_));
        let before = self.history.clone();
        let number = self.history.record(new, Timestamp::now());
        if self.history != before {
            if needs_way_back && let Err(error) = self.write() {
                self.history = before;
                let path = self.path.display();
                return Err(error).with_context(|| {
                    format!("`{path}` cannot be written, and without it there is no way back")
                });
            }
            self.write_if_possible();
        }
        self.set_timer();
        Ok(number)
    }

    /// Has the profile count at the next start.
    pub(super) fn follow_profile(&mut self) {
        self.history.follow_profile();
        self.write_if_possible();
    }

    /// Whether it is time to undo what is not confirmed; asked again, it says so after a while.
    pub(super) fn is_undo_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.undo_at.is_some_and(|at| at <= now);
        if is_due {
            self.undo_at = Some(now + AGAIN);
        }
        is_due
    }

    fn set_timer(&mut self) {
        let unconfirmed = self.history.unconfirmed();
        let left = unconfirmed.map(|unconfirmed| unconfirmed.left(Timestamp::now()));
        // A clock that jumps while the daemon runs does not matter.
        self.undo_at = left.map(|left| Instant::now() + left);
    }

    fn write_if_possible(&self) {
        if let Err(error) = self.write() {
            let path = self.path.display();
            warn!("the history of configurations is not kept: `{path}` {error}");
        }
    }

    /// Replaces the file: it is whole at any time.
    fn write(&self) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let new = self.path.with_extension("history.new");
        let mut file = File::create(&new)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(&serde_json::to_vec(&self.history)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

impl Daemon {
    /// Confirms what was applied.
    pub(super) fn confirm(&mut self) -> Answer {
        let Some(number) = self.history.history.confirm() else {
            return Answer::Refused(
                "expected a change that waits to be confirmed, found none; `distributor history` shows \
                 what was changed, and what was undone"
                    .to_owned(),
            );
        };
        self.history.set_timer();
        self.history.write_if_possible();
        let done = format!("entry {number} is confirmed");
        info!("{done}");
        Answer::Done(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(directory: &std::path::Path) -> KeptHistory {
        KeptHistory {
            path: directory.join("TCPIP.history"),
            history: History::default(),
            undo_at: None,
        }
    }

    fn new(how: How, sysplex_routing: bool) -> New {
        New {
            how,
            by: None,
            source: None,
            changes: Vec::new(),
            config: Config {
                sysplex_routing,
                ..Config::default()
            },
            profile: None,
            within: Some(Duration::from_mins(1)).filter(|_| how == How::Apply),
        }
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut history = kept(&directory.path().join("not/there/yet"));
        assert_eq!(history.record(new(How::Start, true)).expect("a file"), 1);
        assert!(history.undo_at.is_none());
        assert_eq!(history.record(new(How::Apply, false)).expect("a file"), 2);
        assert!(history.undo_at.is_some() && !history.is_undo_due());
        let text = fs::read_to_string(&history.path).expect("a file");
        let back: History = serde_json::from_str(&text).expect("a history");
        assert_eq!(back, history.history);
        let mode = fs::metadata(&history.path).expect("a file").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn without_a_way_back_nothing_is_applied() {
        let directory = tempfile::tempdir().expect("a directory");
        let in_the_way = directory.path().join("file");
        fs::write(&in_the_way, "").expect("a file");
        let mut history = kept(&in_the_way);
        assert_eq!(history.record(new(How::Start, true)).expect("a start"), 1);
        let before = history.history.clone();
        let refused = history.record(new(How::Apply, false));
        let refused = refused.expect_err("a refusal").to_string();
        assert!(refused.contains("no way back"), "{refused}");
        assert_eq!(history.history, before);
    }
}
