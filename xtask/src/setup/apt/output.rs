//! What apt prints, read.
//!
//! Pure. Apt's messages are asked for in English (`LC_ALL=C`).

use super::super::need::Package;

/// What an installation would do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Installation {
    /// Names and versions, in apt's order.
    pub(super) packages: Vec<(String, String)>,
    pub(super) sizes: Sizes,
}

/// How large an installation is, in apt's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) download: String,
    pub(super) disk: String,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            download: "size unknown".to_owned(),
            disk: "size on disk unknown".to_owned(),
        }
    }
}

/// Reads `apt-get --simulate install`.
pub(super) fn installation(text: &str) -> Installation {
    let packages = text
        .lines()
        .filter_map(|line| {
            // "Inst name (version origin [arch])", or "Inst name [old] (version …)".
            let rest = line.strip_prefix("Inst ")?;
            let name = rest.split(' ').next()?;
            let (_, version) = rest.split_once('(')?;
            let version = version.split([' ', ')']).next()?;
            Some((name.to_owned(), version.to_owned()))
        })
        .collect();
    Installation {
        packages,
        sizes: Sizes::default(),
    }
}

/// Reads the sizes that `apt-get --print-uris install` announces.
pub(super) fn sizes(text: &str) -> Sizes {
    let between = |before: &str, after: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(before)?.strip_suffix(after))
    };
    let mut sizes = Sizes::default();
    if let Some(download) = between("Need to get ", " of archives.") {
        download.clone_into(&mut sizes.download);
    }
    if let Some(disk) = between(
        "After this operation, ",
        " of additional disk space will be used.",
    ) {
        sizes.disk = format!("{disk} on disk");
    }
    sizes
}

/// Why apt refused, in one line.
pub(super) fn reason(stderr: &str) -> String {
    let errors: Vec<_> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("E: "))
        .map(str::trim)
        .collect();
    if errors.is_empty() {
        "apt refused".to_owned()
    } else {
        format!("apt: {}", errors.join("; "))
    }
}

/// Says which packages come in another version than the one that was tried.
pub(super) fn differences(tried: &[Package], installation: &Installation) -> Vec<String> {
    tried
        .iter()
        .filter_map(|package| {
            let (_, version) = installation
                .packages
                .iter()
                .find(|(name, _)| name == package.name)?;
            (version != package.tried).then(|| {
                format!(
                    "note: {} {version} is on offer, {} was tried",
                    package.name, package.tried
                )
            })
        })
        .collect()
}

/// What to ask `apt-get indextargets` for, to be read by [`Repository::all`].
pub(super) const REPOSITORY_FORMAT: &str = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)";

/// One source of packages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repository<'a> {
    origin: &'a str,
    codename: &'a str,
    uri: &'a str,
}

impl<'a> Repository<'a> {
    /// Reads what `apt-get indextargets` prints.
    pub(super) fn all(text: &'a str) -> Vec<Self> {
        text.lines()
            .filter_map(|line| {
                let mut fields = line.split('|');
                let repository = Self {
                    origin: fields.next()?,
                    codename: fields.next()?,
                    uri: fields.next()?,
                };
                fields.next().is_none().then_some(repository)
            })
            .collect()
    }
}

/// Where Debian's security suite is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// Among the machine's sources.
    Known,
    /// At this `URI SUITE`, beside the machine's sources.
    At(String),
    /// Nowhere that could be told.
    Unknown,
}

/// Derives the security suite from the sources of the release: mirrors keep both side by side.
pub(super) fn security(repositories: &[Repository<'_>], os_release: &str) -> Security {
    let codename = os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|codename| codename.trim_matches('"'));
    let Some(codename) = codename else {
        return Security::Unknown;
    };
    let suite = format!("{codename}-security");
    if repositories
        .iter()
        .any(|repository| repository.codename == suite)
    {
        return Security::Known;
    }
    repositories
        .iter()
        .filter(|repository| repository.origin == "Debian" && repository.codename == codename)
        .find_map(|repository| repository.uri.trim_end_matches('/').strip_suffix("/debian"))
        .map_or(Security::Unknown, |mirror| {
            Security::At(format!("{mirror}/debian-security {suite}"))
        })
}

#[cfg(test)]
mod tests;
