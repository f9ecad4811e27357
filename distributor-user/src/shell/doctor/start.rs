//! Why a daemon does not run: how it ended, and what a start would be refused for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Question;
use crate::engine::config::XcfNetwork;
use crate::engine::doctor::{Obstacle, Socket, Stopped};
use crate::engine::links as choice;
use crate::engine::profile::{self, Loaded, Severity};
use crate::shell::dataplane::{Dataplane, is_on_bpffs};
use crate::shell::netlink::Netlink;
use crate::shell::profile_files::ProfileFiles;
use crate::shell::{group, links};

/// What `distributor run` would be told.
#[derive(Clone, Debug)]
pub struct Start {
    /// The profile.
    pub profile: PathBuf,
    /// Where INCLUDE looks for members.
    pub include_dirs: Vec<PathBuf>,
    /// The values of system symbols.
    pub symbols: BTreeMap<String, String>,
    /// Key files.
    pub keys: Vec<PathBuf>,
    /// Ingress interfaces by name.
    pub interfaces: Vec<String>,
    /// The interface of the DYNAMICXCF network by name.
    pub xcf_interface: Option<String>,
}

pub(super) async fn look(
    netlink: &Netlink,
    question: &Question,
    socket: Socket,
) -> anyhow::Result<Stopped> {
    let pins = question.pin_dir.join(&question.name);
    let obstacles = if socket == Socket::Silent {
        Vec::new()
    } else {
        obstacles(netlink, &question.start, &pins).await?
    };
    Ok(Stopped {
        name: question.name.clone(),
        socket,
        ended: ended(&question.name),
        has_packet_path: pins.exists(),
        obstacles,
    })
}

/// Goes through the checks of a start, in its order; a later one that needs an earlier one is left out.
async fn obstacles(netlink: &Netlink, start: &Start, pins: &Path) -> anyhow::Result<Vec<Obstacle>> {
    let mut obstacles = Vec::new();
    let identity = match read(start) {
        Ok(identity) => Some(identity),
        Err(obstacle) => {
            obstacles.push(obstacle);
            None
        }
    };
    if let Err(error) = group::load_keys(&start.keys) {
        obstacles.push(Obstacle::Key(format!("{:#}", anyhow::Error::from(error))));
    }
    let all = links::list(netlink).await?;
    if let Err(error) = choice::ingress(&all, &start.interfaces) {
        obstacles.push(Obstacle::Interface(error.to_string()));
    }
    if let Some(xcf) = identity
        && let Err(error) = choice::xcf(&all, start.xcf_interface.as_deref(), &xcf)
    {
        obstacles.push(Obstacle::Interface(error.to_string()));
    }
    if !is_on_bpffs(pins) {
        obstacles.push(Obstacle::Bpffs(pins.display().to_string()));
    }
    if obstacles.is_empty()
        && let Err(error) = Dataplane::rehearse(pins)
    {
        obstacles.push(Obstacle::Other(format!("{:#}", anyhow::Error::from(error))));
    }
    Ok(obstacles)
}

/// The stack's identity by its profile: the first of its DYNAMICXCF addresses.
fn read(start: &Start) -> Result<XcfNetwork, Obstacle> {
    let path = start.profile.display().to_string();
    if !start.profile.exists() {
        return Err(Obstacle::NoProfile(path));
    }
    let mut files =
        ProfileFiles::new(start.include_dirs.clone()).with_symbols(start.symbols.clone());
    let loaded = match files.open(&start.profile) {
        Ok(text) => profile::load(text, &mut files),
        Err(error) => profile::unreadable(&path, error),
    };
    if let Some(first) = first_error(&loaded) {
        return Err(Obstacle::Profile { path, first });
    }
    let config = loaded.config.as_ref();
    let identity = config.and_then(|config| config.xcf_networks().next());
    identity.ok_or(Obstacle::NoIdentity(path))
}

/// The first error of a profile, in a line.
pub(super) fn first_error(loaded: &Loaded) -> Option<String> {
    let mut found = loaded.diagnostics.iter();
    let error = found.find(|found| found.severity == Severity::Error)?;
    Some(format!("{}: {}", error.id, error.message))
}

/// What systemd says of how the stack's unit ended, if there is one.
fn ended(name: &str) -> Option<String> {
    let output = Command::new("systemctl")
        .args([
            "show",
            "--property=LoadState,Result,ExecMainStatus,ActiveState",
        ])
        .arg(format!("distributor@{name}.service"))
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |key: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    if value("LoadState")? != "loaded" {
        return None;
    }
    Some(format!(
        "its unit is {}, result {}, status {}",
        value("ActiveState")?,
        value("Result")?,
        value("ExecMainStatus")?
    ))
}
