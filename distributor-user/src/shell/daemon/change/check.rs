//! The checks of a change, beside the loop.
//!
//! A check owns copies, and nothing of the daemon: it may be dropped at any time.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::super::contested::{Inquiry, Taken};
use super::super::network::Network;
use super::super::ready::read_profile;
use super::super::{Daemon, DaemonOptions};
use super::program::Program;
use super::{Change, Checked, Source};
use crate::engine::agreement::{IdentityChanged, keeps_identity};
use crate::engine::config::Config;
use crate::engine::history::{How, New, User};
use crate::engine::profile::{self, Loaded, Reader, Style, Text, Texts};
use crate::engine::report::{ChangeRow, Limit, Outlook, Plan, Room};
use crate::shell::dataplane::Traffic;
use crate::shell::profile_files::ProfileFiles;

/// What a check needs to know.
pub(super) struct Check {
    options: DaemonOptions,
    running: Config,
    network: Network,
    /// DVIPAs that are here, or that a stack of the group owns.
    known: BTreeSet<IpAddr>,
    program: Program,
    outlook: Outlook,
    /// The connections, where they can be counted.
    traffic: Option<Traffic>,
    /// Who gave the order, by number.
    uid: Option<u32>,
    /// How long there is time to confirm it.
    within: Option<Duration>,
}

impl Check {
    /// Takes what a check of an order by `uid` needs.
    pub(super) fn of(daemon: &Daemon, uid: Option<u32>, within: Option<Duration>) -> Self {
        Self {
            options: daemon.options.clone(),
            running: daemon.stack.config().clone(),
            network: daemon.network.clone(),
            known: daemon.known_dvipas(),
            program: daemon.changes.program.clone(),
            outlook: Outlook::of(&daemon.stack),
            traffic: daemon.dataplane.traffic().ok(),
            uid,
            within,
        }
    }

    /// Checks a change.
    pub(super) async fn go(self, source: Source) -> anyhow::Result<Checked> {
        match source {
            Source::Profile => self.reload().await,
            Source::Obeyfile(texts) => {
                let name = texts.name().to_owned();
                let running = self.running.clone();
                let read =
                    move |text, reader: &mut dyn Reader| profile::obey(&running, text, reader);
                let (config, remarks) = self.read("the obeyfile", texts, read).await?;
                self.apply(How::Obey, Some(name), config, remarks).await
            }
            Source::Other(texts) => {
                let name = texts.name().to_owned();
                let (config, remarks) = self.read("the profile", texts, profile::load).await?;
                self.apply(How::Apply, Some(name), config, remarks).await
            }
            Source::Entry(how, config) => self.apply(how, None, *config, String::new()).await,
        }
    }

    /// Says what the configuration of `texts` would change.
    pub(super) async fn plan(self, texts: Texts) -> anyhow::Result<(Plan, Room)> {
        let source = texts.name().to_owned();
        let (config, remarks) = self.read("the profile", texts, profile::load).await?;
        let taken = self.examine(&config).await?;
        super::refuse_taken(taken, &self.known)?;
        let (changes, room) = tokio::task::spawn_blocking(move || self.changes(&config))
            .await
            .context("the configurations were not compared to their end")?;
        let plan = Plan {
            source,
            remarks,
            changes,
        };
        Ok((plan, room))
    }

    async fn reload(self) -> anyhow::Result<Checked> {
        let options = self.options.clone();
        let read = move || read_profile(&options, Style::Plain);
        let (config, text) = tokio::task::spawn_blocking(read)
            .await
            .context("the profile was not read to its end")?;
        let path = self.options.profile.display().to_string();
        let Some(config) = config else {
            bail!("`{path}` has errors\n{text}");
        };
        if self.program.is_replaced()? {
            let taken = self.examine(&config).await?;
            self.program.rehearse().await?;
            let change = Change::Execute;
            return Ok(Checked { change, taken });
        }
        self.apply(How::Reload, Some(path), config, text).await
    }

    /// Reads what was sent along with an order; returns what it says, and what there is to say about
    /// it.
    async fn read(
        &self,
        what: &str,
        texts: Texts,
        read: impl FnOnce(Text, &mut dyn Reader) -> Loaded + Send + 'static,
    ) -> anyhow::Result<(Config, String)> {
        let symbols = self.options.symbols.clone();
        let symbols = ProfileFiles::new(Vec::new()).with_symbols(symbols);
        let read = move || {
            let (text, mut reader) = texts.open(symbols);
            let loaded = read(text, &mut reader);
            let text = loaded.text(Style::Plain);
            (loaded.config, text)
        };
        let (config, text) = tokio::task::spawn_blocking(read)
            .await
            .with_context(|| format!("{what} was not read to its end"))?;
        match config {
            Some(config) => Ok((config, text)),
            None => bail!("it has errors\n{text}"),
        }
    }

    /// Checks a configuration that is right in itself.
    async fn apply(
        self,
        how: How,
        source: Option<String>,
        config: Config,
        remarks: String,
    ) -> anyhow::Result<Checked> {
        let taken = self.examine(&config).await?;
        let new = tokio::task::spawn_blocking(move || {
            let lasts_beside_profile = !matches!(how, How::Reload | How::Obey);
            let profile = lasts_beside_profile.then(|| read_profile(&self.options, Style::Plain).0);
            let changes = self.changes(&config).0;
            New {
                how,
                by: self.uid.map(user),
                source,
                changes: changes.into_iter().map(|row| row.words).collect(),
                config,
                profile: profile.flatten(),
                within: self.within,
            }
        });
        let new = new
            .await
            .context("the configurations were not compared to their end")?;
        let change = Change::Apply(Box::new(new), remarks);
        Ok(Checked { change, taken })
    }

    /// What is different from the running configuration, with the connections that there are.
    fn changes(&self, config: &Config) -> (Vec<ChangeRow>, Room) {
        let mut room = Room::new(Limit::None, None);
        let active = self.traffic.as_ref().map(Traffic::active_connections);
        let both = (&self.running, config);
        let changes = self.outlook.plan(both, active.as_ref(), &mut room);
        (changes, room)
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

/// The user of this number, as the system knows him.
fn user(uid: u32) -> User {
    let found = nix::unistd::User::from_uid(uid.into());
    User {
        uid,
        name: found.ok().flatten().map(|user| user.name),
    }
}
