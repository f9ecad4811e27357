//! Debian's archive: what it offers, how large that is, and its installation.
//!
//! Questions are asked with package lists of the project's own (in the target
//! directory): they are fresh, need no root, and leave the machine's lists as
//! they are. Where the machine's sources lack the security suite, which carries
//! the compiler, its address is derived from theirs and used for this one
//! installation; the machine's sources stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::need::{Package, Pin};
use crate::root::{self, Step};
use crate::{process, say, workspace};

mod output;

use output::{Installation, Repository, Security};

/// The archive as apt sees it.
pub(super) struct Archive {
    /// Configuration items for apt.
    options: Vec<String>,
    /// Whether the lists are this project's own, and more sources may be read into them.
    is_fresh: bool,
    /// The source that was added, as `URI SUITE`.
    added: Option<String>,
}

/// What the archive would install.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    options: Vec<String>,
    /// What to ask `apt-get install` for.
    request: Vec<String>,
    installation: Installation,
    notices: Vec<String>,
}

impl Archive {
    /// Reads what the archive has now; `None` without apt.
    ///
    /// Needs the network. Where old news will do, the machine's own lists stand in.
    ///
    /// # Errors
    ///
    /// The lists cannot be read.
    pub(super) fn read(old_news_will_do: bool) -> anyhow::Result<Option<Self>> {
        if process::find_program("apt-get").is_none() {
            return Ok(None);
        }
        match Self::fresh() {
            Err(error) if old_news_will_do => {
                say(format_args!(
                    "note: {error:#}; what follows is from older lists"
                ));
                Ok(Some(Self {
                    options: Vec::new(),
                    is_fresh: false,
                    added: None,
                }))
            }
            archive => archive.map(Some),
        }
    }

    fn fresh() -> anyhow::Result<Self> {
        let lists = directory().join("lists");
        fs::create_dir_all(lists.join("partial"))
            .with_context(|| format!("cannot create `{}`", lists.display()))?;
        let mut options = vec![
            format!("Dir::State::lists={}/", lists.display()),
            // No file of root's in the project, when root installs from these lists.
            "Dir::Cache::pkgcache=".to_owned(),
            "Dir::Cache::srcpkgcache=".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ];
        if nix::unistd::geteuid().is_root() {
            // Its sandbox user cannot read below a home directory.
            options.push("APT::Sandbox::User=root".to_owned());
        }
        let archive = Self {
            options,
            is_fresh: true,
            added: None,
        };
        say(format_args!("reading the package lists"));
        archive.update().context(
            "cannot read the package lists: check the network and the machine's apt sources",
        )?;
        Ok(archive)
    }

    /// Asks what the installation of `packages` would do, and says why it cannot be done.
    pub(super) fn offer(&mut self, packages: &[Package]) -> Result<Offer, String> {
        let tried: Vec<String> = packages
            .iter()
            .map(|package| match package.pin {
                Pin::Exact => format!("{}={}", package.name, package.tried),
                Pin::Newest => package.name.to_owned(),
            })
            .collect();
        let reason = match self.simulate(&tried) {
            Ok(installation) => return self.describe(tried, packages, installation),
            Err(reason) => reason,
        };
        if self.is_fresh && self.added.is_none() {
            match self.add_security() {
                Ok(()) => {
                    if let Ok(installation) = self.simulate(&tried) {
                        return self.describe(tried, packages, installation);
                    }
                }
                Err(error) => say(format_args!("note: {error:#}")),
            }
        }
        let newest: Vec<String> = packages
            .iter()
            .map(|package| package.name.to_owned())
            .collect();
        match self.simulate(&newest) {
            Ok(installation) => self.describe(newest, packages, installation),
            Err(_) => Err(reason),
        }
    }

    fn describe(
        &self,
        request: Vec<String>,
        packages: &[Package],
        mut installation: Installation,
    ) -> Result<Offer, String> {
        let sizes = self
            .ask_install(&["--print-uris"], &request)
            .map_err(|error| format!("{error:#}"))?;
        installation.sizes = output::sizes(&sizes.stdout);
        let mut notices = output::differences(packages, &installation);
        if let Some(source) = &self.added {
            notices.push(format!(
                "from `{source}` as well, which the machine's apt sources lack: for this once"
            ));
        }
        Ok(Offer {
            options: self.options.clone(),
            request,
            installation,
            notices,
        })
    }

