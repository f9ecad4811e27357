//! Sets interface settings of the kernel and puts them back.
//!
//! Which settings need which value, `engine::sysctls` decides. No setting is
//! changed before its original value is in the state file, and one that
//! somebody else has changed since is not put back. The state file belongs to
//! one namespace of one boot; found by another, it is of no meaning and is
//! replaced. It is not flushed to the disk: the crash that could lose it
//! resets the settings as well.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::engine::sysctls::{InterfaceUse, Setting};

use super::namespace;

#[cfg(test)]
mod tests;

/// Settings of interfaces; of the namespace of the task that reads or writes them.
const DIRECTORY: &str = "/proc/sys/net/ipv4/conf";
/// What the kernel reports for the machine's present run.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The pseudo-interface whose settings apply to all.
const ALL: &str = "all";

/// The settings that the distributor has changed on this stack.
#[derive(Debug)]
pub struct Sysctls {
    path: PathBuf,
    saved: Saved,
}

/// The state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    boot_id: String,
    netns_cookie: u64,
    changed: BTreeSet<Changed>,
}

/// One setting that was changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Changed {
    interface: String,
    ifindex: u32,
    setting: Setting,
    original: i32,
    ours: i32,
}

/// Why settings could not be changed or put back.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// The kernel does not say which namespace of which boot this is.
    #[error("cannot tell which network namespace of which boot this is")]
    Identity(#[source] io::Error),
    /// The state file cannot be read or written; no setting was changed.
    #[error("cannot keep the original settings in `{path}`")]
    StateFile {
        /// The state file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting cannot be read or written; those changed before it were put back.
    #[error("cannot {action} `{path}`")]
    Setting {
        /// `read` or `write`.
        action: &'static str,
        /// The setting's file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Sysctls {
    /// Reads the state file at `path`, if there is one; changes no setting.
    ///
    /// What an earlier daemon changed and did not put back counts as changed
    /// by this one.
    ///
    /// # Errors
    ///
    /// The state file cannot be read.
    pub fn open(path: &Path) -> Result<Self, SysctlError> {
        let nothing = Saved {
            boot_id: fs::read_to_string(BOOT_ID)
                .map_err(SysctlError::Identity)?
                .trim()
                .to_owned(),
            netns_cookie: namespace::cookie().map_err(SysctlError::Identity)?,
            changed: BTreeSet::new(),
        };
        let state_file = |source| SysctlError::StateFile {
            path: path.to_owned(),
            source,
        };
        let saved = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| state_file(error.into()))
                .map(|saved: Saved| {
                    if saved.is_of(&nothing) {
                        saved
                    } else {
                        nothing
                    }
                })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => nothing,
            Err(error) => return Err(state_file(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            saved,
        })
    }

    /// Changes what these uses need, and puts everything else back that was changed before.
    ///
    /// Without any use, all settings are as they were and the state file is gone.
    ///
    /// # Errors
    ///
    /// A setting or the state file cannot be read or written.
    pub fn apply(&mut self, uses: &[InterfaceUse]) -> Result<(), SysctlError> {
        let is_used = |changed: &Changed| {
            uses.iter().any(|interface| {
                interface.ifindex == changed.ifindex
                    && interface.name == changed.interface
                    && interface
                        .settings()
                        .any(|setting| setting == changed.setting)
            })
        };
        let (kept, unused): (BTreeSet<_>, BTreeSet<_>) = std::mem::take(&mut self.saved.changed)
            .into_iter()
            .partition(is_used);
        self.saved.changed = kept;
        for changed in &unused {
            put_back(changed);
        }
        let new = self.missing(uses)?;
        self.saved.changed.extend(new.iter().cloned());
        if let Err(error) = self.save() {
            self.saved.changed.retain(|changed| !new.contains(changed));
            return Err(error);
        }
        for (position, changed) in new.iter().enumerate() {
            if let Err(error) = write(&changed.interface, changed.setting, changed.ours) {
                for undone in &new[..position] {
                    put_back(undone);
                }
                self.saved.changed.retain(|changed| !new.contains(changed));
                self.save()?;
                return Err(error);
            }
            info!(
                interface = changed.interface,
                setting = changed.setting.name(),
                from = changed.original,
                to = changed.ours,
                "a setting was changed",
            );
        }
        Ok(())
    }

    /// The changes that these uses need and that were not made yet.
    fn missing(&self, uses: &[InterfaceUse]) -> Result<Vec<Changed>, SysctlError> {
        let mut missing = Vec::new();
        for interface in uses {
            for setting in interface.settings() {
                let is_changed = self.saved.changed.iter().any(|changed| {
                    changed.ifindex == interface.ifindex && changed.setting == setting
                });
                if is_changed {
                    continue;
                }
                let original = read(&interface.name, setting)?;
                if let Some(ours) = setting.needed(read(ALL, setting)?, original) {
                    missing.push(Changed {
                        interface: interface.name.clone(),
                        ifindex: interface.ifindex,
                        setting,
                        original,
                        ours,
                    });
                }
            }
        }
        Ok(missing)
    }

    /// Writes the state file, whole or not at all.
    fn save(&self) -> Result<(), SysctlError> {
        let write = || {
            if self.saved.changed.is_empty() {
                return match fs::remove_file(&self.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    Ok(()) | Err(_) => Ok(()),
                };
            }
            if let Some(directory) = self.path.parent() {
                fs::create_dir_all(directory)?;
            }
            let new = self.path.with_extension("new");
            fs::write(&new, serde_json::to_vec_pretty(&self.saved)?)?;
            fs::rename(&new, &self.path)
        };
        write().map_err(|source| SysctlError::StateFile {
            path: self.path.clone(),
            source,
        })
    }
}

impl Saved {
    /// Whether it is of the same namespace of the same boot.
    fn is_of(&self, other: &Self) -> bool {
        self.boot_id == other.boot_id && self.netns_cookie == other.netns_cookie
    }
}

/// Puts a setting back, unless it is not ours any more.
fn put_back(changed: &Changed) {
    let Changed {
        interface,
        ifindex,
        setting,
        original,
        ours,
    } = changed;
    // An interface that was deleted, or created anew under the same name, has its own settings.
    if nix::net::if_::if_nametoindex(interface.as_str()).ok() != Some(*ifindex) {
        return;
    }
    let name = setting.name();
    match read(interface, *setting) {
        Ok(current) if current == *ours => {
            if let Err(error) = write(interface, *setting, *original) {
                let error = &error as &dyn std::error::Error;
                warn!(error, "a setting stays changed");
            }
        }
        Ok(current) => info!(
            interface,
            name, current, "somebody else changed a setting: it stays"
        ),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            warn!(error, "a setting stays changed");
        }
    }
}

fn file(interface: &str, setting: Setting) -> PathBuf {
    Path::new(DIRECTORY).join(interface).join(setting.name())
}

/// Reads a setting of an interface, or of all of them.
pub(super) fn read(interface: &str, setting: Setting) -> Result<i32, SysctlError> {
    let path = file(interface, setting);
    fs::read_to_string(&path)
        .and_then(|text| {
            let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
            text.trim().parse().map_err(invalid)
        })
        .map_err(|source| SysctlError::Setting {
            action: "read",
            path,
            source,
        })
}

fn write(interface: &str, setting: Setting, value: i32) -> Result<(), SysctlError> {
    let path = file(interface, setting);
    fs::write(&path, value.to_string()).map_err(|source| SysctlError::Setting {
        action: "write",
        path,
        source,
    })
}
