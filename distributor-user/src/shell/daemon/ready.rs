//! What a start needs, checked before anything is changed.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};

use super::DaemonOptions;
use super::history::Started;
use super::network::Network;
use crate::engine::config::Config;
use crate::engine::links::Link;
use crate::engine::profile::{self, Style};
use crate::engine::xcf::XcfAddresses;
use crate::shell;
use crate::shell::dataplane::Dataplane;
use crate::shell::group::{self, KeyRing};
use crate::shell::netlink::Netlink;
use crate::shell::profile_files::ProfileFiles;

/// What a start needs, found and checked.
pub(super) struct Ready {
    pub(super) started: Started,
    pub(super) xcf: XcfAddresses,
    pub(super) keys: KeyRing,
    pub(super) netlink: Netlink,
    pub(super) all: Vec<Link>,
    pub(super) network: Network,
}

impl Ready {
    pub(super) async fn check(options: &DaemonOptions) -> anyhow::Result<Self> {
        let started = Started::of(options, load_profile(options)?);
        let config = &started.config;
        let keys = group::load_keys(&options.keys)?;
        if !nix::unistd::geteuid().is_root() {
            bail!(
                "expected to run as root, found user {}",
                nix::unistd::geteuid()
            );
        }
        let xcf = config.xcf().context(
            "the profile gives this stack no identity; add `IPCONFIG DYNAMICXCF address \
             subnet_mask cost_metric`, or `IPCONFIG6 DYNAMICXCF address/bits`",
        )?;
        if let Some(cgroup) = &options.load_cgroup {
            shell::load::check(cgroup)?;
        }
        let netlink = Netlink::open().context("cannot talk to the kernel by netlink")?;
        let all = shell::links::list(&netlink).await?;
        let network = Network::choose(&all, config.xcf_networks().collect(), options)?;
        network.check_ipv6(config)?;
        Ok(Self {
            started,
            xcf,
            keys,
            netlink,
            all,
            network,
        })
    }
}

/// Checks what a start needs, and that it would take over what is in the kernel.
pub(super) async fn rehearse(options: &DaemonOptions) -> anyhow::Result<()> {
    Ready::check(options).await?;
    Dataplane::rehearse(&options.pin_dir.join(&options.name))?;
    Ok(())
}

/// Reads the profile; explains what is wrong with it, or unusual, on standard error.
fn load_profile(options: &DaemonOptions) -> anyhow::Result<Config> {
    let style = if std::io::stderr().is_terminal() {
        Style::Coloured
    } else {
        Style::Plain
    };
    let (config, text) = read_profile(options, style);
    eprint!("{text}");
    config.with_context(|| {
        format!(
            "`{}` has errors and nothing of it was applied",
            options.profile.display()
        )
    })
}

/// Reads the profile; returns what it says unless it has errors, and what there is to say about it.
pub(super) fn read_profile(options: &DaemonOptions, style: Style) -> (Option<Config>, String) {
    let mut files =
        ProfileFiles::new(options.include_dirs.clone()).with_symbols(options.symbols.clone());
    let loaded = match files.open(&options.profile) {
        Ok(text) => profile::load(text, &mut files),
        Err(error) => profile::unreadable(&options.profile.display().to_string(), error),
    };
    let text = loaded.text(style);
    (loaded.config, text)
}