    fn simulate(&self, request: &[String]) -> Result<Installation, String> {
        let answer = self
            .ask_install(&["--simulate"], request)
            .map_err(|error| format!("{error:#}"))?;
        if answer.succeeded {
            Ok(output::installation(&answer.stdout))
        } else {
            Err(output::reason(&answer.stderr))
        }
    }

    fn ask_install(&self, how: &[&str], request: &[String]) -> anyhow::Result<process::Answer> {
        process::ask(
            self.apt_get()
                .args(how)
                .args([
                    "install",
                    "--yes",
                    "--no-install-recommends",
                    "--no-remove",
                    "--",
                ])
                .args(request),
        )
    }

    fn update(&self) -> anyhow::Result<()> {
        // Without this, a source that cannot be read is no more than a warning.
        process::step(
            self.apt_get()
                .args(["--quiet=2", "--error-on=any", "update"]),
        )
    }

    /// Reads the security suite that belongs to the machine's own sources, if they lack it.
    fn add_security(&mut self) -> anyhow::Result<()> {
        let targets = process::ask(self.apt_get().args([
            "indextargets",
            "--format",
            output::REPOSITORY_FORMAT,
            "Created-By: Packages",
        ]))?;
        let release =
            fs::read_to_string("/etc/os-release").context("cannot read `/etc/os-release`")?;
        let source = match output::security(&Repository::all(&targets.stdout), &release) {
            Security::At(source) => source,
            Security::Known => return Ok(()),
            Security::Unknown => bail!(
                "the security suite, which carries the eBPF compiler, is not among the machine's \
                 apt sources, nor can its address be derived from them"
            ),
        };

        let parts = directory().join("sources");
        copy_sources(&machines_sources()?, &parts)?;
        let keyring = Path::new("/usr/share/keyrings/debian-archive-keyring.gpg");
        let signed_by = if keyring.exists() {
            format!("[signed-by={}] ", keyring.display())
        } else {
            String::new()
        };
        let list = parts.join("zz-security.list");
        fs::write(&list, format!("deb {signed_by}{source} main\n"))
            .with_context(|| format!("cannot write `{}`", list.display()))?;

        let mut extended = self.options.clone();
        extended.push(format!("Dir::Etc::sourceparts={}", parts.display()));
        let extended = Self {
            options: extended,
            is_fresh: true,
            added: Some(source),
        };
        extended.update().with_context(|| {
            format!(
                "cannot read `{}`: add the security suite to the machine's apt sources",
                extended.added.as_deref().unwrap_or_default()
            )
        })?;
        *self = extended;
        Ok(())
    }

    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command
            .args(self.options.iter().flat_map(|option| ["-o", option]))
            .env("PATH", process::search_path(None));
        command
    }
}

impl Offer {
    /// The offer as a person reads it.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "by apt: {} packages ({} to download, {})",
            self.installation.packages.len(),
            self.installation.sizes.download,
            self.installation.sizes.disk
        )];
        for (name, version) in &self.installation.packages {
            lines.push(format!("  {name} {version}"));
        }
        lines.extend(self.notices.iter().cloned());
        lines
    }
}

/// Installs what was offered.
pub(super) fn install(offer: &Offer) -> anyhow::Result<()> {
    root::perform(&Step::Install {
        options: offer.options.clone(),
        packages: offer.request.clone(),
    })
}

/// Where the project keeps its own package lists.
fn directory() -> PathBuf {
    workspace::root().join("target/apt")
}

/// The directory of additional sources that the machine uses.
fn machines_sources() -> anyhow::Result<PathBuf> {
    let answer = process::ask(Command::new("apt-config").args([
        "shell",
        "PARTS",
        "Dir::Etc::sourceparts/d",
    ]))?;
    let parts = answer
        .stdout
        .trim()
        .strip_prefix("PARTS='")
        .and_then(|rest| rest.strip_suffix('\''));
    Ok(PathBuf::from(parts.unwrap_or("/etc/apt/sources.list.d")))
}

fn copy_sources(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove `{}`", to.display()))?;
    }
    fs::create_dir_all(to).with_context(|| format!("cannot create `{}`", to.display()))?;
    let Ok(entries) = from.read_dir() else {
        return Ok(());
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot list `{}`", from.display()))?
            .path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::copy(&path, to.join(name))
                .with_context(|| format!("cannot copy `{}`", path.display()))?;
        }
    }
    Ok(())
}
